"""Kernels that read records of columns: where the fields are, and what features they make."""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

from regrow.arithmetic import log
from regrow.data.clicks.line_kernels import AT, BAD, FEATURES, FIELDS, LABEL, NO_LABEL, NUMBER, PLACE, QUOTE, ROWS, WEIGHT
from regrow.data.clicks.number_kernels import decimal
from regrow.data.clicks.set_kernels import hashed, put

__all__ = ["BETWEEN", "BINNED", "CATEGORY", "CROSS", "LEFT_OUT", "MULTI", "NUMERIC", "column_rows", "pairs_of", "table_fields"]

NEWLINE, RETURN, DOUBLE_QUOTE = 10, 13, 34
CATEGORY, MULTI, NUMERIC, BINNED, CROSS = 0, 1, 2, 3, 4
"""What becomes of a column: its value is a feature; each of its values is; sign(x) log(1 + |x|) of its number
is the value of one feature; its number falls into
a bin (as it is up to 2, then floor(log(x)^2), the recipe of the winners of Criteo's competition); several columns make one value."""
LEFT_OUT = 7
"""Where `state` counts rows that are left out."""
BETWEEN = 31
"""What stands between the values of a cross: the unit separator of ASCII."""


@njit(cache=True)
def table_fields(text, delimiter, quote, columns):
    """Where the fields of each record are; `text` is changed where doubled quotes become single ones.

    quote: a byte, or -1. Blanks around fields without quotes are left out. Records without any byte are no records.
    Returns (starts, ends: int64 [records, columns], line int64: newlines before each record, kind uint8: 0, FIELDS or QUOTE,
    found int32: how many fields it has).
    """
    bound = 1
    for i in range(text.size):
        bound += text[i] == NEWLINE
    starts, ends = np.zeros((bound, columns), np.int64), np.zeros((bound, columns), np.int64)
    lines, kinds, found = np.empty(bound, np.int64), np.zeros(bound, np.uint8), np.empty(bound, np.int32)
    records, line, i, size = 0, 0, 0, text.size
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
                i += 1
                while i < size and text[i] != delimiter and text[i] != NEWLINE:
                    i += 1
            else:
                while i < size and text[i] != delimiter and text[i] != NEWLINE:
                    i += 1
                end = i
                while end > start and (text[end - 1] == 32 or text[end - 1] == RETURN):
                    end -= 1
                while start < end and text[start] == 32:
                    start += 1
            if column < columns:
                starts[records, column], ends[records, column] = start, end
            column += 1
            more = i < size and text[i] == delimiter
            i += 1
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
    value, fine = decimal(text, start, end)
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


