"""The inner loops of finding topics that say the same. Twins in tests/models/lda/naive.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["leaders", "map_pairs", "merged_tops", "prefixes", "room_of_tops", "top_excess"]

Array = npt.NDArray[Any]


@njit(inline="always")
def _excess(count, total, share):  # type: ignore[no-untyped-def]
    """By how much the word's share of the topic exceeds its `share` of all text; 0 for a word that stands there once."""
    return count / total - share if count > 1 else 0.0


@njit(cache=True)
def room_of_tops(word_ptr: Array, topics: Array, counts: Array, totals: Array, tokens: int, most: int) -> Array:
    """[K + 1] int64: bounds of the topics' top words, at most `most` each, in what `top_excess` writes. Arrays as there."""
    ptr = np.zeros(totals.size + 1, np.int64)
    for w in range(word_ptr.size - 1):
        share = counts[word_ptr[w] : word_ptr[w + 1]].sum() / tokens
        for i in range(word_ptr[w], word_ptr[w + 1]):
            if _excess(counts[i], totals[topics[i]], share) > 0.0:
                ptr[topics[i] + 1] += 1
    for k in range(totals.size):
        ptr[k + 1] = ptr[k] + min(ptr[k + 1], most)
    return ptr


@njit(cache=True)
def top_excess(word_ptr: Array, topics: Array, counts: Array, totals: Array, tokens: int, ptr: Array, words: Array, weights: Array) -> None:
    """words[ptr[k]:ptr[k + 1]] = the words of largest excess in topic k, and weights = these, descending; of equal ones the lower word.

    word_ptr, topics, counts    sparse counts by word; words are numbered from 0, as rows of this table
    totals                      [K] int32 or int64: C_k; tokens: of the corpus
    ptr                         from `room_of_tops`; words: int32, written; weights: float64, all 0 before, written
    """
    for w in range(word_ptr.size - 1):
        share = counts[word_ptr[w] : word_ptr[w + 1]].sum() / tokens
        for i in range(word_ptr[w], word_ptr[w + 1]):
            k = topics[i]
            excess = _excess(counts[i], totals[k], share)
            first, place = ptr[k], ptr[k + 1] - 1
            if excess <= 0.0 or excess <= weights[place]:
                continue
            while place > first and weights[place - 1] < excess:
                weights[place], words[place] = weights[place - 1], words[place - 1]
                place -= 1
            weights[place], words[place] = excess, w


@njit(cache=True)
def merged_tops(
    ptr: Array, words: Array, weights: Array, more_ptr: Array, more_words: Array, more_weights: Array, most: int
) -> tuple[Array, Array, Array]:
    """The top words of two tables of different words, in one of the same form; of equal weights the lower word first."""
    topics = ptr.size - 1
    new_ptr = np.zeros(topics + 1, np.int64)
    for k in range(topics):
        new_ptr[k + 1] = new_ptr[k] + min(ptr[k + 1] - ptr[k] + more_ptr[k + 1] - more_ptr[k], most)
    new_words, new_weights = np.empty(new_ptr[topics], np.int32), np.empty(new_ptr[topics], np.float64)
    for k in range(topics):
        i, j = ptr[k], more_ptr[k]
        for place in range(new_ptr[k], new_ptr[k + 1]):
            mine = j == more_ptr[k + 1]
            if not mine and i < ptr[k + 1]:
                mine = weights[i] > more_weights[j] or (weights[i] == more_weights[j] and words[i] < more_words[j])
            if mine:
                new_words[place], new_weights[place] = words[i], weights[i]
                i += 1
            else:
                new_words[place], new_weights[place] = more_words[j], more_weights[j]
                j += 1
    return new_ptr, new_words, new_weights


@njit(cache=True)
def prefixes(ptr: Array, ranks: Array, weights: Array, same: float, sums: Array) -> Array:
    """Sort each topic's words by rank, and find how many of the first ones a topic of similarity >= same must share one of.

    ptr [K + 1]; ranks, weights: rewritten; sums: float64 [K], written: of the weights. Returns the ends, int64 [K].

    If sum min / sum max >= same, then sum min >= same * the sum of either topic. So the words after a prefix that leaves less than
    that are not enough, and two similar topics share a word that is in the prefix of both (Chaudhuri, Ganti, Kaushik, ICDE 2006).
    """
    ends = np.empty(ptr.size - 1, np.int64)
    for k in range(ptr.size - 1):
        first, end = ptr[k], ptr[k + 1]
        order = np.argsort(ranks[first:end], kind="mergesort")
        ranks[first:end], weights[first:end] = ranks[first:end][order], weights[first:end][order]
        total = 0.0
        for i in range(first, end):
            total += weights[i]
        left, needed = 0.0, 0.999999 * same * total  # a little less, for the rounding of sums
        place = end
        while place > first and left + weights[place - 1] < needed:
            left += weights[place - 1]
            place -= 1
        sums[k], ends[k] = total, place
    return ends


@njit(inline="always")
def _common(ptr, ranks, weights, j, k):  # type: ignore[no-untyped-def]
    """The sum over words that both topics have of the smaller weight."""
    common, a, b = 0.0, ptr[j], ptr[k]
    while a < ptr[j + 1] and b < ptr[k + 1]:
        if ranks[a] == ranks[b]:
            common += min(weights[a], weights[b])
        step = ranks[a] <= ranks[b]
        b += ranks[b] <= ranks[a]
        a += step
    return common


@njit(cache=True)
def leaders(order: Array, ptr: Array, ranks: Array, weights: Array, sums: Array, ends: Array, same: float, n_ranks: int) -> Array:
    """leader[k] = the topic that k is a duplicate of, itself if of none: int32 [K].

    order: the topics to compare, those first that shall lead; the others: from `prefixes`. Each topic joins the most similar leader
    before it if the similarity is at least `same` (of equal ones the first), else it leads. Leaders are found by the words of their
    prefixes.
    """
    topics = ptr.size - 1
    leader, seen = np.arange(topics).astype(np.int32), np.full(topics, -1, np.int64)
    head, following, owner = np.full(n_ranks, -1, np.int64), np.empty(ranks.size, np.int64), np.empty(ranks.size, np.int32)
    place = np.empty(topics, np.int64)
    place[order] = np.arange(order.size)
    for k in order:
        best, best_leader = 0.0, -1
        for i in range(ptr[k], ends[k]):
            entry = head[ranks[i]]
            while entry >= 0:
                j = owner[entry]
                entry = following[entry]
                if seen[j] == k:
                    continue
                seen[j] = k
                if min(sums[j], sums[k]) < same * max(sums[j], sums[k]):
                    continue
                common = _common(ptr, ranks, weights, j, k)
                similar = common / (sums[j] + sums[k] - common)
                if similar >= same and (similar > best or (similar == best and place[j] < place[best_leader])):
                    best, best_leader = similar, j
        if best_leader >= 0:
            leader[k] = best_leader
            continue
        for i in range(ptr[k], ends[k]):
            owner[i], following[i] = k, head[ranks[i]]
            head[ranks[i]] = i
    return leader


@njit(cache=True)
def map_pairs(pairs: Array, half: int, leader: Array) -> None:
    """Topics and candidates become those that lead them. pairs: uint32 or uint64, rewritten; leader: int32 [K]."""
    mask = (np.uint64(1) << np.uint64(half)) - np.uint64(1)
    for i in range(pairs.size):
        pair = np.uint64(pairs[i])
        pairs[i] = np.uint64(leader[pair & mask]) | np.uint64(leader[pair >> np.uint64(half)]) << np.uint64(half)
