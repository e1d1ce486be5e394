"""A set of features with the room that it needs (see `set_kernels`)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.clicks.byte_kernels import AHEAD
from regrow.data.clicks.set_kernels import count_rows, number, place, words_of
from regrow.data.clicks.spare import give, take
from regrow.data.readonly import read_only
from regrow.packed import Strings

__all__ = ["FeatureSet", "cells_of", "with_ahead"]

Array = npt.NDArray[Any]
_SLOTS, _ROOM, _POOL = 1 << 12, 1 << 12, 1 << 14
"""To begin with."""
_number: Any = number
_place: Any = place


class FeatureSet:
    """Features with numbers from 0 on, `size` of them, and how many rows have each."""

    def __init__(self, most: int = 0) -> None:
        """most: how many features may come, if that is known: as many slots as the last set had, if it may need them."""
        self.size = 0
        self._room, slots = take("slots", np.int64, 2 * _SLOTS), _SLOTS
        while 4 * slots <= len(self._room) and 2 * slots < 3 * most:
            slots *= 2
        self._slots = self._emptied(slots)
        self._of_each = {name: take(name, np.int64, _ROOM) for name in ("hashes", "keys", "begins", "marks")}
        self._pool = take("pool", np.uint8, _POOL)
        self._of_each["begins"][0] = 0

    def number(self, text: Array, cells: Array) -> Array:
        """The numbers of features (int32), of which those that are not there are added. text: with AHEAD bytes more than cells name."""
        numbers = np.empty(len(cells), np.int32)
        self.number_into(text, cells, numbers)
        return numbers

    def number_into(self, text: Array, cells: Array, numbers: Array) -> None:
        """As `number`."""
        self._make_room(len(cells))
        done, text, cells = 0, read_only(text), read_only(cells)
        while True:
            arrays = self._slots, *self._of_each.values(), self._pool
            done, self.size = _number(text, cells, done, numbers, *arrays, self.size)
            if done == len(cells):
                return
            filled, needed = int(self._of_each["begins"][self.size]), int(cells[done, 2] & 0xFFFFFFFF) + AHEAD
            self._pool = _longer(self._pool, filled, filled + needed)

    def count(self, row_ptr: Array, row: int, feature: Array) -> None:
        """The rows from `row` on have these features."""
        count_rows(row_ptr, row, feature, self._of_each["marks"])

    def add(self, numbers: Array, rows: Array) -> None:
        """So many rows more have each of these features, which are different ones."""
        self._of_each["marks"][numbers] += rows

    def let_go(self) -> None:
        """Give the room to the next set: this one is not asked any more."""
        for name, array in {**self._of_each, "slots": self._room, "pool": self._pool}.items():
            give(name, array)
        del self._room, self._slots, self._of_each, self._pool

    def _emptied(self, slots: int) -> Array:
        """So many empty slots."""
        if 2 * slots > len(self._room):
            self._room = np.empty(2 * slots, np.int64)
        found = self._room[: 2 * slots].reshape(-1, 2)
        found[:] = -1
        return found

    def _make_room(self, more: int) -> None:
        """Room for so many more, but for their bytes."""
        most, slots = self.size + more, len(self._slots)
        while 2 * slots < 3 * most:
            slots *= 2
        if slots > len(self._slots):
            self._slots = self._emptied(slots)
            _place(self._slots, *(self._of_each[name] for name in ("hashes", "keys", "begins")), self._pool, self.size)
        for name, array in self._of_each.items():
            if most >= len(array):
                self._of_each[name] = _longer(array, self.size + 1, most + 1)

    @property
    def hashes(self) -> Array:
        """uint64."""
        return self._of_each["hashes"][: self.size].copy().view(np.uint64)

    @property
    def fields(self) -> Array:
        """int32."""
        return self._of_each["keys"][: self.size].astype("<i8", copy=False).view(np.int32)[1::2].copy()

    @property
    def counts(self) -> Array:
        """Rows that have each: int64."""
        return self._of_each["marks"][: self.size].astype("<i8", copy=False).view(np.uint32)[::2].astype(np.int64)

    @property
    def values(self) -> Strings:
        """Their values."""
        starts = self._of_each["begins"][: self.size + 1].copy()
        return Strings(starts, self._pool[: starts[-1]].copy())


def cells_of(hashes: Array, value: Strings, field: Array) -> Array:
    """Packed features as they are looked for."""
    offsets = read_only(value.offsets)
    words: Array = words_of(offsets, read_only(value.utf8))
    return np.stack([hashes.view(np.int64), words, field.astype(np.int64) << 32 | np.diff(offsets), offsets[:-1]], axis=1)


def with_ahead(text: Array, more: int = 0) -> Array:
    """A copy of a text with AHEAD bytes, and so many more, behind it. Whoever needs it no longer may `give("text", ...)` it."""
    longer = take("text", np.uint8, len(text) + more + AHEAD)[: len(text) + more + AHEAD]
    longer[: len(text)] = text
    longer[len(text) :] = 0
    return longer


def _longer(array: Array, filled: int, needed: int) -> Array:
    """A copy of what is filled, with room for what is needed, and at least twice as much as before."""
    longer = np.empty(max(needed, 2 * len(array)), array.dtype)
    longer[:filled] = array[:filled]
    return longer
