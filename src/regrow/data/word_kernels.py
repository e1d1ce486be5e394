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
def _mixed(value):
    value = (value ^ (value >> np.uint64(32))) * _MIX
    return value ^ (value >> np.uint64(29))


@njit(cache=True)
def _hash(utf8, start, end):
    """64 bits of FNV-1a, mixed so that the low bits depend on all."""
    value = _SEED
    for i in range(start, end):
        value = (value ^ np.uint64(utf8[i])) * _STEP
    return _mixed(value)


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
def _number(value, text, start, end, slots, hashes, offsets, utf8, words):
    """The number of the word text[start:end] with hash `value` in a set of `words` words with room; `words` if it is new."""
    at = _find(slots, hashes, offsets, utf8, value, text, start, end)
    if slots[at] < 0:
        used = offsets[words]
        for i in range(end - start):
            utf8[used + i] = text[start + i]
        hashes[words] = value
        offsets[words + 1] = used + end - start
        slots[at] = words
        return np.int64(words)
    return np.int64(slots[at])


@njit(cache=True)
def _with_room(slots, hashes, offsets, utf8, words, more, more_bytes):
    """A set of words with room for `more` words of `more_bytes` bytes together."""
    if 2 * (words + more) > slots.size:
        size = slots.size
        while 2 * (words + more) > size:
            size *= 2
        slots = _rehashed(hashes, words, size)
    return slots, _longer(hashes, words + more), _longer(offsets, words + more + 1), _longer(utf8, offsets[words] + more_bytes)


@njit(cache=True)
def _add_words(new_offsets, new_utf8, slots, hashes, offsets, utf8, words, numbers):
    for i in range(numbers.size):
        start, end = new_offsets[i], new_offsets[i + 1]
        numbers[i] = _number(_hash(new_utf8, start, end), new_utf8, start, end, slots, hashes, offsets, utf8, words)
        words += numbers[i] == words
    return words


@njit(cache=True)
def add_words(new_offsets, new_utf8, slots, hashes, offsets, utf8, words):
    """Add a list of strings to a set of words: (their numbers int32, and the five of the set)."""
    numbers = np.empty(new_offsets.size - 1, np.int32)
    slots, hashes, offsets, utf8 = _with_room(slots, hashes, offsets, utf8, words, numbers.size, new_utf8.size)
    words = _add_words(new_offsets, new_utf8, slots, hashes, offsets, utf8, words, numbers)
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
def _cut_words(text, i, end, classes, lower, out, stops, values):
    """Write the words of text[i:end] in lower case to `out`, one after the other, where each ends to `stops`, and its hash to `values`.

    `out` has room for twice the text (no lower case is longer than that), the others for half of it and one. Returns the number of words.
    """
    words = at = start = 0
    sigma = -1
    apostrophe = False
    value = _SEED
    while i < end:
        code, width = np.int64(text[i]), 1
        if code >= 0x80:
            code, width = _decode(text, i)
        kind = classes[code]
        i += width
        if kind == 1 or (kind == 2 and at > start and not apostrophe):
            if apostrophe:
                out[at] = 0x27
                at += 1
                value = (value ^ np.uint64(0x27)) * _STEP
                apostrophe = False
            small = lower[code] if code < lower.size else code
            value = (value ^ np.uint64(small)) * _STEP
            if 0 <= small < 0x80:
                out[at] = small
                at += 1
            elif small < 0:  # a capital I with a dot: an i and a combining dot
                out[at] = 0x69
                at = _encode(0x307, out, at + 1)
            else:
                at = _encode(small, out, at)
                if code == 0x3A3 and small == 0x3C3:
                    sigma = at
            continue
        if kind == 4 and at > start and not apostrophe:
            apostrophe = True
            continue
        apostrophe = False
        if at > start:
            words = _end_word(words, start, at, sigma, value, out, stops, values)
            start, value = at, _SEED
        if kind == 3:
            at = _encode(code, out, at)
            words = _end_word(words, start, at, -1, (value ^ np.uint64(code)) * _STEP, out, stops, values)
            start = at
    if at > start:
        words = _end_word(words, start, at, sigma, value, out, stops, values)
    return words


@njit(cache=True)
def _end_word(words, start, at, sigma, value, out, stops, values):
    """Note where a word ends; returns the number of words. Greek: a capital sigma that ends a word becomes the final one."""
    if sigma == at and at > start + 2:
        out[at - 1] = 0x82
        value += np.uint64(1)
    stops[words] = at
    values[words] = _mixed(value)
    return words + 1


@njit(cache=True)
def _count_document(out, stops, values, found, document, slots, hashes, offsets, utf8, words, counts, shares, last, stream):
    """Number `found` words that lie one after the other in `out`, and count them; returns the number of distinct words.

    Apart from `tokenise` and without growing anything: arrays that are replaced in a loop cost it a third of its speed.
    """
    start = 0
    for i in range(found):
        word = _number(values[i], out, start, stops[i], slots, hashes, offsets, utf8, words)
        if word == words:
            counts[word], shares[word], last[word] = 0, 0, -1
            words += 1
        counts[word] += 1
        if last[word] != document:
            last[word] = document
            shares[word] += 1
        stream[i] = word
        start = stops[i]
    return words


@njit(cache=True)
def tokenise(text, starts, ends, per_document, classes, lower):
    """Cut documents into words and number the words in the order of their first appearance.

    text      uint8, valid UTF-8
    starts, ends    int64: the pieces text[start:end]; every `per_document` of them are one document
    Returns (stream int32: the words of all documents; pointers int64 [documents + 1] into it; offsets int64 and utf8
    uint8 of the distinct words; counts int64: occurrences; shares int64: documents with the word).
    """
    documents = starts.size // per_document
    size, longest = starts.size, 0
    for piece in range(starts.size):
        size += (ends[piece] - starts[piece]) // 2 + 1
        longest = max(longest, ends[piece] - starts[piece])
    stream = np.empty(size, np.int32)
    pointers = np.zeros(documents + 1, np.int64)
    out, stops, values = np.empty(2 * longest + 8, np.uint8), np.empty(longest + 1, np.int64), np.empty(longest + 1, np.uint64)
    slots = np.full(1 << 12, -1, np.int32)
    hashes, offsets, utf8 = np.empty(1 << 11, np.uint64), np.zeros(1 << 11, np.int64), np.empty(1 << 14, np.uint8)
    counts, shares, last = np.empty(1 << 11, np.int64), np.empty(1 << 11, np.int64), np.empty(1 << 11, np.int64)
    words = tokens = 0
    for document in range(documents):
        for piece in range(document * per_document, (document + 1) * per_document):
            found = _cut_words(text, starts[piece], ends[piece], classes, lower, out, stops, values)
            if found:
                slots, hashes, offsets, utf8 = _with_room(slots, hashes, offsets, utf8, words, found, stops[found - 1])
                counts, shares, last = _longer(counts, words + found), _longer(shares, words + found), _longer(last, words + found)
                here = stream[tokens : tokens + found]
                words = _count_document(
                    out, stops, values, found, document, slots, hashes, offsets, utf8, words, counts, shares, last, here
                )
                tokens += found
        pointers[document + 1] = tokens
    used = offsets[words]
    return stream[:tokens].copy(), pointers, offsets[: words + 1].copy(), utf8[:used].copy(), counts[:words].copy(), shares[:words].copy()


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
