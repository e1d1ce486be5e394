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
from numba import njit, uint64

from regrow.models.lda.training.priors_kernels import visit_unequal
from regrow.rng import bits, uniform

__all__ = ["continued_pairs", "first_pairs", "top_cells", "topics_of", "visit_documents", "visit_words", "word_topics"]

Array = npt.NDArray[Any]

BATCH = 4096
"""How many tokens are fetched at a time: a few hundred waits at once, and their buffers fit the nearest caches."""

_ONE, _FIVE, _HALF = np.uint64(1), np.uint64(5), np.uint64(32)
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
def continued_pairs(pairs: Array, tokens: Array, slices: Array, row_ptr: Array, topics: int, half: int, key: np.uint64) -> None:
    """Give tokens without a topic, whose pairs have all bits set, that of a uniformly random token of the same word that has one.

    If the word has none, any topic. The topic is the proposal too. pairs: rewritten; the others: as in `visit_words`.
    """
    known = np.empty(_room(_bounds_of_words(slices)), np.uint64)
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


@njit(cache=True)
def topics_of(pairs: Array, topics: Array) -> None:
    """topics[i] = the topic of pairs[i] (uint16 topics of uint32 pairs, uint32 of uint64)."""
    for i in range(pairs.size):
        topics[i] = pairs[i]


@njit(inline="always")
def _tally(token, start, end, count, histogram, large):  # type: ignore[no-untyped-def]
    """histogram[c] += 1 for every topic that c > 0 tokens of a group have; counts beyond it go to large[1:1 + large[0]].

    token: as in `_visit`; count: all 0, before and after.
    """
    for i in range(start, end):
        count[token[i] & _LOW] += 1
    for i in range(start, end):
        c = count[token[i] & _LOW]
        count[token[i] & _LOW] = 0
        if c >= histogram.size:
            large[0] += 1
            large[large[0]] = c
        elif c > 0:
            histogram[c] += 1


@njit(inline="always")
def _draw(keys, n, coin, random):  # type: ignore[no-untyped-def]
    """From the global ids random[:n] make coin[:n], uniform in [0, 1), and random[:n], 64 random bits (vectorised by the compiler)."""
    accept, propose = keys[0], keys[1]
    for i in range(n):
        item = random[i]
        coin[i] = uniform(accept, item)
        random[i] = bits(propose, item)


@njit(inline="always")
def _visit(token, topic, coin, random, start, end, count, totals, fresh, prior, prior_sum):  # type: ignore[no-untyped-def]
    """Visit the group of tokens [start, end): accept or refuse, count into `fresh`, draw proposals. The formulas stand above.

    token           topic in the low, proposal in the high 32 bits; rewritten
    coin, random    one of each for every token (see `_draw`)
    topic           room for as many uint32
    count           all 0, before and after; totals: C_k; fresh: the new topics are added; all by topic

    No branch depends on chance: one of two is taken by shifting a word that holds both by 0 or 32 bits. A branch that the
    processor cannot predict costs as much as the rest of a token's work.
    """
    n, topics = end - start, uint64(totals.size)
    for i in range(start, end):
        count[token[i] & _LOW] += 1
    for i in range(start, end):
        s = token[i] & _LOW
        t = token[i] >> _HALF
        gain = (count[t] + prior) * (totals[s] - 1 + prior_sum)
        loss = (count[s] - 1 + prior) * (totals[t] + prior_sum)
        topic[i] = token[i] >> (uint64(coin[i] * loss < gain) << _FIVE)
    any_topic = uint64(topics * prior / (topics * prior + n) * _TWO_32)
    n_or_topics = n | topics << _HALF
    for i in range(start, end):
        count[token[i] & _LOW] = 0
        fresh[topic[i]] += 1
        side = uint64(random[i] >> _HALF < any_topic) << _FIVE  # 32: any topic; 0: that of a token
        place = (random[i] & _LOW) * (n_or_topics >> side & _LOW) >> _HALF
        proposal = (topic[start + (place >> side)] | place << _HALF) >> side
        token[i] = topic[i] | proposal << _HALF


