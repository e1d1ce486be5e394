"""Kernels that read records of columns: where the fields are, and what features they make."""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

from regrow.arithmetic import log
from regrow.data.clicks.byte_kernels import AHEAD, first_of_two, repeated
from regrow.data.clicks.line_kernels import (
    AT,
    BAD,
    BASE,
    FIELDS,
    FULL,
    FULL_BROKEN,
    FULL_CELLS,
    LABEL,
    LEFT_OUT,
    NO_LABEL,
    NUMBER,
    OWN,
    PLACE,
    QUOTE,
    ROWS,
    WEIGHT,
    note,
)  # fmt: skip
from regrow.data.clicks.number_kernels import decimal, number_in
from regrow.data.clicks.set_kernels import hashed

__all__ = ["BETWEEN", "BINNED", "CATEGORY", "CROSS", "MULTI", "NUMERIC", "column_rows", "pairs_of", "table_fields", "written_by"]

NEWLINE, RETURN, DOUBLE_QUOTE = 10, 13, 34
CATEGORY, MULTI, NUMERIC, BINNED, CROSS = 0, 1, 2, 3, 4
"""What becomes of a column: its value is a feature; each of its values is; sign(x) log(1 + |x|) of its number
is the value of one feature; its number falls into
a bin (as it is up to 2, then floor(log(x)^2), the recipe of the winners of Criteo's competition); several columns make one value."""
BIN_BYTES = 8
"""No bin takes more."""
BETWEEN = 31
"""What stands between the values of a cross: the unit separator of ASCII."""


@njit(cache=True)
def table_fields(text, size, delimiter, quote, columns):
    """Where the fields of each record are; `text` is changed where doubled quotes become single ones.

    text[:size], with eight bytes more; quote: a byte, or -1. Blanks around fields without quotes are left out. Records without any byte are
    no records.
    Returns (starts, ends: int64 [records, columns], line int64: newlines before each record, kind uint8: 0, FIELDS or QUOTE,
    found int32: how many fields it has).
    """
    bound = 1
    for i in range(size):
        bound += text[i] == NEWLINE
    starts, ends = np.empty((bound, columns), np.int64), np.empty((bound, columns), np.int64)
    lines, kinds, found = np.empty(bound, np.int64), np.zeros(bound, np.uint8), np.empty(bound, np.int32)
    records, line, i, between, newline = 0, 0, 0, repeated(delimiter), repeated(NEWLINE)
    while i < size:
        if text[i] == NEWLINE or (text[i] == RETURN and i + 1 < size and text[i + 1] == NEWLINE):
            i += 1 if text[i] == NEWLINE else 2
            line += 1
            continue
        lines[records] = line
        column, more = 0, True
        while more:
            start = i
            if quote >= 0 and i < size and text[i] == quote:
                i += 1
                start = end = i
                while i < size and (text[i] != quote or (i + 1 < size and text[i + 1] == quote)):
                    line += text[i] == NEWLINE
                    i += text[i] == quote
                    if end != i:
                        text[end] = text[i]
                    i += 1
                    end += 1
                if i >= size:
                    kinds[records] = QUOTE
                i = first_of_two(text, i + 1, size, between, newline)
            else:
                end = i = first_of_two(text, i, size, between, newline)
                while end > start and (text[end - 1] == 32 or text[end - 1] == RETURN):
                    end -= 1
                while start < end and text[start] == 32:
                    start += 1
            if column < columns:
                starts[records, column], ends[records, column] = start, end
            column += 1
            more = i < size and text[i] == delimiter
            i += 1
        for missing in range(column, columns):
            starts[records, missing] = ends[records, missing] = 0
        found[records] = column
        if column != columns and not kinds[records]:
            kinds[records] = FIELDS
        line += 1
        records += 1
    return starts[:records], ends[:records], lines[:records], kinds[:records], found[:records]


@njit(cache=True)
def _is_word(text, start, end, word):
    if end - start != word.size:
        return False
    for j in range(word.size):  # noqa: SIM110 - numba has no generators in all()
        if (text[start + j] | 32 if 65 <= text[start + j] <= 90 else text[start + j]) != word[j]:
            return False
    return True


