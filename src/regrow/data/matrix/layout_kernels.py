"""Kernels that turn documents into a matrix in cells: entries of a document added up, cells of rows, the same cells by columns."""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["added_up", "by_block", "counted", "line_totals", "transposed"]


@njit(cache=True)
def counted(words, doc_ptr):
    """Documents as words, each as often as it occurs -> entries by document, words ascending: (ptr int64, words int32, counts float64)."""
    ptr = np.zeros(doc_ptr.size, np.int64)
    found, counts = np.empty(words.size, np.int32), np.empty(words.size, np.float64)
    size = 0
    for d in range(doc_ptr.size - 1):
        own = np.sort(words[doc_ptr[d] : doc_ptr[d + 1]])
        for i in range(own.size):
            if i and own[i] == own[i - 1]:
                counts[size - 1] += 1.0
            else:
                found[size], counts[size] = own[i], 1.0
                size += 1
        ptr[d + 1] = size
    return ptr, found[:size].copy(), counts[:size].copy()


@njit(cache=True)
def added_up(words, doc_ptr, values):
    """The same for words with values: those of one word are added in their order; sums that are 0 are no entries."""
    ptr = np.zeros(doc_ptr.size, np.int64)
    found, sums = np.empty(words.size, np.int32), np.empty(words.size, np.float64)
    size = 0
    for d in range(doc_ptr.size - 1):
        start = doc_ptr[d]
        order = np.argsort(words[start : doc_ptr[d + 1]], kind="mergesort")
        i = 0
        while i < order.size:
            word, total = words[start + order[i]], 0.0
            while i < order.size and words[start + order[i]] == word:
                total += values[start + order[i]]
                i += 1
            if total != 0.0:
                found[size], sums[size] = word, total
                size += 1
        ptr[d + 1] = size
    return ptr, found[:size].copy(), sums[:size].copy()


@njit(cache=True)
def by_block(ptr, index, value, begins):
    """The entries of lines, ascending by index, cell after cell: a cell is what they have in [begins[c], begins[c + 1]).

    Returns (starts int64 [cells, lines + 1] into the others, index int32 from 0 in the cell's block, value).
    """
    lines, blocks = ptr.size - 1, begins.size - 1
    starts = np.zeros((blocks, lines + 1), np.int64)
    for i in range(lines):
        block = 0
        for e in range(ptr[i], ptr[i + 1]):
            while index[e] >= begins[block + 1]:
                block += 1
            starts[block, i + 1] += 1
    at = 0
    for block in range(blocks):
        starts[block, 0] = at
        for i in range(lines):
            at += starts[block, i + 1]
            starts[block, i + 1] = at
    following = starts[:, :-1].copy()
    new_index, new_value = np.empty(index.size, np.int32), np.empty(index.size, np.float64)
    for i in range(lines):
        block = 0
        for e in range(ptr[i], ptr[i + 1]):
            while index[e] >= begins[block + 1]:
                block += 1
            place = following[block, i]
            new_index[place], new_value[place] = index[e] - begins[block], value[e]
            following[block, i] = place + 1
    return starts, new_index, new_value


@njit(cache=True)
def transposed(starts, index, value, width):
    """A cell by the other side: (starts int64 [width + 1] from 0, index int32: lines, ascending, value)."""
    first, end = starts[0], starts[-1]
    new_starts = np.zeros(width + 1, np.int64)
    for e in range(first, end):
        new_starts[index[e] + 1] += 1
    for j in range(width):
        new_starts[j + 1] += new_starts[j]
    following = new_starts[:-1].copy()
    new_index, new_value = np.empty(end - first, np.int32), np.empty(end - first, np.float64)
    for i in range(starts.size - 1):
        for e in range(starts[i], starts[i + 1]):
            place = following[index[e]]
            new_index[place], new_value[place] = i, value[e]
            following[index[e]] = place + 1
    return new_starts, new_index, new_value


@njit(cache=True)
def line_totals(starts, value):
    """The sum of each line over the cells, in their order, and the number of its entries: float64 and int64 [lines]."""
    lines = starts.shape[1] - 1
    totals, entries = np.zeros(lines), np.zeros(lines, np.int64)
    for block in range(starts.shape[0]):
        for i in range(lines):
            for e in range(starts[block, i], starts[block, i + 1]):
                totals[i] += value[e]
            entries[i] += starts[block, i + 1] - starts[block, i]
    return totals, entries
