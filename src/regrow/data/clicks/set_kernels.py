"""Sets of features: (field, value) -> numbers, in the order of their first appearance. Exact: bytes are compared, not only hashes.

A feature that is looked for is a row of `cells`, int64 [.., 4]: its hash, where its value begins in a text, its bytes, its field.
A set is

    slots       int64, open addressing by the low bits of the hash, at most half full: the hash's high half and the feature's number; or -1
    records     int64 [features + 1, 4]: hash, the first eight bytes of the value, field and length in one number, where the value begins
                in `pool`, uint8; of the one after the last feature only that. To compare takes one line of the cache
    marks       int32 [features, 2]: the last row that had it, and how many rows have it

The hash is of the value's bytes, eight at a time, begun with the hash of its field's name; the finaliser is SplitMix64's.
"""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

from regrow.data.clicks.byte_kernels import word_at, word_of

__all__ = ["SEED", "count_rows", "hashed", "hashes_of", "number", "place"]

SEED = np.uint64(0xCBF29CE484222325)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
AT_ONCE = 32
"""So many slots, and then records, are touched before the first is looked at: their lines come from memory at the same time."""
_HIGH = np.int64(-1) << 32


@njit(inline="always")
def hashed(text, start, end, seed):
    """The hash of text[start:end], begun with `seed`; eight bytes behind it are read too, and change nothing."""
    value, i = np.uint64(seed), start
    while i + 8 <= end:
        value = (value ^ word_at(text, i)) * _MIX
        value ^= value >> np.uint64(32)
        i += 8
    line = np.uint64(end - start) << np.uint64(56)
    if i < end:
        line ^= word_of(text, i, end - i)
    value = (value ^ line) * _MIX
    value = (value ^ (value >> np.uint64(30))) * _MIX_1
    value = (value ^ (value >> np.uint64(27))) * _MIX_2
    return value ^ (value >> np.uint64(31))


@njit(cache=True)
def hashes_of(offsets, utf8, seeds):
    """The hash of each packed string, begun with its own seed: uint64. utf8 with eight bytes more."""
    values = np.empty(offsets.size - 1, np.uint64)
    for i in range(values.size):
        values[i] = hashed(utf8, offsets[i], offsets[i + 1], seeds[i])
    return values


@njit(cache=True)
def number(text, cells, numbers, slots, records, pool, features):
    """The numbers of features, int32, and the size of the set with those that are new, for which there is room.

    Returns (size, anything: so that nobody leaves the first looks out).
    """
    mask, touched = slots.size - 1, 0
    for first in range(0, numbers.size, AT_ONCE):
        last = min(first + AT_ONCE, numbers.size)
        for i in range(first, last):
            touched ^= slots[cells[i, 0] & mask]
        for i in range(first, last):
            touched ^= records[max(np.int64(np.int32(slots[cells[i, 0] & mask])), 0), 0]
        for i in range(first, last):
            code, start, length = cells[i, 0], cells[i, 1], cells[i, 2]
            word, key = np.int64(word_of(text, start, length)), cells[i, 3] << 32 | length
            spot = code & mask
            while True:
                slot = slots[spot]
                if slot == -1:
                    slots[spot] = code & _HIGH | features
                    begin = records[features, 3]
                    records[features, 0], records[features, 1], records[features, 2] = code, word, key
                    for k in range(length):
                        pool[begin + k] = text[start + k]
                    found = features
                    features += 1
                    records[features, 3] = begin + length
                    break
                found = slot & 0xFFFFFFFF
                same = slot & _HIGH == code & _HIGH and records[found, 0] == code
                if same and records[found, 1] == word and records[found, 2] == key:
                    begin, k = records[found, 3], 8
                    while k < length and pool[begin + k] == text[start + k]:
                        k += 1
                    if k >= length:
                        break
                spot = (spot + 1) & mask
            numbers[i] = found
    return features, touched


@njit(cache=True)
def count_rows(row_ptr, first, last, feature, marks):
    """Count the rows first:last of each feature that they have: each once, however often it stands there."""
    for r in range(first, last):
        for j in range(row_ptr[r], row_ptr[r + 1]):
            own = feature[j]
            marks[own, 1] += marks[own, 0] != r
            marks[own, 0] = r


@njit(cache=True)
def place(slots, records, features):
    """Put the features of a set into empty slots."""
    mask = slots.size - 1
    for feature in range(features):
        spot = records[feature, 0] & mask
        while slots[spot] != -1:
            spot = (spot + 1) & mask
        slots[spot] = records[feature, 0] & _HIGH | feature