_TRUE, _YES, _T, _Y = (np.frombuffer(word, np.uint8) for word in (b"true", b"yes", b"t", b"y"))
_FALSE, _NO, _F, _N = (np.frombuffer(word, np.uint8) for word in (b"false", b"no", b"f", b"n"))


@njit(cache=True)
def _truth(text, start, end):
    """1 or 0 for what says so, 255 for nothing, 2 for what is neither."""
    if end == start:
        return 255
    value, fine = number_in(text, start, end)
    if fine:
        return 1 if value == 1.0 else 0 if value == 0.0 or value == -1.0 else 2
    if _is_word(text, start, end, _TRUE) or _is_word(text, start, end, _YES) or _is_word(text, start, end, _T):
        return 1
    if _is_word(text, start, end, _FALSE) or _is_word(text, start, end, _NO) or _is_word(text, start, end, _F):
        return 0
    return 1 if _is_word(text, start, end, _Y) else 0 if _is_word(text, start, end, _N) else 2


@njit(cache=True)
def _later(text, start, end, bound, bound_value, bound_fine):
    """Whether text[start:end] is not before a bound: as numbers if both are, else byte by byte."""
    if bound_fine:
        value, fine = decimal(text, start, end)
        if fine:
            return value >= bound_value
    for j in range(min(end - start, bound.size)):
        if text[start + j] != bound[j]:
            return text[start + j] > bound[j]
    return end - start >= bound.size


@njit(cache=True)
def pairs_of(text, starts, ends, items, parts):
    """How many features the records have at most."""
    pairs = starts.shape[0] * items.shape[0]
    for item in range(items.shape[0]):
        if items[item, 0] == MULTI:
            column, between = parts[items[item, 1]], items[item, 3]
            for r in range(starts.shape[0]):
                for j in range(starts[r, column], ends[r, column]):
                    pairs += text[j] == between
    return pairs


@njit(inline="always")
def _left_out(text, begin, end, since, since_value, since_fine, until, until_value, until_fine):
    """Whether a time lies before `since` or not before `until`; an empty bound is none."""
    if since.size and not _later(text, begin, end, since, since_value, since_fine):
        return True
    return until.size > 0 and _later(text, begin, end, until, until_value, until_fine)


@njit(inline="always")
def _label(text, begin, end, positive):
    """1, 0, 255 for none, 2 for what is neither."""
    if not positive.size:
        return _truth(text, begin, end)
    if end - begin != positive.size:
        return 0
    for j in range(positive.size):
        if text[begin + j] != positive[j]:
            return 0
    return 1


@njit(inline="always")
def _crossed(text, own, starts, ends, r, parts, first, last):
    """Write the values of several columns side by side at `own`; returns where they end."""
    for p in range(first, last):
        if p > first:
            text[own] = BETWEEN
            own += 1
        for j in range(starts[r, parts[p]], ends[r, parts[p]]):
            text[own] = text[j]
            own += 1
    return own


@njit(inline="always")
def _binned(text, own, x):
    """Write the bin of a number above 2 at `own`; returns where it ends."""
    bin = np.int64(np.floor(log(x) * log(x)))
    text[own], own = 62, own + 1  # ">"
    for unit in (100000, 10000, 1000, 100, 10, 1):
        if bin >= unit or unit == 1:
            text[own], own = 48 + bin // unit % 10, own + 1
    return own


@njit(cache=True)
def written_by(starts, ends, items, parts):
    """How many bytes `column_rows` may write for a record: crosses and bins."""
    most = 0
    for r in range(starts.shape[0]):
        own = 0
        for item in range(items.shape[0]):
            if items[item, 0] == CROSS:
                for p in range(items[item, 1], items[item, 2]):
                    own += ends[r, parts[p]] - starts[r, parts[p]] + 1
            elif items[item, 0] in (NUMERIC, BINNED):
                own += BIN_BYTES
        most = max(most, own)
    return most