@njit(cache=True)
def column_rows(
    text, starts, ends, kinds, items, parts, seeds, special, positive, since, until, skip, own, moment, missing,
    state, row_ptr, feature, value, label, weight, broken, slots, hashes, fields, starts_of, lengths, pool, seen, counts,
):  # fmt: skip
    """The rows of records whose fields are text[starts:ends].

    kinds       uint8: records that are broken already
    items       int64 [items, 4]: (what becomes of it, its first column in `parts`, one after its last, the byte between the values of one)
    parts       int64: columns
    seeds       uint64 [items]: the hash of its name, of which the features' hashes begin
    special     int64 [4]: the columns of label, weight and time, or -1; whether rows need a label
    positive    uint8: the label that means 1; empty: 1, true, yes and the like
    since, until    uint8: rows are left out whose time is before the first or not before the second; empty: none
    own         where in `text` there is room for the longest cross, and for 8 bytes more: it is written to
    Filled, besides what `libsvm_rows` says: moment uint64, a hash of the time; missing int64 [items]; broken has records instead of lines.
    `state` says where it stands, in records. Returns whether it has come to the end.
    """
    records, r, rows, at = starts.shape[0], state[PLACE], state[ROWS], state[AT]
    features, bad, room = state[FEATURES], state[BAD], slots.size // 2
    since_value, since_fine = decimal(since, 0, since.size)
    until_value, until_fine = decimal(until, 0, until.size)
    while r < records:
        state[PLACE], state[ROWS], state[AT], state[FEATURES], state[BAD] = r, rows, at, features, bad
        if bad == broken.shape[0]:
            return False
        first, kind, y, begin, end = at, int(kinds[r]), 255, 0, 0
        if kind == 0 and special[2] >= 0:
            begin, end = starts[r, special[2]], ends[r, special[2]]
            moment[rows] = hashed(text, begin, end, np.uint64(7))
            if (since.size and not _later(text, begin, end, since, since_value, since_fine)) or (
                until.size and _later(text, begin, end, until, until_value, until_fine)
            ):
                state[LEFT_OUT] += 1
                r += 1
                continue
        if kind == 0 and special[0] >= 0:
            begin, end = starts[r, special[0]], ends[r, special[0]]
            if positive.size:
                y = 1 if end - begin == positive.size else 0
                for j in range(positive.size):
                    if y and text[begin + j] != positive[j]:
                        y = 0
            else:
                y = _truth(text, begin, end)
                if y == 2:
                    kind = LABEL
        if kind == 0 and y == 255 and special[3]:
            kind = NO_LABEL
        if kind == 0 and special[1] >= 0:
            begin, end = starts[r, special[1]], ends[r, special[1]]
            w, fine = decimal(text, begin, end)
            if not fine or w < 0.0:
                kind = WEIGHT
            weight[rows] = w
        item = 0
        while kind == 0 and item < items.shape[0]:
            what, column = items[item, 0], parts[items[item, 1]]
            begin, end = starts[r, column], ends[r, column]
            from_, to, x = begin, end, 1.0
            if what == CROSS:
                size = own
                for p in range(items[item, 1], items[item, 2]):
                    if p > items[item, 1]:
                        text[size] = BETWEEN
                        size += 1
                    for j in range(starts[r, parts[p]], ends[r, parts[p]]):
                        text[size] = text[j]
                        size += 1
                from_, to = own, size
            elif what in (NUMERIC, BINNED) and begin < end:
                x, fine = decimal(text, begin, end)
                if not fine:
                    kind = NUMBER
                    break
                if what == NUMERIC:
                    x = log(1.0 + x) if x >= 0.0 else -log(1.0 - x)
                    text[own] = 35  # "#": the number itself
                    from_, to = own, own + 1
                else:
                    if x > 2.0:
                        bin = np.int64(np.floor(log(x) * log(x)))
                        text[own], size = 62, own + 1  # ">"
                        for unit in (100000, 10000, 1000, 100, 10, 1):
                            if bin >= unit or unit == 1:
                                text[size], size = 48 + bin // unit % 10, size + 1
                        from_, to = own, size
                    x = 1.0
            place = from_
            while place <= to:
                stop = to
                if what == MULTI:
                    stop = place
                    while stop < to and text[stop] != items[item, 3]:
                        stop += 1
                    if stop == place and to > from_:  # nothing between two separators
                        place = stop + 1
                        continue
                code = hashed(text, place, stop, seeds[item])
                spot = np.int64(code) & (slots.size - 1)
                number = np.int64(slots[spot])
                while number >= 0:
                    if hashes[number] == code and fields[number] == item and lengths[number] == stop - place:
                        origin, k = starts_of[number], 0
                        while k < stop - place and pool[origin + k] == text[place + k]:
                            k += 1
                        if k == stop - place:
                            break
                    spot = (spot + 1) & (slots.size - 1)
                    number = np.int64(slots[spot])
                if number < 0:
                    if features == room or starts_of[features] + stop - place > pool.size:
                        return False
                    put(slots, hashes, fields, starts_of, lengths, pool, seen, counts, features, code, item, text, place, stop)
                    number = features
                    features += 1
                if x != 0.0:
                    feature[at], value[at] = number, x
                    at += 1
                place = stop + 1
                if what != MULTI:
                    break
            item += 1
        if kind:
            broken[bad, 0], broken[bad, 1], broken[bad, 2], broken[bad, 3] = r, kind, begin, end
            bad += 1
            at = first
            if not skip:
                state[BAD] = bad
                return True
        else:
            for item in range(items.shape[0]):
                column = parts[items[item, 1]]
                missing[item] += starts[r, column] == ends[r, column]
            for j in range(first, at):
                if seen[feature[j]] != rows:
                    seen[feature[j]] = rows
                    counts[feature[j]] += 1
            label[rows] = y
            rows += 1
            row_ptr[rows] = at
        r += 1
    state[PLACE], state[ROWS], state[AT], state[FEATURES], state[BAD] = r, rows, at, features, bad
    return True
