"""Kernels that give the features of examples their numbers, and decide which are let in."""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

from regrow.rng import uniform

__all__ = ["admitted", "first_of_field", "numbered"]

_ADMISSION = np.uint64(0x5851F42D4C957F2D)


@njit(cache=True)
def admitted(hashes, counts, chance):
    """Whether a feature is let in that is let in at each of its `count` sights with a chance (Poisson inclusion, McMahan and others, KDD
    2013), in the limit of all sights: with 1 - (1 - chance)^count, drawn by its hash."""
    found = np.empty(hashes.size, np.bool_)
    for i in range(hashes.size):
        left, base, power = 1.0, 1.0 - chance, counts[i]
        while power:
            if power & 1:
                left *= base
            base *= base
            power >>= 1
        found[i] = uniform(_ADMISSION, hashes[i]) < 1.0 - left
    return found


@njit(cache=True)
def numbered(row_ptr, feature, value, id, count):
    """The features of rows with their numbers `id` in the dictionary, those without one (-1) left out; value may be empty.

    Returns (row_ptr int64, ids of the type of `id`, value float32, rarest int64: the least count of a row's features, 0 where it has none).
    """
    moved = np.empty(row_ptr.size, np.int64)
    ids, values = np.empty(feature.size, id.dtype), np.empty(value.size, np.float32)
    rarest = np.zeros(row_ptr.size - 1, np.int64)
    at = 0
    moved[0] = 0
    for r in range(row_ptr.size - 1):
        least = np.int64(-1)
        for j in range(row_ptr[r], row_ptr[r + 1]):
            number = feature[j]
            if least < 0 or count[number] < least:
                least = count[number]
            if id[number] >= 0:
                ids[at] = id[number]
                if value.size:
                    values[at] = value[j]
                at += 1
        rarest[r] = max(least, 0)
        moved[r + 1] = at
    return moved, ids[:at].copy(), values[: at if value.size else 0].copy(), rarest


@njit(cache=True)
def first_of_field(row_ptr, feature, field, own):
    """The first feature of a field in each row, -1 where there is none: int32."""
    found = np.full(row_ptr.size - 1, -1, np.int32)
    for r in range(found.size):
        for j in range(row_ptr[r], row_ptr[r + 1]):
            if field[feature[j]] == own:
                found[r] = feature[j]
                break
    return found