@njit(cache=True)
def column_rows(
    text, starts, ends, kinds, items, parts, seeds, special, positive, since, until, skip, longest, moment, missing,
    state, row_ptr, value, label, weight, broken, cells,
):  # fmt: skip
    """The rows of records whose fields are text[starts:ends].

    text        with eight bytes more; from state[OWN] on it is written to: crosses and bins
    kinds       uint8: records that are broken already
    items       int64 [items, 4]: (what becomes of it, its first column in `parts`, one after its last, the byte between the values of one)
    parts       int64: columns
    seeds       uint64 [items]: the hash of its name, of which the features' hashes begin
    special     int64 [4]: the columns of label, weight and time, or -1; whether rows need a label
    positive    uint8: the label that means 1; empty: 1, true, yes and the like
    since, until    uint8, with eight bytes more: rows are left out whose time is before the first or not before the second; empty: none
    longest     how many bytes a record may write
    Filled, besides what `libsvm_rows` says: moment uint64, a hash of the time; missing int64 [items]; broken has records instead of lines.
    `state` says where it stands, in records. Returns whether it has come to the end.
    """
    records, r, rows, at, base, own = starts.shape[0], state[PLACE], state[ROWS], state[AT], state[BASE], state[OWN]
    since_value, since_fine = decimal(since, 0, since.size)
    until_value, until_fine = decimal(until, 0, until.size)
    while r < records:
        state[PLACE], state[ROWS], state[AT], state[OWN] = r, rows, at, own
        if state[BAD] == broken.shape[0]:
            state[FULL] = FULL_BROKEN
            return False
        if own + longest + AHEAD > text.size:
            state[FULL] = FULL_CELLS
            return False
        first, kind, y, begin, end = at, int(kinds[r]), 255, 0, 0
        if kind == 0 and special[2] >= 0:
            begin, end = starts[r, special[2]], ends[r, special[2]]
            moment[rows] = hashed(text, begin, end, np.uint64(7))
            if _left_out(text, begin, end, since, since_value, since_fine, until, until_value, until_fine):
                state[LEFT_OUT] += 1
                r += 1
                continue
        if kind == 0 and special[0] >= 0:
            begin, end = starts[r, special[0]], ends[r, special[0]]
            y = _label(text, begin, end, positive)
            if y == 2:
                kind = LABEL
        if kind == 0 and y == 255 and special[3]:
            kind = NO_LABEL
        if kind == 0 and special[1] >= 0:
            begin, end = starts[r, special[1]], ends[r, special[1]]
            w, fine = number_in(text, begin, end)
            if not fine or w < 0.0:
                kind = WEIGHT
            weight[rows] = w
        item = 0
        while kind == 0 and item < items.shape[0]:
            what, column = items[item, 0], parts[items[item, 1]]
            begin, end = starts[r, column], ends[r, column]
            place, to, x = begin, end, 1.0
            if what == CROSS:
                place, to = own, _crossed(text, own, starts, ends, r, parts, items[item, 1], items[item, 2])
                own = to
            elif what in (NUMERIC, BINNED) and begin < end:
                x, fine = number_in(text, begin, end)
                if not fine:
                    kind = NUMBER
                    break
                if what == NUMERIC:
                    x = log(1.0 + x) if x >= 0.0 else -log(1.0 - x)
                    text[own] = 35  # "#": the number itself
                    place, to, own = own, own + 1, own + 1
                else:
                    if x > 2.0:
                        place, to = own, _binned(text, own, x)
                        own = to
                    x = 1.0
            only, stop = place == to, to
            while place <= to:
                if what == MULTI:
                    stop = place
                    while stop < to and text[stop] != items[item, 3]:
                        stop += 1
                if (what != MULTI or stop > place or only) and x != 0.0:  # between two separators may be nothing
                    n = at - base
                    if n == cells.shape[0]:
                        state[FULL] = FULL_CELLS
                        return False
                    cells[n, 0] = np.int64(hashed(text, place, stop, seeds[item]))
                    cells[n, 1], cells[n, 2], cells[n, 3] = place, stop - place, item
                    value[at] = x
                    at += 1
                place = stop + 1
            item += 1
        if kind:
            note(broken, state, r, kind, begin, end)
            at = first
            if not skip:
                return True
        else:
            for item in range(items.shape[0]):
                column = parts[items[item, 1]]
                missing[item] += starts[r, column] == ends[r, column]
            label[rows] = y
            rows += 1
            row_ptr[rows] = at
        r += 1
    state[PLACE], state[ROWS], state[AT], state[OWN] = r, rows, at, own
    return True
