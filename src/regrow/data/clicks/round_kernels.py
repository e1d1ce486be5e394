"""Kernels that lay examples out for training: blocks of rounds, with features numbered within a block."""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

from regrow.data.clicks.byte_kernels import ones_in, zeros_below

__all__ = ["block_ids", "distinct_ids", "gaps_of", "indexed", "picked_rows", "put_gaps", "rows_of"]

DENSE = 6
"""Numbers of a block are dense where they lie below 2^6 times as many as it has: a word of 64 bits for each is enough then."""


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

    Each number marks its bit; its place is how many bits lie below. The bits of numbers that are dense, as those of frequent features are,
    stay in the cache; where they are not, they are sorted.
    """
    most = _most(ids)
    if most >> DENSE > ids.size:
        return _sorted_ids(ids, index, most)
    bits = _marked(ids, most)
    below = np.empty(bits.size, np.uint32)
    distinct = _listed(bits, below, ids)
    for j in range(ids.size):
        word, bit = ids[j] >> 6, np.uint64(ids[j] & 63)
        index[j] = below[word] + ones_in(bits[word] & ((np.uint64(1) << bit) - np.uint64(1)))
    return distinct


@njit(cache=True)
def distinct_ids(ids):
    """As `block_ids`, of which only the different numbers are wanted."""
    most = _most(ids)
    if most >> DENSE > ids.size:
        return _sorted_ids(ids, np.empty(ids.size, np.uint32), most)
    bits = _marked(ids, most)
    return _listed(bits, np.empty(bits.size, np.uint32), ids)


@njit(inline="always")
def _most(ids):
    """The largest; 0 if there is none."""
    most = ids.dtype.type(0)
    for j in range(ids.size):
        most = max(most, ids[j])
    return most


@njit(inline="always")
def _marked(ids, most):
    """A bit for each number up to `most`, 1 for those in `ids` and 0: uint64."""
    bits = np.zeros((most >> 6) + 1, np.uint64)
    bits[0] = np.uint64(1)
    for j in range(ids.size):
        bits[ids[j] >> 6] |= np.uint64(1) << np.uint64(ids[j] & 63)
    return bits


@njit(inline="always")
def _listed(bits, below, ids):
    """The numbers of bits that are 1, of the type of `ids`; below uint32 is filled with how many come before each word."""
    ones = np.int64(0)
    for word in range(bits.size):
        below[word] = ones
        ones += np.int64(ones_in(bits[word]))
    distinct, at = np.empty(ones, ids.dtype), 0
    for word in range(bits.size):
        left = bits[word]
        while left:
            distinct[at] = (word << 6) + np.int64(zeros_below(left))
            left &= left - np.uint64(1)
            at += 1
    return distinct


@njit(cache=True)
def _sorted_ids(ids, index, most):
    """As `block_ids`, by counting digits of 11 bits, the least first: a table of hashes would miss the cache at every look."""
    source, places = ids.copy(), np.arange(ids.size).astype(np.uint32)
    target, moved = np.empty(ids.size, ids.dtype), np.empty(ids.size, np.uint32)
    shift = 0
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
            gap = ids[j] - before
            found[i] += 1 if gap <= most else 1 + (gap - 1) // most  # most are small, and dividing is slow
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
