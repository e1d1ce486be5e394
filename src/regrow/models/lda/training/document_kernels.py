"""The visit of documents: accept what words proposed, and list what topics each document has. Twins in tests/models/lda/naive.py.

A token is one pair: its topic s in the low half of an unsigned integer, its candidate t in the high half (`half` bits
each: uint32 below 65,536 topics, else uint64). The candidate was drawn from the other factor of the target (see
word_kernels.py), which cancels: with the document's counts as they are at that moment, those of tokens before it
already changed, t is accepted with probability

    min(1, (C_dt + a_t) (C_s - 1 + B) / ((C_ds - 1 + a_s) (C_t + B)))

(Metropolis and Hastings; B is the sum of b over the vocabulary, and the topic totals C_k stand still). That the counts
may change under way is no matter: a document lies wholly in one block, and its tokens are visited in the order of the text.

Words then draw from the document's list: of each topic that it has, one entry with the topic in the low and the count in
the high half, in the order of the tokens. Lists are filled up with empty entries to blocks of four.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, uint64

from regrow.rng import uniform

__all__ = ["BATCH", "BLOCK", "visit_documents"]

Array = npt.NDArray[Any]

BLOCK = 4
"""Entries of a list are read so many at a time."""
BATCH = 4096
"""How many tokens are fetched at a time: they come from all over `pairs`, and a processor waits for many at a time as for one."""

_ONE, _BLOCK = np.uint64(1), np.uint64(BLOCK)


@njit(cache=True, error_model="numpy")
def visit_documents(
    pairs: Array, half: int, first_token: int, doc_ptr: Array, cell: Array, norms: Array, alpha: Array, key: np.uint64,
    blocks: Array, entries: Array, places: Array, fresh: Array,
) -> np.uint64:  # fmt: skip
    """Visit the documents of a block of rows. Returns the number of entries.

    pairs       [N] uint32 or uint64; cells concatenated, columns ascending
    first_token the global id of the block's first token
    doc_ptr     [D + 1] int64: bounds of the documents in the block's tokens, from 0
    cell        [N]: where in `pairs` the tokens are, document after document
    norms       [K] float64: C_k + B, held still; alpha: [K] float64
    blocks      [D + 1], written: document d's list is the blocks [blocks[d], blocks[d + 1]) of four of
    entries     uint32 (halves of 16 bits) or uint64 (of 32), written
    places      [N] unsigned, written: which entry of its document's list is the token's topic; in the order of `pairs`
    fresh       [K] int64: the topics of the tokens are added
    """
    documents, room, width = doc_ptr.size - 1, _room(doc_ptr), uint64(4 * entries.itemsize)
    topic, candidate, coin = np.empty(room, np.uint32), np.empty(room, np.uint32), np.empty(room, np.float64)
    count, place = np.zeros(norms.size, np.int64), np.zeros(norms.size, np.uint32)
    shift, mask = uint64(half), (_ONE << uint64(half)) - _ONE
    first, size = 0, uint64(0)
    blocks[0] = 0
    while first < documents:
        last = _batch(doc_ptr, first, room)
        here, n = uint64(doc_ptr[first]), uint64(doc_ptr[last] - doc_ptr[first])
        for i in range(n):
            pair = uint64(pairs[cell[here + i]])
            topic[i], candidate[i] = pair & mask, pair >> shift
        for i in range(n):
            coin[i] = uniform(key, uint64(first_token) + here + i)
        for d in range(first, last):
            start, end = uint64(doc_ptr[d]) - here, uint64(doc_ptr[d + 1]) - here
            _accept(topic, candidate, coin, start, end, count, norms, alpha)
            before = size
            for i in range(start, end):
                k = topic[i]
                c = uint64(count[k])
                fresh[k] += 1
                if c:
                    entries[size] = uint64(k) | c << width
                    place[k] = size - before
                    size += _ONE
                    count[k] = 0
                candidate[i] = place[k]
            while size % _BLOCK:
                entries[size] = 0
                size += _ONE
            blocks[d + 1] = size // _BLOCK
        for i in range(n):
            places[cell[here + i]] = candidate[i]
        first = last
    return size


@njit(inline="always")
def _accept(topic, candidate, coin, start, end, count, norms, alpha):  # type: ignore[no-untyped-def]
    """Accept or refuse the candidates of the document [start, end), and leave its counts in `count` (all 0 before)."""
    for i in range(start, end):
        count[topic[i]] += 1
    for i in range(start, end):
        s, t = topic[i], candidate[i]
        gain = (count[t] + alpha[t]) * (norms[s] - 1.0)
        loss = (count[s] - 1 + alpha[s]) * norms[t]
        if s != t and coin[i] * loss < gain:
            count[s] -= 1
            count[t] += 1
            topic[i] = t


@njit(inline="always")
def _room(ptr):  # type: ignore[no-untyped-def]
    """The room of a batch, in tokens: that of the largest group if it is larger than usual."""
    room = BATCH
    for g in range(ptr.size - 1):
        room = max(room, ptr[g + 1] - ptr[g])
    return room


@njit(inline="always")
def _batch(ptr, first, room):  # type: ignore[no-untyped-def]
    """The end of the batch of groups that begins with group `first`."""
    last = first + 1
    while last < ptr.size - 1 and ptr[last + 1] - ptr[first] <= room:
        last += 1
    return last
