"""Kernels of the grid: words to columns, tokens of a row to their places in its cells."""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["columns_of_words", "places_in_cells"]


@njit(cache=True)
def columns_of_words(order, counts, columns):
    """Give words, heaviest first, to the column with the fewest tokens: int32 [words], -1 for a word without tokens.

    Greedy by descending weight is within 4/3 of the best balance (Graham, 1969). Ties go to the first column.
    """
    column_of = np.full(counts.size, -1, np.int32)
    loads = np.zeros(columns, np.int64)
    for word in order:
        if counts[word] == 0:
            continue
        least = 0
        for column in range(1, columns):
            if loads[column] < loads[least]:
                least = column
        column_of[word] = least
        loads[least] += counts[word]
    return column_of


@njit(cache=True)
def places_in_cells(words, rank, ranks, cell, tokens, first_token):
    """A counting sort of a row's tokens by the rank of their word, stable, so that tokens of one word ascend.

    words     int32 [tokens of the row], in the order of the documents
    rank      int32 [words]: the place of a word in the order (column, word in the column); `ranks` of them
    cell      unsigned, out: the place of each token in the sorted order
    tokens    unsigned, out: the id of the token at each place
    Returns starts int64 [ranks + 1]: where the tokens of each rank begin.
    """
    starts = np.zeros(ranks + 1, np.int64)
    for word in words:
        starts[rank[word] + 1] += 1
    for i in range(ranks):
        starts[i + 1] += starts[i]
    following = starts[:-1].copy()
    for j in range(words.size):
        r = rank[words[j]]
        place = following[r]
        following[r] = place + 1
        cell[j] = place
        tokens[place] = first_token + j
    return starts
