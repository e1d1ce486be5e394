"""Kernels that read bags of words: counts, and lines of `id:count`.

An error is (kind, line, start, end): the kind, the number of newlines before it, and the bytes of the text that are wrong.
"""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = [
    "COUNT", "COUNT_MAX", "DOCUMENT", "FINE", "FORM", "FRACTION", "ORDER", "PAIRS", "WORD",
    "blanks_end", "count_at", "decimals", "expanded", "has_zero", "number_at", "pairs", "token_end", "whole",
]  # fmt: skip

NEWLINE, HASH, PLUS, MINUS, DOT, COLON = 10, 35, 43, 45, 46, 58
COUNT_MAX = 2**31 - 1

FINE, FORM, FRACTION, COUNT, WORD, PAIRS, DOCUMENT, ORDER = 0, 1, 2, 3, 4, 5, 6, 7
"""Kinds of errors: not of the expected form; a count that is not whole; one that is not in 1 .. COUNT_MAX; a word beyond the
last; another number of pairs than the line says; a document beyond the last; one that comes after a later one."""


@njit(inline="always")
def is_digit(c):
    return 48 <= c <= 57


@njit(cache=True)
def blanks_end(text, i):
    """Where white space within a line ends that begins at i; control characters are taken for it."""
    while i < text.size and text[i] <= 32 and text[i] != NEWLINE:
        i += 1
    return i


@njit(cache=True)
def token_end(text, i):
    """Where the bytes from i end that are no white space."""
    while i < text.size and text[i] > 32:
        i += 1
    return i


@njit(cache=True)
def whole(text, i, end):
    """The count written in text[i:end], such as 3, 3.000, 2e0 or +30e-1: (count, FINE), (0, FRACTION), (0, COUNT) or (0, FORM)."""
    negative = i < end and text[i] == MINUS
    i += i < end and (text[i] == MINUS or text[i] == PLUS)
    value, exponent, zeros, digits, point, lost = 0, 0, 0, 0, False, False
    while i < end and (is_digit(text[i]) or (text[i] == DOT and not point)):
        if text[i] == DOT:
            point = True
        else:
            digits += 1
            exponent -= point
            zeros += 1
            if text[i] != 48:  # zeros at the end are part of the exponent, so that none of them overflows
                while zeros > 0 and value < 10**17:
                    value, zeros = 10 * value, zeros - 1
                exponent += zeros
                lost |= zeros > 0  # beyond 17 digits it only matters that there is something
                value, zeros = value if lost else value + text[i] - 48, 0
        i += 1
    exponent += zeros
    if not digits:
        return 0, FORM
    if i < end and (text[i] == 69 or text[i] == 101):
        i += 1
        sign = -1 if i < end and text[i] == MINUS else 1
        i += i < end and (text[i] == MINUS or text[i] == PLUS)
        power, digits = 0, 0
        while i < end and is_digit(text[i]):
            power = min(10 * power + text[i] - 48, 10**9)
            digits += 1
            i += 1
        if not digits:
            return 0, FORM
        exponent += sign * power
    if i < end:
        return 0, FORM
    if negative or not value:
        return 0, COUNT
    while exponent < 0 and value and (lost or value % 10 == 0):
        value, exponent = value // 10, exponent + 1
    if exponent < 0 or (lost and exponent == 0 and value <= COUNT_MAX):
        return 0, FRACTION
    while exponent > 0 and value <= COUNT_MAX:
        value, exponent = 10 * value, exponent - 1
    if value > COUNT_MAX:
        return 0, COUNT
    return value, FINE


@njit(cache=True)
def number_at(text, i):
    """The digits from i as a number, at most about 10**15: (number, where they end)."""
    number = 0
    while i < text.size and is_digit(text[i]):
        number = min(10 * number + text[i] - 48, 10**15)
        i += 1
    return number, i


@njit(cache=True)
def count_at(text, i, comments):
    """The count from i: (count, its kind of error, where it ends). comments: whether # ends it, too."""
    count, end = number_at(text, i)
    if end > i and (end >= text.size or text[end] <= 32) and 1 <= count <= COUNT_MAX:
        return count, FINE, end
    while end < text.size and text[end] > 32 and not (comments and text[end] == HASH):
        end += 1
    count, kind = whole(text, i, end)
    return count, kind, end


