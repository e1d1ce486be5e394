"""Kernels of the tokeniser: text to numbers of words, each distinct word stored once.

A set of words is five arrays: `slots` (open addressing by hash, -1 is free, a power of two long, at most half full),
`hashes`, `offsets`, `utf8` and the number of words. Kernels take them, make them longer where needed, and give them back.
"""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["add_words", "map_stream", "tokenise"]

_SEED = np.uint64(0xCBF29CE484222325)
_STEP = np.uint64(0x100000001B3)
_MIX = np.uint64(0x9E3779B97F4A7C15)


@njit(cache=True)
def _longer(array, size):
    """The array, or a copy at least twice as long that begins with it."""
    if size <= array.size:
        return array
    longer = np.empty(max(size, 2 * array.size), array.dtype)
    longer[: array.size] = array
    return longer


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
def _hash(utf8, start, end):
    """64 bits of FNV-1a, mixed so that the low bits depend on all."""
    value = _SEED
    for i in range(start, end):
        value = (value ^ np.uint64(utf8[i])) * _STEP
    value = (value ^ (value >> np.uint64(32))) * _MIX
    return value ^ (value >> np.uint64(29))


@njit(cache=True)
def _find(slots, hashes, offsets, utf8, value, text, start, end):
    """The slot of the word text[start:end], or the free one where it belongs."""
    at = np.int64(value & np.uint64(slots.size - 1))
    while slots[at] >= 0:
        word = slots[at]
        if hashes[word] == value and offsets[word + 1] - offsets[word] == end - start:
            begin = offsets[word]
            same = True
            for i in range(end - start):
                if utf8[begin + i] != text[start + i]:
                    same = False
                    break
            if same:
                return at
        at = (at + 1) & (slots.size - 1)
    return at


@njit(cache=True)
def add_words(new_offsets, new_utf8, slots, hashes, offsets, utf8, words):
    """Add a list of strings to a set of words: (their numbers int32, and the five of the set)."""
    count = new_offsets.size - 1
    numbers = np.empty(count, np.int32)
    for i in range(count):
        start, end = new_offsets[i], new_offsets[i + 1]
        value = _hash(new_utf8, start, end)
        at = _find(slots, hashes, offsets, utf8, value, new_utf8, start, end)
        if slots[at] < 0:
            used = offsets[words]
            utf8 = _longer(utf8, used + end - start)
            utf8[used : used + end - start] = new_utf8[start:end]
            hashes = _longer(hashes, words + 1)
            offsets = _longer(offsets, words + 2)
            hashes[words] = value
            offsets[words + 1] = used + end - start
            slots[at] = words
            numbers[i] = words
            words += 1
            if 2 * words > slots.size:
                slots = _rehashed(hashes, words, 2 * slots.size)
        else:
            numbers[i] = slots[at]
    return numbers, slots, hashes, offsets, utf8, words


@njit(cache=True)
def _decode(text, i):
    """The code point at i of valid UTF-8, and the number of its bytes."""
    b = np.int64(text[i])
    if b < 0x80:
        return b, 1
    if b < 0xE0:
        return (b & 0x1F) << 6 | text[i + 1] & 0x3F, 2
    if b < 0xF0:
        return (b & 0x0F) << 12 | (np.int64(text[i + 1]) & 0x3F) << 6 | text[i + 2] & 0x3F, 3
    return (b & 0x07) << 18 | (np.int64(text[i + 1]) & 0x3F) << 12 | (np.int64(text[i + 2]) & 0x3F) << 6 | text[i + 3] & 0x3F, 4


@njit(cache=True)
def _encode(code, out, at):
    """Write a code point as UTF-8; returns where the next one goes."""
    if code < 0x80:
        out[at] = code
        return at + 1
    if code < 0x800:
        out[at] = 0xC0 | code >> 6
        out[at + 1] = 0x80 | code & 0x3F
        return at + 2
    if code < 0x10000:
        out[at] = 0xE0 | code >> 12
        out[at + 1] = 0x80 | code >> 6 & 0x3F
        out[at + 2] = 0x80 | code & 0x3F
        return at + 3
    out[at] = 0xF0 | code >> 18
    out[at + 1] = 0x80 | code >> 12 & 0x3F
    out[at + 2] = 0x80 | code >> 6 & 0x3F
    out[at + 3] = 0x80 | code & 0x3F
    return at + 4


