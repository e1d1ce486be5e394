"""Records of columns -> rows with features, batch after batch: where fields are, and what is made of them, stays in the cache."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.clicks.feature_set import with_ahead
from regrow.data.clicks.parsed import Broken, Parsed
from regrow.data.clicks.plan import Plan, seeds_of
from regrow.data.clicks.reading import CELLS, Filled
from regrow.data.clicks.spare import give
from regrow.data.clicks.state_kernels import BAD, LEFT_OUT, MISSING, TIME
from regrow.data.clicks.table_kernels import CATEGORY, MULTI, column_rows, pairs_of, written_by

__all__ = ["Records", "batch_of", "of_columns"]

Array = npt.NDArray[Any]

OWN_BYTES = 1 << 16
"""Room for crosses and bins of several rows."""


def batch_of(columns: int) -> int:
    """How many records are read at a time: their features fill the cells."""
    return max(16, min(4096, CELLS // max(columns, 1)))


class Records:
    """Rows of records, at most `most`, whose fields are found in `text`, which is a copy with room behind it."""

    def __init__(self, text: Array, most: int, plan: Plan, needs_label: bool, skip: bool) -> None:
        self.text, self.skip, self.plan = with_ahead(text, OWN_BYTES), skip, plan
        sizes = np.cumsum([0] + [len(item.parts) for item in plan.items])
        rows = [[item.what, a, b, item.between] for item, a, b in zip(plan.items, sizes[:-1], sizes[1:], strict=True)]
        self._items = np.array(rows, np.int64).reshape(-1, 4)
        self._parts = np.array([column for item in plan.items for column in item.parts], np.int64)
        self._special = np.array([plan.label, plan.weight, plan.time, needs_label], np.int64)
        self._seeds = seeds_of([item.name for item in plan.items])
        self._bounds = _bytes(plan.positive), _bytes(plan.since), _bytes(plan.until)
        kinds = {item.what for item in plan.items}
        self._writes, self._splits = not kinds <= {CATEGORY, MULTI}, MULTI in kinds
        self._moment, self._size = np.zeros(most, np.uint64), len(text)
        self.into = Filled(most, most * len(self._items), own=len(text))

    def read(self, starts: Array, ends: Array, kinds: Array) -> bool:
        """Read a batch; returns whether more may come: not after one that is broken and not to be skipped."""
        into, fields = self.into, (starts, ends, self._items, self._parts)
        longest: int = written_by(*fields) if self._writes else 0
        if longest > OWN_BYTES // 2:
            self.text = with_ahead(self.text[: self._size], longest + OWN_BYTES)
        into.room_for(pairs_of(self.text, *fields) if self._splits else len(starts) * len(self._items))

        def kernel() -> bool:
            done: bool = column_rows(
                self.text, starts, ends, kinds, self._items, self._parts, self._seeds, self._special, *self._bounds, self.skip, longest,
                self._moment, into.state, into.row_ptr, into.value, into.label, into.weight, into.broken, into.cells,
            )  # fmt: skip
            return done

        into.read(self.text, kernel)
        into.next_batch(len(starts))
        return self.skip or not into.state[BAD]

    def parsed(self) -> Parsed:
        """All rows; the lines of broken ones are numbers of records."""
        into, rows = self.into, self.into.rows
        bounds = " and ".join(f"{name} {bound}" for name, bound in (("--since", self.plan.since), ("--until", self.plan.until)) if bound)
        found = tuple(
            Broken(row, how, bytes(self.text[start:end]), bounds if how == TIME else "") for row, how, start, end in into.broken_lines
        )
        give("text", self.text)
        return Parsed(
            **rows, moment=self._moment[: len(rows["label"])], **into.features(), names=tuple(item.name for item in self.plan.items),
            broken=found, missing=int(into.state[MISSING]), left_out=int(into.state[LEFT_OUT]),
        )  # fmt: skip


def of_columns(text: Array, starts: Array, ends: Array, kinds: Array, plan: Plan, needs_label: bool, skip: bool) -> Parsed:
    """The rows of records whose fields are known; the lines of broken ones are numbers of records."""
    records = Records(text, len(starts), plan, needs_label, skip)
    batch = batch_of(starts.shape[1])
    for first in range(0, len(starts), batch):
        own = slice(first, first + batch)
        if not records.read(starts[own], ends[own], kinds[own]):
            break
    return records.parsed()


def _bytes(text: str) -> Array:
    return np.frombuffer(text.encode(), np.uint8)
