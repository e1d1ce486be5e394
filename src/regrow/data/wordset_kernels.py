"""Kernels of sets of words: strings -> their numbers, in the order of their first appearance.

A word lies in `lines`, uint64, as its UTF-8 bytes with zeros up to a multiple of eight, so that most words are hashed
and compared in one or two steps (byte by byte costs twice the time, most of it wrong guesses of a loop's end).

A set is five arrays and the number of its words: `slots` int32 (open addressing by hash, -1 is free, a power of two
long, at most half full), `hashes` uint64, `starts` int64 (in lines, one longer), `lengths` int32 (in bytes), `lines`.
"""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["add_words", "empty_set", "find_words", "hashes_of", "longer", "number", "packed", "with_room"]

_SEED = np.uint64(0xCBF29CE484222325)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)


@njit(cache=True)
def longer(array, size):
    """The array, or a copy at least twice as long that begins with it."""
    if size <= array.size:
        return array
    copy = np.empty(max(size, 2 * array.size), array.dtype)
    copy[: array.size] = array
    return copy


@njit(cache=True)
def empty_set():
    """(slots, hashes, starts, lengths, lines) of no words."""
    return (
        np.full(1 << 12, -1, np.int32),
        np.empty(1 << 11, np.uint64),
        np.zeros(1 << 11, np.int64),
        np.empty(1 << 11, np.int32),
        np.empty(1 << 12, np.uint64),
    )


@njit(cache=True)
def _rehashed(hashes, words, size):
    """Slots for the given words."""
    slots = np.full(size, -1, np.int32)
    for word in range(words):
        at = np.int64(hashes[word] & np.uint64(size - 1))
        while slots[at] >= 0:
            at = (at + 1) & (size - 1)
        slots[at] = word
    return slots


@njit(cache=True)
def with_room(slots, hashes, starts, lengths, lines, words, more, more_lines):
    """The set with room for `more` words of `more_lines` lines together."""
    if 2 * (words + more) > slots.size:
        size = slots.size
        while 2 * (words + more) > size:
            size *= 2
        slots = _rehashed(hashes, words, size)
    return (
        slots,
        longer(hashes, words + more),
        longer(starts, words + more + 1),
        longer(lengths, words + more),
        longer(lines, starts[words] + more_lines),
    )


# Inlined, because at a call numba counts references to six arrays, which costs five times what is done here. Whoever
# changes it must touch word_kernels.py, too: numba's cache sees only the file of the caller.
@njit(inline="always")
def number(text, first, length, slots, hashes, starts, lengths, lines, words):
    """The number of the word of `length` bytes at line `first` of `text`, in a set of `words` words with room; `words` if it is new."""
    count = (length + 7) >> 3
    value = _SEED
    for i in range(first, first + count):
        value = (value ^ text[i]) * _MIX
        value ^= value >> _HALF
    mask = slots.size - 1
    at = np.int64(value & np.uint64(mask))
    while slots[at] >= 0:
        word = np.int64(slots[at])
        if hashes[word] == value and lengths[word] == length:
            begin = starts[word]
            i = 0
            while i < count and lines[begin + i] == text[first + i]:
                i += 1
            if i == count:
                return word
        at = (at + 1) & mask
    begin = starts[words]
    for i in range(count):
        lines[begin + i] = text[first + i]
    hashes[words] = value
    lengths[words] = length
    starts[words + 1] = begin + count
    slots[at] = words
    return np.int64(words)


@njit(cache=True)
def _add_words(offsets, utf8, slots, hashes, starts, lengths, lines, words, numbers):
    out = lines.view(np.uint8)
    for i in range(numbers.size):
        first, length = starts[words], offsets[i + 1] - offsets[i]
        for line in range(first, first + ((length + 7) >> 3)):
            lines[line] = 0
        for j in range(length):
            out[8 * first + j] = utf8[offsets[i] + j]
        numbers[i] = number(lines, first, length, slots, hashes, starts, lengths, lines, words)
        words += numbers[i] == words
    return words


@njit(cache=True)
def add_words(offsets, utf8, slots, hashes, starts, lengths, lines, words):
    """Add packed strings (offsets int64, utf8 uint8) to a set: (their numbers int32, the set, the number of its words)."""
    numbers = np.empty(offsets.size - 1, np.int32)
    more_lines = numbers.size + (offsets[-1] - offsets[0]) // 8
    slots, hashes, starts, lengths, lines = with_room(slots, hashes, starts, lengths, lines, words, numbers.size, more_lines)
    words = _add_words(offsets, utf8, slots, hashes, starts, lengths, lines, words, numbers)
    return numbers, (slots, hashes, starts, lengths, lines), words


@njit(cache=True)
def find_words(offsets, utf8, slots, hashes, starts, lengths, lines, numbers):
    """Look packed strings up in a set that stays as it is: numbers[word] for those that are in it, -1 for others (int32).

    In steps for all strings, not string by string: then the processor waits for many places of a large table at once.
    """
    values = hashes_of(offsets, utf8)
    mask = np.uint64(slots.size - 1)
    found = np.empty(values.size, np.int32)
    for i in range(values.size):
        found[i] = slots[np.int64(values[i] & mask)]
    same = np.empty(values.size, np.bool_)
    for i in range(values.size):
        same[i] = found[i] >= 0 and hashes[found[i]] == values[i]
    letters = lines.view(np.uint8)
    for i in range(values.size):
        begin, length = offsets[i], offsets[i + 1] - offsets[i]
        at, word, first = np.int64(values[i] & mask), np.int64(found[i]), same[i]
        found[i] = -1
        while word >= 0:
            if (first or hashes[word] == values[i]) and lengths[word] == length:
                place, j = 8 * starts[word], 0
                while j < length and letters[place + j] == utf8[begin + j]:
                    j += 1
                if j == length:
                    found[i] = numbers[word]
                    break
            at = (at + 1) & (slots.size - 1)
            word, first = np.int64(slots[at]), False
    return found


@njit(cache=True)
def hashes_of(offsets, utf8):
    """The hash of each packed string, as `number` computes it."""
    values = np.empty(offsets.size - 1, np.uint64)
    for i in range(values.size):
        value, at, end = _SEED, offsets[i], offsets[i + 1]
        while at < end:
            line = np.uint64(0)
            for j in range(min(8, end - at)):
                line |= np.uint64(utf8[at + j]) << np.uint64(8 * j)
            value = (value ^ line) * _MIX
            value ^= value >> _HALF
            at += 8
        values[i] = value
    return values


@njit(cache=True)
def packed(starts, lengths, lines, words):
    """The words of a set as packed strings: (offsets int64, utf8 uint8)."""
    offsets = np.zeros(words + 1, np.int64)
    for word in range(words):
        offsets[word + 1] = offsets[word] + lengths[word]
    utf8 = np.empty(offsets[words], np.uint8)
    text = lines.view(np.uint8)
    for word in range(words):
        for i in range(lengths[word]):
            utf8[offsets[word] + i] = text[8 * starts[word] + i]
    return offsets, utf8
