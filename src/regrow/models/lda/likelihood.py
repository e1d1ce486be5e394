"""The joint log-likelihood log p(words, topics) of LDA with symmetric priors, from integer histograms.

    sum_d [ G(A) - G(N_d + A) + sum_k (G(C_dk + a) - G(a)) ] + sum_k [ G(B) - G(C_k + B) + sum_w (G(C_wk + b) - G(b)) ]

with G = log Gamma, A = K a, B = V b (Griffiths and Steyvers, PNAS 2004). Empty cells add nothing, and cells of equal count
add the same, so all that is needed is how many cells have which count. Such histograms are integers: they add up
exactly, and the likelihood does not depend on how the corpus is cut.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.arithmetic import log_gamma

__all__ = ["DENSE", "Histogram", "added", "histogram_of", "joint_log_likelihood", "sparse"]

Array = npt.NDArray[Any]
Histogram = tuple[Array, Array]
"""(values int64 ascending, how often each occurs int64)."""

DENSE = 1 << 16
"""Counts below this are tallied in an array; of larger ones there are few, and they are listed."""


def sparse(dense: Array, large: Array) -> Histogram:
    """The histogram from a tally: dense[c] values of c, and large[1:1 + large[0]] one by one."""
    small = np.flatnonzero(dense)
    values, numbers = np.unique(large[1 : 1 + int(large[0])], return_counts=True)
    return np.concatenate([small, values]).astype(np.int64), np.concatenate([dense[small], numbers]).astype(np.int64)


def histogram_of(values: Array) -> Histogram:
    """How often each value occurs."""
    found, numbers = np.unique(values, return_counts=True)
    return found.astype(np.int64), numbers.astype(np.int64)


def added(histograms: Iterable[Histogram]) -> Histogram:
    """The sum of histograms."""
    values, numbers = (np.concatenate(arrays) for arrays in zip(*histograms, strict=True))
    found, where = np.unique(values, return_inverse=True)
    total = np.zeros(len(found), np.int64)
    np.add.at(total, where, numbers)
    return found, total


def joint_log_likelihood(
    totals: Array, words: Histogram, documents: Histogram, lengths: Histogram, vocabulary: int, alpha: float, beta: float
) -> float:
    """The joint log-likelihood in nats.

    totals: C_k [K]; words, documents: of the counts C_wk > 0 and C_dk > 0; lengths: of the documents' N_d;
    alpha, beta: of one topic and of one word. Correct to a few units in the last place: terms are added by `math.fsum`.
    """
    alpha_sum, beta_sum = alpha * len(totals), beta * vocabulary
    return math.fsum(
        [
            *_terms(documents, alpha, +1),
            *_terms(words, beta, +1),
            *_terms(lengths, alpha_sum, -1),
            *_terms(histogram_of(totals), beta_sum, -1),
        ]
    )


def _terms(histogram: Histogram, prior: float, sign: int) -> Iterable[float]:
    """sign * n * (G(c + prior) - G(prior)) for every count c that occurs n times."""
    base = log_gamma(prior)
    for value, number in zip(*(array.tolist() for array in histogram), strict=True):
        yield sign * number * (log_gamma(value + prior) - base)
