"""Sets of features: (field, value) -> numbers, in the order of their first appearance. Exact: bytes are compared, not only hashes.

A feature that is looked for is a row of `cells`, int64 [.., 4]: its hash, the first eight bytes of its value, field and length in one
number (field << 32 | length), where its value begins in a text. A set is

    slots       int64 [.., 2], open addressing by the low bits of the hash, at most two thirds full: of a value of up to eight bytes
                these, of others the hash; and field, length (9: more than eight) and the feature's number in one number
                (field << 36 | length << 32 | number), or -1. To compare takes one line of the cache for values of up to eight bytes
    hashes, keys, begins    int64 [features + 1]: hash, field and length, where the value begins in `pool`, uint8; of the one after the last
                feature only where its value would begin
    marks       int64 [features]: the last row that had it and how many rows have it, in one number (last << 32 | rows)

The hash is of the value's bytes, eight at a time, begun with the hash of its field's name; the finaliser is SplitMix64's.
"""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

from regrow.data.clicks.byte_kernels import AHEAD, address_of, byte_at, fetch, number_at, put_number, word_at, word_of

__all__ = ["CELL_BYTES", "NEVER", "SEED", "count_rows", "hashed", "hashes_of", "number", "place", "put_cell", "words_of"]

SEED = np.uint64(0xCBF29CE484222325)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
SOON = 24
"""The slot of the feature so many later is fetched: it has come from memory when it is looked at."""
CELL_BYTES, SLOT_BYTES = 32, 16
ALL_BUT_NUMBER = NEVER = np.int64(-1) << 32
"""Of a mark: no row had it."""


@njit(inline="always")
def hashed(at, length, seed):
    """The hash of so many bytes from an address on, begun with `seed`; eight bytes behind them are read too, and change nothing."""
    value, left = np.uint64(seed), length
    while left >= 8:
        value = (value ^ word_at(at)) * _MIX
        value ^= value >> np.uint64(32)
        at += 8
        left -= 8
    value = (value ^ (np.uint64(length) << np.uint64(56) ^ word_of(at, left))) * _MIX
    value = (value ^ (value >> np.uint64(30))) * _MIX_1
    value = (value ^ (value >> np.uint64(27))) * _MIX_2
    return value ^ (value >> np.uint64(31))


@njit(cache=True)
def hashes_of(offsets, utf8, seeds):
    """The hash of each packed string, begun with its own seed: uint64. utf8 with eight bytes more."""
    values, text = np.empty(offsets.size - 1, np.uint64), address_of(utf8)
    for i in range(values.size):
        values[i] = hashed(text + offsets[i], offsets[i + 1] - offsets[i], seeds[i])
    return values


@njit(cache=True)
def words_of(offsets, utf8):
    """The first eight bytes of each packed string, with zeros behind them: int64. Nothing behind `utf8` is read."""
    words, text = np.empty(offsets.size - 1, np.int64), address_of(utf8)
    for i in range(words.size):
        start, length = offsets[i], offsets[i + 1] - offsets[i]
        if start + 8 <= utf8.size:
            words[i] = np.int64(word_of(text + start, length))
        else:
            word = np.uint64(0)
            for k in range(min(length, 8)):
                word |= np.uint64(utf8[start + k]) << np.uint64(8 * k)
            words[i] = np.int64(word)
    return words


@njit(inline="always")
def put_cell(cell, text, begin, end, field, seed):
    """Write the feature of a field from the byte `begin` of a text to `end` to a cell; text and cell are addresses."""
    put_number(cell, np.int64(hashed(text + begin, end - begin, seed)))
    put_number(cell + 8, np.int64(word_of(text + begin, end - begin)))
    put_number(cell + 16, field << 32 | (end - begin))
    put_number(cell + 24, np.int64(begin))


@njit(inline="always")
def _same(a, b, length):
    """Whether so many bytes from two addresses on are the same."""
    k = 0
    while k < length and byte_at(a + k) == byte_at(b + k):
        k += 1
    return k == length


@njit(inline="always")
def _slot(code, word, key):
    """What stands in the slot of a feature, without its number: (what, which)."""
    length = key & 0xFFFFFFFF
    which = key >> 32 << 36 | min(length, 9) << 32
    return word if length <= 8 else code, which


