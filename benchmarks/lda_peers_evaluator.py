"""The one evaluator of `lda_peers.py`: document completion from a dense table of topics by words, whoever made it.

theta of a held-out document starts uniform and takes 50 steps of EM on its observed tokens, with the model's own alpha:

    theta_k <- (alpha_k + sum_w n_w phi_kw theta_k / sum_j phi_jw theta_j) / (sum alpha + n)

then each scored token loses -log sum_k theta_k phi_kw. A word that training has not is one extra word with count 0.

Recorded curves were scored in another way (`evaluate_recorded_way`), so that everybody gets a second score when there are such.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from lda_peers_corpus import Corpus
from numba import njit

from regrow.evaluation import BANDS, TailReport, band_of

Array = npt.NDArray[Any]

EM_STEPS = 50
BASELINE_BETA = 0.01
"""The baseline is the unigram of the training tokens, smoothed by so much a word."""
RECORDED_BANDS, RECORDED_LOWEST = ("0", "1-2", "3-9", "10-99", "100-999", "1000+"), (0, 1, 3, 10, 100, 1000)
"""Bands of training count of recorded curves, and the lowest count of each."""


@dataclass(frozen=True)
class Topics:
    """What a model says.

    weights     float32 [K, V]: of each word in each topic; for samplers counts plus prior
    rest        of a word never seen, in each topic: the prior
    alpha       float64 [K]: the prior of topics in a document, as the model has it
    """

    weights: Array
    rest: float
    alpha: Array


def evaluate(corpus: Corpus, topics: Topics) -> TailReport:
    """Loss and gain over the unigram by band of training count; units are scored tokens."""
    words = len(corpus.word_counts)
    loss = losses(corpus, topics, corpus.observed, corpus.scored, unknown_words=1)
    count = np.append(corpus.word_counts, 0)[corpus.held_words]
    baseline = -np.log((count + BASELINE_BETA) / (corpus.word_counts.sum() + BASELINE_BETA * (words + 1)))
    sums = [np.bincount(band_of(count), corpus.scored * each, len(BANDS)) for each in (np.ones(len(loss)), loss, baseline)]
    return TailReport.of_sums(sums[0].astype(np.int64).tolist(), sums[1].tolist(), sums[2].tolist(), "tokens")


def evaluate_recorded_way(corpus: Corpus, topics: Topics) -> dict[str, Any]:
    """The score that recorded curves have: `perplexity_recorded_way`, and log p a token by band of training count.

    The stored halves are taken as they are, though some cells have more observed tokens than tokens: all observed ones make theta,
    logs are summed over cells with tokens left, and divided by what is left of all cells, where some have less than nothing. Words
    without a training count are words of the vocabulary like all others.
    """
    left = corpus.observed + corpus.scored - corpus.stored
    scored = np.maximum(left, 0)
    loss = losses(corpus, topics, corpus.stored, scored, unknown_words=0)
    band = np.searchsorted(RECORDED_LOWEST, np.append(corpus.word_counts, 0)[corpus.held_words], side="right") - 1
    tokens, sums = (np.bincount(band, each, len(RECORDED_BANDS)) for each in (left, scored * loss))
    by_band = {name: -float(sums[b] / tokens[b]) for b, name in enumerate(RECORDED_BANDS) if tokens[b] > 0}
    return {"perplexity_recorded_way": math.exp(sums.sum() / tokens.sum()), "log_p_by_band_recorded_way": by_band}


def losses(corpus: Corpus, topics: Topics, observed: Array, scored: Array, unknown_words: int) -> Array:
    """-log p(word of each cell) where it has scored tokens, else 0. A topic's weights are of all words and of so many unknown ones."""
    need, rows = np.unique(corpus.held_words, return_inverse=True)
    totals = topics.weights.sum(axis=1, dtype=np.float64) + unknown_words * topics.rest
    phi = np.empty((len(need), len(totals)), np.float32)
    known = need[need < len(corpus.word_counts)]
    for start in range(0, len(known), 4096):
        some = slice(start, min(start + 4096, len(known)))
        phi[some] = topics.weights[:, known[some]].T / totals
    phi[len(known) :] = topics.rest / totals
    loss = np.zeros(len(rows))
    complete(corpus.held_ptr, rows.astype(np.int64), observed, scored, phi, topics.alpha.astype(np.float32), loss)
    return loss


@njit(cache=True, fastmath=True, error_model="numpy")
def complete(ptr: Array, rows: Array, observed: Array, scored: Array, phi: Array, alpha: Array, loss: Array) -> None:
    """loss[c] = -log p(word of cell c), written where cell c has scored tokens. phi: float32 [rows, K]; alpha: float32 [K]."""
    topics = phi.shape[1]
    theta, gain = np.empty(topics, np.float32), np.empty(topics, np.float32)
    alpha_sum = alpha.sum()
    for d in range(len(ptr) - 1):
        start, end = ptr[d], ptr[d + 1]
        share = np.float32(1.0 / (alpha_sum + observed[start:end].sum()))
        theta[:] = np.float32(1.0 / topics)
        for _ in range(EM_STEPS):
            gain[:] = 0
            for c in range(start, end):
                if observed[c]:
                    row = phi[rows[c]]
                    weight = np.float32(observed[c] / product(theta, row))
                    for k in range(topics):
                        gain[k] += weight * row[k]
            for k in range(topics):
                theta[k] = (alpha[k] + gain[k] * theta[k]) * share
        for c in range(start, end):
            if scored[c]:
                loss[c] = -np.log(product(theta, phi[rows[c]]))


@njit(inline="always", fastmath=True)
def product(theta, row):  # type: ignore[no-untyped-def]
    """sum of theta[k] row[k]."""
    total = np.float32(0)
    for k in range(len(theta)):
        total += theta[k] * row[k]
    return total
