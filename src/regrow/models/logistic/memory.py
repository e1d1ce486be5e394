"""Learning from rows in memory: the program's rounds, partitions and kernels, in this process and without files.

The same rows, in the same order, with as many partitions of examples, give the same weights to the bit as a run that reads them.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.clicks.round_kernels import block_ids
from regrow.data.clicks.schedule import schedule
from regrow.data.readonly import read_only
from regrow.models.logistic import kernels

__all__ = ["Learner", "Rows"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Rows:
    """N rows: row_ptr int64 [N + 1], id int64 (from 0 on), value float32, label uint8 (0 or 1), weight float32."""

    row_ptr: Array
    id: Array
    value: Array
    label: Array
    weight: Array


class Learner:
    """The state of one model: `ids` int64, ascending; zn float32 [1 + ids, 1, 2], the bias first; `seen`: examples so far."""

    def __init__(self, rates: Array, partitions: int) -> None:
        """rates: float64 [4]: alpha, beta, l1, l2."""
        self.rates, self.partitions = np.asarray(rates, np.float64).reshape(1, 1, 4), partitions
        self.ids = np.empty(0, np.int64)
        self.zn = np.zeros((1, 1, 2), np.float32)
        self.seen = 0

    def copy(self) -> Learner:
        """Another one in the same state: what it learns leaves this one as it is."""
        made = copy(self)
        made.zn = self.zn.copy()
        return made

    def learn(self, rows: Rows) -> float:
        """Visit all rows once, in rounds that grow with what was seen; the mean of their log losses before they were learned from."""
        self._add(np.unique(rows.id))
        place = np.searchsorted(self.ids, rows.id) + 1
        bounds = schedule(len(rows.label), self.seen)
        loss = 0.0
        for begin, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            loss += self._round(rows, place, begin, end)
        self.seen += len(rows.label)
        return loss / max(float(rows.weight.sum(dtype=np.float64)), 1e-300)

    def _add(self, ids: Array) -> None:
        """Make room for features."""
        new = np.setdiff1d(ids, self.ids, assume_unique=True)
        if not len(new):
            return
        joined = np.union1d(self.ids, new)
        zn = np.zeros((1 + len(joined), 1, 2), np.float32)
        zn[0] = self.zn[0]
        zn[1 + np.searchsorted(joined, self.ids)] = self.zn[1:]
        self.ids, self.zn = joined, zn

    def _round(self, rows: Rows, place: Array, begin: int, end: int) -> float:
        lists, sums, loss = [], [], 0.0
        nothing = np.empty(0, np.int32), np.empty((0, 1, 2), np.float32)
        no_field, zn = read_only(np.empty(0, np.int32)), read_only(self.zn)
        for part in range(self.partitions):
            a, b = (begin + (end - begin) * e // self.partitions for e in (part, part + 1))
            if a == b:
                continue
            first, last = int(rows.row_ptr[a]), int(rows.row_ptr[b])
            index = np.empty(last - first, np.uint32)
            own = block_ids(np.ascontiguousarray(place[first:last]), index).astype(np.int32)
            w, g = np.empty((len(own), 1), np.float32), np.zeros((len(own), 1))
            kernels.answers(read_only(own), zn, *nothing, no_field, self.rates, True, w)
            losses, scores = np.empty((b - a, 1)), np.empty((b - a, 1))
            ptr, value = read_only(rows.row_ptr[a : b + 1] - first), read_only(rows.value[first:last])
            kernels.gradients(
                ptr, read_only(index), value, read_only(rows.label[a:b]), read_only(rows.weight[a:b]), read_only(w), g, losses, scores
            )
            loss += float(losses.sum())
            lists.append(own)
            sums.append(kernels.rounded(g))
        touched_rows, ptr = read_only(np.concatenate(lists)), np.cumsum([0] + [len(own) for own in lists])
        touched = kernels.union(touched_rows, ptr)
        place = kernels.places(touched, len(zn))
        fresh = np.empty((len(touched), 1, 2), np.float32)
        kernels.fold(touched_rows, ptr, read_only(np.concatenate(sums)), zn, no_field, self.rates, True, touched, place, fresh)
        self.zn[touched] = fresh
        return loss

    def beyond(self) -> int | None:
        """The id of the first feature whose weight is no finite number, -1 for the bias; None if all are."""
        fine = np.isfinite(self.zn).all(axis=(1, 2)) & np.isfinite(self.weights())
        place = int(np.argmin(fine))
        return None if fine[place] else -1 if place == 0 else int(self.ids[place - 1])

    def weights(self) -> Array:
        """The weights: float32 [1 + ids], the bias first."""
        found: Array = kernels.weights_of(read_only(self.zn), read_only(np.zeros(len(self.zn), np.int32)), self.rates, True, 0)
        return found
