"""Priors that are learned: how likely documents are to have each topic (alpha), and topics to have any word (beta).

What learning needs is how many documents have n tokens of topic k, how long documents are, how many (word, topic) cells hold n
tokens, and the topic totals: integers, which add exactly, so that what is learned does not depend on how the corpus is cut. From there on
one task computes, on histograms sorted by (topic, n). Updates are Minka's fixed point (see priors_kernels.py), `STEPS` times

    a_k <- a_k * sum_n H_k[n] (psi(n + a_k) - psi(a_k)) / sum_n L[n] (psi(n + A) - psi(A))
    b   <- b   * sum_n H[n] (psi(n + b) - psi(b)) / (V sum_k (psi(C_k + V b) - psi(V b)))

(asymmetric over topics, symmetric over words: Wallach, Mimno, McCallum, NIPS 2009).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.models.lda.training import priors_kernels as kernels
from regrow.models.lda.training.likelihood import Histogram, by_topic, histogram_in, histogram_of, lengths_in

__all__ = ["PRIOR_MIN", "Priors", "learned_alpha", "learned_beta"]

Array = npt.NDArray[Any]

STEPS = 10
"""Of the fixed point, each time."""
PRIOR_MIN = 1e-12
"""No prior of one topic or one word is smaller."""
FLOOR = 0.2
"""No topic's prior falls below this share of the mean, so that a topic with few tokens or none can come back (with 0.01 some of those that
mergers had emptied stayed empty, and held-out text was no likelier)."""


@dataclass(frozen=True)
class Priors:
    """alpha: float64 [K], or one number if all topics are alike; beta: of one word; topics: K."""

    alpha: Array | float
    beta: float
    topics: int

    @property
    def alpha_sum(self) -> float:
        """The same in any order."""
        return self.alpha * self.topics if isinstance(self.alpha, float) else math.fsum(self.alpha.tolist())

    @property
    def each(self) -> Array:
        """Alpha of each topic: float64 [K]."""
        return np.full(self.topics, self.alpha) if isinstance(self.alpha, float) else np.array(self.alpha)

    def at_most(self, most: float) -> Priors:
        """With alpha cut off there."""
        return replace(self, alpha=min(self.alpha, most) if isinstance(self.alpha, float) else np.minimum(self.alpha, most))

    def packed(self) -> dict[str, Any]:
        """As arrays of a message or a state."""
        return {"alpha": self.alpha, "beta": self.beta}

    @staticmethod
    def of(arrays: Mapping[str, Any], topics: int) -> Priors:
        """From arrays of that form."""
        alpha, beta = np.asarray(arrays["alpha"]), float(np.asarray(arrays["beta"]).reshape(()))
        return Priors(alpha if alpha.ndim else float(alpha), beta, topics)

    def learned(self, words: Sequence[Mapping[str, Any]], documents: Sequence[Mapping[str, Any]], alpha: bool, beta: bool) -> Priors:
        """Those that fit what words and documents sent. alpha, beta: which of them are learned."""
        made = self
        if alpha:
            assert not isinstance(self.alpha, float)
            made = replace(made, alpha=learned_alpha(self.alpha, histogram_in(documents), lengths_in(documents)))
        if beta:
            made = replace(made, beta=learned_beta(self.beta, histogram_in(words), words[0]["totals"], int(words[0]["vocabulary"])))
        return made

    def merged(self, leader: Array) -> Priors:
        """Those of topics of which some have joined others. A leader has the sum of its group; a topic that has become empty gets the
        median of all that have not, which is that of a usual topic (the mean would be that of a large one), so that it can be used anew."""
        if isinstance(self.alpha, float):
            return self
        alpha, freed = self.alpha.copy(), np.flatnonzero(leader != np.arange(len(leader)))
        np.add.at(alpha, leader[freed], alpha[freed])
        alpha[freed] = np.median(np.delete(self.alpha, freed))
        return replace(self, alpha=alpha)


def learned_alpha(alpha: Array, cells: Histogram, lengths: Histogram) -> Array:
    """Alpha after some steps: float64 [K]. cells: how many documents have n tokens of topic k, by (k << 32 | n); lengths: of the
    documents."""
    groups, values, numbers = by_topic(cells)
    for _ in range(STEPS):
        total = math.fsum(alpha.tolist())
        found = alpha * kernels.gains(groups, values, numbers, alpha) / _gain(lengths, total)
        alpha = np.maximum(found, max(FLOOR * total / len(alpha), PRIOR_MIN))
    return alpha


def learned_beta(beta: float, words: Histogram, totals: Array, vocabulary: int) -> float:
    """Beta after some steps. words: histogram of the counts C_wk > 0; totals: C_k [K]; vocabulary: V."""
    sizes = histogram_of(totals[totals > 0])
    for _ in range(STEPS):
        beta = max(beta * _gain(words, beta) / (vocabulary * _gain(sizes, beta * vocabulary)), PRIOR_MIN)
    return beta


def _gain(histogram: Histogram, prior: float) -> float:
    """sum_n H[n] (psi(n + prior) - psi(prior))."""
    values, numbers = (np.array(array, np.int64) for array in histogram)
    return float(kernels.gains(np.zeros(len(values), np.int64), values, numbers, np.array([prior]))[0])
