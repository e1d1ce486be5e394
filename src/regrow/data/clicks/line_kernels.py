"""Kernels that read lines of sparse features: libsvm and libffm, Vowpal Wabbit.

Each line becomes a row: label, weight, features with values. A line that is broken is noted (how, which, the bytes that are wrong); it
ends the reading unless it is to be skipped.

A kernel that finds no room for a new feature, field or broken line goes back to the begin of its line and returns: whoever calls it makes
room and calls it again (see `reading`). Arrays that grew inside of it, or a call that looks features up, would cost it two thirds of its
speed, in counts of references: so the lookup (see `set_kernels`) is written out where it is needed.
Where it stands is in `state`, int64: the next byte, its line, rows, features of rows, features of the set, fields, broken lines.
"""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

from regrow.data.clicks.number_kernels import decimal
from regrow.data.clicks.set_kernels import SEED, hashed, put

__all__ = [
    "AT", "BAD", "FEATURES", "FIELDS", "FORM", "KNOWN", "LABEL", "LINE",
    "NO_LABEL", "NUMBER", "PLACE", "QUOTE", "ROWS", "UNKNOWN", "VALUE", "WEIGHT",
    "libsvm_rows", "pairs_in", "vw_rows",
]  # fmt: skip

NEWLINE, HASH, COLON, BAR, TICK = 10, 35, 58, 124, 39

LABEL, FORM, VALUE, WEIGHT, FIELDS, QUOTE, NUMBER, NO_LABEL = 1, 2, 3, 4, 5, 6, 7, 8
"""How a line can be broken: its label is none; a feature is not of the expected form; a value or a weight is no number; another
number of fields than the first line; a quote that is never closed; a numeric column without a number; no label at all."""
PLACE, LINE, ROWS, AT, FEATURES, KNOWN, BAD = 0, 1, 2, 3, 4, 5, 6
UNKNOWN = np.uint8(255)
"""The label of a row that has none."""


@njit(cache=True)
def _label(text, start, end, positive):
    """1 or 0 for a label written in text[start:end], or 2 for one that cannot be. positive: the number that means 1; not a number: 1."""
    value, fine = decimal(text, start, end)
    if not fine:
        return 2
    if positive == positive:
        return 1 if value == positive else 0
    if value == 1.0:
        return 1
    return 0 if value == 0.0 or value == -1.0 else 2


@njit(cache=True)
def pairs_in(text, between):
    """How many lines there are at most, and how many bytes `between`."""
    lines, pairs = 1, 0
    for i in range(text.size):
        lines += text[i] == NEWLINE
        pairs += text[i] == between
    return lines, pairs


@njit(cache=True)
def libsvm_rows(
    text, has_field, positive, needs_label, skip, state, row_ptr, feature, value, label, names, seeds, field_of, broken,
    slots, hashes, fields, starts, lengths, pool, seen, counts,
):  # fmt: skip
    """The rows of lines `label id:value ...`, or `label field:id:value ...`; `qid:n` and what follows # say nothing.

    row_ptr int64, feature int32, value float32, label uint8: filled; names int64 [fields, 2]: where the fields' names are in the text, and
    seeds uint64 their hashes; field_of int32 [65536]: the number of each field here, or -1; broken int64 [lines, 4]: (newlines before, how,
    start, end). Returns whether it has come to the end.
    """
    i, line, rows, at = state[PLACE], state[LINE], state[ROWS], state[AT]
    features, known, bad = state[FEATURES], state[KNOWN], state[BAD]
    room, size = slots.size // 2, text.size
    while i < size:
        state[PLACE], state[LINE], state[ROWS], state[AT] = i, line, rows, at
        state[FEATURES], state[KNOWN], state[BAD] = features, known, bad
        if bad == broken.shape[0] or known == names.shape[0]:
            return False
        after = i
        while after < size and text[after] != NEWLINE:
            after += 1
        stop = i
        while stop < after and text[stop] != HASH:
            stop += 1
        after += 1
        while i < stop and text[i] <= 32:
            i += 1
        if i >= stop:
            i = after
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
            while i < stop and text[i] <= 32:
                i += 1
            if i >= stop:
                break
            begin = i
            if text[i] == 113 and at == first and i + 4 < stop and text[i + 1] == 105 and text[i + 2] == 100 and text[i + 3] == COLON:
                while i < stop and text[i] > 32:
                    i += 1
                continue
            while i < stop and 48 <= text[i] <= 57:
                i += 1
            if i == begin or i >= stop or text[i] != COLON:
                kind = FORM
                break
            if has_field:
                wanted = 0
                for j in range(begin, i):
                    wanted = min(10 * wanted + text[j] - 48, 65536)
                end = i
                i += 1
                id = i
                while i < stop and 48 <= text[i] <= 57:
                    i += 1
                if i == id or i >= stop or text[i] != COLON or wanted > 65535:
                    kind = FORM
                    break
                if field_of[wanted] < 0:
                    if known == names.shape[0]:
                        return False
                    while begin + 1 < end and text[begin] == 48:
                        begin += 1
                    names[known, 0], names[known, 1] = begin, end
                    seeds[known] = hashed(text, begin, end, SEED)
                    field_of[wanted] = known
                    known += 1
                field, begin = int(field_of[wanted]), id
            end = i
            while begin + 1 < end and text[begin] == 48:
                begin += 1
            i += 1
            place = i
            while i < stop and text[i] > 32:
                i += 1
            x = 1.0
            if i != place + 1 or text[place] != 49:
                x, fine = decimal(text, place, i)
                if not fine:
                    kind, begin = VALUE, place
                    break
            code = hashed(text, begin, end, seeds[field])
            spot = np.int64(code) & (slots.size - 1)
            number = np.int64(slots[spot])
            while number >= 0:
                if hashes[number] == code and fields[number] == field and lengths[number] == end - begin:
                    origin, k = starts[number], 0
                    while k < end - begin and pool[origin + k] == text[begin + k]:
                        k += 1
                    if k == end - begin:
                        break
                spot = (spot + 1) & (slots.size - 1)
                number = np.int64(slots[spot])
            if number < 0:
                if features == room or starts[features] + end - begin > pool.size:
                    return False
                put(slots, hashes, fields, starts, lengths, pool, seen, counts, features, code, field, text, begin, end)
                number = features
                features += 1
            feature[at], value[at] = number, x
            at += 1
        if kind:
            while i < stop and text[i] > 32:
                i += 1
            broken[bad, 0], broken[bad, 1], broken[bad, 2], broken[bad, 3] = line, kind, begin, i
            bad += 1
            at = first
            if not skip:
                state[BAD] = bad
                return True
        else:
            for j in range(first, at):
                if seen[feature[j]] != rows:
                    seen[feature[j]] = rows
                    counts[feature[j]] += 1
            label[rows] = y
            rows += 1
            row_ptr[rows] = at
        i = after
        line += 1
    state[PLACE], state[LINE], state[ROWS], state[AT] = i, line, rows, at
    state[FEATURES], state[KNOWN], state[BAD] = features, known, bad
    return True


