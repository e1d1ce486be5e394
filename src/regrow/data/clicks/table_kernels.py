"""Kernels that make features of the fields of records."""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

from regrow.arithmetic import log
from regrow.data.clicks.byte_kernels import AHEAD, address_of, byte_at, put_byte
from regrow.data.clicks.number_kernels import MOST, decimal, number_in
from regrow.data.clicks.set_kernels import CELL_BYTES, hashed, put_cell
from regrow.data.clicks.state_kernels import (
    AT,
    BASE,
    FULL,
    FULL_CELLS,
    LABEL,
    LEFT_OUT,
    LINE,
    MISSING,
    NO_LABEL,
    NUMBER,
    OWN,
    PLACE,
    ROWS,
    TIME,
    WEIGHT,
    begun,
    note,
)  # fmt: skip

__all__ = ["BETWEEN", "BINNED", "CATEGORY", "CROSS", "MULTI", "NUMERIC", "column_rows", "pairs_of", "written_by"]

CATEGORY, MULTI, NUMERIC, BINNED, CROSS = 0, 1, 2, 3, 4
"""What becomes of a column: its value is a feature; each of its values is; sign(x) log(1 + |x|) of its number
is the value of one feature; its number falls into
a bin (as it is up to 2, then floor(log(x)^2), the recipe of the winners of Criteo's competition); several columns make one value."""
BIN_BYTES = 8
"""No bin takes more."""
BETWEEN = 31
"""What stands between the values of a cross: the unit separator of ASCII."""


@njit(cache=True)
def _is_word(text, start, end, word):
    if end - start != word.size:
        return False
    for j in range(word.size):
        if (byte_at(text + start + j) | 32 if 65 <= byte_at(text + start + j) <= 90 else byte_at(text + start + j)) != word[j]:
            return False
    return True


_TRUE, _YES, _T, _Y = (np.frombuffer(word, np.uint8) for word in (b"true", b"yes", b"t", b"y"))
_FALSE, _NO, _F, _N = (np.frombuffer(word, np.uint8) for word in (b"false", b"no", b"f", b"n"))


@njit(cache=True)
def _truth(text, start, end):
    """1 or 0 for what says so, 255 for nothing, 2 for what is neither."""
    if end == start:
        return 255
    value, fine = number_in(text + start, text + end)
    if fine:
        return 1 if value == 1.0 else 0 if value == 0.0 or value == -1.0 else 2
    if _is_word(text, start, end, _TRUE) or _is_word(text, start, end, _YES) or _is_word(text, start, end, _T):
        return 1
    if _is_word(text, start, end, _FALSE) or _is_word(text, start, end, _NO) or _is_word(text, start, end, _F):
        return 0
    return 1 if _is_word(text, start, end, _Y) else 0 if _is_word(text, start, end, _N) else 2


@njit(inline="always")
def _is_digit(byte):
    return 48 <= byte <= 57


@njit(cache=True)
def _alike(text, start, end, bound):
    """Whether a time and a bound are written alike: digits where the other has digits, letters where it has letters, else the same byte,
    up to the end of the shorter one, which is not within a number. If not, 2020-01-05 would be before 20200101."""
    size = min(end - start, bound.size)
    for j in range(size):
        a, b = byte_at(text + start + j), bound[j]
        letters = (a >= 128 or 65 <= a & 223 <= 90) and (b >= 128 or 65 <= b & 223 <= 90)
        if a != b and not letters and not (_is_digit(a) and _is_digit(b)):
            return False
    if end - start == bound.size or not size:
        return size > 0
    following = byte_at(text + start + size) if end - start > size else bound[size]
    return not (_is_digit(bound[size - 1]) and _is_digit(following))


