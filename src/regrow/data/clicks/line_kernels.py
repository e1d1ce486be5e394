"""Kernels that read lines of sparse features: libsvm and libffm, Vowpal Wabbit.

Each line becomes a row: label, weight, features with values. A line that is broken is noted (how, which, the bytes that are wrong); it
ends the reading unless it is to be skipped. Features are written down as cells (see `set_kernels`): others give them their numbers.

A kernel that finds no room for a cell, a field or a broken line goes back to the begin of its line, says what is full and returns: whoever
calls it makes room and calls it again (see `reading`). Where it stands is in `state`, int64: the next byte, its line, rows, features of
rows, those of them that have numbers, fields, broken lines; what is full; for tables, where it may write next, and rows that are left out.
"""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

from regrow.data.clicks.byte_kernels import find
from regrow.data.clicks.number_kernels import number_in
from regrow.data.clicks.set_kernels import SEED, hashed

__all__ = [
    "AT", "BAD", "BASE", "FIELDS", "FORM", "FULL", "FULL_BROKEN", "FULL_CELLS", "FULL_NAMES", "KNOWN", "LABEL", "LEFT_OUT", "LINE",
    "NO_LABEL", "NUMBER", "OWN", "PLACE", "QUOTE", "ROWS", "UNKNOWN", "VALUE", "WEIGHT",
    "libsvm_rows", "note", "pairs_in", "vw_rows",
]  # fmt: skip

NEWLINE, HASH, COLON, BAR, TICK, ZERO, NINE = 10, 35, 58, 124, 39, 48, 57

LABEL, FORM, VALUE, WEIGHT, FIELDS, QUOTE, NUMBER, NO_LABEL = 1, 2, 3, 4, 5, 6, 7, 8
"""How a line can be broken: its label is none; a feature is not of the expected form; a value or a weight is no number; another
number of fields than the first line; a quote that is never closed; a numeric column without a number; no label at all."""
PLACE, LINE, ROWS, AT, BASE, KNOWN, BAD, FULL, OWN, LEFT_OUT = range(10)
FULL_CELLS, FULL_NAMES, FULL_BROKEN = 1, 2, 3
UNKNOWN = np.uint8(255)
"""The label of a row that has none."""


@njit(cache=True)
def _label(text, start, end, positive):
    """1 or 0 for a label written in text[start:end], or 2 for one that cannot be. positive: the number that means 1; not a number: 1."""
    value, fine = number_in(text, start, end)
    if not fine:
        return 2
    if positive == positive:
        return 1 if value == positive else 0
    if value == 1.0:
        return 1
    return 0 if value == 0.0 or value == -1.0 else 2


@njit(cache=True)
def pairs_in(text, size, between):
    """How many lines there are at most, and how many bytes `between`."""
    lines, pairs = 1, 0
    for i in range(size):
        lines += text[i] == NEWLINE
        pairs += text[i] == between
    return lines, pairs


@njit(cache=True)
def note(broken, state, line, kind, begin, end):
    """Write down a broken line."""
    bad = state[BAD]
    broken[bad, 0], broken[bad, 1], broken[bad, 2], broken[bad, 3] = line, kind, begin, end
    state[BAD] = bad + 1


@njit(inline="always")
def _word_end(text, i, stop):
    """The first blank from i on, or `stop`."""
    while i < stop and text[i] > 32:
        i += 1
    return i


@njit(inline="always")
def _name_end(text, i, stop):
    """The first blank, colon or bar from i on, or `stop`."""
    while i < stop and text[i] > 32 and text[i] != COLON and text[i] != BAR:
        i += 1
    return i


@njit(inline="always")
def _digits_end(text, i, stop):
    """The first byte from i on that is no digit, or `stop`."""
    while i < stop and ZERO <= text[i] <= NINE:
        i += 1
    return i


@njit(inline="always")
def _blanks_end(text, i, stop):
    """The first byte from i on that is no blank, or `stop`."""
    while i < stop and text[i] <= 32:
        i += 1
    return i