@njit(cache=True, error_model="numpy")
def visit_words(
    pairs: Array, half: int, tokens: Array, slices: Array, row_ptr: Array,
    totals: Array, priors: Array, keys: Array, histogram: Array, large: Array,
) -> Array:  # fmt: skip
    """Visit the words of a set of columns. Returns the new topic totals of these tokens, with the dtype of `totals`.

    pairs       [N] uint32 or uint64: rewritten in place; cells concatenated, rows ascending
    tokens      [N] global ids, in the same order
    slices      [R, W + 1]: word w's tokens in cell r are [slices[r, w], slices[r, w + 1]) of that cell; fewer than 2^32 a word
    row_ptr     [R + 1]: bounds of the cells
    totals      [K] int32 or int64: C_k, held still
    priors      (b of one topic, B), float64; keys: (accept, propose), uint64
    histogram   int64, `large` int64 [1 + room]: if not empty, the counts C_wk on arrival are added (see `_tally`)
    """
    rows, words = slices.shape[0], slices.shape[1] - 1
    ptr = _bounds_of_words(slices)
    room = _room(ptr)
    token, random, coin, topic = np.empty(room, np.uint64), np.empty(room, np.uint64), np.empty(room, np.float64), np.empty(room, np.uint32)
    count, fresh = np.zeros(totals.size, np.int32), np.zeros(totals.size, totals.dtype)
    shift, mask = uint64(half), (_ONE << uint64(half)) - _ONE
    first = 0
    while first < words:
        last = _batch(ptr, first, room)
        n = uint64(0)
        for w in range(first, last):
            for r in range(rows):
                for i in range(uint64(row_ptr[r]) + uint64(slices[r, w]), uint64(row_ptr[r]) + uint64(slices[r, w + 1])):
                    token[n], random[n] = pairs[i] & mask | pairs[i] >> shift << _HALF, tokens[i]
                    n += _ONE
        _draw(keys, n, coin, random)
        for w in range(first, last):
            start, end = uint64(ptr[w] - ptr[first]), uint64(ptr[w + 1] - ptr[first])
            if histogram.size:
                _tally(token, start, end, count, histogram, large)
            _visit(token, topic, coin, random, start, end, count, totals, fresh, priors[0], priors[1])
        n = uint64(0)
        for w in range(first, last):
            for r in range(rows):
                for i in range(uint64(row_ptr[r]) + uint64(slices[r, w]), uint64(row_ptr[r]) + uint64(slices[r, w + 1])):
                    pairs[i] = token[n] & mask | token[n] >> _HALF << shift
                    n += _ONE
        first = last
    return fresh


@njit(cache=True, error_model="numpy")
def visit_documents(
    pairs: Array, half: int, first_token: int, doc_ptr: Array, cell: Array,
    totals: Array, priors: Array, alpha: Array | None, alias: Array | None, keys: Array, histogram: Array, large: Array,
) -> Array:  # fmt: skip
    """Visit the documents of a block of rows. Returns the new topic totals of these tokens, with the dtype of `totals`.

    pairs       [N] uint32 or uint64: rewritten in place; cells concatenated, columns ascending
    first_token the global id of the block's first token
    doc_ptr     [D + 1] int64: bounds of the documents in the block's tokens, from 0; fewer than 2^32 a document
    cell        [N]: where in `pairs` the tokens are, document after document
    totals      [K] int32 or int64: C_k, held still
    priors      (a of one topic, B), float64; keys: (accept, propose), uint64
    alpha       None (compiled apart), or float64 [K]: a of each topic, and priors[0] is their sum; alias: from `alias_table`
    histogram   int64, `large` int64 [1 + room]: if not empty, the counts C_dk on leaving are added (see `_tally`)
    """
    documents, room = doc_ptr.size - 1, _room(doc_ptr)
    token, random, coin, topic = np.empty(room, np.uint64), np.empty(room, np.uint64), np.empty(room, np.float64), np.empty(room, np.uint32)
    count, fresh = np.zeros(totals.size, np.int32), np.zeros(totals.size, totals.dtype)
    shift, mask = uint64(half), (_ONE << uint64(half)) - _ONE
    first = 0
    while first < documents:
        last = _batch(doc_ptr, first, room)
        here, n = uint64(doc_ptr[first]), uint64(doc_ptr[last] - doc_ptr[first])
        for i in range(n):
            pair = pairs[cell[here + i]]
            token[i], random[i] = pair & mask | pair >> shift << _HALF, uint64(first_token) + here + i
        _draw(keys, n, coin, random)
        for d in range(first, last):
            start, end = uint64(doc_ptr[d]) - here, uint64(doc_ptr[d + 1]) - here
            if alpha is not None:
                visit_unequal(token, topic, coin, random, start, end, count, totals, fresh, alpha, priors[0], alias, priors[1])
            else:
                _visit(token, topic, coin, random, start, end, count, totals, fresh, priors[0], priors[1])
            if histogram.size:
                _tally(token, start, end, count, histogram, large)
        for i in range(n):
            pairs[cell[here + i]] = token[i] & mask | token[i] >> _HALF << shift
        first = last
    return fresh


# Groups are visited in batches: tokens come from all over `pairs`, and a processor waits for many at a time as for one.


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


@njit(inline="always")
def _bounds_of_words(slices):  # type: ignore[no-untyped-def]
    """ptr[w + 1] - ptr[w] = the number of word w's tokens in all rows."""
    ptr = np.zeros(slices.shape[1], np.int64)
    for r in range(slices.shape[0]):
        for w in range(slices.shape[1]):
            ptr[w] += np.int64(slices[r, w])
    return ptr


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
