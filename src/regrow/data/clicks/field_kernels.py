"""Kernels that find the fields of records: between bytes, and between quotes."""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

from regrow.data.clicks.byte_kernels import address_of, byte_at, hits_of_two, put_byte, repeated, zeros_below
from regrow.data.clicks.state_kernels import FIELDS, QUOTE

__all__ = ["table_fields"]

NEWLINE, RETURN, BLANK = 10, 13, 32


@njit(inline="always")
def _quoted(text, i, size, quote):
    """What stands between quotes from the one at i on, doubled ones made single: (begin, end, after the last quote, newlines in it)."""
    i += 1
    start, end, lines = i, i, 0
    while i < size and (byte_at(text + i) != quote or (i + 1 < size and byte_at(text + i + 1) == quote)):
        lines += byte_at(text + i) == NEWLINE
        i += byte_at(text + i) == quote
        if end != i:
            put_byte(text + end, byte_at(text + i))
        i += 1
        end += 1
    return start, end, i + 1, lines


@njit(inline="always")
def _trimmed(text, start, end):
    """Without blanks around it."""
    while end > start and (byte_at(text + end - 1) == BLANK or byte_at(text + end - 1) == RETURN):
        end -= 1
    while start < end and byte_at(text + start) == BLANK:
        start += 1
    return start, end


@njit(inline="always")
def _fields(text, start, size, delimiter, quote, starts, ends, r):
    """The fields of the record at `start`: (where the next one begins, how many fields, newlines in them, how it is broken)."""
    a, b, columns = repeated(delimiter), repeated(NEWLINE), starts.shape[1]
    column, lines, kind, at, hits = 0, 0, 0, start, hits_of_two(text + start, a, b)
    while True:
        begin, end, quoted = start, 0, False
        if quote >= 0 and start < size and byte_at(text + start) == quote:
            begin, end, at, more = _quoted(text, start, size, quote)
            kind = QUOTE if at > size else kind
            lines += more
            quoted = True
            hits = hits_of_two(text + at, a, b) if at < size else np.uint64(0)
        while hits == np.uint64(0) and at + 8 < size:
            at += 8
            hits = hits_of_two(text + at, a, b)
        stop = size
        if hits != np.uint64(0):
            stop = min(at + np.int64(zeros_below(hits) >> np.uint64(3)), size)
            hits &= hits - np.uint64(1)
        if not quoted:
            begin, end = _trimmed(text, begin, stop)
        if column < columns:
            starts[r, column], ends[r, column] = begin, end
        column += 1
        start = stop + 1
        if stop >= size or byte_at(text + stop) == NEWLINE:
            return start, column, lines, kind


@njit(cache=True)
def table_fields(utf8, size, delimiter, quote, starts, ends, lines, kinds, found, place):
    """Where the fields of the next records are; `utf8` is changed where doubled quotes become single ones.

    utf8[:size], with eight bytes more; quote: a byte, or -1. Blanks around fields without quotes are left out. Records without any byte are
    no records.
    starts, ends    int64 [most, columns]: filled for so many records; fields that are missing are empty
    lines int64 (newlines before the record), kinds uint8 (0, FIELDS or QUOTE), found int32 (how many fields it has): filled from the
    record's number on
    place       int64 [3]: the next byte, newlines before it, records before it
    Returns how many records these are.
    """
    i, line, first, r, text = place[0], place[1], place[2], 0, address_of(utf8)
    while i < size and r < starts.shape[0]:
        if byte_at(text + i) == NEWLINE or (byte_at(text + i) == RETURN and i + 1 < size and byte_at(text + i + 1) == NEWLINE):
            i += 1 if byte_at(text + i) == NEWLINE else 2
            line += 1
            continue
        lines[first + r] = line
        i, column, more, kind = _fields(text, i, size, delimiter, quote, starts, ends, r)
        for missing in range(column, starts.shape[1]):
            starts[r, missing] = ends[r, missing] = 0
        if column != starts.shape[1] and kind == 0:
            kind = FIELDS
        found[first + r], kinds[first + r] = column, kind
        line += more + 1
        r += 1
    place[0], place[1], place[2] = i, line, first + r
    return r
