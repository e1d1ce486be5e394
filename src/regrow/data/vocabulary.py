"""Words and their numbers: sets that grow, the order of a vocabulary, lists of words in files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.inputs import checked
from regrow.data.ordering_kernels import picked
from regrow.data.readonly import read_only
from regrow.data.source import undecodable
from regrow.data.stopwords import ENGLISH
from regrow.data.streams import Stream
from regrow.data.word_kernels import map_stream
from regrow.data.wordset_kernels import add_words, empty_set, packed
from regrow.errors import DataError
from regrow.packed import Strings, strings
from regrow.program import Partition

__all__ = ["WordSet", "by_count", "no_words", "nothing_left", "read_only", "read_stop_words", "take_numbers", "taken"]


class WordSet:
    """Distinct strings, numbered in the order in which they came."""

    def __init__(self) -> None:
        self._set = empty_set()
        self._words = 0

    def __len__(self) -> int:
        return self._words

    def add(self, words: Strings) -> npt.NDArray[np.int32]:
        """Add those that are new; the numbers of all, int32."""
        numbers: npt.NDArray[np.int32]
        slots, hashes, starts, lengths, lines = self._set
        numbers, self._set, self._words = add_words(
            read_only(words.offsets), read_only(words.utf8), slots, hashes, starts, lengths, lines, self._words
        )
        return numbers

    def table(self) -> tuple[npt.NDArray[Any], ...]:
        """The set's arrays, without their spare room (see `wordset_kernels`)."""
        slots, hashes, starts, lengths, lines = self._set
        return slots, hashes[: self._words], starts[: self._words + 1], lengths[: self._words], lines[: starts[self._words]]

    def words(self) -> Strings:
        """All strings, in order."""
        _, _, starts, lengths, lines = self._set
        offsets, utf8 = packed(starts, lengths, lines, self._words)
        return Strings(offsets, utf8)


def by_count(words: Strings, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The order of a vocabulary: descending count, then ascending UTF-8 bytes (int64, positions)."""
    order = np.argsort(-counts, kind="stable")
    begins = np.append(True, np.diff(counts[order]) != 0)[: len(order)]  # whether a group of ties begins here
    longest = int(np.diff(words.offsets).max(initial=0))
    for start in range(0, longest, 8):
        tied = np.flatnonzero(~(begins & np.append(begins[1:], True)))
        if not len(tied):
            break
        keys = _eight_bytes(words, order[tied], start)
        sorting = np.lexsort((keys, np.cumsum(begins)[tied]))
        order[tied], keys = order[tied][sorting], keys[sorting]
        begins[tied[1:]] |= keys[1:] != keys[:-1]
    return order


def _eight_bytes(words: Strings, positions: npt.NDArray[np.int64], start: int) -> npt.NDArray[np.uint64]:
    """Bytes start .. start + 7 of these strings as numbers that sort as they do."""
    utf8 = np.append(words.utf8, np.zeros(1, np.uint8))
    at, end = words.offsets[positions] + start, words.offsets[positions + 1]
    keys = np.zeros(len(positions), np.uint64)
    for i in range(8):
        keys = keys << np.uint64(8) | np.where(at + i < end, utf8[np.minimum(at + i, len(utf8) - 1)], 0).astype(np.uint64)
    return keys


def taken(words: Strings, positions: npt.NDArray[np.integer[Any]]) -> Strings:
    """The strings at these positions."""
    offsets, utf8 = picked(read_only(words.offsets), read_only(words.utf8), read_only(positions))
    return Strings(offsets, utf8)


def no_words(stop_words: Sequence[str], frequent: Strings) -> Strings:
    """Words that count as no words at all: stop words, whether the text has them or not, and words of too many documents; sorted."""
    return strings(sorted({*stop_words, *frequent}))


def nothing_left(words: int, options: Any) -> DataError:
    """The error for data of which no token is left."""
    if not words:
        return DataError("no words were found in any document", "check --format, --text-field and --token-pattern")
    filters = f"min_count {options.min_count}, max_doc_share {options.max_doc_share:g}, {len(options.stop_words):,} stop words"
    return DataError(
        f"no documents are left: the filters drop all {words:,} words ({filters})", "lower --min-count, or raise --max-doc-share"
    )


def read_stop_words(name: str, lower: bool) -> list[str]:
    """The stop words of a file (separated by white space), or the built-in English ones; sorted, each once."""
    words = ENGLISH.split() if name == "english" else _text(name).split()
    return sorted({word.lower() if lower else word for word in words})


def _text(name: str) -> str:
    data = b"".join(Stream(checked(name)).blocks())
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise undecodable(name, data, error, 1) from error


def take_numbers(part: Partition, stream: npt.NDArray[np.int32], doc_ptr: npt.NDArray[np.int64], numbers: npt.NDArray[np.int32]) -> None:
    """Give a part's words the numbers that the vocabulary has for them, and leave out those that it drops: the part's results and metrics.

    stream: the part's own numbers of its words; numbers: the vocabulary's for each, or -1.
    """
    words, moved = map_stream(read_only(stream), read_only(doc_ptr), read_only(numbers))
    part.result(words=words, doc_ptr=moved)
    part.metric("tokens", len(words))
    part.metric("documents", len(moved) - 1)
    part.metric("empty_documents", int(np.count_nonzero(np.diff(moved) == 0)))
    part.metric("dropped_tokens", len(stream) - len(words))
