"""Where a kernel that reads rows stands, and how a row can be broken.

A kernel that finds no room for a cell, a field or a broken line goes back to the begin of its line, says what is full and returns: whoever
calls it makes room and calls it again (see `reading`). Where it stands is in `state`, int64: the next byte (of tables: the next record of a
batch), its line (the number of the batch's first record), rows, features of rows, those of them that have numbers, fields, broken lines;
what is full; for tables, where it may write next, rows that are left out, and empty fields.
"""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = [
    "AT", "BAD", "BASE", "FIELDS", "FORM", "FULL", "FULL_BROKEN", "FULL_CELLS", "FULL_NAMES", "KNOWN", "LABEL", "LEFT_OUT", "LINE",
    "MISSING", "NO_LABEL", "NUMBER", "OWN", "PLACE", "QUOTE", "ROWS", "STATES", "TIME", "UNKNOWN", "VALUE", "WEIGHT", "begun", "note",
]  # fmt: skip

LABEL, FORM, VALUE, WEIGHT, FIELDS, QUOTE, NUMBER, NO_LABEL, TIME = 1, 2, 3, 4, 5, 6, 7, 8, 9
"""How a line can be broken: its label is none; a feature is not of the expected form; a value or a weight is no number; another
number of fields than the first line; a quote that is never closed; a numeric column without a number; no label at all; a time that is not
written as the bounds are."""
PLACE, LINE, ROWS, AT, BASE, KNOWN, BAD, FULL, OWN, LEFT_OUT, MISSING = range(11)
STATES = 11
FULL_CELLS, FULL_NAMES, FULL_BROKEN = -1, -2, -3
"""What may be full. Below 0: a line is not broken for that."""
UNKNOWN = np.uint8(255)
"""The label of a row that has none."""


@njit(inline="always")
def begun(state, broken, place, line, rows, at, known):
    """Write down where a line begins; returns whether there is room for it to be broken."""
    state[PLACE], state[LINE], state[ROWS], state[AT], state[KNOWN] = place, line, rows, at, known
    if state[BAD] == broken.shape[0]:
        state[FULL] = FULL_BROKEN
        return False
    return True


@njit(cache=True)
def note(broken, state, line, kind, begin, end):
    """Write down a broken line."""
    bad = state[BAD]
    broken[bad, 0], broken[bad, 1], broken[bad, 2], broken[bad, 3] = line, kind, begin, end
    state[BAD] = bad + 1