@njit(cache=True)
def _later(text, start, end, bound, bound_value, bound_fine):
    """Whether the time in text[start:end] is not before a bound: as numbers if both are, else byte by byte; 2: they are not alike."""
    if bound_fine:
        value, fine = number_in(text + start, text + end)
        if fine:
            return np.int64(value >= bound_value)
    if not _alike(text, start, end, bound):
        return 2
    for j in range(min(end - start, bound.size)):
        if byte_at(text + start + j) != bound[j]:
            return np.int64(byte_at(text + start + j) > bound[j])
    return np.int64(end - start >= bound.size)


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
    """Whether a time lies before `since` or not before `until`; an empty bound is none. 2: it cannot be compared with one."""
    after = _later(text, begin, end, since, since_value, since_fine) if since.size else 1
    beyond = _later(text, begin, end, until, until_value, until_fine) if until.size else 0
    return 2 if after == 2 or beyond == 2 else np.int64(after == 0 or beyond == 1)


@njit(inline="always")
def _label(text, begin, end, positive):
    """1, 0, 255 for none, 2 for what is neither."""
    if not positive.size:
        return _truth(text, begin, end)
    if end - begin != positive.size:
        return 0
    for j in range(positive.size):
        if byte_at(text + begin + j) != positive[j]:
            return 0
    return 1


@njit(inline="always")
def _crossed(text, own, starts, ends, r, parts, first, last):
    """Write the values of several columns side by side at `own`; returns where they end."""
    for p in range(first, last):
        if p > first:
            put_byte(text + own, BETWEEN)
            own += 1
        for j in range(starts[r, parts[p]], ends[r, parts[p]]):
            put_byte(text + own, byte_at(text + j))
            own += 1
    return own