@njit(inline="always")
def _without_zeros(text, begin, end):
    """Where a number of digits begins without zeros before it."""
    while begin + 1 < end and text[begin] == ZERO:
        begin += 1
    return begin


@njit(inline="always")
def _field_number(text, begin, end, field_of, names, seeds, known):
    """The number here of a field of digits and how many fields there are then; -1 for one beyond 65,535, -2 if there is no room."""
    wanted = np.int64(0)
    for j in range(begin, end):
        wanted = min(10 * wanted + np.int64(text[j]) - ZERO, np.int64(65536))
    if wanted > 65535:
        return -1, known
    if field_of[wanted] < 0:
        if known == names.shape[0]:
            return -2, known
        names[known, 0], names[known, 1] = _without_zeros(text, begin, end), end
        seeds[known] = hashed(text, names[known, 0], end, SEED)
        field_of[wanted] = known
        known += 1
    return np.int64(field_of[wanted]), known


@njit(cache=True)
def libsvm_rows(
    text, size, has_field, positive, needs_label, skip, state, row_ptr, value, label, names, seeds, field_of, broken, cells
):  # fmt: skip
    """The rows of lines `label id:value ...`, or `label field:id:value ...`; `qid:n` and what follows # say nothing.

    text[:size], with eight bytes more; row_ptr int64, value float32, label uint8, cells: filled; names int64 [fields, 2]: where the
    fields' names are in the text, and seeds uint64 their hashes; field_of int32 [65536]: the number of each field here, or -1; broken int64
    [lines, 4]: (newlines before, how, start, end). Returns whether it has come to the end.
    """
    i, line, rows, at, known, base = state[PLACE], state[LINE], state[ROWS], state[AT], state[KNOWN], state[BASE]
    while i < size:
        state[PLACE], state[LINE], state[ROWS], state[AT], state[KNOWN] = i, line, rows, at, known
        if state[BAD] == broken.shape[0]:
            state[FULL] = FULL_BROKEN
            return False
        after = find(text, i, size, NEWLINE)
        stop = find(text, i, after, HASH)
        i = _blanks_end(text, i, stop)
        if i >= stop:
            i = after + 1
            line += 1
            continue
        first, kind, begin, y = at, 0, i, 255
        while i < stop and text[i] > 32 and text[i] != COLON:
            i += 1
        if i < stop and text[i] == COLON:  # the line begins with a feature
            kind = NO_LABEL if needs_label else 0
            i = begin
        else:
            y = _label(text, begin, i, positive)
            if y == 2:
                kind = LABEL
        field = 0
        while kind == 0:
            i = _blanks_end(text, i, stop)
            if i >= stop:
                break
            begin = i
            if text[i] == 113 and at == first and i + 4 < stop and text[i + 1] == 105 and text[i + 2] == 100 and text[i + 3] == COLON:
                i = _word_end(text, i, stop)
                continue
            i = _digits_end(text, i, stop)
            if i == begin or i >= stop or text[i] != COLON:
                kind = FORM
                break
            if has_field:
                id = i + 1
                field, known = _field_number(text, begin, i, field_of, names, seeds, known)
                if field == -2:
                    state[FULL] = FULL_NAMES
                    return False
                i = _digits_end(text, id, stop)
                if field < 0 or i == id or i >= stop or text[i] != COLON:
                    kind = FORM
                    break
                begin = id
            begin, end, place = _without_zeros(text, begin, i), i, i + 1
            i = _word_end(text, place, stop)
            x, fine = number_in(text, place, i)
            if not fine:
                kind, begin = VALUE, place
                break
            n = at - base
            if n == cells.shape[0]:
                state[FULL] = FULL_CELLS
                return False
            cells[n, 0] = np.int64(hashed(text, begin, end, seeds[field]))
            cells[n, 1], cells[n, 2], cells[n, 3] = begin, end - begin, field
            value[at] = x
            at += 1
        if kind:
            note(broken, state, line, kind, begin, _word_end(text, i, stop))
            at = first
            if not skip:
                return True
        else:
            label[rows] = y
            rows += 1
            row_ptr[rows] = at
        i = after + 1
        line += 1
    state[PLACE], state[LINE], state[ROWS], state[AT], state[KNOWN] = i, line, rows, at, known
    return True


