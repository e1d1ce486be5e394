"""The program that prepares text: documents -> numbers of words, and the vocabulary. Each text is cut into words once."""

from __future__ import annotations

import collections
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.records import Documents, documents
from regrow.data.unicode import character_classes, lower_cases
from regrow.data.vocabulary import WordSet, by_count, read_only, take_numbers, taken
from regrow.data.word_kernels import map_stream, tokenise
from regrow.errors import DataError
from regrow.packed import Strings, strings
from regrow.program import Data, Partition, Program, Role, Roles

__all__ = ["TextTokens", "count_words", "nothing_left"]

Words = tuple[npt.NDArray[np.int32], npt.NDArray[np.int64], Strings, npt.NDArray[np.int64], npt.NDArray[np.int64]]


@dataclass(frozen=True)
class TextTokens(Program):
    """Documents -> tokens.

    format, text_fields     as in `Source`
    lower, stop_words, min_count, max_doc_share, token_pattern     as in `TextOptions`; stop_words is the list itself
    unicode     the version of the Unicode tables: others may cut other words, so it belongs to what a run is

    Data: the layout "text" of `ingest`. Results, which are the data of `Grid`:
      tokens        a part for each part of the text: `words` int32 [tokens] in the order of the text, `doc_ptr` int64
                    [documents + 1] into it; a document whose words were all dropped stays, with length 0
      vocabulary    one part: `words` strings, `counts` int64 (occurrences), `documents` int64 (documents with the word);
                    number w is the w-th by descending count, then by UTF-8 bytes
    Metrics: tokens, documents, empty_documents, words, dropped_tokens, dropped_words.
    """

    format: str = "txt"
    text_fields: Sequence[str] = ()
    lower: bool = True
    stop_words: Sequence[str] = ()
    min_count: int = 1
    max_doc_share: float = 1.0
    token_pattern: str | None = None
    unicode: str = ""

    def roles(self, data: Data) -> Roles:
        """Round 0: words and how often they occur; round 1: their numbers."""
        return Roles(
            2,
            tokens=Role(data["text"], data="text", reads={"vocabulary": -1}),
            vocabulary=Role(1, reads={"tokens": 0}, every=2),
        )

    def tokens(self, part: Partition) -> None:
        """Cut the text into words with numbers of its own; then, when the vocabulary is known, take its numbers."""
        if part.round == 0:
            found = documents(part.fixed, self.format, self.text_fields)
            stream, doc_ptr, words, counts, shares = count_words(found, self.lower, self.token_pattern)
            part.keep(stream=stream, doc_ptr=doc_ptr)
            part.send("vocabulary", 0, words=words, counts=counts, shares=shares, filled=[np.count_nonzero(np.diff(doc_ptr))])
            return
        take_numbers(part)

    def vocabulary(self, part: Partition) -> None:
        """Add up the words of all parts, drop those that the filters say, and number the others."""
        found, numbers = WordSet(), []
        counts = shares = np.zeros(0, np.int64)
        filled = 0
        for message in part.inbox("tokens"):
            numbers.append(found.add(message["words"]))
            counts, shares = _longer(counts, len(found)), _longer(shares, len(found))
            counts[numbers[-1]] += message["counts"]  # each word is in a message at most once
            shares[numbers[-1]] += message["shares"]
            filled += int(message["filled"][0])
        words, counts, shares = found.words(), counts[: len(found)], shares[: len(found)]
        keep = (counts >= self.min_count) & (shares <= self.max_doc_share * filled)
        stop = found.add(strings(self.stop_words))
        keep[stop[stop < len(words)]] = False
        order = by_count(words, counts)
        order = order[keep[order]]
        if not len(order):
            raise nothing_left(len(words), self)
        mapped = np.full(len(words), -1, np.int32)
        mapped[order] = np.arange(len(order), dtype=np.int32)
        for sender, theirs in enumerate(numbers):
            part.send("tokens", sender, numbers=mapped[theirs])
        part.result(words=taken(words, order), counts=counts[order], documents=shares[order])
        part.metric("words", len(order))
        part.metric("dropped_words", len(words) - len(order))

    def warm(self) -> None:
        """Compile or load the kernels."""
        text = np.frombuffer(b"a b\na", np.uint8)
        part: Mapping[str, Any] = {"text": text, "file": strings([""]), "source": np.ones(2, np.int64)}
        found = documents(part, "txt", ())  # type: ignore[arg-type]
        stream, doc_ptr, words, _, _ = count_words(found, self.lower, None)
        numbers = WordSet().add(words)
        map_stream(read_only(stream), read_only(doc_ptr), read_only(numbers))


def _longer(array: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.int64]:
    """The array with zeros after it, at least twice as long if it is too short."""
    return array if size <= len(array) else np.concatenate([array, np.zeros(max(size - len(array), len(array)), np.int64)])


def count_words(found: Documents, lower: bool, token_pattern: str | None) -> Words:
    """Cut documents into words and number them by first appearance: (stream, doc_ptr, words, counts, documents with them)."""
    if token_pattern is not None:
        return _count_matches(found, lower, re.compile(token_pattern))
    stream, doc_ptr, offsets, utf8, counts, shares = tokenise(
        found.text, read_only(found.starts), read_only(found.ends), found.per_document, character_classes(), lower_cases(lower)
    )
    return stream, doc_ptr, Strings(offsets, utf8), counts, shares


def _count_matches(found: Documents, lower: bool, pattern: re.Pattern[str]) -> Words:
    """The same with a user's pattern: a dictionary whose missing entries are its own length."""
    numbers: collections.defaultdict[str, int] = collections.defaultdict()
    numbers.default_factory = numbers.__len__
    streams = []
    for text in found.texts():
        matches = pattern.findall(text.lower() if lower else text)
        streams.append(np.fromiter(map(numbers.__getitem__, matches), np.int32, len(matches)))
    doc_ptr = np.zeros(len(streams) + 1, np.int64)
    np.cumsum([len(stream) for stream in streams], out=doc_ptr[1:])
    stream = np.concatenate([*streams, np.empty(0, np.int32)])
    each = np.concatenate([*(np.unique(stream) for stream in streams), np.empty(0, np.int32)])
    return stream, doc_ptr, strings(numbers), np.bincount(stream, minlength=len(numbers)), np.bincount(each, minlength=len(numbers))


def nothing_left(words: int, options: Any) -> DataError:
    """The error for data of which no token is left."""
    if not words:
        return DataError("no words were found in any document", "check --format, --text-field and --token-pattern")
    filters = f"min_count {options.min_count}, max_doc_share {options.max_doc_share:g}, {len(options.stop_words):,} stop words"
    return DataError(
        f"no documents are left: the filters drop all {words:,} words ({filters})", "lower --min-count, or raise --max-doc-share"
    )
