"""Kernels that read matrices of any finite numbers: as `bag_kernels` and `matrix_kernels` read counts, errors included."""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

from regrow.data.bag_kernels import COLON, DOCUMENT, FINE, FORM, HASH, NEWLINE, WORD, blanks_end, number_at, token_end
from regrow.data.clicks.number_kernels import decimal

__all__ = ["NUMBER", "real_entries", "real_pairs"]

NUMBER = 8
"""A kind of error beside those of `bag_kernels`: a value that is no finite number."""


@njit(cache=True)
def real_entries(text, columns, documents, words):
    """Lines `document word value`, or without the value (columns = 2), numbered from 1; empty lines are none.

    Returns (documents int64, words int32, values float64: from 0, [entries]; kind, line, start, end).
    """
    bound = 1
    for i in range(text.size):
        bound += text[i] == NEWLINE
    found, those, values = np.empty(bound, np.int64), np.empty(bound, np.int32), np.empty(bound, np.float64)
    size, line, i = 0, 0, 0
    while i < text.size:
        i = blanks_end(text, i)
        if i < text.size and text[i] != NEWLINE:
            begin, kind, value = i, FINE, 1.0
            document, i = number_at(text, i)
            good = i > begin and i < text.size and text[i] <= 32
            start = blanks_end(text, i)
            word, i = number_at(text, start)
            if not good or i == start or (i < text.size and text[i] > 32):
                return found, those, values, FORM, line, begin, token_end(text, i)
            if columns == 3:
                start = blanks_end(text, i)
                i = token_end(text, start)
                value, fine = decimal(text, start, i)
                if not fine:
                    kind = NUMBER if i > start else FORM
                    return found, those, values, kind, line, begin if kind == FORM else start, i
            after = blanks_end(text, i)
            if after < text.size and text[after] != NEWLINE:
                kind = FORM
            elif not 1 <= document <= documents:
                kind = DOCUMENT
            elif not 1 <= word <= words:
                kind = WORD
            if kind:
                return found, those, values, kind, line, begin, i
            i = after
            found[size], those[size], values[size] = document - 1, word - 1, value
            size += 1
        i += 1
        line += 1
    return found[:size], those[:size], values[:size], FINE, 0, 0, 0


@njit(cache=True)
def real_pairs(text, base, limit):
    """Lines `lead id:value id:value ...`, one document each; empty lines are none. The lead is whatever has no colon, may be missing, may
    be followed by `qid:...`; what comes after # is no part of the line. Ids are base .. base + limit - 1.

    Returns (words int32 from 0, values float64, pointers int64 [documents + 1], kind, line, start, end).
    """
    colons, lines = 1, 1
    for i in range(text.size):
        colons += text[i] == COLON
        lines += text[i] == NEWLINE
    words, values, pointers = np.empty(colons, np.int32), np.empty(colons, np.float64), np.zeros(lines + 1, np.int64)
    size, documents, line, i = 0, 0, 0, 0
    while i < text.size:
        i = blanks_end(text, i)
        if i < text.size and text[i] != NEWLINE and text[i] != HASH:
            lead = i
            while lead < text.size and text[lead] > 32 and text[lead] != COLON and text[lead] != HASH:
                lead += 1
            if lead >= text.size or text[lead] != COLON:
                i = blanks_end(text, lead)
            if i + 4 < text.size and text[i] == 113 and text[i + 1] == 105 and text[i + 2] == 100 and text[i + 3] == COLON:
                i = blanks_end(text, token_end(text, i))
            while i < text.size and text[i] != NEWLINE and text[i] != HASH:
                start = i
                word, i = number_at(text, i)
                if i == start or i >= text.size or text[i] != COLON:
                    return words, values, pointers, FORM, line, start, token_end(text, start)
                i += 1
                begin = i
                while i < text.size and text[i] > 32 and text[i] != HASH:
                    i += 1
                value, fine = decimal(text, begin, i)
                if not fine:
                    return words, values, pointers, NUMBER, line, start, i
                if not base <= word < base + limit:
                    return words, values, pointers, WORD, line, start, i
                words[size], values[size] = word - base, value
                size += 1
                i = blanks_end(text, i)
            documents += 1
            pointers[documents] = size
        while i < text.size and text[i] != NEWLINE:
            i += 1
        i += 1
        line += 1
    return words[:size].copy(), values[:size].copy(), pointers[: documents + 1].copy(), FINE, 0, 0, 0
