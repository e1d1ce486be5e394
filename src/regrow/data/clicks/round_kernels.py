"""Kernels that lay examples out for training: blocks of rounds, with features numbered within a block."""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["block_ids", "indexed", "picked_rows"]


@njit(cache=True)
def picked_rows(row_ptr, ids, value, starts, ends):
    """The features of the rows starts[i]:ends[i], one range after the other: (row_ptr int64, ids, value)."""
    rows, cells = 0, 0
    for i in range(starts.size):
        rows += ends[i] - starts[i]
        cells += row_ptr[ends[i]] - row_ptr[starts[i]]
    moved, own, values = np.empty(rows + 1, np.int64), np.empty(cells, np.int64), np.empty(cells if value.size else 0, np.float32)
    at, row = 0, 0
    moved[0] = 0
    for i in range(starts.size):
        for r in range(starts[i], ends[i]):
            for j in range(row_ptr[r], row_ptr[r + 1]):
                own[at] = ids[j]
                if value.size:
                    values[at] = value[j]
                at += 1
            row += 1
            moved[row] = at
    return moved, own, values


@njit(cache=True)
def block_ids(ids, index):
    """The different numbers in `ids` and 0, ascending (int64); index uint32 is filled with the place of each among them."""
    size = 1 << 10
    slots, found = np.full(size, -1, np.int64), np.empty(size // 2, np.int64)
    found[0], slots[0], count = 0, 0, 1
    for j in range(ids.size):
        id = ids[j]
        at = np.int64((np.uint64(id) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)) & (size - 1)
        while slots[at] >= 0 and found[slots[at]] != id:
            at = (at + 1) & (size - 1)
        if slots[at] < 0:
            if 2 * count == size:
                size *= 2
                slots = np.full(size, -1, np.int64)
                longer = np.empty(size // 2, np.int64)
                longer[:count] = found[:count]
                found = longer
                for i in range(count):
                    at = np.int64((np.uint64(found[i]) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)) & (size - 1)
                    while slots[at] >= 0:
                        at = (at + 1) & (size - 1)
                    slots[at] = i
                at = np.int64((np.uint64(id) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)) & (size - 1)
                while slots[at] >= 0:
                    at = (at + 1) & (size - 1)
            slots[at] = count
            found[count] = id
            count += 1
        index[j] = slots[at]
    distinct = found[:count].copy()
    order = np.argsort(distinct)
    place = np.empty(count, np.uint32)
    for i in range(count):
        place[order[i]] = i
    for j in range(ids.size):
        index[j] = place[index[j]]
    return distinct[order]


@njit(cache=True)
def indexed(index, out):
    """Copy to a smaller type."""
    for j in range(index.size):
        out[j] = index[j]
