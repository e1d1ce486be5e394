"""Sparse counts of words by topics. Twins in tests/models/lda/naive.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, uint64

from regrow.models.lda.training.document_kernels import BLOCK

__all__ = ["places_of", "summed_counts", "topics_of_cell", "width_of", "word_topics"]

Array = npt.NDArray[Any]

_ONE, _BLOCK = np.uint64(1), np.uint64(BLOCK)
_LOW = np.uint64(0xFFFFFFFF)


@njit(inline="always")
def places_of(slices, row_ptr, r, w):  # type: ignore[no-untyped-def]
    """Where the tokens of word w in cell r begin and end."""
    return uint64(row_ptr[r]) + uint64(slices[r, w]), uint64(row_ptr[r]) + uint64(slices[r, w + 1])


@njit(inline="always")
def width_of(entries):  # type: ignore[no-untyped-def]
    """Bits of half an entry: a constant when it is compiled."""
    return uint64(16) if ~entries.dtype.type(0) == _LOW else uint64(32)


@njit(cache=True)
def topics_of_cell(places: Array, documents: Array, blocks: Array, entries: Array, topic: Array) -> None:
    """topic[i] = the topic of a token of a cell, of which places[i] says the entry in the list of documents[i] (see `visit_documents`)."""
    mask = (_ONE << width_of(entries)) - _ONE
    for i in range(places.size):
        topic[i] = uint64(entries[uint64(blocks[documents[i]]) * _BLOCK + uint64(places[i])]) & mask


@njit(cache=True)
def word_topics(topic: Array, slices: Array, row_ptr: Array, topics: int, ptr: Array, columns: Array, counts: Array) -> None:
    """The sparse counts of the words of a set of columns, topics in the order of their first token.

    topic       [N] unsigned: cells concatenated, rows ascending
    slices      [R, W + 1]: word w's tokens in cell r are [slices[r, w], slices[r, w + 1]) of that cell; row_ptr [R + 1]: bounds of the
                cells
    ptr         [W + 1] int64, written: word w's cells are [ptr[w], ptr[w + 1]) of
    columns     unsigned, and counts: int32, written; room for sum over words of min(tokens, K)
    """
    count = np.zeros(topics, np.int32)
    size = uint64(0)
    ptr[0] = 0
    for w in range(slices.shape[1] - 1):
        start = size
        for r in range(slices.shape[0]):
            first, end = places_of(slices, row_ptr, r, w)
            for i in range(first, end):
                k = topic[i]
                if count[k] == 0:
                    columns[size] = k
                    size += _ONE
                count[k] += 1
        for i in range(start, size):
            counts[i] = count[columns[i]]
            count[columns[i]] = 0
        ptr[w + 1] = size


@njit(cache=True)
def summed_counts(
    cells: tuple[Array, Array], slices: Array, row_ptr: Array, topics: int, ptr: Array, columns: Array, counts: Array
) -> None:
    """Add up the sparse counts of a set of words over rows, topics ascending.

    cells       (topics, counts) of row after row; in row r those of word w are [slices[r, w], slices[r, w + 1]) of its own
    row_ptr     [R + 1]: where the rows begin
    ptr         [W + 1] int64, written: word w's cells are [ptr[w], ptr[w + 1]) of
    columns     unsigned, and counts: uint32 or uint64, written; room for all cells
    """
    own_columns, own_counts = cells
    count = np.zeros(topics, np.uint64)
    size = uint64(0)
    ptr[0] = 0
    for w in range(slices.shape[1] - 1):
        start = size
        for r in range(slices.shape[0]):
            first, end = places_of(slices, row_ptr, r, w)
            for i in range(first, end):
                k = own_columns[i]
                if count[k] == 0:
                    columns[size] = k
                    size += _ONE
                count[k] += uint64(own_counts[i])
        columns[start:size].sort()
        for i in range(start, size):
            counts[i] = count[columns[i]]
            count[columns[i]] = 0
        ptr[w + 1] = size
