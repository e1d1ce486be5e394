"""Kernels that read lines of sparse features: libsvm and libffm, Vowpal Wabbit.

Each line becomes a row: label, weight, features with values. A line that is broken is noted (how, which, the bytes that are wrong); it
ends the reading unless it is to be skipped. Features are written down as cells (see `set_kernels`): others give them their numbers.
Where a kernel stands is in `state` (see `state_kernels`). Inside, `text` and `cell` are addresses (see `byte_kernels`).
"""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

from regrow.data.clicks.byte_kernels import address_of, byte_at, digits_end, find, first_of_two, repeated, word_of
from regrow.data.clicks.number_kernels import MOST, number_in
from regrow.data.clicks.set_kernels import CELL_BYTES, SEED, hashed, put_cell
from regrow.data.clicks.state_kernels import (
    AT,
    BASE,
    FORM,
    FULL,
    FULL_CELLS,
    FULL_NAMES,
    KNOWN,
    LABEL,
    LINE,
    NO_LABEL,
    PLACE,
    ROWS,
    VALUE,
    WEIGHT,
    begun,
    note,
)  # fmt: skip

__all__ = ["libsvm_rows", "vw_rows"]

NEWLINE, HASH, COLON, BAR, TICK, ZERO, NINE = 10, 35, 58, 124, 39, 48, 57
_QID = np.uint64(int.from_bytes(b"qid:", "little"))


@njit(inline="always")
def _label(at, end, positive):
    """1 or 0 for a label between two addresses, or 2 for one that cannot be. positive: the number that means 1; not a number: 1."""
    value, fine = number_in(at, end)
    if not fine:
        return 2
    if positive == positive:
        return 1 if value == positive else 0
    if value == 1.0:
        return 1
    return 0 if value == 0.0 or value == -1.0 else 2


@njit(inline="always")
def _word_end(text, i, stop):
    """The first blank from i on, or `stop`."""
    while i < stop and byte_at(text + i) > 32:
        i += 1
    return i


@njit(inline="always")
def _name_end(text, i, stop):
    """The first blank, colon or bar from i on, or `stop`."""
    while i < stop and byte_at(text + i) > 32 and byte_at(text + i) != COLON and byte_at(text + i) != BAR:
        i += 1
    return i


@njit(inline="always")
def _blanks_end(text, i, stop):
    """The first byte from i on that is no blank, or `stop`."""
    while i < stop and byte_at(text + i) <= 32:
        i += 1
    return i


@njit(inline="always")
def _without_zeros(text, begin, end):
    """Where a number of digits begins without zeros before it."""
    while begin + 1 < end and byte_at(text + begin) == ZERO:
        begin += 1
    return begin


@njit(inline="always")
def _field_number(text, begin, end, field_of, names, seeds, known):
    """The number here of a field of digits and how many fields there are then; -1 for one beyond 65,535, -2 if there is no room."""
    wanted = np.int64(0)
    for j in range(begin, end):
        wanted = min(10 * wanted + np.int64(byte_at(text + j)) - ZERO, np.int64(65536))
    if wanted > 65535:
        return -1, known
    if field_of[wanted] < 0:
        if known == names.shape[0]:
            return -2, known
        names[known, 0], names[known, 1] = _without_zeros(text, begin, end), end
        seeds[known] = hashed(text + names[known, 0], end - names[known, 0], SEED)
        field_of[wanted] = known
        known += 1
    return np.int64(field_of[wanted]), known


@njit(inline="always")
def _ends(text, i, size):
    """Where what counts of a line ends, and where its newline is: what follows a # says nothing."""
    stop = first_of_two(text + i, text + size, repeated(NEWLINE), repeated(HASH)) - text
    if stop < size and byte_at(text + stop) == HASH:
        return stop, find(text + stop, text + size, NEWLINE) - text
    return stop, stop


