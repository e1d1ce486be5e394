"""The inner loops of LDA: bare functions over arrays. Each has a slow, obvious twin in tests/models/lda/naive.py.

A token is one pair: its topic z in the low half of an unsigned integer, its pending proposal p in the high half
(uint32 for up to 65,536 topics, else uint64). `half` is the number of bits of a half.

The mathematics is WarpLDA's (Chen, Li, Zhu, Chen, VLDB 2016) with one proposal a token. The target is collapsed Gibbs
sampling,  p(z = k) ~ (C_dk + a) (C_wk + b) / (C_k + B)  with the token itself left out of the counts and B the sum of b over
the vocabulary. A visit of a group of tokens (the tokens of a word, or of a document) holds the group's counts C_g and the
topic totals C_k still, and for every token with topic s and pending proposal t

    accepts t with probability  min(1, (C_gt + b) (C_s - 1 + B) / ((C_gs - 1 + b) (C_t + B)))

(only s loses the token itself: t differs from s or nothing happens), since t was drawn in the other kind of visit, from
the other factor of the target, which cancels. Then it draws a new proposal from C_g + b, with the new topics of the
group: with probability K b / (K b + n) any topic, else the topic of a token of the group at a uniformly random position.

Nothing depends on the order of groups: counts stand still within a phase, sums are integers, and random numbers are
functions of the token's global id. Random choices have a resolution of 2^-32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, uint32, uint64

from regrow.rng import bits, uniform

__all__ = ["first_pairs", "top_cells", "topics_of", "visit_documents", "visit_words", "word_topics"]

Array = npt.NDArray[Any]

_LOW = np.uint64(0xFFFFFFFF)
_TWO_32 = 4294967296.0


@njit(cache=True)
def first_pairs(pairs: Array, tokens: Array, topics: int, half: int, key: np.uint64) -> None:
    """Give every token a uniformly random topic, and that topic as its proposal, so that the first visit accepts nothing.

    pairs: written; tokens: global ids, in the same order.
    """
    for i in range(tokens.size):
        topic = (bits(key, tokens[i]) >> uint64(32)) * uint64(topics) >> uint64(32)
        pairs[i] = topic | topic << uint64(half)


@njit(cache=True)
def topics_of(pairs: Array, topics: Array) -> None:
    """topics[i] = the topic of pairs[i] (uint16 topics of uint32 pairs, uint32 of uint64)."""
    for i in range(pairs.size):
        topics[i] = pairs[i]


@njit(inline="always")
def _tally(topic, n, count, histogram, large):  # type: ignore[no-untyped-def]
    """histogram[c] += 1 for every topic that c > 0 of the n tokens have; counts beyond it go to large[1:1 + large[0]].

    count: all 0, before and after.
    """
    for i in range(n):
        count[topic[i]] += 1
    for i in range(n):
        c = count[topic[i]]
        count[topic[i]] = 0
        if c >= histogram.size:
            large[0] += 1
            large[large[0]] = c
        elif c > 0:
            histogram[c] += 1


@njit(inline="always")
def _update(topic, proposal, item, n, count, totals, fresh, topics, prior, prior_sum, accept, propose):  # type: ignore[no-untyped-def]
    """One visit of a group of n tokens: accept or refuse, count into `fresh`, draw proposals. The formulas stand above.

    topic, proposal: uint32, rewritten; item: global ids; count: all 0, before and after; totals, fresh: by topic.
    """
    for i in range(n):
        count[topic[i]] += 1
    for i in range(n):
        s = topic[i]
        t = proposal[i]
        gain = (count[t] + prior) * (totals[s] - 1 + prior_sum)
        loss = (count[s] - 1 + prior) * (totals[t] + prior_sum)
        proposal[i] = t if uniform(accept, item[i]) * loss < gain else s
    for i in range(n):
        count[topic[i]] = 0
        topic[i] = proposal[i]
        fresh[topic[i]] += 1
    any_topic = uint64(topics * prior / (topics * prior + n) * _TWO_32)
    for i in range(n):
        random = bits(propose, item[i])
        free = random >> uint64(32) < any_topic
        pick = (random & _LOW) * (uint64(topics) if free else uint64(n)) >> uint64(32)
        proposal[i] = uint32(pick) if free else topic[uint64(0) if free else pick]


@njit(cache=True)
def visit_words(
    pairs: Array,
    half: int,
    tokens: Array,
    slices: Array,
    row_ptr: Array,
    totals: Array,
    priors: Array,
    keys: Array,
    histogram: Array,
    large: Array,
) -> Array:
    """Visit the words of a set of columns. Returns the new topic totals of these tokens, with the dtype of `totals`.

    pairs       [N] uint32 or uint64: rewritten in place; cells concatenated, rows ascending
    tokens      [N] global ids, in the same order
    slices      [R, W + 1]: word w's tokens in cell r are [slices[r, w], slices[r, w + 1]) of that cell
    row_ptr     [R + 1]: bounds of the cells
    totals      [K] int32 or int64: C_k, held still
    priors      (b of one topic, B), float64; keys: (accept, propose), uint64
    histogram   int64, `large` int64 [1 + room]: if not empty, the counts C_wk on arrival are added (see `_tally`)
    """
    rows, words = slices.shape[0], slices.shape[1] - 1
    topics = totals.size
    mask = (uint64(1) << uint64(half)) - uint64(1)
    longest = 0
    for w in range(words):
        n = 0
        for r in range(rows):
            n += slices[r, w + 1] - slices[r, w]
        longest = max(longest, n)
    topic, proposal, item = np.empty(longest, np.uint32), np.empty(longest, np.uint32), np.empty(longest, tokens.dtype)
    count, fresh = np.zeros(topics, np.int32), np.zeros(topics, totals.dtype)
    for w in range(words):
        n = 0
        for r in range(rows):
            for i in range(row_ptr[r] + slices[r, w], row_ptr[r] + slices[r, w + 1]):
                pair = uint64(pairs[i])
                topic[n], proposal[n], item[n] = pair & mask, pair >> uint64(half), tokens[i]
                n += 1
        if histogram.size:
            _tally(topic, n, count, histogram, large)
        _update(topic, proposal, item, n, count, totals, fresh, topics, priors[0], priors[1], keys[0], keys[1])
        n = 0
        for r in range(rows):
            for i in range(row_ptr[r] + slices[r, w], row_ptr[r] + slices[r, w + 1]):
                pairs[i] = uint64(topic[n]) | uint64(proposal[n]) << uint64(half)
                n += 1
    return fresh


@njit(cache=True)
def visit_documents(
    pairs: Array,
    half: int,
    first_token: int,
    doc_ptr: Array,
    cell: Array,
    totals: Array,
    priors: Array,
    keys: Array,
    histogram: Array,
    large: Array,
) -> Array:
    """Visit the documents of a block of rows. Returns the new topic totals of these tokens, with the dtype of `totals`.

    pairs       [N] uint32 or uint64: rewritten in place; cells concatenated, columns ascending
    first_token the global id of the block's first token
    doc_ptr     [D + 1] int64: bounds of the documents in the block's tokens
    cell        [N]: where in `pairs` the tokens are, document after document
    totals      [K] int32 or int64: C_k, held still
    priors      (a of one topic, B), float64; keys: (accept, propose), uint64
    histogram   int64, `large` int64 [1 + room]: if not empty, the counts C_dk on leaving are added (see `_tally`)
    """
    topics = totals.size
    mask = (uint64(1) << uint64(half)) - uint64(1)
    longest = 0
    for d in range(doc_ptr.size - 1):
        longest = max(longest, doc_ptr[d + 1] - doc_ptr[d])
    topic, proposal, item = np.empty(longest, np.uint32), np.empty(longest, np.uint32), np.empty(longest, np.uint64)
    count, fresh = np.zeros(topics, np.int32), np.zeros(topics, totals.dtype)
    for d in range(doc_ptr.size - 1):
        start = doc_ptr[d]
        n = doc_ptr[d + 1] - start
        for i in range(n):
            pair = uint64(pairs[cell[start + i]])
            topic[i], proposal[i], item[i] = pair & mask, pair >> uint64(half), uint64(first_token + start + i)
        _update(topic, proposal, item, n, count, totals, fresh, topics, priors[0], priors[1], keys[0], keys[1])
        if histogram.size:
            _tally(topic, n, count, histogram, large)
        for i in range(n):
            pairs[cell[start + i]] = uint64(topic[i]) | uint64(proposal[i]) << uint64(half)
    return fresh


@njit(cache=True)
def word_topics(topic: Array, slices: Array, row_ptr: Array, topics: int, ptr: Array, columns: Array, counts: Array) -> Array:
    """The sparse counts of the words of a set of columns. Returns the topic totals of their tokens, int64 [K].

    topic       [N] unsigned: cells concatenated, rows ascending; slices, row_ptr: as in `visit_words`
    ptr         [W + 1] int64, written: word w's cells are [ptr[w], ptr[w + 1]) of `columns` and `counts`, topics ascending
    columns     unsigned, counts: int32, written; room for sum over words of min(tokens, K)
    """
    count, totals = np.zeros(topics, np.int32), np.zeros(topics, np.int64)
    size = 0
    ptr[0] = 0
    for w in range(slices.shape[1] - 1):
        start = size
        for r in range(slices.shape[0]):
            for i in range(row_ptr[r] + slices[r, w], row_ptr[r] + slices[r, w + 1]):
                k = topic[i]
                if count[k] == 0:
                    columns[size] = k
                    size += 1
                count[k] += 1
        columns[start:size].sort()
        for i in range(start, size):
            k = columns[i]
            counts[i] = count[k]
            totals[k] += count[k]
            count[k] = 0
        ptr[w + 1] = size
    return totals


@njit(cache=True)
def top_cells(word_ptr: Array, topics: Array, counts: Array, words: Array, most: Array) -> None:
    """words[k, :], most[k, :] = the words with the largest counts in topic k and these, descending; of equal counts the lower word.

    word_ptr, topics, counts: sparse counts by word; words: int64 [K, n], most: int32 [K, n], all 0 before; 0 counts end a list.
    """
    last = most.shape[1] - 1
    for w in range(word_ptr.size - 1):
        for i in range(word_ptr[w], word_ptr[w + 1]):
            k, c = topics[i], counts[i]
            if c <= most[k, last]:
                continue
            place = last
            while place > 0 and most[k, place - 1] < c:
                most[k, place], words[k, place] = most[k, place - 1], words[k, place - 1]
                place -= 1
            most[k, place], words[k, place] = c, w
