"""Kernels that read entries of a matrix, and put them into the order of the documents (errors as in `bag_kernels`)."""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

from regrow.data.bag_kernels import DOCUMENT, FINE, FORM, NEWLINE, WORD, blanks_end, count_at, expanded, number_at

__all__ = ["descends", "entries", "expanded_entries", "placed"]


@njit(cache=True)
def _entry(text, i, columns):
    """The entry at i: (document, word, count, its kind of error, where it or the error begins and ends)."""
    begin, count = i, 1
    document, i = number_at(text, i)
    good = i > begin and i < text.size and text[i] <= 32
    start = blanks_end(text, i)
    word, i = number_at(text, start)
    if not good or i == start or (i < text.size and text[i] > 32):
        return document, word, count, FORM, begin, i
    i = blanks_end(text, i)
    if columns == 3:
        start = i
        count, kind, i = count_at(text, i, False)
        if kind:
            return document, word, count, kind, begin if kind == FORM else start, i
    i = blanks_end(text, i)
    return document, word, count, FINE if i >= text.size or text[i] == NEWLINE else FORM, begin, i


@njit(cache=True)
def entries(text, columns, documents, words):
    """Lines `document word count`, or without the count (columns = 2), numbered from 1; empty lines are none.

    Returns (documents int64, words int32, counts int32: from 0, [entries]; kind, line, start, end).
    """
    bound = 1
    for i in range(text.size):
        bound += text[i] == NEWLINE
    found, those, counts = np.empty(bound, np.int64), np.empty(bound, np.int32), np.empty(bound, np.int32)
    size, line, i = 0, 0, 0
    while i < text.size:
        i = blanks_end(text, i)
        if i < text.size and text[i] != NEWLINE:
            document, word, count, kind, start, i = _entry(text, i, columns)
            if kind == FINE and not 1 <= document <= documents:
                kind = DOCUMENT
            elif kind == FINE and not 1 <= word <= words:
                kind = WORD
            if kind:
                return found, those, counts, kind, line, start, i
            found[size], those[size], counts[size] = document - 1, word - 1, count
            size += 1
        i += 1
        line += 1
    return found[:size], those[:size], counts[:size], FINE, 0, 0, 0


@njit(cache=True)
def descends(text, last):
    """Whether the first numbers of lines descend somewhere, the first of them from `last`: (whether, the last of them)."""
    i = 0
    while i < text.size:
        i = blanks_end(text, i)
        number, end = number_at(text, i)
        if end > i:
            if number < last:
                return True, number
            last = number
        i = end
        while i < text.size and text[i] != NEWLINE:
            i += 1
        i += 1
    return False, last


@njit(cache=True)
def expanded_entries(documents, words, counts, first, end):
    """Entries that ascend by document, of documents first .. end - 1: (words int32 [tokens], pointers int64 [end - first + 1])."""
    pointers = np.zeros(end - first + 1, np.int64)
    for j in range(documents.size):
        pointers[documents[j] - first + 1] += counts[j]
    for document in range(end - first):
        pointers[document + 1] += pointers[document]
    return expanded(words, counts, words.size, pointers[-1]), pointers


@njit(cache=True)
def placed(documents, words, counts, first, end, places, its_words, its_counts):
    """Put the entries of documents first .. end - 1 where they belong; how many there were.

    places      int64 [end - first]: where the next entry of each document goes
    """
    size = 0
    for j in range(documents.size):
        document = documents[j]
        if first <= document < end:
            at = places[document - first]
            if at < its_words.size:
                its_words[at] = words[j]
                its_counts[at] = counts[j]
            places[document - first] = at + 1
            size += 1
    return size
