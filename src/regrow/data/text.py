"""The program that prepares text: documents -> numbers of words, and the vocabulary. Each text is cut into words once."""

from __future__ import annotations

import collections
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.formats import named
from regrow.data.ordering import (
    Found,
    add_up,
    answers,
    by_bucket,
    choose_splitters,
    number_all,
    send_bucket,
    send_to_ranges,
    sort_range,
    warm_ordering,
)
from regrow.data.records import Documents, documents
from regrow.data.segment import by_dictionary, classes_and_units
from regrow.data.unicode import lower_cases
from regrow.data.vocabulary import WordSet, no_words, nothing_left, read_only, take_numbers, taken
from regrow.data.word_kernels import GIVEN, map_stream, tokenise
from regrow.packed import Strings, strings
from regrow.program import Data, Partition, Program, Role, Roles

__all__ = ["TextTokens", "count_words"]

Words = tuple[npt.NDArray[np.int32], npt.NDArray[np.int64], Strings, npt.NDArray[np.int64], npt.NDArray[np.int64]]


@dataclass(frozen=True)
class TextTokens(Program):
    """Documents -> tokens.

    format, text_fields     as in `Source`
    lower, stop_words, min_count, max_doc_share, token_pattern     as in `TextOptions`; stop_words is the list itself
    segment     as in `regrow.data.segment`
    unicode, dictionary     the versions of the Unicode tables and of jieba (if it is used): others may cut other words, so they
                belong to what a run is

    buckets     how many tasks count and order the vocabulary: a function of the size of the text

    Data: the layout "text" of `ingest`. Results, which are the data of `Grid`:
      tokens        a part for each part of the text: `words` int32 [tokens] in the order of the text, `doc_ptr` int64
                    [documents + 1] into it; a document whose words were all dropped stays, with length 0
      vocabulary    as many parts as buckets: `words` strings, `counts` int64 (occurrences), `documents` int64 (documents with the
                    word); word w of all parts together is the w-th by descending count, then by UTF-8 bytes;
                    the first also `dropped` strings: words that count as no words at all (stop words, words of too many
                    documents), sorted
    Metrics: tokens, documents, empty_documents, words, dropped_tokens, dropped_words. Numbers and words do not depend on buckets.
    """

    format: str = "txt"
    text_fields: Sequence[str] = ()
    lower: bool = True
    stop_words: Sequence[str] = ()
    min_count: int = 1
    max_doc_share: float = 1.0
    token_pattern: str | None = None
    segment: str = "auto"
    unicode: str = ""
    dictionary: str = ""
    buckets: int = 1

    def roles(self, data: Data) -> Roles:
        """One round: words and how often they occur; their numbers (see `ordering`; one task, if there is one bucket); tokens."""
        parts, buckets = data["text"], self.buckets
        text = Role(parts, data="text")
        if buckets == 1:
            tokens = Role(parts, reads={"text": 0, "vocabulary": 0})
            return Roles(1, text=text, vocabulary=Role(1, reads={"text": 0}), tokens=tokens)
        return Roles(
            1,
            text=text,
            counts=Role(buckets, reads={"text": 0}),
            order=Role(1, reads={"counts": 0}),
            split=Role(buckets, reads={"counts": 0, "order": 0}),
            vocabulary=Role(buckets, reads={"order": 0, "split": 0}),
            answers=Role(buckets, reads={"counts": 0, "split": 0, "vocabulary": 0}),
            tokens=Role(parts, reads={"text": 0, "answers": 0}),
        )

    def text(self, part: Partition) -> None:
        """Cut a part of the text into words with numbers of its own, and send the words to their buckets."""
        found = documents(part.fixed, self.format, self.text_fields, "")
        stream, doc_ptr, words, counts, shares = count_words(found, self.lower, self.token_pattern, self.segment)
        order, ptr = by_bucket(words, self.buckets)
        reader = "vocabulary" if self.buckets == 1 else "counts"
        for bucket in range(self.buckets):
            mine = order[ptr[bucket] : ptr[bucket + 1]]
            part.send(reader, bucket, words=taken(words, mine), counts=counts[mine], shares=shares[mine])
        part.broadcast(reader, filled=[np.count_nonzero(np.diff(doc_ptr))])
        part.send("tokens", part.index, stream=stream, doc_ptr=doc_ptr, order=order)

    def counts(self, part: Partition) -> None:
        """Add up the words of a bucket, and drop those that the filters say."""
        send_bucket(part, self._added_up(part))

    def _added_up(self, part: Partition) -> Found:
        found = add_up(part.inbox("text"), self)
        part.metric("words", len(found.kept))
        part.metric("dropped_words", len(found.words) - len(found.kept))
        return found

    def order(self, part: Partition) -> None:
        """Cut the order of all words into ranges."""
        words, counts = choose_splitters(part.inbox("counts"), self.buckets)
        if not len(words):
            raise nothing_left(sum(int(message["found"][0]) for message in part.inbox("counts")), self)
        part.broadcast("split", words=words, counts=counts)
        frequent = [message["frequent"] for message in part.inbox("counts")]
        part.send("vocabulary", 0, dropped=no_words(self.stop_words, Strings.concatenate(frequent)))

    def split(self, part: Partition) -> None:
        """Send the words of a bucket to their ranges."""
        (bucket,), (splitters,) = part.inbox("counts"), part.inbox("order")
        send_to_ranges(part, bucket, splitters, self.buckets)

    def vocabulary(self, part: Partition) -> None:
        """Order the words of a range, and number them; if there is one bucket, count them before."""
        if self.buckets == 1:
            found = self._added_up(part)
            if not len(found.kept):
                raise nothing_left(len(found.words), self)
            numbers, words = number_all(found)
            for sender, which in enumerate(found.which):
                part.send("tokens", sender, numbers=numbers[which])
            part.result(**words, dropped=no_words(self.stop_words, found.frequent))
            return
        part.result(**sort_range(part))
        for message in part.inbox("order"):
            part.result(dropped=message["dropped"])

    def answers(self, part: Partition) -> None:
        """Tell each part of the text the numbers of its words in this bucket."""
        for sender, numbers in enumerate(answers(part)):
            part.send("tokens", sender, numbers=numbers)

    def tokens(self, part: Partition) -> None:
        """Take the numbers, and leave out the words that are dropped."""
        (text,) = part.inbox("text")
        numbers = np.empty(len(text["order"]), np.int32)
        found = [message["numbers"] for message in part.inbox("vocabulary" if self.buckets == 1 else "answers")]
        numbers[text["order"]] = np.concatenate(found)
        take_numbers(part, text["stream"], text["doc_ptr"], numbers)

    def warm(self) -> None:
        """Compile or load the kernels."""
        text = np.frombuffer(b"a b\na", np.uint8)
        part: Mapping[str, Any] = {"text": text, "file": strings([""]), "source": np.ones(2, np.int64)}
        found = documents(part, "txt", ())  # type: ignore[arg-type]
        stream, doc_ptr, words, _, _ = count_words(found, self.lower, None, self.segment)
        numbers = WordSet().add(words)
        map_stream(read_only(stream), read_only(doc_ptr), read_only(numbers))
        warm_ordering()
        named(self.format).warm()


def count_words(found: Documents, lower: bool, token_pattern: str | None, segment: str = "auto") -> Words:
    """Cut documents into words and number them by first appearance: (stream, doc_ptr, words, counts, documents with them).

    Words that were given are taken as they are: none of the options applies to them.
    """
    if token_pattern is not None and not found.words_given:
        return _count_matches(found, lower, re.compile(token_pattern))
    classes, units = classes_and_units(segment)
    if found.words_given:
        units = GIVEN
    elif segment == "jieba":
        found = by_dictionary(found)
    stream, doc_ptr, offsets, utf8, counts, shares = tokenise(
        read_only(found.text), read_only(found.starts), read_only(found.ends), found.per_document, classes, lower_cases(lower), units
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
