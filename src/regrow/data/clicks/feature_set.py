"""A set of features with the room that it needs (see `set_kernels`)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.clicks.byte_kernels import AHEAD
from regrow.data.clicks.set_kernels import count_rows, moved, number
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
        self._table = _empty(1 << 12)
        self._slot_of, self._starts, self._pool = np.empty(1 << 11, np.int64), np.zeros((1 << 11) + 1, np.int64), np.empty(1 << 14, np.uint8)
        self._marks = np.tile(np.array([-1, 0]), (1 << 11, 1))

    def number(self, text: Array, cells: Array) -> Array:
        """The numbers of features (int32), of which those that are not there are added. text: with AHEAD bytes more than cells name."""
        self._make_room(len(cells), int(cells[:, 2].sum()))
        numbers = np.empty(len(cells), np.int32)
        arrays = self._table, self._slot_of, self._starts, self._pool
        self.size, _ = _number(read_only(text), read_only(cells), numbers, *arrays, self.size)
        return numbers

    def count(self, row_ptr: Array, first: int, last: int, feature: Array) -> None:
        """Rows first:last have these features."""
        count_rows(row_ptr, first, last, feature, self._marks)

    def add(self, numbers: Array, rows: Array) -> None:
        """So many rows more have each of these features, which are different ones."""
        self._marks[numbers, 1] += rows

    def _make_room(self, more: int, more_bytes: int) -> None:
        """Room for so many features more of so many bytes."""
        slots = len(self._table)
        while slots < 2 * (self.size + more):
            slots *= 2
        if slots > len(self._table):
            larger = _empty(slots)
            moved(self._table, self._slot_of, self.size, larger)
            self._table = larger
        if self.size + more > len(self._slot_of):
            longer = slots // 2
            self._slot_of, self._starts = _longer(self._slot_of, longer), _longer(self._starts, longer + 1)
            marks = np.empty((longer, 2), np.int64)
            marks[: len(self._marks)], marks[len(self._marks) :] = self._marks, (-1, 0)
            self._marks = marks
        needed = int(self._starts[self.size]) + more_bytes
        if needed > len(self._pool):
            self._pool = _longer(self._pool, max(needed, 2 * len(self._pool)))

    @property
    def hashes(self) -> Array:
        """uint64."""
        return self._column(0).view(np.uint64)

    @property
    def fields(self) -> Array:
        """int32."""
        return (self._column(2) >> 32).astype(np.int32)

    @property
    def counts(self) -> Array:
        """Rows that have each: int64."""
        return self._marks[: self.size, 1].copy()

    @property
    def values(self) -> Strings:
        """Their values."""
        return Strings(self._starts[: self.size + 1].copy(), self._pool[: self._starts[self.size]].copy())

    def _column(self, column: int) -> Array:
        found: Array = self._table[self._slot_of[: self.size], column]
        return found


def cells_of(hashes: Array, value: Strings, field: Array) -> Array:
    """Packed features as they are looked for."""
    offsets = value.offsets
    return np.stack([hashes.view(np.int64), offsets[:-1], np.diff(offsets), field.astype(np.int64)], axis=1)


def with_ahead(text: Array, more: int = 0) -> Array:
    """A copy of a text with AHEAD bytes, and so many more, behind it."""
    longer = np.zeros(len(text) + more + AHEAD, np.uint8)
    longer[: len(text)] = text
    return longer


def _empty(slots: int) -> Array:
    """A table without features; slots lie within lines of the cache."""
    raw = np.empty(4 * slots + _LINE // 8, np.int64)
    begin = -raw.ctypes.data % _LINE // 8
    table = raw[begin : begin + 4 * slots].reshape(slots, 4)
    table[:, 3] = -1
    return table


def _longer(array: Array, size: int) -> Array:
    longer = np.empty(size, array.dtype)
    longer[: len(array)] = array
    return longer