@njit(cache=True)
def _next_word(text, i, end, classes, lower, out, at):
    """Write the next word of text[i:end] in lower case at out[at:]: (where the text goes on, where the word ends).

    The word ends at `at` if there is none. `out` has room for twice the text: no lower case is longer than that.
    """
    start = at
    apostrophe = False
    sigma = False
    while i < end:
        code, width = _decode(text, i)
        kind = classes[code]
        if kind == 1:
            if apostrophe:
                out[at] = 0x27
                at += 1
                apostrophe = False
            small = lower[code] if code < lower.size else code
            if small < 0:  # a capital I with a dot: an i and a combining dot
                out[at] = 0x69
                at = _encode(0x307, out, at + 1)
            else:
                at = _encode(small, out, at)
            sigma = code == 0x3A3 and small == 0x3C3
        elif kind == 2 and at > start and not apostrophe:
            at = _encode(code, out, at)
            sigma = False
        elif kind == 4 and at > start and not apostrophe:
            apostrophe = True
        elif at > start:
            break  # a separator is seen again by the next call, and so is a character that stands alone
        elif kind == 3:
            return i + width, _encode(code, out, at)
        i += width
    if sigma and at > start + 2:  # Greek: a capital sigma that ends a word becomes the final one
        out[at - 1] = 0x82
    return i, at


@njit(cache=True)
def tokenise(text, starts, ends, per_document, classes, lower):
    """Cut documents into words and number the words in the order of their first appearance.

    text      uint8, valid UTF-8
    starts, ends    int64: the pieces text[start:end]; every `per_document` of them are one document
    Returns (stream int32: the words of all documents; pointers int64 [documents + 1] into it; offsets int64 and utf8
    uint8 of the distinct words; counts int64: occurrences; shares int64: documents with the word).
    """
    documents = starts.size // per_document
    size = starts.size + 1
    for piece in range(starts.size):
        size += (ends[piece] - starts[piece]) // 2
    stream = np.empty(size, np.int32)
    pointers = np.zeros(documents + 1, np.int64)
    slots = np.full(1 << 12, -1, np.int32)
    hashes = np.empty(1 << 11, np.uint64)
    offsets = np.zeros(1 << 12, np.int64)
    utf8 = np.empty(1 << 14, np.uint8)
    counts = np.zeros(1 << 11, np.int64)
    shares = np.zeros(1 << 11, np.int64)
    last = np.empty(1 << 11, np.int64)
    words = 0
    tokens = 0
    for document in range(documents):
        for piece in range(document * per_document, (document + 1) * per_document):
            i, end = starts[piece], ends[piece]
            while i < end:
                used = offsets[words]
                utf8 = _longer(utf8, used + 2 * (end - i) + 8)
                i, stop = _next_word(text, i, end, classes, lower, utf8, used)
                if stop == used:
                    continue
                value = _hash(utf8, used, stop)
                at = _find(slots, hashes, offsets, utf8, value, utf8, used, stop)
                word = slots[at]
                if word < 0:
                    word = np.int32(words)
                    hashes, offsets = _longer(hashes, words + 1), _longer(offsets, words + 2)
                    counts, shares, last = _longer(counts, words + 1), _longer(shares, words + 1), _longer(last, words + 1)
                    hashes[word], offsets[word + 1] = value, stop
                    counts[word], shares[word], last[word] = 0, 0, -1
                    slots[at] = word
                    words += 1
                    if 2 * words > slots.size:
                        slots = _rehashed(hashes, words, 2 * slots.size)
                counts[word] += 1
                if last[word] != document:
                    last[word] = document
                    shares[word] += 1
                stream[tokens] = word
                tokens += 1
        pointers[document + 1] = tokens
    bytes_used = offsets[words]
    return (stream[:tokens].copy(), pointers, offsets[: words + 1].copy(), utf8[:bytes_used].copy(),
            counts[:words].copy(), shares[:words].copy())  # fmt: skip


@njit(cache=True)
def map_stream(stream, pointers, numbers):
    """Give tokens other numbers and drop those whose number is -1: (words int32, pointers int64 [documents + 1])."""
    words = np.empty(stream.size, np.int32)
    moved = np.zeros(pointers.size, np.int64)
    kept = 0
    for document in range(pointers.size - 1):
        for token in range(pointers[document], pointers[document + 1]):
            number = numbers[stream[token]]
            if number >= 0:
                words[kept] = number
                kept += 1
        moved[document + 1] = kept
    return words[:kept].copy(), moved
