"""What the model counts: many even draws of every token's topic, from the conditional of the visit of words. Twin in
tests/models/lda/naive.py.

The topic that a token has in the end is one draw, and of a word that stands twice in the text there are two. The shares of all
topics are at hand when a token is visited, so the model counts many draws, evenly spaced (systematic sampling): the expected
counts given everything else, up to one part in so many, in whole numbers that add up in any order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, uint64

from regrow.models.lda.training.count_kernels import width_of
from regrow.models.lda.training.document_kernels import BLOCK
from regrow.models.lda.training.word_kernels import LONG, enter_word, found_in, largest_of, leave_word, weight_of
from regrow.rng import uniform

__all__ = ["spread_words"]

Array = npt.NDArray[Any]

_ONE, _BLOCK = np.uint64(1), np.uint64(BLOCK)


@njit(inline="always")
def _points_below(share, scale, offset, draws):  # type: ignore[no-untyped-def]
    """How many of the points (offset + j) / scale, j = 0, 1, ..., draws - 1, lie below the share."""
    x = share * scale - offset
    if x >= draws:
        return draws
    whole = np.int64(x) if x > 0.0 else np.int64(0)
    return whole + np.int64(x > whole)


@njit(inline="always")
def _count_in(k, n, count, columns, size):  # type: ignore[no-untyped-def]
    """Add n to the count of topic k, which is noted when it is new. Returns how many are noted."""
    if n == 0:
        return size
    columns[size] = k
    fresh = count[k] == 0
    count[k] += n
    return size + uint64(fresh)


@njit(cache=True, error_model="numpy")
def spread_words(
    places: Array, documents: Array, tokens: Array, slices: Array, lists: tuple[Array, Array, Array], cells: tuple[Array, Array, Array],
    priors: tuple[Array, Array, float], frozen: tuple[Array, Array], f: Array, key: np.uint64, topic: Array, draws: int,
    ptr: Array, columns: Array, counts: Array,
) -> None:  # fmt: skip
    """Draw `draws` topics of each token of a cell from the conditional of `visit_words`, evenly (systematic sampling), and count them by
    word.

    Of a token the points (u + j) / draws are looked up in the cumulative shares that one uniform number looks up there; so a topic of
    share p is drawn draws * p times, up or down to the next whole number. Of a document with a long list, the token's one topic counts for
    all. Arguments as of `visit_words`, but for

    topic                       [n]: new topics of the tokens
    ptr                         [W + 1] int64, written: word w's cells are [ptr[w], ptr[w + 1]) of
    columns, counts             unsigned, uint64, written; room for `draws` cells and one more of each token
    """
    blocks, entries, _ = lists
    word_ptr, word_columns, word_counts = cells
    alpha, _, beta = priors
    inverse, below = frozen
    width = width_of(entries)
    mask, topics = (_ONE << width) - _ONE, uint64(f.size)
    place, count = np.zeros(topics, np.uint32), np.zeros(topics, np.uint64)
    prefix = np.empty(largest_of(word_ptr) + 1, np.float64)
    size = uint64(0)
    ptr[0] = 0
    for w in range(uint64(slices.size - 1)):
        before, first = size, uint64(word_ptr[w])
        m = uint64(word_ptr[w + _ONE]) - first
        if slices[w] == slices[w + _ONE]:
            m = uint64(0)
        of_word = enter_word(word_columns, word_counts, first, m, alpha, inverse, beta, f, place, prefix)
        for i in range(uint64(slices[w]), uint64(slices[w + _ONE])):
            d = documents[i]
            from_, to = uint64(blocks[d]) * _BLOCK, uint64(blocks[d + _ONE]) * _BLOCK
            if to - from_ > uint64(LONG):
                size = _count_in(uint64(topic[i]), np.uint64(draws), count, columns, size)
                continue
            entry = uint64(entries[from_ + uint64(places[i])])
            s = entry & mask
            f_s = f[s]
            own = (float(np.int64(entry >> width)) - 1.0 + alpha[s]) * ((f_s - inverse[s]) / (1.0 - inverse[s]))
            f[s] = 0.0
            listed = 0.0
            for e in range(from_, to):
                listed += weight_of(entries[e], width, mask, f)
            j = uint64(place[s])
            left_out = prefix[j + _ONE] - prefix[j]
            of_base = alpha[s] * (beta * inverse[s])
            in_word = of_word - left_out
            total = own + listed + in_word + (below[topics] - of_base)
            scale, offset = draws / total, uniform(key, tokens[i])
            done, share = _points_below(own, scale, offset, draws), own
            size = _count_in(s, np.uint64(done), count, columns, size)
            for e in range(from_, to):
                share += weight_of(entries[e], width, mask, f)
                reached = max(_points_below(share, scale, offset, draws), done)
                size = _count_in(uint64(entries[e]) & mask, np.uint64(reached - done), count, columns, size)
                done = reached
            while done < draws:
                u = (offset + done) / scale - own - listed
                if u < in_word:
                    u += left_out if u >= prefix[j] else 0.0
                    k = uint64(word_columns[first + found_in(prefix, uint64(0), m, u)])
                else:
                    u -= in_word
                    u += of_base if u >= below[s] else 0.0
                    k = found_in(below, uint64(0), topics, u)
                size = _count_in(k, np.uint64(1), count, columns, size)
                done += 1
            f[s] = f_s
        for i in range(before, size):
            counts[i] = count[columns[i]]
            count[columns[i]] = 0
        leave_word(word_columns, first, m, inverse, beta, f)
        ptr[w + _ONE] = size
