"""What the first round begins with. Twins in tests/models/lda/naive.py.

**Weighted minhash.** Of the words of a document that stand in the text at least `rarest` times, the one with the smallest

    h(g, w) min(1, n_w / 10^5)

speaks for the document, where h is a random number in [0, 1) of the word and n_w how often it stands in the text: rare
words speak more often. The topic is a random function of that minimum, so documents that share an informative word begin
in the same one. This is done for g = 0 to `HASHES` - 1, and every token takes one of these topics at random (after
Broder's min-wise permutations, 1997, and the weighted sampling of Ioffe, ICDM 2010). A document without such a word
begins with a random topic of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, uint64

from regrow.rng import bits, uniform

__all__ = ["HASHES", "continued_pairs", "minhash_pairs", "minima_of_documents", "random_pairs"]

Array = npt.NDArray[Any]

HASHES = 4
"""Minima of a document: with fewer, one word speaks for too much of it; with more, frequent words begin to speak."""
FREQUENT = 1e5
"""Words from this count on have the same chance."""

_ONE, _HALF = np.uint64(1), np.uint64(32)
_TWO_32 = 4294967296.0


@njit(cache=True, error_model="numpy")
def minima_of_documents(
    words: Array, sizes: Array, slices: Array, documents: Array, rarest: float, key: np.uint64, minima: Array
) -> None:  # fmt: skip
    """Lower the minima of the documents of a row by the words of one cell.

    words, sizes    [W]: global numbers of the words; int64, how often they stand in the text
    slices          [W + 1]: word w's tokens are [slices[w], slices[w + 1]) of `documents`
    documents       unsigned: of each token of the cell
    minima          float32 [D, HASHES], rewritten; above 1 where no word has spoken yet
    """
    for w in range(words.size):
        if slices[w] == slices[w + 1] or sizes[w] < rarest:
            continue
        share = min(1.0, sizes[w] / FREQUENT)
        for g in range(HASHES):
            value = np.float32(uniform(key, words[w], g) * share)
            for i in range(uint64(slices[w]), uint64(slices[w + 1])):
                d = documents[i]
                if value < minima[d, g]:
                    minima[d, g] = value


@njit(inline="always")
def _begin(pairs, place, random, topics, half):  # type: ignore[no-untyped-def]
    """A topic from 64 random bits, which is its own candidate: the first visit of documents accepts nothing."""
    topic = (random >> _HALF) * uint64(topics) >> _HALF
    pairs[place] = topic | topic << uint64(half)


@njit(cache=True)
def minhash_pairs(
    pairs: Array, half: int, topics: int, first_token: int, first_document: int, doc_ptr: Array, cell: Array, minima: Array, key: np.uint64
) -> None:
    """Begin with the topics of the documents' minima. Arrays as in `visit_documents` and `minima_of_documents`; pairs: written."""
    for d in range(doc_ptr.size - 1):
        for j in range(uint64(doc_ptr[d]), uint64(doc_ptr[d + 1])):
            g = bits(key, uint64(first_token) + j) >> _HALF
            g = g * uint64(HASHES) >> _HALF
            value = minima[d, g]
            if value < np.float32(1.0):
                random = bits(key, uint64(value * _TWO_32 * _TWO_32), 1 + np.int64(g))
            else:
                random = bits(key, uint64(first_document) + uint64(d), 1 + HASHES)
            _begin(pairs, cell[j], random, topics, half)


@njit(cache=True)
def random_pairs(pairs: Array, half: int, topics: int, first_token: int, cell: Array, key: np.uint64) -> None:
    """Begin every token with a topic of its own. Arrays as in `visit_documents`; pairs: written."""
    for j in range(cell.size):
        _begin(pairs, cell[j], bits(key, uint64(first_token) + uint64(j)), topics, half)


@njit(cache=True)
def continued_pairs(pairs: Array, tokens: Array, slices: Array, row_ptr: Array, topics: int, half: int, key: np.uint64) -> None:
    """Give tokens without a topic, whose pairs have all bits set, that of a uniformly random token of the same word that has one.

    If the word has none, any topic. The topic is the candidate too. pairs: rewritten; the others: as in `propose`.
    """
    known = np.empty(tokens.size, np.uint64)
    none = (_ONE << uint64(half)) - _ONE
    none |= none << uint64(half)
    for w in range(slices.shape[1] - 1):
        n, size = uint64(0), uint64(0)
        for r in range(slices.shape[0]):
            for i in range(uint64(row_ptr[r]) + uint64(slices[r, w]), uint64(row_ptr[r]) + uint64(slices[r, w + 1])):
                size += _ONE
                if uint64(pairs[i]) != none:
                    known[n] = pairs[i]
                    n += _ONE
        if n == size:
            continue
        for r in range(slices.shape[0]):
            for i in range(uint64(row_ptr[r]) + uint64(slices[r, w]), uint64(row_ptr[r]) + uint64(slices[r, w + 1])):
                if uint64(pairs[i]) == none:
                    random = bits(key, tokens[i]) >> _HALF
                    topic = known[random * n >> _HALF] & (none >> uint64(half)) if n else random * uint64(topics) >> _HALF
                    pairs[i] = topic | topic << uint64(half)
