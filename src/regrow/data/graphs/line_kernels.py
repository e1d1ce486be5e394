"""Lines of edges: the fields of the columns that are wanted, as numbers or as places in the text."""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

from regrow.data.clicks.number_kernels import decimal

__all__ = ["BLANKS", "FIELDS", "NEGATIVE", "NO_ID", "NO_WEIGHT", "OUTSIDE", "copy_pieces", "edge_lines", "shown_numbers"]

BLANKS = 32
"""The delimiter that stands for any number of blanks and tabs."""

FIELDS, NO_ID, NO_WEIGHT, NEGATIVE, OUTSIDE = 1, 2, 3, 4, 5
"""What is wrong with a line: too few fields, an id that is no whole number, a weight that is none or below 0, an id beyond the last."""


@njit(cache=True)
def _number(text, i, end):
    """The whole number written in text[i:end]: (number, True), or (0, False)."""
    negative = i < end and text[i] == 45
    i += negative
    if i == end or end - i > 18:
        return 0, False
    value = np.int64(0)
    while i < end:
        digit = np.int64(text[i]) - 48
        if digit < 0 or digit > 9:
            return 0, False
        value = 10 * value + digit
        i += 1
    return (-value if negative else value), True


@njit(cache=True)
def edge_lines(text, delimiter, columns, numeric, largest, ids, starts, ends, weight, bad):
    """Read lines of edges (or of names: then the second column is text all the same).

    columns     int64 [3]: of source, target and weight, from 0; -1: there is none
    numeric     bool [2]: whether source and target are whole numbers: they go into ids int64 [rows, 2]; places of others into starts and
                ends int64 [rows, 2]
    largest     0, or ids must be in 1..largest
    weight      float64 [rows], or empty
    bad         int64 [4], filled for the first broken line: (what, line from 0, start, end of the field or of the line)
    Empty lines and lines that begin with # or % are none. Returns how many edges were read before the broken line, if there is one.
    """
    size, at, line, rows = text.size, 0, 0, 0
    last = max(columns[0], columns[1], columns[2])
    first, stop = np.zeros(3, np.int64), np.zeros(3, np.int64)
    while at < size:
        begin = at
        while at < size and text[at] != 10:
            at += 1
        end = at
        at += 1
        if end > begin and text[end - 1] == 13:
            end -= 1
        i = begin
        while i < end and (text[i] == 32 or (text[i] == 9 and delimiter == BLANKS)):
            i += 1
        if i == end or text[i] == 35 or text[i] == 37:
            line += 1
            continue
        field = 0
        if delimiter != BLANKS:
            i = begin
        while field <= last:
            a = i
            if delimiter == BLANKS:
                while i < end and text[i] != 32 and text[i] != 9:
                    i += 1
            else:
                while i < end and text[i] != delimiter:
                    i += 1
            b = i
            for k in range(3):
                if columns[k] == field:
                    first[k], stop[k] = a, b
            field += 1
            if delimiter == BLANKS:
                while i < end and (text[i] == 32 or text[i] == 9):
                    i += 1
                if i == end:
                    break
            else:
                if i == end:
                    break
                i += 1
        if field <= last:
            bad[:] = (FIELDS, line, begin, end)
            return rows
        for k in range(3):
            if delimiter != BLANKS and columns[k] >= 0:
                a, b = first[k], stop[k]
                while a < b and text[a] == 32:
                    a += 1
                while b > a and text[b - 1] == 32:
                    b -= 1
                if b - a >= 2 and text[a] == 34 and text[b - 1] == 34:
                    a += 1
                    b -= 1
                first[k], stop[k] = a, b
        for k in range(2):
            if numeric[k]:
                value, fine = _number(text, first[k], stop[k])
                if not fine:
                    bad[:] = (NO_ID, line, first[k], stop[k])
                    return rows
                if largest and (value < 1 or value > largest):
                    bad[:] = (OUTSIDE, line, first[k], stop[k])
                    return rows
                ids[rows, k] = value
            else:
                starts[rows, k], ends[rows, k] = first[k], stop[k]
        if columns[2] >= 0:
            heavy, fine = decimal(text, first[2], stop[2])
            if not fine or heavy < 0.0:
                bad[:] = (NEGATIVE if fine else NO_WEIGHT, line, first[2], stop[2])
                return rows
            weight[rows] = heavy
        rows += 1
        line += 1
    return rows


@njit(cache=True)
def copy_pieces(text, starts, offsets, utf8):
    """Fill utf8 with pieces of a text that begin at `starts`, one after the other, each as long as its offsets say."""
    for i in range(starts.size):
        origin, place = starts[i], offsets[i]
        for k in range(offsets[i + 1] - place):
            utf8[place + k] = text[origin + k]


@njit(cache=True)
def shown_numbers(values):
    """Whole numbers as text: offsets int64 [n + 1] and the bytes, uint8."""
    offsets = np.zeros(values.size + 1, np.int64)
    for i in range(values.size):
        value = values[i]
        length = 1 + (value < 0)
        value = abs(value) // 10
        while value:
            length += 1
            value //= 10
        offsets[i + 1] = offsets[i] + length
    utf8 = np.empty(offsets[-1], np.uint8)
    for i in range(values.size):
        value, at = abs(values[i]), offsets[i + 1]
        while True:
            at -= 1
            utf8[at] = 48 + value % 10
            value //= 10
            if not value:
                break
        if values[i] < 0:
            utf8[at - 1] = 45
    return offsets, utf8