@njit(inline="always")
def _found(cell, text, slots, mask, begins, pool):
    """The number of the feature of a cell, and the place of its slot; a number below 0 and a slot that is free, if it is not there."""
    code, key = number_at(cell), number_at(cell + 16)
    what, which = _slot(code, number_at(cell + 8), key)
    slot = slots + SLOT_BYTES * (code & mask)
    while True:
        there = number_at(slot + 8)
        if there < 0:
            return there, slot
        if there & ALL_BUT_NUMBER == which and number_at(slot) == what:
            length = key & 0xFFFFFFFF
            begin = number_at(begins + 8 * (there & 0xFFFFFFFF)) if length > 8 else 0
            if length <= 8 or _same(text + number_at(cell + 24), pool + begin, length):
                return there & 0xFFFFFFFF, slot
        slot = slots + (slot + SLOT_BYTES - slots & SLOT_BYTES * mask)


@njit(inline="always")
def _put(cell, text, slot, hashes, keys, begins, marks, pool, features):
    """Put the feature of a cell into the set, as number `features`; up to eight bytes behind its value are written, too."""
    code, key, start = number_at(cell), number_at(cell + 16), text + number_at(cell + 24)
    what, which = _slot(code, number_at(cell + 8), key)
    put_number(slot, what)
    put_number(slot + 8, which | features)
    begin, length, place = number_at(begins + 8 * features), key & 0xFFFFFFFF, 8 * features
    put_number(hashes + place, code)
    put_number(keys + place, key)
    put_number(marks + place, NEVER)
    put_number(begins + place + 8, begin + length)
    for k in range(0, length, 8):
        put_number(pool + begin + k, number_at(start + k))


@njit(cache=True)
def number(text, cells, first, numbers, slots, hashes, keys, begins, marks, pool, features):
    """The numbers, int32, of features from the cell `first` on; those that are new are put into the set, for which there is room but for
    their bytes.

    Returns (the cell that found no room for its bytes, or how many there are; the size of the set).
    """
    text_at, cells_at, slots_at, pool_at, mask = address_of(text), address_of(cells), address_of(slots), address_of(pool), len(slots) - 1
    hashes_at, keys_at, begins_at, marks_at = address_of(hashes), address_of(keys), address_of(begins), address_of(marks)
    for i in range(first, numbers.size):
        cell = cells_at + CELL_BYTES * i
        if i + SOON < numbers.size:
            fetch(slots_at + SLOT_BYTES * (number_at(cell + CELL_BYTES * SOON) & mask))
        found, slot = _found(cell, text_at, slots_at, mask, begins_at, pool_at)
        if found < 0:
            if begins[features] + (cells[i, 2] & 0xFFFFFFFF) + AHEAD > pool.size:
                return i, features
            _put(cell, text_at, slot, hashes_at, keys_at, begins_at, marks_at, pool_at, features)
            found = features
            features += 1
        numbers[i] = found
    return numbers.size, features


@njit(cache=True)
def count_rows(row_ptr, row, feature, marks):
    """Count rows from `row` on, each once for each of its features, however often one stands there."""
    for r in range(row, row_ptr.size - 1):
        for j in range(row_ptr[r], row_ptr[r + 1]):
            own = np.uint32(feature[j])
            mark = marks[own]
            if mark >> 32 != r:
                marks[own] = r << 32 | ((mark & 0xFFFFFFFF) + 1)


@njit(cache=True)
def place(slots, hashes, keys, begins, pool, features):
    """Put the features of a set into empty slots."""
    slots_at, pool_at, mask = address_of(slots), address_of(pool), len(slots) - 1
    for feature in range(features):
        code, key = hashes[feature], keys[feature]
        what, which = _slot(code, np.int64(word_of(pool_at + begins[feature], key & 0xFFFFFFFF)), key)
        slot = slots_at + SLOT_BYTES * (code & mask)
        while number_at(slot + 8) >= 0:
            slot = slots_at + (slot + SLOT_BYTES - slots_at & SLOT_BYTES * mask)
        put_number(slot, what)
        put_number(slot + 8, which | feature)