@njit(cache=True)
def vw_rows(
    text, positive, needs_label, skip, state, row_ptr, feature, value, label, weight, names, seeds, broken,
    slots, hashes, fields, starts, lengths, pool, seen, counts,
):  # fmt: skip
    """The rows of lines `label weight 'tag|namespace:scale feature:value ...|...`; a namespace is a field.

    As `libsvm_rows`, and weight float32 is filled. A line without a label has UNKNOWN.
    """
    i, line, rows, at = state[PLACE], state[LINE], state[ROWS], state[AT]
    features, known, bad = state[FEATURES], state[KNOWN], state[BAD]
    room, size = slots.size // 2, text.size
    while i < size:
        state[PLACE], state[LINE], state[ROWS], state[AT] = i, line, rows, at
        state[FEATURES], state[KNOWN], state[BAD] = features, known, bad
        if bad == broken.shape[0] or known == names.shape[0]:
            return False
        stop = i
        while stop < size and text[stop] != NEWLINE:
            stop += 1
        after = stop + 1
        while i < stop and text[i] <= 32:
            i += 1
        if i >= stop:
            i = after
            line += 1
            continue
        first, kind, begin, y, w, place = at, 0, i, 255, 1.0, 0
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
                    w, fine = decimal(text, begin, i)
                    if not fine or w < 0.0:
                        kind = WEIGHT
            place += 1
            while i < stop and text[i] <= 32:
                i += 1
        if kind == 0 and y == 255 and needs_label:
            kind = NO_LABEL
        while kind == 0 and i < stop:
            i += 1  # the bar
            begin = i
            while i < stop and text[i] > 32 and text[i] != COLON and text[i] != BAR:
                i += 1
            end, scale = i, 1.0
            if i < stop and text[i] == COLON:
                i += 1
                place = i
                while i < stop and text[i] > 32 and text[i] != BAR:
                    i += 1
                scale, fine = decimal(text, place, i)
                if not fine:
                    kind, begin = VALUE, place
                    break
            seed = hashed(text, begin, end, SEED)
            field = 0
            while field < known and not (seeds[field] == seed and names[field, 1] - names[field, 0] == end - begin):
                field += 1
            if field == known:
                if known == names.shape[0]:
                    return False
                names[known, 0], names[known, 1], seeds[known] = begin, end, seed
                known += 1
            while kind == 0:
                while i < stop and text[i] <= 32:
                    i += 1
                if i >= stop or text[i] == BAR:
                    break
                begin = i
                while i < stop and text[i] > 32 and text[i] != COLON and text[i] != BAR:
                    i += 1
                end, x = i, 1.0
                if end == begin:
                    kind = FORM
                    break
                if i < stop and text[i] == COLON:
                    i += 1
                    place = i
                    while i < stop and text[i] > 32 and text[i] != BAR:
                        i += 1
                    x, fine = decimal(text, place, i)
                    if not fine:
                        kind, begin = VALUE, place
                        break
                code = hashed(text, begin, end, seed)
                spot = np.int64(code) & (slots.size - 1)
                number = np.int64(slots[spot])
                while number >= 0:
                    if hashes[number] == code and fields[number] == field and lengths[number] == end - begin:
                        origin, k = starts[number], 0
                        while k < end - begin and pool[origin + k] == text[begin + k]:
                            k += 1
                        if k == end - begin:
                            break
                    spot = (spot + 1) & (slots.size - 1)
                    number = np.int64(slots[spot])
                if number < 0:
                    if features == room or starts[features] + end - begin > pool.size:
                        return False
                    put(slots, hashes, fields, starts, lengths, pool, seen, counts, features, code, field, text, begin, end)
                    number = features
                    features += 1
                feature[at], value[at] = number, x * scale
                at += 1
        if kind:
            broken[bad, 0], broken[bad, 1], broken[bad, 2], broken[bad, 3] = line, kind, begin, max(i, begin)
            bad += 1
            at = first
            if not skip:
                state[BAD] = bad
                return True
        else:
            for j in range(first, at):
                if seen[feature[j]] != rows:
                    seen[feature[j]] = rows
                    counts[feature[j]] += 1
            label[rows], weight[rows] = y, w
            rows += 1
            row_ptr[rows] = at
        i = after
        line += 1
    state[PLACE], state[LINE], state[ROWS], state[AT] = i, line, rows, at
    state[FEATURES], state[KNOWN], state[BAD] = features, known, bad
    return True
