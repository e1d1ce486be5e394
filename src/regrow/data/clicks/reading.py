"""Calls of the kernels that read rows: with room, and with more of it whenever they ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.clicks.feature_set import FeatureSet
from regrow.data.clicks.spare import give, take
from regrow.data.clicks.state_kernels import AT, BAD, BASE, FULL, FULL_CELLS, FULL_NAMES, KNOWN, LINE, OWN, PLACE, ROWS, STATES

__all__ = ["CELLS", "Filled"]

Array = npt.NDArray[Any]
CELLS = 1 << 14
"""Features that are read before they get their numbers: they and what is known of them stay in the cache."""


class Filled:
    """The arrays that a kernel fills: rows, at most so many, with at most so many features; fields, broken lines.

    Features come as `cells` (see `set_kernels`), and get numbers whenever these are full.
    """

    def __init__(self, rows: int, pairs: int, own: int = 0) -> None:
        """own: where in its text a kernel may write."""
        self.state = np.zeros(STATES, np.int64)
        self.row_ptr, self.label, self.weight = np.zeros(rows + 1, np.int64), np.empty(rows, np.uint8), np.ones(rows, np.float32)
        self.feature, self.value = np.empty(pairs, np.int32), np.empty(pairs, np.float32)
        self.names, self.seeds, self.field_of = np.zeros((64, 2), np.int64), np.zeros(64, np.uint64), np.full(1, -1, np.int32)
        self.broken, self.cells = np.empty((16, 4), np.int64), take("cells", np.int64, 4 * CELLS)[: 4 * CELLS].reshape(-1, 4)
        self.set, self._own = FeatureSet(pairs), own
        self._counted = 0
        self.state[OWN] = own

    def room_for(self, pairs: int) -> None:
        """Let so many features more be read."""
        needed = int(self.state[AT]) + pairs
        if needed > len(self.feature):
            for name in ("feature", "value"):
                array = getattr(self, name)
                longer = np.empty(max(needed, 2 * len(array)), array.dtype)
                longer[: len(array)] = array
                setattr(self, name, longer)

    def read(self, text: Array, kernel: Callable[[], bool]) -> None:
        """Call a kernel until it has come to the end."""
        while not kernel():
            full, cells = int(self.state[FULL]), int(self.state[AT] - self.state[BASE])
            self._number(text)
            if full == FULL_CELLS and not cells:  # one row has more than that
                self.cells = np.empty((2 * len(self.cells), 4), np.int64)
            elif full == FULL_NAMES:
                self.names, self.seeds = np.concatenate([self.names, self.names]), np.concatenate([self.seeds, self.seeds])
            elif full != FULL_CELLS:
                self.broken = np.concatenate([self.broken, self.broken])
            self.field_of[self.field_of >= self.state[KNOWN]] = -1  # what a line had added that was not finished is forgotten
        self._number(text)

    def next_batch(self, records: int) -> None:
        """So many records have been read; more come."""
        self.state[PLACE] = 0
        self.state[LINE] += records

    def _number(self, text: Array) -> None:
        """Give the features that were read their numbers, and count their rows."""
        base, at, rows = (int(self.state[place]) for place in (BASE, AT, ROWS))
        if at > base:
            self.set.number_into(text, self.cells[: at - base], self.feature[base:at])
            self.set.count(self.row_ptr[: rows + 1], self._counted, self.feature)
        self._counted, self.state[BASE], self.state[OWN] = rows, at, self._own

    @property
    def rows(self) -> dict[str, Any]:
        """row_ptr, feature, value, label, weight: what is filled of them."""
        rows, at = int(self.state[ROWS]), int(self.state[AT])
        found: dict[str, Any] = {"row_ptr": self.row_ptr[: rows + 1], "feature": self.feature[:at], "value": self.value[:at]}
        found |= {"label": self.label[:rows], "weight": self.weight[:rows]}
        return found

    def features(self) -> dict[str, Any]:
        """hash, field, value_of, counts: as `Parsed` has them. Afterwards others may have the room: no row is read any more."""
        found = {"hash": self.set.hashes, "field": self.set.fields, "value_of": self.set.values, "counts": self.set.counts}
        self.set.let_go()
        give("cells", self.cells)
        return found

    @property
    def broken_lines(self) -> list[tuple[int, int, int, int]]:
        """Those that were noted: (line, how, start, end)."""
        found: list[tuple[int, int, int, int]] = list(map(tuple, self.broken[: int(self.state[BAD])].tolist()))
        return found