@njit(inline="always")
def _vw_head(text, i, stop, positive):
    """What stands before the first bar: (where that is, label, weight, how it is broken, begin of what is)."""
    kind, begin, y, w, place = 0, i, 255, 1.0, 0
    while i < stop and text[i] != BAR and not kind:
        begin = i
        while i < stop and text[i] > 32 and text[i] != BAR:
            i += 1
        if i > begin and text[begin] != TICK and not (i < stop and text[i] == BAR and place):
            if place == 0:
                y = _label(text, begin, i, positive)
                if y == 2:
                    kind = LABEL
            elif place == 1:
                w, fine = number_in(text, begin, i)
                if not fine or w < 0.0:
                    kind = WEIGHT
        place += 1
        i = _blanks_end(text, i, stop)
    return i, y, w, kind, begin


@njit(inline="always")
def _vw_value(text, i, stop):
    """The number after a colon at i, 1 if there is none: (where it ends, number, whether it is one)."""
    if i >= stop or text[i] != COLON:
        return i, 1.0, True
    place = i + 1
    i = place
    while i < stop and text[i] > 32 and text[i] != BAR:
        i += 1
    x, fine = number_in(text, place, i)
    return i, x, fine


@njit(cache=True)
def vw_rows(text, size, positive, needs_label, skip, state, row_ptr, value, label, weight, names, seeds, broken, cells):
    """The rows of lines `label weight 'tag|namespace:scale feature:value ...|...`; a namespace is a field.

    As `libsvm_rows`, and weight float32 is filled. A line without a label has UNKNOWN.
    """
    i, line, rows, at, known, base = state[PLACE], state[LINE], state[ROWS], state[AT], state[KNOWN], state[BASE]
    while i < size:
        state[PLACE], state[LINE], state[ROWS], state[AT], state[KNOWN] = i, line, rows, at, known
        if state[BAD] == broken.shape[0]:
            state[FULL] = FULL_BROKEN
            return False
        stop = find(text, i, size, NEWLINE)
        after = stop + 1
        i = _blanks_end(text, i, stop)
        if i >= stop:
            i = after
            line += 1
            continue
        first = at
        i, y, w, kind, begin = _vw_head(text, i, stop, positive)
        if kind == 0 and y == 255 and needs_label:
            kind = NO_LABEL
        while kind == 0 and i < stop:
            begin = i + 1  # after the bar
            end = _name_end(text, begin, stop)
            i, scale, fine = _vw_value(text, end, stop)
            if not fine:
                kind, begin = VALUE, end + 1
                break
            seed, field = hashed(text, begin, end, SEED), 0
            while field < known and not (seeds[field] == seed and names[field, 1] - names[field, 0] == end - begin):
                field += 1
            if field == known:
                if known == names.shape[0]:
                    state[FULL] = FULL_NAMES
                    return False
                names[known, 0], names[known, 1], seeds[known] = begin, end, seed
                known += 1
            while kind == 0:
                i = _blanks_end(text, i, stop)
                if i >= stop or text[i] == BAR:
                    break
                begin = i
                end = _name_end(text, begin, stop)
                if end == begin:
                    i, kind = end, FORM
                    break
                i, x, fine = _vw_value(text, end, stop)
                if not fine:
                    kind, begin = VALUE, end + 1
                    break
                n = at - base
                if n == cells.shape[0]:
                    state[FULL] = FULL_CELLS
                    return False
                cells[n, 0], cells[n, 1], cells[n, 2], cells[n, 3] = np.int64(hashed(text, begin, end, seed)), begin, end - begin, field
                value[at] = x * scale
                at += 1
        if kind:
            note(broken, state, line, kind, begin, max(i, begin))
            at = first
            if not skip:
                return True
        else:
            label[rows], weight[rows] = y, w
            rows += 1
            row_ptr[rows] = at
        i = after
        line += 1
    state[PLACE], state[LINE], state[ROWS], state[AT], state[KNOWN] = i, line, rows, at, known
    return True
