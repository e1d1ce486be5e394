"""Words and their numbers: sets that grow, the order of a vocabulary, lists of words in files."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.source import Source, undecodable
from regrow.data.stopwords import ENGLISH
from regrow.data.streams import Stream, frozen
from regrow.data.word_kernels import map_stream
from regrow.data.wordset_kernels import add_words, empty_set, packed
from regrow.errors import DataError
from regrow.packed import Strings, strings
from regrow.program import Partition

__all__ = ["WordSet", "by_count", "read_stop_words", "read_vocabulary", "take_numbers", "taken"]


def read_only(array: Any) -> npt.NDArray[Any]:
    """The array as kernels know it: one type, whether it came from a file, a message or this task, so that they compile once."""
    view: npt.NDArray[Any] = np.asarray(array).view(np.ndarray)
    if not view.flags.aligned:
        view = view.copy()
    view = view[:]
    view.flags.writeable = False
    return view


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


def taken(words: Strings, positions: npt.NDArray[np.int64]) -> Strings:
    """The strings at these positions."""
    sizes = np.diff(words.offsets)[positions]
    offsets = np.zeros(len(positions) + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    places = np.repeat(words.offsets[:-1][positions] - offsets[:-1], sizes) + np.arange(offsets[-1])
    return Strings(offsets, words.utf8[places])


def read_stop_words(name: str, lower: bool) -> list[str]:
    """The stop words of a file (separated by white space), or the built-in English ones; sorted, each once."""
    words = ENGLISH.split() if name == "english" else _text(name).split()
    return sorted({word.lower() if lower else word for word in words})


def read_vocabulary(source: Source) -> Strings:
    """The words of a bag's vocabulary file, one per line; their numbers as strings, from 1, where there is none.

    Raises DataError for a wrong number of lines, an empty line, or a word that is there twice.
    """
    size = source.files[0].words
    if source.vocabulary is None:
        return strings(str(number) for number in range(1, size + 1))
    name = source.vocabulary
    lines = _text(name).removesuffix("\n").split("\n")
    words = [line.strip() for line in lines]
    if len(words) != size:
        raise DataError(
            f"{name} has {len(words):,} lines, and the header of {source.files[0].name} says {size:,} words",
            "give the vocabulary that belongs to it: line n is the word with number n",
        )
    first: dict[str, int] = {}
    for line, word in enumerate(words, 1):
        if not word:
            raise DataError(f"{name}, line {line:,}: the line is empty", "line n is the word with number n: every line needs one")
        if first.setdefault(word, line) != line:
            raise DataError(
                f'{name}, line {line:,}: "{word}" is already on line {first[word]:,}', "a word has one number: make it two words, or one"
            )
    return strings(words)


def _text(name: str) -> str:
    data = b"".join(Stream(frozen([name])[0]).blocks())
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise undecodable(name, data, error, 1) from error


def take_numbers(part: Partition) -> None:
    """Give a part's words the numbers that the vocabulary sent, and leave out those that it drops: the part's results and metrics.

    State: `stream`, the part's own numbers of its words, and `doc_ptr`; message: `numbers`, the vocabulary's for each, or -1.
    """
    (message,) = part.inbox("vocabulary")
    stream = read_only(part.state["stream"])
    words, doc_ptr = map_stream(stream, read_only(part.state["doc_ptr"]), read_only(message["numbers"]))
    part.result(words=words, doc_ptr=doc_ptr)
    part.metric("tokens", len(words))
    part.metric("documents", len(doc_ptr) - 1)
    part.metric("empty_documents", int(np.count_nonzero(np.diff(doc_ptr) == 0)))
    part.metric("dropped_tokens", len(stream) - len(words))
