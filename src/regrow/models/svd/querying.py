"""Words and documents that are like some words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.readonly import read_only
from regrow.data.records import Documents
from regrow.data.text import count_words
from regrow.data.vocabulary import WordSet
from regrow.data.wordset_kernels import find_words
from regrow.errors import DataError, UsageError
from regrow.evaluation.tail import aligned
from regrow.models.svd.model import FactorModel
from regrow.models.svd.nouns import DOCUMENTS, Nouns
from regrow.packed import Strings, strings

__all__ = ["Found", "queried", "word_table"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Found:
    """What is like some words: words with the cosine; documents with number, name if they have one, and the cosine.

    known       the words that the model has; unknown: those that it has not
    nouns       what documents and words are called in `text`
    """

    known: Sequence[str]
    unknown: Sequence[str]
    words: Sequence[tuple[str, float]]
    documents: Sequence[tuple[int, str | None, float]]
    nouns: Nouns = DOCUMENTS

    def to_json(self) -> dict[str, Any]:
        """{"words": [[word, cosine], ...], "documents": [{"doc", "id" if it has one, "similarity"}, ...], "known", "unknown"}."""
        return {
            "words": [[word, round(cosine, 6)] for word, cosine in self.words],
            "documents": [
                {"doc": number, **({"id": name} if name is not None else {}), "similarity": round(cosine, 6)}
                for number, name, cosine in self.documents
            ],
            "known": list(self.known),
            "unknown": list(self.unknown),
        }

    def text(self) -> str:
        """Two lists, one below the other."""
        lines = [(self.nouns.columns, "cosine"), *((word, f"{cosine:.3f}") for word, cosine in self.words)]
        shown = aligned(lines)
        if self.documents:
            rows = [(name or "", f"{number:,}", f"{cosine:.3f}") for number, name, cosine in self.documents]
            shown += "\n\n" + aligned([(self.nouns.rows, "number", "cosine"), *rows])
        return shown + (f"\nnot in the model: {', '.join(self.unknown)}" if self.unknown else "")


def queried(model: FactorModel, text: Mapping[str, Any], wanted: Sequence[str], n: int, table: Sequence[Array] | None = None) -> Found:
    """What is like these words together. Each is one as it stands, or else is cut into words as the model's text was.

    text        the options of the run: `lower`, `token_pattern`, `segment`
    table       `word_table` of the model's vocabulary, for those who ask often
    Raises DataError if the model knows none of them, UsageError for n below 1.
    """
    if n < 1:
        raise UsageError(f"--count {n}", "at least one, e.g. --count 10")
    numbers, unknown = _numbers(word_table(model.vocabulary) if table is None else table, text, wanted)
    if not numbers:
        raise DataError(f"the model knows none of the {model.nouns.columns}: {', '.join(unknown) or 'there are none'}", "ask for others")
    index, counts = np.unique(np.array(numbers), return_counts=True)
    documents: list[tuple[int, str | None, float]] = []
    if "coordinates" in model.arrays:
        place = model.folded(np.array([0, len(index)]), index, counts.astype(np.float64))[0]
        documents = [(d, model.document_name(d), cosine) for d, cosine in model.like_document(place, n)]
    names = model.vocabulary
    words = [(names[w], cosine) for w, cosine in model.like_words(index, n)]
    return Found([names[w] for w in index.tolist()], unknown, words, documents, model.nouns)


def word_table(vocabulary: Strings) -> list[Array]:
    """The words as a hash table: arrays (see `wordset_kernels`), the last one their numbers."""
    table = WordSet()
    table.add(vocabulary)
    return [*table.table(), np.arange(len(vocabulary), dtype=np.int32)]


def _numbers(table: Sequence[Array], text: Mapping[str, Any], wanted: Sequence[str]) -> tuple[list[int], list[str]]:
    """The numbers of words, as often as they occur, and those that have none."""

    def known(words: Strings) -> npt.NDArray[np.int32]:
        arrays = [read_only(array) for array in table]
        found: npt.NDArray[np.int32] = find_words(read_only(words.offsets), read_only(words.utf8), *arrays)
        return found

    numbers: list[int] = []
    unknown: list[str] = []
    for one, place in zip(wanted, known(strings(wanted)).tolist(), strict=True):
        if place >= 0:
            numbers.append(place)
            continue
        data = strings([one])
        found = Documents(data.utf8, data.offsets[:-1], data.offsets[1:], 1)
        stream, _, own, _, _ = count_words(found, text.get("lower", True), text.get("token_pattern"), text.get("segment", "auto"))
        places = known(own)
        numbers += [int(places[word]) for word in stream.tolist() if places[word] >= 0]
        unknown += [own[word] for word in range(len(own)) if places[word] < 0] if len(own) else [one]
    return numbers, unknown
