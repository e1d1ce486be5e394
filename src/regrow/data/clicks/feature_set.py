"""A set of features with the room that it needs (see `set_kernels`)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.clicks.byte_kernels import AHEAD
from regrow.data.clicks.set_kernels import count_rows, number, place
from regrow.data.readonly import read_only
from regrow.packed import Strings

__all__ = ["FeatureSet", "cells_of", "with_ahead"]

Array = npt.NDArray[Any]
_LINE = 64
"""Bytes of a line of the cache."""
_number: Any = number


class FeatureSet:
    """Features with numbers from 0 on, `size` of them, and how many rows have each."""

    def __init__(self) -> None:
        self.size = 0
        self._slots, self._records = np.full(1 << 12, -1), _aligned(1 << 11)
        self._marks, self._pool = np.empty((1 << 11, 2), np.int32), np.empty(1 << 14, np.uint8)
        self._records[0, 3] = 0
        self._marks[:] = -1, 0

    def number(self, text: Array, cells: Array) -> Array:
        """The numbers of features (int32), of which those that are not there are added. text: with AHEAD bytes more than cells name."""
        self._make_room(len(cells), int(cells[:, 2].sum()))
        numbers = np.empty(len(cells), np.int32)
        self.size, _ = _number(read_only(text), read_only(cells), numbers, self._slots, self._records, self._pool, self.size)
        return numbers

    def count(self, row_ptr: Array, first: int, last: int, feature: Array) -> None:
        """Rows first:last have these features."""
        count_rows(row_ptr, first, last, feature, self._marks)

    def add(self, numbers: Array, rows: Array) -> None:
        """So many rows more have each of these features, which are different ones."""
        self._marks[numbers, 1] += rows

    def _make_room(self, more: int, more_bytes: int) -> None:
        """Room for so many features more of so many bytes."""
        slots, room = len(self._slots), len(self._records)
        while slots < 2 * (self.size + more):
            slots *= 2
        if slots > len(self._slots):
            self._slots = np.full(slots, -1)
            place(self._slots, self._records, self.size)
        if self.size + more >= room:
            longer = max(2 * room, self.size + more + 1)
            records, marks = _aligned(longer), np.empty((longer, 2), np.int32)
            records[: self.size + 1], marks[: self.size] = self._records[: self.size + 1], self._marks[: self.size]
            marks[self.size :] = -1, 0
            self._records, self._marks = records, marks
        needed = int(self._records[self.size, 3]) + more_bytes
        if needed > len(self._pool):
            pool = np.empty(max(needed, 2 * len(self._pool)), np.uint8)
            pool[: len(self._pool)] = self._pool
            self._pool = pool

    @property
    def hashes(self) -> Array:
        """uint64."""
        return self._records[: self.size, 0].copy().view(np.uint64)

    @property
    def fields(self) -> Array:
        """int32."""
        return (self._records[: self.size, 2] >> 32).astype(np.int32)

    @property
    def counts(self) -> Array:
        """Rows that have each: int64."""
        return self._marks[: self.size, 1].astype(np.int64)

    @property
    def values(self) -> Strings:
        """Their values."""
        starts = self._records[: self.size + 1, 3].copy()
        return Strings(starts, self._pool[: starts[-1]].copy())


def cells_of(hashes: Array, value: Strings, field: Array) -> Array:
    """Packed features as they are looked for."""
    offsets = value.offsets
    return np.stack([hashes.view(np.int64), offsets[:-1], np.diff(offsets), field.astype(np.int64)], axis=1)


def with_ahead(text: Array, more: int = 0) -> Array:
    """A copy of a text with AHEAD bytes, and so many more, behind it."""
    longer = np.zeros(len(text) + more + AHEAD, np.uint8)
    longer[: len(text)] = text
    return longer


def _aligned(records: int) -> Array:
    """Records of which none lies on two lines of the cache."""
    raw = np.empty(4 * records + _LINE // 8, np.int64)
    begin = -raw.ctypes.data % _LINE // 8
    return raw[begin : begin + 4 * records].reshape(records, 4)
