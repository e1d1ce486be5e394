"""The inner loops of priors that are learned. Each has a slow, obvious twin in tests/models/lda/naive.py.

A document proposes a topic with probability (C_dk + a_k) / (n + A): with probability n / (n + A) that of one of its n tokens, else one
drawn from a by Vose's alias table (IEEE Trans. Software Eng. 17, 1991): topic k is a column of height 1, up to a threshold its own
and above it another's, so one column and one height are a draw.

Learning needs, of every topic, how many documents have it how often; as a sum over such numbers Minka's fixed point
("Estimating a Dirichlet distribution", 2000) is the same however the corpus is cut. It asks for psi(x + j) - psi(x), which is
1/x + 1/(x + 1) + ... + 1/(x + j - 1).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, uint64

from regrow.arithmetic import log, log_gamma

__all__ = ["alias_table", "document_cells", "gains", "gamma_terms", "visit_unequal"]

Array = npt.NDArray[Any]

STEPS = 64
"""Sums 1/x + ... of more terms are made from the expansion of psi at both ends."""

_FIVE, _HALF = np.uint64(5), np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_TWO_32 = 4294967296.0
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@njit(cache=True)
def alias_table(alpha: Array) -> Array:
    """uint64 [K]: column k is topic k's own below the threshold in the low 32 bits (of 2^32), above it that of the topic in the high."""
    topics = alpha.size
    total = 0.0
    for k in range(topics):
        total += alpha[k]
    height = alpha * (topics / total)
    table = np.empty(topics, np.uint64)
    small, large = np.empty(topics, np.int64), np.empty(topics, np.int64)
    n_small = n_large = 0
    for k in range(topics):
        if height[k] < 1.0:
            small[n_small] = k
            n_small += 1
        else:
            large[n_large] = k
            n_large += 1
    while n_small and n_large:
        n_small -= 1
        low, high = small[n_small], large[n_large - 1]
        table[low] = uint64(height[low] * _TWO_32) | uint64(high) << _HALF
        height[high] -= 1.0 - height[low]
        if height[high] < 1.0:
            n_large -= 1
            small[n_small] = high
            n_small += 1
    for i in range(n_small):  # columns that rounding left a little below or above 1
        table[small[i]] = uint64(small[i]) << _HALF
    for i in range(n_large):
        table[large[i]] = uint64(large[i]) << _HALF
    return table


@njit(inline="always")
def visit_unequal(token, topic, coin, random, start, end, count, totals, fresh, alpha, alpha_sum, alias, prior_sum):  # type: ignore[no-untyped-def]
    """The visit of a document, as `_visit` in kernels.py, with a prior of each topic: alpha [K], its sum, its alias table."""
    n, topics = end - start, uint64(totals.size)
    for i in range(start, end):
        count[token[i] & _LOW] += 1
    for i in range(start, end):
        s = token[i] & _LOW
        t = token[i] >> _HALF
        gain = (count[t] + alpha[t]) * (totals[s] - 1 + prior_sum)
        loss = (count[s] - 1 + alpha[s]) * (totals[t] + prior_sum)
        topic[i] = token[i] >> (uint64(coin[i] * loss < gain) << _FIVE)
    any_topic = uint64(alpha_sum / (alpha_sum + n) * _TWO_32)
    for i in range(start, end):
        count[token[i] & _LOW] = 0
        fresh[topic[i]] += 1
        place = random[i] & _LOW
        column = place * topics >> _HALF
        entry = alias[column]
        height = random[i] * _GOLDEN >> _HALF  # of the same bits: the column took the low ones, the coin little of the high ones
        drawn = (column | entry & ~_LOW) >> (uint64(height >= entry & _LOW) << _FIVE)
        own = uint64(topic[start + (place * n >> _HALF)])
        proposal = (own | drawn << _HALF) >> (uint64(random[i] >> _HALF < any_topic) << _FIVE)
        token[i] = topic[i] | proposal << _HALF


@njit(cache=True)
def document_cells(pairs: Array, half: int, doc_ptr: Array, cell: Array, first: int, end: int, count: Array, keys: Array) -> int:
    """keys[:returned] = topic << 32 | how many tokens of it, for every topic of every document in [first, end).

    pairs, half, doc_ptr, cell: as in `visit_documents`; count: int32 [K], all 0, before and after; keys: uint64, one a token.
    """
    mask = (uint64(1) << uint64(half)) - uint64(1)
    size = 0
    for d in range(first, end):
        for i in range(doc_ptr[d], doc_ptr[d + 1]):
            count[uint64(pairs[cell[i]]) & mask] += 1
        for i in range(doc_ptr[d], doc_ptr[d + 1]):
            k = uint64(pairs[cell[i]]) & mask
            if count[k]:
                keys[size] = k << _HALF | uint64(count[k])
                size += 1
                count[k] = 0
    return size


@njit(inline="always")
def _psi_less_log(x):  # type: ignore[no-untyped-def]
    """psi(x) - log(x) for x >= 16 (Abramowitz and Stegun 6.3.18), to the last bit of psi."""
    square = 1.0 / (x * x)
    return -0.5 / x - square * (1 / 12 - square * (1 / 120 - square * (1 / 252 - square * (1 / 240 - square / 132))))


@njit(inline="always")
def _rise(x, steps):  # type: ignore[no-untyped-def]
    """psi(x + steps) - psi(x)."""
    total = 0.0
    if steps <= STEPS:
        for i in range(steps):
            total += 1.0 / (x + i)
        return total
    first = 16 if x < 16.0 else 0
    for i in range(first):
        total += 1.0 / (x + i)
    low, high = x + first, x + steps
    return total + log(high / low) + (_psi_less_log(high) - _psi_less_log(low))


@njit(cache=True)
def gains(groups: Array, values: Array, numbers: Array, priors: Array) -> Array:
    """For each group g the sum of numbers * (psi(value + priors[g]) - psi(priors[g])) over its values: float64, as long as `priors`.

    groups, values, numbers: int64, sorted by group, then value ascending.
    """
    found = np.zeros(priors.size)
    group, reached, rise = -1, 0, 0.0
    for i in range(groups.size):
        if groups[i] != group:
            group, reached, rise = groups[i], 0, 0.0
        rise += _rise(priors[group] + reached, values[i] - reached)
        reached = values[i]
        found[group] += numbers[i] * rise
    return found


@njit(cache=True)
def gamma_terms(groups: Array, values: Array, numbers: Array, priors: Array) -> Array:
    """numbers * (log Gamma(value + priors[group]) - log Gamma(priors[group])), one of each: float64. Arrays as in `gains`."""
    terms = np.empty(groups.size)
    group, base = -1, 0.0
    for i in range(groups.size):
        if groups[i] != group:
            group = groups[i]
            base = log_gamma(priors[group])
        terms[i] = numbers[i] * (log_gamma(values[i] + priors[group]) - base)
    return terms
