"""Kernels that find records in bytes: fields of lines, ends of quoted records, triples of a bag of words."""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["counts_of", "csv_end", "fields", "filled_lines", "triples"]

NEWLINE, RETURN, QUOTE = 10, 13, 34

AT_START, PLAIN, QUOTED, QUOTE_IN_QUOTED = 0, 1, 2, 3


@njit(cache=True)
def csv_end(text, i, state, target):
    """The end of the first csv record that ends at or after `target`: (end or -1, where the scan got to, its state).

    A quote opens a field only at its start, as in RFC 4180; newlines between quotes end no record.
    """
    while i < text.size:
        c = text[i]
        i += 1
        if state == QUOTED:
            if c == QUOTE:
                state = QUOTE_IN_QUOTED
        elif state == QUOTE_IN_QUOTED and c == QUOTE:
            state = QUOTED
        elif c == NEWLINE:
            state = AT_START
            if i >= target:
                return i, i, state
        elif c == 44:
            state = AT_START
        elif c == QUOTE and state == AT_START:
            state = QUOTED
        else:
            state = PLAIN
    return -1, i, state


@njit(cache=True)
def filled_lines(text):
    """The number of lines that hold more than white space."""
    lines = 0
    filled = False
    for i in range(text.size):
        if text[i] > 32:
            filled = True
        elif text[i] == NEWLINE:
            lines += filled
            filled = False
    return lines + filled


@njit(cache=True)
def fields(text, delimiter, quote, slots, pieces, width, most, keep_blank):
    """Where the wanted fields of each record are.

    delimiter, quote    a byte, or -1 for none
    slots     int64: for each column the place of its field among the `pieces` of the record, or -1
    width     the least number of columns, most: the largest (more may be there if they are empty)
    keep_blank    whether an empty line is a record
    Returns (starts, ends: int64 [records x pieces], error, line, columns): error 0 none, 1 too few columns, 2 a quote
    that is never closed, 3 too many columns; line: the number of newlines before the bad record.
    """
    bound = 1
    for i in range(text.size):
        bound += text[i] == NEWLINE
    starts = np.empty((bound, pieces), np.int64)
    ends = np.empty((bound, pieces), np.int64)
    records, line, i = 0, 0, 0
    while i < text.size:
        first_line, first, column, more = line, i, 0, True
        while more:
            start = i
            if quote >= 0 and i < text.size and text[i] == quote:
                i += 1
                start = i
                while i < text.size and (text[i] != quote or (i + 1 < text.size and text[i + 1] == quote)):
                    line += text[i] == NEWLINE
                    i += 1 if text[i] != quote else 2
                if i >= text.size:
                    return starts[:0], ends[:0], 2, first_line, column
                end = i
                i += 1
                if i < text.size and text[i] != delimiter and text[i] != NEWLINE and text[i] != RETURN:
                    end = -1  # more after the closing quote: it belongs to the field
            else:
                end = -1
            while i < text.size and text[i] != delimiter and text[i] != NEWLINE:
                i += 1
            more = i < text.size and text[i] == delimiter
            if end < 0:
                end = i - 1 if not more and i > start and text[i - 1] == RETURN else i
            if column < slots.size and slots[column] >= 0:
                starts[records, slots[column]] = start
                ends[records, slots[column]] = end
            column += 1
            if column > most and end > start:
                return starts[:0], ends[:0], 3, first_line, column
            i += 1
        blank = column == 1 and (i - 1 == first or (i - 2 == first and text[first] == RETURN))
        if not blank or keep_blank:
            if column < width:
                return starts[:0], ends[:0], 1, first_line, column
            records += 1
        line += 1
    return starts[:records].copy(), ends[:records].copy(), 0, 0, 0


@njit(cache=True)
def triples(text, first, end, documents, vocabulary):
    """The lines `document word count` of documents first .. end - 1 (from 1), as tokens.

    Returns (words int32 from 0, pointers int64 [end - first + 1], error, line, bad): error 0 none, 1 not three integers,
    2 document out of range, 3 document ids descend, 4 word out of range, 5 count out of range; `bad` is that number.
    """
    bound = 1
    for i in range(text.size):
        bound += text[i] == NEWLINE
    words = np.empty(bound, np.int32)
    counts = np.empty(bound, np.int64)
    pointers = np.zeros(end - first + 1, np.int64)
    none = np.empty(0, np.int32)
    numbers = np.zeros(4, np.int64)
    size, line, i, tokens, last = 0, 0, 0, 0, first
    while i < text.size:
        found, inside, good = 0, False, True
        numbers[:] = 0
        while i < text.size and text[i] != NEWLINE:
            c = text[i]
            if 48 <= c <= 57 and found < 4:
                if not inside:
                    found += 1
                    inside = True
                if found < 4:
                    good &= numbers[found - 1] < 10**17
                    numbers[found - 1] = 10 * numbers[found - 1] + c - 48
            elif c == 32 or c == 9 or c == RETURN:
                inside = False
            else:
                good = False
            i += 1
        i += 1
        if found or not good:
            document, word, count = numbers[0], numbers[1], numbers[2]
            if not good or found != 3:
                return none, pointers, 1, line, 0
            if not 1 <= document <= documents:
                return none, pointers, 2, line, document
            if not last <= document < end:
                return none, pointers, 3, line, document
            if not 1 <= word <= vocabulary:
                return none, pointers, 4, line, word
            if not 1 <= count < 2**31:
                return none, pointers, 5, line, count
            words[size], counts[size] = word - 1, count
            pointers[document - first + 1] += count
            last = document
            tokens += count
            size += 1
        line += 1
    for document in range(end - first):
        pointers[document + 1] += pointers[document]
    stream = np.empty(tokens, np.int32)
    at = 0
    for j in range(size):
        stream[at : at + counts[j]] = words[j]
        at += counts[j]
    return stream, pointers, 0, 0, 0


@njit(cache=True)
def counts_of(stream, pointers, vocabulary):
    """How often each word occurs, and in how many documents: (counts, shares), both int64 [vocabulary]."""
    counts = np.zeros(vocabulary, np.int64)
    shares = np.zeros(vocabulary, np.int64)
    last = np.zeros(vocabulary, np.int64)  # from 1, so that pages of words that never occur are never touched
    for document in range(pointers.size - 1):
        for token in range(pointers[document], pointers[document + 1]):
            word = stream[token]
            counts[word] += 1
            if last[word] != document + 1:
                last[word] = document + 1
                shares[word] += 1
    return counts, shares
