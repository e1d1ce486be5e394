"""The inner loops of document completion: theta on one half of a document, the loss of the other half.

A word's probability in topic k is smoothed over the V words with a count and ONE extra word that stands for all others:

    phi_kw = (C_wk + b) / (C_k + B),   B = (V + 1) b

With r the largest 1 / (C_k + B) and q_k = 1 / (r (C_k + B)), which is at most 1, it has a sparse part r q_k C_wk and the same r q_k b
for all words. So with S = sum_k q_k theta_k

    p(w) = sum_k phi_kw theta_k = r (b S + sum over the topics of w of q_k C_wk theta_k)

and a step of EM, theta_k <- (a_k + theta_k sum_w n_w phi_kw / p(w)) s with s = 1 / (A + n), needs the cells of the document's words,
and S. Topics that none of these words has, nearly all where topics are many, take no part in the sums over words:

    theta_k <- a_k s + theta_k q_k y,   y = s sum_w n_w b r / p(w)

So after t steps they are polynomials in q_k, with the same coefficients for all topics:

    theta_k = a_k sum_{i<t} c_i q_k^i + u c_t q_k^t,   u = 1 / K,   and a step makes of c:  (s, c_0 y, c_1 y, ..., c_t y)

and what they add to S follows from the moments sum_k a_k q_k^(i+1) and sum_k u q_k^(i+1), which belong to the model. The topics of the
document's words have e_k more than their polynomial: S is the sum of the moments and of q_k e_k. Nothing is subtracted, and a
document costs its words' cells whatever K is. Topics with equal (a_k, C_k) are one class.

All floats are added in an order that the document and the model alone decide.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, uint64

from regrow.arithmetic import log
from regrow.rng import bits

__all__ = ["EM_STEPS", "NAT", "complete", "moments_of"]

Array = npt.NDArray[Any]

EM_STEPS = 50
NAT = 1 << 32
"""Losses are integers, so that their sums are exact in any order: so many units are one nat."""

_ONE = np.uint64(1)


@njit(cache=True)
def moments_of(classes: Array, sizes: Array, uniform: float) -> Array:
    """The sums over all topics of a_k q_k^(i + 1) and of u q_k^(i + 1): float64 [2, EM_STEPS + 1].

    classes: float64 [2, G]: a and q of each class; sizes: int64 [G]: how many topics it has; uniform: u
    """
    moments = np.zeros((2, EM_STEPS + 1))
    for g in range(sizes.size):
        power = float(sizes[g])
        for i in range(EM_STEPS + 1):
            power *= classes[1, g]
            moments[0, i] += classes[0, g] * power
            moments[1, i] += uniform * power
    return moments


@njit(cache=True, error_model="numpy")
def complete(
    words: Array, doc_ptr: Array, keys: Array, word_ptr: Array, topics: Array, counts: Array, word_counts: Array,
    class_of: Array, classes: Array, moments: Array, priors: Array, lowest: Array, units: Array, losses: Array,
) -> None:  # fmt: skip
    """Complete every document, and add up the losses of its scored words.

    words       int32 [N]: tokens of the documents, numbers of words of the model; -1: unknown
    doc_ptr     int64 [D + 1]: bounds of the documents
    keys        uint64 [D]: token i of a document is observed if the lowest bit of `bits(key, i)` is 0, else scored
    word_ptr, topics, counts    sparse counts by word: [V' + 1], [cells], [cells]; word_counts: [V'] training counts of the words
    class_of    int32 [K]: the class of each topic; classes: float64 [2, G]: a and q of each class; moments: see `moments_of`
    priors      float64 [4]: A, b, r, and the denominator N + B of the baseline (count_w + b) / (N + B)
    lowest      [bands]: the lowest training count of each band, from 0
    units       int32 [D, bands], losses int64 [2, D, bands]: written: how many tokens were scored, and the sums of their losses, those
                of the model and those of the baseline, in units of 1 / NAT
    """
    longest = 0
    for d in range(doc_ptr.size - 1):
        longest = max(longest, doc_ptr[d + 1] - doc_ptr[d])
    halves, word, times, ends = np.empty(longest, np.int32), np.empty(longest, np.int32), np.empty(longest), np.zeros(longest + 1, np.int64)
    place = np.full(class_of.size, -1, np.int32)  # of a topic among those of the document's observed words
    value, where, met_topics = np.empty(0), np.empty(0, np.uint32), np.empty(0, np.uint32)
    others, asked = np.empty(classes.shape[1]), np.full(classes.shape[1], -1, np.int64)  # theta of classes, for which document
    coefficients = np.empty(EM_STEPS + 1)
    units[:] = 0
    losses[:] = 0
    for d in range(doc_ptr.size - 1):
        tokens = doc_ptr[d + 1] - doc_ptr[d]
        observed = _split(words[doc_ptr[d] : doc_ptr[d + 1]], keys[d], word_ptr, halves)
        if observed == tokens:
            continue  # there is nothing to score
        distinct = _distinct(halves[:observed], word_ptr, word, times, ends)
        if ends[distinct] > value.size:
            value, where = np.empty(2 * ends[distinct]), np.empty(2 * ends[distinct], np.uint32)
            met_topics = np.empty(min(value.size, class_of.size), np.uint32)
        met = _gather(word[:distinct], word_ptr, topics, counts, class_of, classes[1], value, where, place, met_topics)
        own = met_topics[:met]
        theta = np.full(met, 1.0 / class_of.size)
        share = 1.0 / (priors[0] + observed)
        total = _fit(ends[: distinct + 1], times, value, where, own, class_of, classes, moments, share, priors[1], theta, coefficients)
        _score(
            halves[observed:tokens], word_ptr, topics, counts, word_counts, class_of, classes, place, theta,
            coefficients, others, asked, d, total, priors, lowest, units[d], losses[0, d], losses[1, d],
        )  # fmt: skip
        for k in own:
            place[k] = -1


@njit(cache=True)
def _split(words: Array, key: np.uint64, word_ptr: Array, halves: Array) -> int:
    """Put the observed words of a document at the front of `halves`, the others behind, each sorted; returns how many are observed.

    Words without cells become -1: whether they are unknown or have no count, they are the one extra word.
    """
    front, back = 0, words.size
    for i in range(words.size):
        w = words[i]
        if w >= 0 and word_ptr[w] == word_ptr[w + 1]:
            w = np.int32(-1)
        if bits(key, i) & _ONE:
            back -= 1
            halves[back] = w
        else:
            halves[front] = w
            front += 1
    halves[:front].sort()
    halves[front : words.size].sort()
    return front


@njit(cache=True)
def _distinct(words: Array, word_ptr: Array, word: Array, times: Array, ends: Array) -> int:
    """Distinct words of a sorted list, how often each occurs, and where its cells end if they stand one after the other.

    word, times [...], ends [... + 1] with ends[0] = 0: written. Returns how many they are.
    """
    found = 0
    for i in range(words.size):
        if i and words[i] == words[i - 1]:
            times[found - 1] += 1.0
            continue
        w = words[i]
        word[found], times[found] = w, 1.0
        ends[found + 1] = ends[found] + (word_ptr[w + 1] - word_ptr[w] if w >= 0 else 0)
        found += 1
    return found


@njit(cache=True)
def _gather(
    word: Array, word_ptr: Array, topics: Array, counts: Array, class_of: Array, q: Array,
    value: Array, where: Array, place: Array, met_topics: Array,
) -> int:  # fmt: skip
    """The cells of words, one word after the other: value[c] = C_wk q_k, and topics as numbered when they are first met: where[c].

    q: of the classes; place: int32 [K], -1 before: the number of each topic that was met; met_topics: these topics. Returns how many.
    """
    met, c = 0, 0
    for w in word:
        if w < 0:
            continue
        for i in range(word_ptr[w], word_ptr[w + 1]):
            k = topics[i]
            if place[k] < 0:
                place[k], met_topics[met] = met, k
                met += 1
            value[c], where[c] = counts[i] * q[class_of[k]], place[k]
            c += 1
    return met


@njit(cache=True, error_model="numpy")
def _fit(
    ends: Array, times: Array, value: Array, where: Array, own: Array, class_of: Array, classes: Array, moments: Array,
    share: float, b: float, theta: Array, coefficients: Array,
) -> float:  # fmt: skip
    """EM. Returns S at the end.

    ends            [words + 1]: the cells of word j are [ends[j], ends[j + 1]); times: how often each word was observed
    value, where    as in `_gather`; own: the topics met; share: s
    theta           [own]: of the topics met, uniform before; in place
    coefficients    [EM_STEPS + 1]: c, written: those of the other topics
    """
    met = own.size
    a, q = np.empty(met), np.empty(met)
    for t in range(met):
        a[t], q[t] = classes[0, class_of[own[t]]] * share, classes[1, class_of[own[t]]]
    gain, excess = np.empty(met), np.zeros(met)  # excess: e, what theta has more than other topics with these a and q
    coefficients[0] = 1.0
    total: float = moments[1, 0]
    for step in range(EM_STEPS):
        gain[:] = 0.0
        y = 0.0
        for j in range(ends.size - 1):
            start, end = uint64(ends[j]), uint64(ends[j + 1])
            weight = share * times[j] / (b * total + _product(value, where, theta, start, end))
            y += weight
            for i in range(start, end):
                gain[where[i]] += value[i] * weight
        y *= b
        for t in range(met):
            fresh = theta[t] * gain[t]
            theta[t] = a[t] + theta[t] * (q[t] * y) + fresh
            excess[t] = excess[t] * (q[t] * y) + fresh
        for i in range(step, -1, -1):
            coefficients[i + 1] = coefficients[i] * y
        coefficients[0] = share
        total = coefficients[step + 1] * moments[1, step + 1] + _sum_of_products(q, excess)
        for i in range(step + 1):
            total += coefficients[i] * moments[0, i]
    return total


@njit(cache=True, error_model="numpy")
def _score(
    words: Array, word_ptr: Array, topics: Array, counts: Array, word_counts: Array, class_of: Array, classes: Array, place: Array,
    theta: Array, coefficients: Array, others: Array, asked: Array, d: int, total: float, priors: Array, lowest: Array,
    units: Array, loss: Array, baseline: Array,
) -> None:  # fmt: skip
    """Add the losses of a document's scored words, which are sorted, to those of their bands.

    others: [G] theta of the classes for which asked[g] is d; those that are needed are filled in
    """
    own = other = np.int64(0)
    band = 0
    for i in range(words.size):
        w = words[i]
        if i == 0 or w != words[i - 1]:
            p, count = priors[1] * total, 0
            if w >= 0:
                count = word_counts[w]
                for cell in range(word_ptr[w], word_ptr[w + 1]):
                    k = topics[cell]
                    g = class_of[k]
                    if place[k] < 0 and asked[g] != d:
                        asked[g], others[g] = d, _polynomial(coefficients, classes[0, g], classes[1, g], 1.0 / class_of.size)
                    p += counts[cell] * classes[1, g] * (theta[place[k]] if place[k] >= 0 else others[g])
            own, other, band = _loss(priors[2] * p), _loss((count + priors[1]) / priors[3]), lowest.size - 1
            while count < lowest[band]:
                band -= 1
        units[band] += 1
        loss[band] += own
        baseline[band] += other


@njit(inline="always")
def _polynomial(coefficients, a, q, uniform):  # type: ignore[no-untyped-def]
    """theta of a topic that none of the observed words has: a sum_{i<t} c_i q^i + u c_t q^t."""
    found, power = 0.0, 1.0
    for i in range(coefficients.size - 1):
        found += coefficients[i] * power
        power *= q
    return a * found + uniform * coefficients[coefficients.size - 1] * power


@njit(inline="always")
def _loss(p):  # type: ignore[no-untyped-def]
    """-log p in units of 1 / NAT, rounded."""
    return np.int64(np.floor(-log(p) * NAT + 0.5))


@njit(inline="always")
def _product(value, where, theta, start, end):  # type: ignore[no-untyped-def]
    """sum of value[i] theta[where[i]]: four sums side by side, for a processor adds four numbers as fast as one."""
    p0, p1, p2, p3 = 0.0, 0.0, 0.0, 0.0
    four = start + ((end - start) & ~uint64(3))
    for i in range(start, four, uint64(4)):
        p0 += value[i] * theta[where[i]]
        p1 += value[i + uint64(1)] * theta[where[i + uint64(1)]]
        p2 += value[i + uint64(2)] * theta[where[i + uint64(2)]]
        p3 += value[i + uint64(3)] * theta[where[i + uint64(3)]]
    for i in range(four, end):
        p0 += value[i] * theta[where[i]]
    return (p0 + p1) + (p2 + p3)


@njit(inline="always")
def _sum_of_products(left, right):  # type: ignore[no-untyped-def]
    """sum of left[t] right[t], as in `_product`."""
    p0, p1, p2, p3 = 0.0, 0.0, 0.0, 0.0
    size = uint64(left.size)
    four = size & ~uint64(3)
    for t in range(uint64(0), four, uint64(4)):
        p0 += left[t] * right[t]
        p1 += left[t + uint64(1)] * right[t + uint64(1)]
        p2 += left[t + uint64(2)] * right[t + uint64(2)]
        p3 += left[t + uint64(3)] * right[t + uint64(3)]
    for t in range(four, size):
        p0 += left[t] * right[t]
    return (p0 + p1) + (p2 + p3)