@njit(inline="always")
def _binned(text, own, x):
    """Write the bin of a number above 2 at `own`; returns where it ends."""
    bin = np.int64(np.floor(log(x) * log(x)))
    put_byte(text + own, 62)
    own += 1  # ">"
    for unit in (100000, 10000, 1000, 100, 10, 1):
        if bin >= unit or unit == 1:
            put_byte(text + own, 48 + bin // unit % 10)
            own += 1
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


@njit(inline="always")
def _labelled(text, begin, end, positive, needs_label):
    """The label in text[begin:end], and how the row is broken."""
    y = _label(text, begin, end, positive)
    return y, LABEL if y == 2 else NO_LABEL if y == 255 and needs_label else 0


@njit(inline="always")
def _split(text, begin, end, between, item, seed, items, cell, cells_end, value, at):
    """The values of a column of several: (cells, features, what is full). Between two bytes `between` may be nothing; no value is one."""
    start = begin
    while start <= end:
        stop = start
        while stop < end and byte_at(text + stop) != between:
            stop += 1
        if stop > start or begin == end:
            if cell + CELL_BYTES * items > cells_end:
                return cell, at, FULL_CELLS
            put_cell(cell, text, start, stop, item, seed)
            value[at] = 1.0
            cell += CELL_BYTES
            at += 1
        start = stop + 1
    return cell, at, 0


@njit(inline="always")
def _made(text, begin, end, what, own):
    """The feature of a number: (begin and end of its value, its x, where may be written next, how the row is broken)."""
    x, fine = number_in(text + begin, text + end)
    if not fine:
        return begin, end, x, own, NUMBER
    if what == NUMERIC:
        put_byte(text + own, 35)  # "#": the number itself
        return own, own + 1, log(1.0 + x) if x >= 0.0 else -log(1.0 - x), own + 1, 0
    if x > 2.0:
        to = _binned(text, own, x)
        return own, to, 1.0, to, 0
    return begin, end, 1.0, own, 0


@njit(inline="always")
def _features(text, starts, ends, r, items, parts, seeds, own, cell, cells_end, value, at):
    """The features of a record, for one of each item of which there is room.

    Returns (cells, features, where may be written next, empty fields, how it is broken or what is full, begin and end of that).
    """
    empty = 0
    for item in range(items.shape[0]):
        what, column = items[item, 0], parts[items[item, 1]]
        begin, end = starts[r, column], ends[r, column]
        empty += begin == end
        if what == MULTI:
            cell, at, full = _split(text, begin, end, items[item, 3], item, seeds[item], items.shape[0], cell, cells_end, value, at)
            if full:
                return cell, at, own, empty, full, begin, end
            continue
        place, to, x = begin, end, 1.0
        if what == CROSS:
            place, to = own, _crossed(text, own, starts, ends, r, parts, items[item, 1], items[item, 2])
            own = to
        elif what != CATEGORY and begin < end:
            place, to, x, own, kind = _made(text, begin, end, what, own)
            if kind:
                return cell, at, own, empty, kind, begin, end
        if x != 0.0:
            put_cell(cell, text, place, to, item, seeds[item])
            value[at] = x
            cell += CELL_BYTES
            at += 1
    return cell, at, own, empty, 0, 0, 0


@njit(cache=True)
def column_rows(
    utf8, starts, ends, kinds, items, parts, seeds, special, positive, since, until, skip, longest,
    moment, state, row_ptr, value, label, weight, broken, cells,
):  # fmt: skip
    """The rows of a batch of records whose fields are utf8[starts:ends].

    utf8        with eight bytes more; from state[OWN] on it is written to: crosses and bins
    kinds       uint8: records that are broken already
    items       int64 [items, 4]: (what becomes of it, its first column in `parts`, one after its last, the byte between the values of one)
    parts       int64: columns
    seeds       uint64 [items]: the hash of its name, of which the features' hashes begin
    special     int64 [4]: the columns of label, weight and time, or -1; whether rows need a label
    positive    uint8: the label that means 1; empty: 1, true, yes and the like
    since, until    uint8, with eight bytes more: rows are left out whose time is before the first or not before the second; empty: none
    longest     how many bytes a record may write
    Filled, besides what `libsvm_rows` says: moment uint64, a hash of the time; broken has records instead of lines. `state` says where it
    stands, in records. Returns whether it has come to the end.
    """
    r, rows, at, base, own = state[PLACE], state[ROWS], state[AT], state[BASE], state[OWN]
    text, cells_at = address_of(utf8), address_of(cells)
    cells_end = cells_at + CELL_BYTES * cells.shape[0]
    since_value, since_fine = decimal(since, 0, since.size)
    until_value, until_fine = decimal(until, 0, until.size)
    while r < starts.shape[0]:
        state[OWN] = own
        if not begun(state, broken, r, state[LINE], rows, at, 0):
            return False
        first, kind, y, begin, end, empty = at, int(kinds[r]), 255, 0, 0, 0
        cell = cells_at + CELL_BYTES * (at - base)
        if own + longest + AHEAD > utf8.size or at - base + items.shape[0] > cells.shape[0]:
            state[FULL] = FULL_CELLS
            return False
        if kind == 0 and special[2] >= 0:
            begin, end = starts[r, special[2]], ends[r, special[2]]
            moment[rows] = hashed(text + begin, end - begin, np.uint64(7))
            out = _left_out(text, begin, end, since, since_value, since_fine, until, until_value, until_fine)
            kind = TIME if out == 2 else 0
            if out == 1:
                state[LEFT_OUT] += 1
                r += 1
                continue
        if kind == 0 and special[0] >= 0:
            begin, end = starts[r, special[0]], ends[r, special[0]]
            y, kind = _labelled(text, begin, end, positive, special[3])
        elif kind == 0 and special[3]:
            kind = NO_LABEL
        if kind == 0 and special[1] >= 0:
            begin, end = starts[r, special[1]], ends[r, special[1]]
            w, fine = number_in(text + begin, text + end)
            kind, weight[rows] = 0 if fine and 0.0 <= w <= MOST else WEIGHT, w
        if kind == 0:
            cell, at, own, empty, kind, begin, end = _features(text, starts, ends, r, items, parts, seeds, own, cell, cells_end, value, at)
        if kind < 0:
            state[FULL] = kind
            return False
        if kind:
            note(broken, state, state[LINE] + r, kind, begin, end)
            at = first
            if not skip:
                return True
        else:
            state[MISSING] += empty
            label[rows] = y
            rows += 1
            row_ptr[rows] = at
        r += 1
    state[PLACE], state[ROWS], state[AT], state[OWN] = r, rows, at, own
    return True
