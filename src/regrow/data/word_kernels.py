"""Kernels of the tokeniser: text -> numbers of words."""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

from regrow.data.wordset_kernels import empty_set, longer, number, packed, with_room

__all__ = ["CHARACTERS", "GIVEN", "PAIRS", "map_stream", "spelled", "tokenise"]

CHARACTERS, PAIRS, GIVEN = 1, 2, 4
"""Units of `tokenise`."""


@njit(inline="always")
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


@njit(inline="always")
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


@njit(inline="always")
def _end_word(words, start, at, sigma, out, lengths):
    """Note the length of a word; returns where the next one goes. Greek: a capital sigma that ends a word becomes the final one."""
    if sigma == at and at > start + 2:
        out[at - 1] = 0x82
    lengths[words] = at - start
    return (at + 7) & ~7


@njit(cache=True)
def _ascii_letters(classes, lower):
    """uint8 [256]: the lower case of a letter or digit of one byte, 1 for a separator, 0 for bytes that need a closer look."""
    table = np.zeros(256, np.uint8)
    for code in range(128):
        if classes[code] == 1:
            table[code] = lower[code]
        elif classes[code] == 0:
            table[code] = 1
    return table


@njit(inline="always")
def _put(text, first, end, out, at):
    """Copy text[first:end]; returns where the next word goes."""
    for i in range(first, end):
        out[at + i - first] = text[i]
    return (at + end - first + 7) & ~7


@njit(cache=True)
def _cut_run(text, first, i, end, classes, units, out, lengths, words, at):
    """Write the words of the run of characters without spaces that begins with text[first:i]: (end of the run, words, at).

    A character is one code point with the marks after it. In the order of the text: c1, c1c2, c2, c2c3, c3 ..., or one kind
    of them only; of a run of one character, that character.
    """
    before, begin = np.int64(-1), first
    while True:
        more = i < end
        kind = 0
        while more:
            code, width = _decode(text, i)
            kind = classes[code]
            if kind != 2:
                break
            i += width
            more = i < end
        more = more and kind == 3
        if units & 2 and before >= 0:
            lengths[words] = i - before
            at = _put(text, before, i, out, at)
            words += 1
        if units & 1 or (before < 0 and not more):
            lengths[words] = i - begin
            at = _put(text, begin, i, out, at)
            words += 1
        if not more:
            return i, words, at
        before, begin = begin, i
        i += width


@njit(cache=True)
def _cut_given(text, i, end, out, lengths):
    """As `_cut_words`, for words that were given: separated by zero bytes, and taken as they are."""
    words = 0
    at = np.int64(0)
    while i < end:
        first = i
        while i < end and text[i]:
            i += 1
        if i > first:
            lengths[words] = i - first
            at = _put(text, first, i, out, at)
            words += 1
        i += 1
    return words, at


@njit(cache=True)
def _cut_words(text, i, end, letters, classes, lower, units, out, lengths):
    """Write the words of text[i:end] in lower case to `out`, each from a multiple of eight, and their lengths to `lengths`.

    `out` holds zeros, and six bytes for each of the text and 32 more: a word and what separates it are two bytes at least, and
    no lower case is longer than twice its capital (four bytes would do); a character without spaces is three bytes at least, and
    makes two words. Returns (number of words, end of the last).
    """
    words = 0
    at = start = np.int64(0)
    sigma = np.int64(-1)
    while i < end:
        byte = text[i]
        small = letters[byte]
        if small > 1:
            out[at] = small
            at += 1
            i += 1
            continue
        if small == 1:
            i += 1
            if at > start:
                at = start = _end_word(words, start, at, sigma, out, lengths)
                words += 1
            continue
        code, width = np.int64(byte), 1
        if byte >= 0x80:
            code, width = _decode(text, i)
        kind = classes[code]
        first = i
        i += width
        if kind == 1:
            changed = lower[code] if code < lower.size else code
            if changed < 0:  # a capital I with a dot: an i and a combining dot
                out[at] = 0x69
                at = _encode(0x307, out, at + 1)
            else:
                at = _encode(changed, out, at)
                if code == 0x3A3 and changed == 0x3C3:
                    sigma = at
            continue
        if at > start:
            if kind == 2:
                at = _encode(code, out, at)
                continue
            if kind == 4 and i < end and classes[_decode(text, i)[0]] == 1:
                out[at] = 0x27
                at += 1
                continue
            at = start = _end_word(words, start, at, sigma, out, lengths)
            words += 1
        if kind == 3:
            i, words, at = _cut_run(text, first, i, end, classes, units, out, lengths, words, at)
            start = at
    if at > start:
        at = _end_word(words, start, at, sigma, out, lengths)
        words += 1
    return words, at


