"""Calls of the kernels that read rows: with room, and with more of it whenever they ask."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.clicks.line_kernels import AT, BAD, FEATURES, KNOWN, ROWS
from regrow.data.clicks.set_kernels import empty_set, with_room

__all__ = ["Filled"]

Array = npt.NDArray[Any]
_with_room: Any = with_room


class Filled:
    """The arrays that a kernel fills: rows, at most so many, with at most so many features; fields, broken lines, the set of features."""

    def __init__(self, rows: int, pairs: int) -> None:
        self.state = np.zeros(8, np.int64)
        self.row_ptr, self.label, self.weight = np.zeros(rows + 1, np.int64), np.empty(rows, np.uint8), np.ones(rows, np.float32)
        self.feature, self.value = np.empty(pairs, np.int32), np.empty(pairs, np.float32)
        self.names, self.seeds, self.field_of = np.zeros((64, 2), np.int64), np.zeros(64, np.uint64), np.full(1, -1, np.int32)
        self.broken = np.empty((16, 4), np.int64)
        self.set: Any = empty_set(1 << 12)

    def make_room(self) -> None:
        """Twice as much of all that may be full. What a line had added that was not finished is forgotten."""
        self.set = _with_room(*self.set, self.state[FEATURES], self.set[0].size // 2, self.set[5].size)
        self.names, self.seeds = np.concatenate([self.names, self.names]), np.concatenate([self.seeds, self.seeds])
        self.field_of[self.field_of >= self.state[KNOWN]] = -1
        self.broken = np.concatenate([self.broken, self.broken])

    @property
    def rows(self) -> dict[str, Any]:
        """row_ptr, feature, value, label, weight: what is filled of them."""
        rows, at = int(self.state[ROWS]), int(self.state[AT])
        found: dict[str, Any] = {"row_ptr": self.row_ptr[: rows + 1], "feature": self.feature[:at], "value": self.value[:at]}
        found |= {"label": self.label[:rows], "weight": self.weight[:rows]}
        return {name: array.copy() for name, array in found.items()}

    @property
    def broken_lines(self) -> list[tuple[int, int, int, int]]:
        """Those that were noted: (line, how, start, end)."""
        found: list[tuple[int, int, int, int]] = list(map(tuple, self.broken[: int(self.state[BAD])].tolist()))
        return found
