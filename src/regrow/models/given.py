"""What people hand to fit and transform, as the files that training reads.

    "docs.txt", Path, [Path, ...], [names of files that are all there]      files
    ["a text", "another"]                                                   documents, cut into words as text in files is
    [["words", "of", "one"], ["of", "another"]]                             documents whose words are given
    numpy, pandas, scipy.sparse, [[0, 2], [1, 0]]                           counts, documents by words

What is in memory is written to a temporary folder, so that all of them go the same way and make the same model.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from regrow.data import TextOptions
from regrow.models.counts import Counts, counts_of
from regrow.models.habits import WrongData, WrongKind

__all__ = ["Given", "as_files", "given"]


@dataclass(frozen=True)
class Given:
    """What was handed over: exactly one of the four."""

    files: tuple[str, ...] | None = None
    texts: Sequence[str] | None = None
    words: Sequence[Sequence[str]] | None = None
    counts: Counts | None = None


def given(documents: Any, learner: str, *, whole: bool = True) -> Given:
    """What kind of documents these are; tables hold counts, or, not `whole`, any numbers.

    Raises WrongData or WrongKind for what is none; the content of files is not looked at.
    """
    if isinstance(documents, (str, os.PathLike)):
        return Given(files=(os.fspath(documents),))
    if hasattr(documents, "tocsr") or hasattr(documents, "columns"):
        return Given(counts=counts_of(documents, learner, whole=whole))
    listed = _listed(documents)
    if not listed:
        return Given(counts=counts_of(documents if listed is None else listed, learner, whole=whole))
    if any(isinstance(item, os.PathLike) for item in listed) or _are_files(listed):
        return Given(files=tuple(os.fspath(item) for item in _all_of(listed, (str, os.PathLike), "a file")))
    if isinstance(listed[0], str):
        return Given(texts=_all_of(listed, (str,), "a text"))
    if all(isinstance(item, (list, tuple)) for item in listed) and isinstance(next((word for item in listed for word in item), None), str):
        return Given(words=[_all_of(item, (str,), "a word") for item in listed])
    return Given(counts=counts_of(documents if not isinstance(documents, Iterator) else listed, learner, whole=whole))


def _listed(documents: Any) -> list[Any] | None:
    """A list, tuple, iterator, Series or array of objects of one dimension as a list; None for tables and all else."""
    if isinstance(documents, (list, tuple, Iterator)):
        return list(documents)
    if getattr(documents, "ndim", 0) == 1 and hasattr(documents, "tolist"):
        found: list[Any] = documents.tolist()
        return found if found and isinstance(found[0], (str, list, tuple)) else None
    return None


def _are_files(listed: Sequence[Any]) -> bool:
    """Whether all are strings that name files which are there."""
    return all(isinstance(item, str) and "\n" not in item and os.path.exists(item) for item in listed)


def _all_of(listed: Iterable[Any], kinds: tuple[type, ...], what: str) -> list[Any]:
    found = list(listed)
    for place, item in enumerate(found):
        if not isinstance(item, kinds):
            raise WrongKind(f"item {place} of a list is no string but {type(item).__name__}", f"the others are, so it should be {what} too")
    return found


@contextlib.contextmanager
def as_files(
    found: Given, options: TextOptions, names: Sequence[str] | None = None
) -> Iterator[tuple[list[str], TextOptions, tuple[str, ...]]]:
    """The documents as files: (their names, options to read them with, those that were made here and may be moved away).

    names   of the columns of counts, if the table itself has none; else they are called by their numbers, from 0
    """
    if found.files is not None:
        yield list(found.files), options, ()
        return
    with tempfile.TemporaryDirectory(prefix="regrow-given-") as folder:
        if found.counts is not None:
            table, vocabulary = _write_counts(found.counts, Path(folder), found.counts.names or names)
            made = (table, vocabulary) if vocabulary else (table,)
            taken = replace(options, format="npz", text_field=None, id_field=None, header=None, vocabulary=vocabulary)
            yield [table], replace(taken, token_pattern=None, segment="auto"), made  # words are given: there is nothing to cut
            return
        file = _write_texts(found.texts if found.texts is not None else found.words or (), Path(folder))
        yield [file], replace(options, format="jsonl", text_field=None, id_field="", header=None, vocabulary=None), (file,)


def _write_texts(documents: Sequence[Any], folder: Path) -> str:
    path = folder / "documents.jsonl"
    with open(path, "w", encoding="ascii") as file:
        file.writelines(json.dumps({"text": document}) + "\n" for document in documents)
    return str(path)


def _write_counts(counts: Counts, folder: Path, words: Sequence[str] | None) -> tuple[str, str | None]:
    """As a matrix that scipy would read and, if the columns have names, a vocabulary. Raises WrongData for what makes none."""
    if not len(counts.counts):
        raise WrongData("there is not one word in the documents: all counts are 0", "give documents with words")
    table, vocabulary = folder / "counts.npz", folder / "vocabulary.txt"
    arrays = {"indptr": counts.ptr, "indices": counts.columns, "data": counts.counts}
    np.savez(table, allow_pickle=False, format=np.array(b"csr"), shape=np.array(counts.shape), **arrays)
    if words is None:
        return str(table), None
    _check_words(words, counts.shape[1])
    vocabulary.write_text("".join(f"{word}\n" for word in words), encoding="utf-8", newline="\n")
    return str(table), str(vocabulary)


def _check_words(words: Sequence[str], columns: int) -> None:
    if len(words) != columns:
        raise WrongData(f"{len(words):,} words for {columns:,} columns", "give a word for each column")
    for word in words:
        if not word.strip() or word != word.strip() or "\n" in word:
            raise WrongData(f"a column is called {word!r}", "the name of a column is a word: without line breaks, not blank")
    if len(set(words)) < len(words):
        twice = Counter(words).most_common(1)[0][0]
        raise WrongData(f"two columns are called {twice!r}", "a word has one column: add them up, or give them different names")
