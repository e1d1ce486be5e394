"""Kernels that lay examples out for training: blocks of rounds, with features numbered within a block."""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["block_ids", "gaps_of", "indexed", "picked_rows", "put_gaps", "rows_of"]


@njit(cache=True)
def picked_rows(row_ptr, ids, value, starts, ends):
    """The features of the rows starts[i]:ends[i], one range after the other: (row_ptr int64, ids, value)."""
    rows, cells = 0, 0
    for i in range(starts.size):
        rows += ends[i] - starts[i]
        cells += row_ptr[ends[i]] - row_ptr[starts[i]]
    moved, own, values = np.empty(rows + 1, np.int64), np.empty(cells, ids.dtype), np.empty(cells if value.size else 0, np.float32)
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
    """The different numbers (from 0 on) in `ids` and 0, ascending, of their type; index uint32 is filled with the place of each among
    them.

    Sorted by counting digits of 11 bits, the least first: a table of hashes would miss the cache at every look.
    """
    source, places = ids.copy(), np.arange(ids.size).astype(np.uint32)
    target, moved = np.empty(ids.size, ids.dtype), np.empty(ids.size, np.uint32)
    most, shift = 0, 0
    for j in range(ids.size):
        most = max(most, ids[j])
    while most >> shift:
        begins = np.zeros(2049, np.int64)
        for j in range(source.size):
            begins[((source[j] >> shift) & 2047) + 1] += 1
        for digit in range(2048):
            begins[digit + 1] += begins[digit]
        for j in range(source.size):
            digit = (source[j] >> shift) & 2047
            at = begins[digit]
            begins[digit] = at + 1
            target[at], moved[at] = source[j], places[j]
        source, target, places, moved = target, source, moved, places
        shift += 11
    distinct, last, before = np.zeros(ids.size + 1, ids.dtype), 0, 0
    for j in range(source.size):
        last += source[j] != before
        before = source[j]
        distinct[last] = before
        index[places[j]] = last
    return distinct[: last + 1].copy()


@njit(cache=True)
def gaps_of(ids, ptr, most):
    """How many numbers the ascending lists ids[ptr[i]:ptr[i + 1]] take as gaps of at most `most`: int64 [lists].

    A gap is how far a number is from the one before it (the first from -1); one that is larger than `most` begins with zeros, of which
    each stands for `most`. Numbers of features that a round touches lie close together: most gaps fit into a byte.
    """
    found = np.zeros(ptr.size - 1, np.int64)
    for i in range(found.size):
        before = np.int64(-1)
        for j in range(ptr[i], ptr[i + 1]):
            found[i] += 1 + (ids[j] - before - 1) // most
            before = ids[j]
    return found


@njit(cache=True)
def put_gaps(ids, ptr, most, gaps):
    """Write the gaps of the lists, one list after the other, to `gaps`, unsigned."""
    at = 0
    for i in range(ptr.size - 1):
        before = np.int64(-1)
        for j in range(ptr[i], ptr[i + 1]):
            gap = ids[j] - before
            before = ids[j]
            while gap > most:
                gaps[at] = 0
                gap -= most
                at += 1
            gaps[at] = gap
            at += 1


@njit(cache=True)
def rows_of(gaps, most, rows):
    """The numbers of one list from its gaps: int32."""
    at, number = 0, np.int64(-1)
    for j in range(gaps.size):
        gap = np.int64(gaps[j])
        number += gap if gap else most
        if gap:
            rows[at] = number
            at += 1


@njit(cache=True)
def indexed(index, out):
    """Copy to a smaller type."""
    for j in range(index.size):
        out[j] = index[j]
