"""Coherence: whether the top words of a topic stand together in documents that the model has not seen.

The normalised pointwise mutual information of two words (Bouma, GSCL 2009), over whole documents, as the mean over the pairs of a
topic's top words (Aletras and Stevenson, IWCS 2013; Roeder, Both and Hinneburg, WSDM 2015, compare such measures):

    npmi(v, w) = log(P(v, w) / (P(v) P(w))) / -log P(v, w)

where P is the share of the documents in which the word stands, or both. It is 1 for words that stand only together, 0 for
independent ones, and -1 by definition for words that never stand together. Two words that both stand in every document have 1.

A word that is in no document tells nothing of the topic, so its pairs are left out; a topic without pairs that can be judged has
no coherence, and no part in the mean. Top words are those with the largest counts in the topic, of equal counts the first in
the vocabulary; empty topics have none. Documents without words do not count.

Counts are integers and are added up over the parts of the documents, so it matters to nothing how these are cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.models.lda.kernels import top_cells
from regrow.models.lda.training.exchange import steady
from regrow.models.lda.unseen.coherence_kernels import npmi

__all__ = ["TOP_WORDS", "Pairs", "npmi_of_topics", "pairs_of_topics"]

Array = npt.NDArray[Any]

TOP_WORDS = 10


@dataclass(frozen=True, slots=True)
class Pairs:
    """The pairs of the top words of all topics, each once.

    listed_as   int32 [V]: the place of each word of the model among the T top words of any topic, ascending; -1 if it is none
    pair_ptr    int64 [T + 1], partners int32 [P]: the pairs by their lower word, ascending (see `count_together`)
    of_topics   int32 [K, n (n - 1) / 2]: the pairs of each topic, -1 where it has fewer words
    """

    listed_as: Array
    pair_ptr: Array
    partners: Array
    of_topics: Array


def pairs_of_topics(word_ptr: Array, topics: Array, counts: Array, n_topics: int, top: int = TOP_WORDS) -> Pairs:
    """The pairs of the `top` top words of each topic, from sparse counts by word. Memory: some 200 bytes a pair at most."""
    words, most = np.zeros((n_topics, top), np.int64), np.zeros((n_topics, top), np.float32)
    same = steady(topics.astype(np.uint32, copy=False)), steady(counts.astype(np.float32, copy=False))  # types for all models
    top_cells(steady(word_ptr), *same, steady(np.arange(n_topics, dtype=np.int32)), words, most)
    listed = np.unique(words[most > 0])
    listed_as = np.full(len(word_ptr) - 1, -1, np.int32)
    listed_as[listed] = np.arange(len(listed), dtype=np.int32)
    places = np.where(most > 0, listed_as[words], -1).astype(np.int64)
    left, right = np.triu_indices(top, 1)
    low, high = np.minimum(places[:, left], places[:, right]), np.maximum(places[:, left], places[:, right])
    keys = np.where(low < 0, -1, low * len(listed) + high)
    distinct, of_topics = np.unique(keys, return_inverse=True)
    fewer = int(distinct.size > 0 and distinct[0] < 0)  # -1 stands first, if there is one
    distinct = distinct[fewer:]
    width = max(len(listed), 1)
    pair_ptr = np.searchsorted(distinct // width, np.arange(len(listed) + 1)).astype(np.int64)
    of_topics = (of_topics.reshape(keys.shape) - fewer).astype(np.int32)
    return Pairs(listed_as, pair_ptr, (distinct % width).astype(np.int32), of_topics)


def npmi_of_topics(pairs: Pairs, alone: Array, together: Array, documents: int) -> Array:
    """The coherence of each topic: float64 [K], not a number where there is none.

    alone, together: int64 [T] and [P]: in how many of the `documents` each listed word stands, and each pair.
    """
    values = np.empty(len(together))
    npmi(alone, together, pairs.pair_ptr, pairs.partners, documents, values)
    sums, judged = np.zeros(len(pairs.of_topics)), np.zeros(len(pairs.of_topics), np.int64)
    for column in pairs.of_topics.T:
        value = np.where(column < 0, np.nan, values[column]) if len(values) else np.full(len(column), np.nan)
        there = ~np.isnan(value)
        sums[there] += value[there]
        judged += there
    found: Array = np.divide(sums, judged, out=np.full(len(sums), np.nan), where=judged > 0)
    return found