@njit(inline="always")
def _libsvm_label(text, begin, stop, positive, needs_label):
    """The label at the begin of a line: (where it ends, label, how it is broken). A line may begin with a feature."""
    i = begin
    while i < stop and byte_at(text + i) > 32 and byte_at(text + i) != COLON:
        i += 1
    if i < stop and byte_at(text + i) == COLON:
        return begin, 255, NO_LABEL if needs_label else 0
    y = _label(text + begin, text + i, positive)
    return i, y, LABEL if y == 2 else 0


@njit(inline="always")
def _is_qid(text, i, stop):
    """Whether text[i:stop] begins with "qid:" and something."""
    return i + 4 < stop and word_of(text + i, 4) == _QID


@njit(inline="always")
def _libsvm_features(text, i, stop, has_field, seeds, field_of, names, known, cell, cells_end, value, at):
    """The features from i on: (where they end or one fails, next cell, features, fields, how it is broken or what is full, begin)."""
    field, first = 0, at
    while True:
        i = _blanks_end(text, i, stop)
        if i >= stop:
            return i, cell, at, known, 0, i
        begin = i
        if at == first and _is_qid(text, i, stop):
            i = _word_end(text, i, stop)
            continue
        i = digits_end(text + i, text + stop) - text
        if i == begin or i >= stop or byte_at(text + i) != COLON:
            return i, cell, at, known, FORM, begin
        if has_field:
            id = i + 1
            field, known = _field_number(text, begin, i, field_of, names, seeds, known)
            if field == -2:
                return i, cell, at, known, FULL_NAMES, begin
            i = digits_end(text + id, text + stop) - text
            if field < 0 or i == id or i >= stop or byte_at(text + i) != COLON:
                return i, cell, at, known, FORM, begin
            begin = id
        end, place, x = i, i + 1, 0.0
        i = place + 1
        if i <= stop and ZERO <= byte_at(text + place) <= NINE and (i == stop or byte_at(text + i) <= 32):  # one digit, as most values are
            x = np.float64(byte_at(text + place) - ZERO)
        else:
            i = _word_end(text, place, stop)
            x, fine = number_in(text + place, text + i)
            if not fine or abs(x) > MOST:
                return i, cell, at, known, VALUE, place
        if cell == cells_end:
            return i, cell, at, known, FULL_CELLS, begin
        put_cell(cell, text, _without_zeros(text, begin, end), end, np.int64(field), seeds[field])
        value[at] = x
        cell += CELL_BYTES
        at += 1


@njit(cache=True)
def libsvm_rows(
    utf8, size, has_field, positive, needs_label, skip, state, row_ptr, value, label, names, seeds, field_of, broken, cells
):  # fmt: skip
    """The rows of lines `label id:value ...`, or `label field:id:value ...`; `qid:n` and what follows # say nothing.

    utf8[:size], with eight bytes more; row_ptr int64, value float32, label uint8, cells: filled; names int64 [fields, 2]: where the
    fields' names are in the text, and seeds uint64 their hashes; field_of int32 [65536]: the number of each field here, or -1; broken int64
    [lines, 4]: (newlines before, how, start, end). Returns whether it has come to the end.
    """
    i, line, rows, at, known, base = state[PLACE], state[LINE], state[ROWS], state[AT], state[KNOWN], state[BASE]
    text, cells_at = address_of(utf8), address_of(cells)
    cells_end = cells_at + CELL_BYTES * cells.shape[0]
    while i < size:
        if not begun(state, broken, i, line, rows, at, known):
            return False
        stop, after = _ends(text, i, size)
        i = _blanks_end(text, i, stop)
        if i < stop:
            first, begin, cell = at, i, cells_at + CELL_BYTES * (at - base)
            i, y, kind = _libsvm_label(text, i, stop, positive, needs_label)
            if kind == 0:
                i, cell, at, known, kind, begin = _libsvm_features(
                    text, i, stop, has_field, seeds, field_of, names, known, cell, cells_end, value, at
                )
            if kind < 0:
                state[FULL] = kind
                return False
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
    while i < stop and byte_at(text + i) != BAR and not kind:
        begin = i
        while i < stop and byte_at(text + i) > 32 and byte_at(text + i) != BAR:
            i += 1
        if i > begin and byte_at(text + begin) != TICK and not (i < stop and byte_at(text + i) == BAR and place):
            if place == 0:
                y = _label(text + begin, text + i, positive)
                if y == 2:
                    kind = LABEL
            elif place == 1:
                w, fine = number_in(text + begin, text + i)
                if not fine or not 0.0 <= w <= MOST:
                    kind = WEIGHT
        place += 1
        i = _blanks_end(text, i, stop)
    return i, y, w, kind, begin


