"""Strings as arrays: offsets and UTF-8 bytes, so that they can travel in messages and results.

Also a stable 64-bit hash (XXH3) to split keys over partitions: Python's own `hash` differs from process to process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import xxhash

__all__ = ["Strings", "hash64", "strings"]


class Strings(Sequence[str]):
    """A read-only list of strings: string i is `utf8[offsets[i]:offsets[i + 1]]`.

    offsets: int64, one longer than the list, from 0; utf8: uint8.
    """

    __slots__ = ("offsets", "utf8")

    def __init__(self, offsets: npt.NDArray[np.int64], utf8: npt.NDArray[np.uint8]) -> None:
        self.offsets = offsets
        self.utf8 = utf8

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        index = range(len(self))[index]
        return bytes(self.utf8[self.offsets[index] : self.offsets[index + 1]]).decode("utf-8")

    def __iter__(self) -> Iterator[str]:
        text, ends = bytes(self.utf8), self.offsets.tolist()
        for start, end in pairwise(ends):
            yield text[start:end].decode("utf-8")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Strings) and np.array_equal(self.offsets, other.offsets) and np.array_equal(self.utf8, other.utf8)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"strings({list(self[:4])}{' ...' if len(self) > 4 else ''})"

    @staticmethod
    def concatenate(parts: Sequence[Strings]) -> Strings:
        """The strings of several lists as one list."""
        starts = np.cumsum([0] + [len(part.utf8) for part in parts])
        offsets = [part.offsets[:-1] + start for part, start in zip(parts, starts, strict=False)]
        return Strings(
            np.concatenate([*offsets, starts[-1:]]).astype(np.int64),
            np.concatenate([*(part.utf8 for part in parts), np.empty(0, np.uint8)]),
        )


def strings(values: Iterable[str]) -> Strings:
    """Pack strings, so that they can be sent: `part.send("words", 3, words=strings(["tail", "head"]))`."""
    encoded = [value.encode("utf-8") for value in values]
    offsets = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum([len(value) for value in encoded], out=offsets[1:])
    return Strings(offsets, np.frombuffer(b"".join(encoded), np.uint8))


def hash64(values: Iterable[str]) -> npt.NDArray[np.uint64]:
    """A stable hash of each string (XXH3, 64 bits): the same in every process and on every machine.

    >>> int(hash64(["tail"])[0]) % 4
    3
    """
    digest: Any = xxhash.xxh3_64_intdigest
    return np.fromiter((digest(value.encode("utf-8")) for value in values), np.uint64)
