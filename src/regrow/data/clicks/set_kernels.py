"""Sets of features: (field, value) -> numbers, in the order of their first appearance. Exact: bytes are compared, not only hashes.

A set is eight arrays and the number of its features: `slots` int32 (open addressing by hash, -1 is free, a power of two long, at most
half full), `hashes` uint64, `fields` int32, `starts` int64 (in pool, one longer), `lengths` int32, `pool` uint8 (the values' bytes),
`seen` int64 (the last row that had the feature), `counts` int64 (how many rows have it).

To find a feature: from the slot of its hash on, until one is free, compare hash, field, length and bytes. The kernels that do so write it
out: at a call numba counts references to all these arrays, which costs more than the lookup.

The hash is of the value's bytes, eight at a time, begun with the hash of its field's name; the finaliser is SplitMix64's.
"""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["SEED", "empty_set", "hashed", "hashes_of", "merged", "put", "with_room"]

SEED = np.uint64(0xCBF29CE484222325)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


@njit(inline="always")
def hashed(text, start, end, seed):
    """The hash of text[start:end], begun with `seed`."""
    value, i = np.uint64(seed), start
    while i + 8 <= end:
        line = (
            np.uint64(text[i])
            | np.uint64(text[i + 1]) << np.uint64(8)
            | np.uint64(text[i + 2]) << np.uint64(16)
            | np.uint64(text[i + 3]) << np.uint64(24)
            | np.uint64(text[i + 4]) << np.uint64(32)
            | np.uint64(text[i + 5]) << np.uint64(40)
            | np.uint64(text[i + 6]) << np.uint64(48)
            | np.uint64(text[i + 7]) << np.uint64(56)
        )
        value = (value ^ line) * _MIX
        value ^= value >> np.uint64(32)
        i += 8
    line, shift = np.uint64(end - start) << np.uint64(56), np.uint64(0)
    while i < end:
        line ^= np.uint64(text[i]) << shift
        shift += np.uint64(8)
        i += 1
    value = (value ^ line) * _MIX
    value = (value ^ (value >> np.uint64(30))) * _MIX_1
    value = (value ^ (value >> np.uint64(27))) * _MIX_2
    return value ^ (value >> np.uint64(31))


@njit(cache=True)
def hashes_of(offsets, utf8, seeds):
    """The hash of each packed string, begun with its own seed: uint64."""
    values = np.empty(offsets.size - 1, np.uint64)
    for i in range(values.size):
        values[i] = hashed(utf8, offsets[i], offsets[i + 1], seeds[i])
    return values


@njit(cache=True)
def empty_set(size):
    """The arrays of a set with room for `size` features or more."""
    slots = 1 << 10
    while slots < 2 * size:
        slots *= 2
    room = slots // 2
    return (
        np.full(slots, -1, np.int32),
        np.empty(room, np.uint64),
        np.empty(room, np.int32),
        np.zeros(room + 1, np.int64),
        np.empty(room, np.int32),
        np.empty(8 * room, np.uint8),
        np.empty(room, np.int64),
        np.zeros(room, np.int64),
    )


@njit(cache=True)
def _longer(array, size):
    copy = np.empty(max(size, array.size), array.dtype)
    copy[: array.size] = array
    return copy


@njit(cache=True)
def with_room(slots, hashes, fields, starts, lengths, pool, seen, counts, features, more, more_bytes):
    """The arrays of a set of `features` with room for `more` of `more_bytes` together; what lies beyond its features is forgotten."""
    size = slots.size
    while size < 2 * (features + more):
        size *= 2
    slots = np.full(size, -1, np.int32)
    for feature in range(features):
        at = np.int64(hashes[feature]) & (size - 1)
        while slots[at] >= 0:
            at = (at + 1) & (size - 1)
        slots[at] = feature
    room = size // 2
    hashes, fields, lengths = _longer(hashes, room), _longer(fields, room), _longer(lengths, room)
    starts, seen, counts = _longer(starts, room + 1), _longer(seen, room), _longer(counts, room)
    return slots, hashes, fields, starts, lengths, _longer(pool, starts[features] + more_bytes), seen, counts


@njit(cache=True)
def put(slots, hashes, fields, starts, lengths, pool, seen, counts, features, value, field, text, start, end):
    """Put a feature that is not there, and for which there is room, at the end of the set."""
    mask = slots.size - 1
    at = np.int64(value) & mask
    while slots[at] >= 0:
        at = (at + 1) & mask
    slots[at] = features
    hashes[features], fields[features], lengths[features] = value, field, end - start
    seen[features], counts[features] = -1, 0
    first = starts[features]
    for i in range(end - start):
        pool[first + i] = text[start + i]
    starts[features + 1] = first + end - start


@njit(cache=True)
def merged(values, field, offsets, utf8, rows, numbers, slots, hashes, fields, starts, lengths, pool, seen, counts, features):
    """Add packed features with their hashes to a set with room, and the rows that have them to its counts; numbers int32 is filled with
    theirs. Returns the size of the set."""
    for i in range(values.size):
        start, end = offsets[i], offsets[i + 1]
        code, own = values[i], field[i]
        spot = np.int64(code) & (slots.size - 1)
        number = np.int64(slots[spot])
        while number >= 0:
            if hashes[number] == code and fields[number] == own and lengths[number] == end - start:
                origin, k = starts[number], 0
                while k < end - start and pool[origin + k] == utf8[start + k]:
                    k += 1
                if k == end - start:
                    break
            spot = (spot + 1) & (slots.size - 1)
            number = np.int64(slots[spot])
        if number < 0:
            put(slots, hashes, fields, starts, lengths, pool, seen, counts, features, values[i], field[i], utf8, start, end)
            number = features
            features += 1
        counts[number] += rows[i]
        numbers[i] = number
    return features
