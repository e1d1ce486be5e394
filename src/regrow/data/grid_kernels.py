"""Kernels of the grid: words to columns, tokens of a row to their places in its cells."""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["columns_of_words", "places_in_cells", "words_by_column"]


@njit(cache=True)
def columns_of_words(order, counts, columns):
    """Give words, heaviest first, to the column with the fewest tokens: (int32 [words], -1 for a word without tokens; tokens int64
    [columns]).

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
    return column_of, loads


@njit(cache=True)
def words_by_column(column_of, columns):
    """Words by column, then by number, without those that are in none: (words int32, where each column begins int64 [columns + 1], the
    place of each word among them int32 [words], -1 for those that are in none).
    """
    column_ptr = np.zeros(columns + 1, np.int64)
    for column in column_of:
        if column >= 0:
            column_ptr[column + 1] += 1
    for column in range(columns):
        column_ptr[column + 1] += column_ptr[column]
    following = column_ptr[:-1].copy()
    words, rank = np.empty(column_ptr[-1], np.int32), np.full(column_of.size, -1, np.int32)
    for word in range(column_of.size):
        column = column_of[word]
        if column >= 0:
            words[following[column]] = word
            rank[word] = following[column]
            following[column] += 1
    return words, column_ptr, rank


@njit(cache=True)
def places_in_cells(words, doc_ptr, rank, ranks, cell, tokens, documents, first_token):
    """A counting sort of a row's tokens by the rank of their word, stable, so that tokens of one word ascend.

    words, doc_ptr  int32 [tokens of the row], in the order of the documents, and int64 [documents + 1], where these begin
    rank            int32 [words]: the place of a word in the order (column, word in the column); `ranks` of them
    cell            unsigned, out: the place of each token in the sorted order
    tokens          unsigned, out: the id of the token at each place
    documents       unsigned, out: its document, from 0 in the row
    Returns starts [ranks + 1], of the type of `cell`: where the tokens of each rank begin.
    """
    one = cell.dtype.type(1)
    starts = np.zeros(ranks + 1, cell.dtype)
    for word in words:
        starts[rank[word] + 1] += one
    for i in range(ranks):
        starts[i + 1] += starts[i]
    following = starts[:-1].copy()
    for d in range(doc_ptr.size - 1):
        for j in range(doc_ptr[d], doc_ptr[d + 1]):
            r = rank[words[j]]
            place = following[r]
            following[r] = place + one
            cell[j] = place
            tokens[place] = first_token + j
            documents[place] = d
    return starts
