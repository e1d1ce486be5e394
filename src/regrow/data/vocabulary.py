"""Words and their numbers: sets that grow, the order of a vocabulary, lists of words in files."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.source import Source, undecodable
from regrow.data.stopwords import ENGLISH
from regrow.data.streams import Stream, frozen
from regrow.data.word_kernels import add_words
from regrow.errors import DataError
from regrow.strings import Strings, strings

__all__ = ["WordSet", "by_count", "read_stop_words", "read_vocabulary", "taken"]


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
        self._slots = np.full(1 << 12, -1, np.int32)
        self._hashes = np.empty(1 << 11, np.uint64)
        self._offsets = np.zeros(1 << 12, np.int64)
        self._utf8 = np.empty(1 << 14, np.uint8)
        self._words = 0

    def __len__(self) -> int:
        return self._words

    def add(self, words: Strings) -> npt.NDArray[np.int32]:
        """Add those that are new; the numbers of all, int32."""
        numbers: npt.NDArray[np.int32]
        numbers, self._slots, self._hashes, self._offsets, self._utf8, self._words = add_words(
            read_only(words.offsets), read_only(words.utf8), self._slots, self._hashes, self._offsets, self._utf8, self._words
        )
        return numbers

    def words(self) -> Strings:
        """All strings, in order."""
        offsets = self._offsets[: self._words + 1]
        return Strings(offsets, self._utf8[: offsets[-1]])


def by_count(words: Strings, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The order of a vocabulary: descending count, then ascending UTF-8 bytes (int64, positions)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    offsets, utf8 = pa.py_buffer(np.ascontiguousarray(words.offsets)), pa.py_buffer(np.ascontiguousarray(words.utf8))
    column = pa.Array.from_buffers(pa.large_binary(), len(words), [None, offsets, utf8])
    table = pa.table({"count": counts, "word": column})
    order = pc.sort_indices(table, sort_keys=[("count", "descending"), ("word", "ascending")])
    positions: npt.NDArray[np.int64] = order.to_numpy().astype(np.int64)
    return positions


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
