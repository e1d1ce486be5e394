"""Sets of whole numbers as bits: which are there, and the place of each among them."""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["before_each", "ids_of_bits", "places_in_bits", "set_bits"]

_ONE = np.uint64(1)


@njit(inline="always")
def _ones(word):
    """How many bits of a uint64 are 1 (Hacker's Delight, 5-1)."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@njit(cache=True)
def set_bits(ids, low, bits):
    """Set the bit of each number: number `low` is bit 0 of the first word of bits uint64."""
    for i in range(ids.size):
        at = ids[i] - low
        bits[at >> 6] |= _ONE << np.uint64(at & 63)


@njit(cache=True)
def before_each(bits):
    """How many bits are set before each word: int64 [words + 1]."""
    before = np.zeros(bits.size + 1, np.int64)
    for i in range(bits.size):
        before[i + 1] = before[i] + _ones(bits[i])
    return before


@njit(cache=True)
def ids_of_bits(bits, low, count):
    """The numbers whose bits are set, ascending: int64 [count]."""
    ids, at = np.empty(count, np.int64), 0
    for i in range(bits.size):
        if bits[i]:
            for k in range(64):
                if (bits[i] >> np.uint64(k)) & _ONE:
                    ids[at] = low + 64 * i + k
                    at += 1
    return ids


@njit(cache=True)
def places_in_bits(ids, low, bits, before, places):
    """Fill places uint32 with the place of each number among those that are set, itself one of them."""
    for i in range(ids.size):
        at = ids[i] - low
        word = at >> 6
        places[i] = before[word] + _ones(bits[word] & ((_ONE << np.uint64(at & 63)) - _ONE))