@njit(inline="always")
def _vw_value(text, i, stop):
    """The number after a colon at i, 1 if there is none: (where it ends, number, whether it is one)."""
    if i >= stop or byte_at(text + i) != COLON:
        return i, 1.0, True
    place = i + 1
    i = place
    while i < stop and byte_at(text + i) > 32 and byte_at(text + i) != BAR:
        i += 1
    x, fine = number_in(text + place, text + i)
    return i, x, fine


@njit(inline="always")
def _vw_namespace(text, begin, stop, names, seeds, known):
    """What stands after a bar: (where that ends, number of the field, its scale, fields then, how it is broken or what is full, begin)."""
    end = _name_end(text, begin, stop)
    i, scale, fine = _vw_value(text, end, stop)
    if not fine:
        return i, 0, scale, known, VALUE, end + 1
    seed, field = hashed(text + begin, end - begin, SEED), 0
    while field < known and not (seeds[field] == seed and names[field, 1] - names[field, 0] == end - begin):
        field += 1
    if field == known:
        if known == names.shape[0]:
            return i, field, scale, known, FULL_NAMES, begin
        names[known, 0], names[known, 1], seeds[known] = begin, end, seed
        known += 1
    return i, field, scale, known, 0, begin


@njit(inline="always")
def _vw_features(text, i, stop, field, seed, scale, cell, cells_end, value, at):
    """The features of a namespace: (where it ends or fails, next cell, features, how it is broken or what is full, begin of that)."""
    while True:
        i = _blanks_end(text, i, stop)
        if i >= stop or byte_at(text + i) == BAR:
            return i, cell, at, 0, i
        begin = i
        end = _name_end(text, begin, stop)
        if end == begin:
            return end, cell, at, FORM, begin
        i, x, fine = _vw_value(text, end, stop)
        if not fine or abs(x * scale) > MOST:
            return i, cell, at, VALUE, end + 1
        if cell == cells_end:
            return i, cell, at, FULL_CELLS, begin
        put_cell(cell, text, begin, end, field, seed)
        value[at] = x * scale
        cell += CELL_BYTES
        at += 1


@njit(cache=True)
def vw_rows(utf8, size, positive, needs_label, skip, state, row_ptr, value, label, weight, names, seeds, broken, cells):
    """The rows of lines `label weight 'tag|namespace:scale feature:value ...|...`; a namespace is a field.

    As `libsvm_rows`, and weight float32 is filled. A line without a label has UNKNOWN.
    """
    i, line, rows, at, known, base = state[PLACE], state[LINE], state[ROWS], state[AT], state[KNOWN], state[BASE]
    text, cells_at = address_of(utf8), address_of(cells)
    cells_end = cells_at + CELL_BYTES * cells.shape[0]
    while i < size:
        if not begun(state, broken, i, line, rows, at, known):
            return False
        stop = find(text + i, text + size, NEWLINE) - text
        after = stop + 1
        i = _blanks_end(text, i, stop)
        if i < stop:
            first, cell = at, cells_at + CELL_BYTES * (at - base)
            i, y, w, kind, begin = _vw_head(text, i, stop, positive)
            if kind == 0 and y == 255 and needs_label:
                kind = NO_LABEL
            while kind == 0 and i < stop:
                i, field, scale, known, kind, begin = _vw_namespace(text, i + 1, stop, names, seeds, known)
                if kind == 0:
                    i, cell, at, kind, begin = _vw_features(text, i, stop, np.int64(field), seeds[field], scale, cell, cells_end, value, at)
            if kind < 0:
                state[FULL] = kind
                return False
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
