"""Kernels of a vocabulary that many tasks order: words to buckets by a hash, and to ranges of the order."""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["buckets_of", "grouped", "picked", "ranges_of"]

_MIX = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)


@njit(cache=True)
def buckets_of(hashes, buckets):
    """The bucket of each word by its hash (see `wordset_kernels`): int32 [words].

    Multiplied once more, because a set goes by the lower bits of the same hash, over which a bucket's words must still spread.
    """
    found = np.empty(hashes.size, np.int32)
    for i in range(found.size):
        found[i] = np.int64(((hashes[i] * _MIX) >> _HALF) * np.uint64(buckets) >> _HALF)
    return found


@njit(cache=True)
def ranges_of(offsets, utf8, counts, split_offsets, split_utf8, split_counts):
    """The range of each word in an order by descending count, then by bytes: int32 [words].

    Range r is what lies before splitter r and not before splitter r - 1; the splitters are words with counts, in order.
    """
    found = np.empty(counts.size, np.int32)
    for i in range(counts.size):
        low, high = 0, split_counts.size  # the splitters before `low` are not after the word, those from `high` on are
        while low < high:
            middle = (low + high) // 2
            if split_counts[middle] != counts[i]:
                after = split_counts[middle] < counts[i]
            else:
                a, b = offsets[i], split_offsets[middle]
                a_end, b_end = offsets[i + 1], split_offsets[middle + 1]
                while a < a_end and b < b_end and utf8[a] == split_utf8[b]:
                    a += 1
                    b += 1
                after = b < b_end and (a == a_end or utf8[a] < split_utf8[b])
            if after:
                high = middle
            else:
                low = middle + 1
        found[i] = low
    return found


@njit(cache=True)
def grouped(groups, size):
    """Positions by group, ascending in each: (order int32 [positions], where each of the `size` groups begins int64 [size + 1])."""
    ptr = np.zeros(size + 1, np.int64)
    for group in groups:
        ptr[group + 1] += 1
    for group in range(size):
        ptr[group + 1] += ptr[group]
    following = ptr[:-1].copy()
    order = np.empty(groups.size, np.int32)
    for i in range(groups.size):
        order[following[groups[i]]] = i
        following[groups[i]] += 1
    return order, ptr


@njit(cache=True)
def picked(offsets, utf8, positions):
    """The packed strings at these positions: (offsets int64, utf8 uint8)."""
    ends = np.zeros(positions.size + 1, np.int64)
    for i in range(positions.size):
        ends[i + 1] = ends[i] + offsets[positions[i] + 1] - offsets[positions[i]]
    text = np.empty(ends[-1], np.uint8)
    for i in range(positions.size):
        at = offsets[positions[i]] - ends[i]
        for j in range(ends[i], ends[i + 1]):
            text[j] = utf8[at + j]
    return ends, text
