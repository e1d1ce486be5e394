"""The joint log-likelihood log p(words, topics) of LDA, from integer histograms.

    sum_d [ G(A) - G(N_d + A) + sum_k (G(C_dk + a) - G(a)) ] + sum_k [ G(B) - G(C_k + B) + sum_w (G(C_wk + b) - G(b)) ]

with G = log Gamma, A = K a, B = V b (Griffiths and Steyvers, PNAS 2004); if each topic has its own a_k, A is their sum and
a_k stands in the place of a. Empty cells add nothing, and cells of equal count (and topic, if a_k differ) add the same, so all
that is needed is how many cells have which count. Such histograms are integers: they add up
exactly, and the likelihood does not depend on how the corpus is cut.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.models.lda.training.priors_kernels import gamma_terms

__all__ = [
    "DENSE",
    "Histogram",
    "added",
    "added_one_by_one",
    "by_topic",
    "histogram_in",
    "histogram_of",
    "joint_log_likelihood",
    "lengths_in",
    "sparse",
]

Array = npt.NDArray[Any]
Histogram = tuple[Array, Array]
"""(values int64 ascending, how often each occurs int64); of cells of topics (k, n): (k << 32 | n uint64 ascending, how often int64)."""

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


def added_one_by_one(histograms: Iterable[Histogram]) -> Histogram:
    """The sum of large histograms, of which no more than two are in memory."""
    return reduce(lambda one, other: added([one, other]), histograms)


def by_topic(cells: Histogram) -> tuple[Array, Array, Array]:
    """Topics, values and numbers of a histogram of cells, int64, as kernels take them."""
    keys, numbers = cells
    return (keys >> np.uint64(32)).astype(np.int64), (keys & np.uint64(0xFFFFFFFF)).astype(np.int64), np.array(numbers, np.int64)


def histogram_in(messages: Iterable[Mapping[str, Any]]) -> Histogram:
    """The sum of the histograms that were sent."""
    return added_one_by_one((message["values"], message["numbers"]) for message in messages)


def lengths_in(messages: Iterable[Mapping[str, Any]]) -> Histogram:
    """How long the documents are, from the documents' messages."""
    return added((message["lengths"], message["documents"]) for message in messages)


def joint_log_likelihood(
    totals: Array, words: Histogram, documents: Histogram, lengths: Histogram, vocabulary: int, alpha: Array | float, beta: float
) -> float:
    """The joint log-likelihood in nats.

    totals: C_k [K]; words, documents: of the counts C_wk > 0 and C_dk > 0; lengths: of the documents' N_d;
    alpha, beta: of one topic and of one word. If alpha is an array [K], `documents` has keys k << 32 | C_dk (uint64).
    Correct to a few units in the last place: terms are added by `math.fsum`.
    """
    if isinstance(alpha, float):
        alpha_sum, of_documents = alpha * len(totals), _terms(documents, alpha)
    else:
        alpha_sum, of_documents = math.fsum(alpha.tolist()), gamma_terms(*by_topic(documents), np.array(alpha))
    normal = [-_terms(lengths, alpha_sum), -_terms(histogram_of(totals), beta * vocabulary)]
    return math.fsum(np.concatenate([of_documents, _terms(words, beta), *normal]).tolist())


def _terms(histogram: Histogram, prior: float) -> Array:
    """n * (G(c + prior) - G(prior)) for every count c that occurs n times."""
    values, numbers = (np.array(array, np.int64) for array in histogram)
    return gamma_terms(np.zeros(len(values), np.int64), values, numbers, np.array([prior]))