@njit(cache=True)
def expanded(words, counts, size, tokens):
    """Each of the first `size` words as often as its count says: int32 [tokens]."""
    stream = np.empty(tokens, np.int32)
    at = 0
    for j in range(size):
        word = words[j]
        for _ in range(counts[j]):
            stream[at] = word
            at += 1
    return stream


@njit(cache=True)
def decimals(first, size):
    """The numbers from `first` in decimal, packed: (offsets int64 [size + 1], utf8 uint8)."""
    offsets = np.zeros(size + 1, np.int64)
    digits, above = 1, 10
    for i in range(size):
        while first + i >= above:
            digits, above = digits + 1, above * 10
        offsets[i + 1] = offsets[i] + digits
    utf8 = np.empty(offsets[size], np.uint8)
    for i in range(size):
        number = first + i
        for at in range(offsets[i + 1] - 1, offsets[i] - 1, -1):
            utf8[at] = 48 + number % 10
            number //= 10
    return offsets, utf8


@njit(cache=True)
def _lead_end(text, i, counted):
    """Where the lead of a line ends that begins at i (see `pairs`): (its number, its end, whether it is as it must be)."""
    says, end = number_at(text, i)
    if counted:
        return says, end, end > i and (end >= text.size or text[end] <= 32)
    while end < text.size and text[end] > 32 and text[end] != COLON and text[end] != HASH:
        end += 1
    return says, i if end < text.size and text[end] == COLON else end, True


@njit(cache=True)
def _is_query(text, i):
    """Whether `qid:` is at i."""
    return i + 4 < text.size and text[i] == 113 and text[i + 1] == 105 and text[i + 2] == 100 and text[i + 3] == COLON


@njit(cache=True)
def pairs(text, counted, base, limit):
    """Lines `lead id:count id:count ...`, one document each; empty lines are none.

    counted     whether the lead is the number of pairs (LDA-C). If not, it is whatever has no colon, may be missing, may be followed
                by `qid:...`, and what comes after # is no part of the line (SVMlight)
    base, limit     ids are base .. base + limit - 1
    Returns (words int32 from 0, pointers int64 [documents + 1], kind, line, start, end); for PAIRS start and end are how many
    pairs there are, and how many the line says.
    """
    colons, lines = 1, 1
    for i in range(text.size):
        colons += text[i] == COLON
        lines += text[i] == NEWLINE
    words, counts, pointers = np.empty(colons, np.int32), np.empty(colons, np.int32), np.zeros(lines + 1, np.int64)
    none = np.empty(0, np.int32)
    size, tokens, documents, line, i = 0, 0, 0, 0, 0
    while i < text.size:
        i = blanks_end(text, i)
        if i < text.size and text[i] != NEWLINE and (counted or text[i] != HASH):
            start, begun = i, size
            says, i, good = _lead_end(text, i, counted)
            if not good:
                return none, pointers, FORM, line, start, token_end(text, start)
            i = blanks_end(text, i)
            if not counted and _is_query(text, i):
                i = blanks_end(text, token_end(text, i))
            while i < text.size and text[i] != NEWLINE and (counted or text[i] != HASH):
                start = i
                word, i = number_at(text, i)
                if i == start or i >= text.size or text[i] != COLON:
                    return none, pointers, FORM, line, start, token_end(text, start)
                count, kind, i = count_at(text, i + 1, not counted)
                if kind:
                    return none, pointers, kind, line, start, i
                if not base <= word < base + limit:
                    return none, pointers, WORD, line, start, i
                words[size], counts[size] = word - base, count
                tokens += count
                size += 1
                i = blanks_end(text, i)
            if counted and size - begun != says:
                return none, pointers, PAIRS, line, size - begun, says
            documents += 1
            pointers[documents] = tokens
        while i < text.size and text[i] != NEWLINE:
            i += 1
        i += 1
        line += 1
    return expanded(words, counts, size, tokens), pointers[: documents + 1].copy(), FINE, 0, 0, 0


@njit(cache=True)
def has_zero(text):
    """Whether the id 0 is in lines of pairs, comments aside."""
    comment = False
    for i in range(text.size):
        c = text[i]
        if c == COLON and i and text[i - 1] == 48 and not comment:
            j = i - 1
            while j >= 0 and text[j] == 48:
                j -= 1
            if j < 0 or text[j] <= 32:
                return True
        elif c == HASH:
            comment = True
        elif c == NEWLINE:
            comment = False
    return False