@njit(cache=True)
def _count_words(text, found, document, slots, hashes, starts, set_lengths, lines, words, lengths, counts, shares, last, stream):
    """Number `found` words that lie one after the other in `text`, and count them; returns the number of distinct words.

    Apart from `tokenise`, and without making anything longer: arrays that are replaced in a loop halve its speed.
    """
    first = 0
    for i in range(found):
        word = number(text, first, lengths[i], slots, hashes, starts, set_lengths, lines, words)
        if word == words:
            counts[word], shares[word], last[word] = 0, 0, -1
            words += 1
        counts[word] += 1
        if last[word] != document:
            last[word] = document
            shares[word] += 1
        stream[i] = word
        first += (lengths[i] + 7) >> 3
    return words


@njit(cache=True)
def tokenise(text, starts, ends, per_document, classes, lower, units):
    """Cut documents into words and number the words in the order of their first appearance.

    text      uint8, valid UTF-8
    starts, ends    int64: the pieces text[start:end]; every `per_document` of them are one document
    classes, lower  the tables of `regrow.data.unicode`
    units     what the words of a run without spaces are: CHARACTERS, PAIRS of neighbours, or both (added); or GIVEN: the words of
              all text are separated by zero bytes, and taken as they are
    Returns (stream int32: the words of all documents; pointers int64 [documents + 1] into it; offsets int64 and utf8
    uint8 of the distinct words; counts int64: occurrences; shares int64: documents with the word).
    """
    documents = starts.size // per_document
    size, longest = starts.size, 0
    for piece in range(starts.size):
        size += (ends[piece] - starts[piece]) * 2 // 3 + 1
        longest = max(longest, ends[piece] - starts[piece])
    letters = _ascii_letters(classes, lower)
    stream = np.empty(size, np.int32)
    pointers = np.zeros(documents + 1, np.int64)
    here = np.zeros(longest * 3 // 4 + 4, np.uint64)
    here_bytes, here_lengths = here.view(np.uint8), np.empty(longest + 1, np.int32)
    slots, hashes, begins, lengths, lines = empty_set()
    counts, shares, last = np.empty(1 << 11, np.int64), np.empty(1 << 11, np.int64), np.empty(1 << 11, np.int64)
    words = tokens = 0
    for document in range(documents):
        for piece in range(document * per_document, (document + 1) * per_document):
            if units == 4:
                found, used = _cut_given(text, starts[piece], ends[piece], here_bytes, here_lengths)
            else:
                found, used = _cut_words(text, starts[piece], ends[piece], letters, classes, lower, units, here_bytes, here_lengths)
            if found:
                used >>= 3
                slots, hashes, begins, lengths, lines = with_room(slots, hashes, begins, lengths, lines, words, found, used)
                counts, shares, last = longer(counts, words + found), longer(shares, words + found), longer(last, words + found)
                words = _count_words(
                    here, found, document, slots, hashes, begins, lengths, lines, words, here_lengths, counts, shares, last, stream[tokens:]
                )
                tokens += found
                here[:used] = 0
        pointers[document + 1] = tokens
    offsets, utf8 = packed(begins, lengths, lines, words)
    return stream[:tokens].copy(), pointers, offsets, utf8, counts[:words].copy(), shares[:words].copy()


@njit(cache=True)
def map_stream(stream, pointers, numbers, least=0):
    """Give tokens other numbers and drop those whose number is below `least`: (words int32, pointers int64 [documents + 1])."""
    words = np.empty(stream.size, np.int32)
    moved = np.zeros(pointers.size, np.int64)
    kept = 0
    for document in range(pointers.size - 1):
        for token in range(pointers[document], pointers[document + 1]):
            new = numbers[stream[token]]
            if new >= least:
                words[kept] = new
                kept += 1
        moved[document + 1] = kept
    return words[:kept].copy(), moved


@njit(cache=True)
def spelled(stream, pointers, offsets, utf8):
    """Documents as text: the words of each joined by single spaces, a newline after each (uint8), and where each ends (int64)."""
    size = pointers.size
    for word in stream:
        size += offsets[word + 1] - offsets[word] + 1
    text, ends = np.empty(size, np.uint8), np.empty(pointers.size - 1, np.int64)
    at = 0
    for document in range(pointers.size - 1):
        for token in range(pointers[document], pointers[document + 1]):
            if token > pointers[document]:
                text[at] = 0x20
                at += 1
            for i in range(offsets[stream[token]], offsets[stream[token] + 1]):
                text[at] = utf8[i]
                at += 1
        ends[document] = at
        text[at] = 0x0A
        at += 1
    return text[:at].copy(), ends
