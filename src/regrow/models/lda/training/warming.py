"""Every kernel of LDA called once on a corpus of one token, so that no worker compiles."""

from __future__ import annotations

import numpy as np

from regrow.models.lda import kernels
from regrow.models.lda.training import merging
from regrow.models.lda.training.exchange import Tally
from regrow.models.lda.training.likelihood import joint_log_likelihood
from regrow.models.lda.training.packing import Packing, steady
from regrow.models.lda.training.priors import Priors, cells_of_documents, learned_alpha, learned_beta
from regrow.models.lda.training.table import word_counts

__all__ = ["warm"]


def warm(topics: int, *, unequal: bool, merging_too: bool, continued: bool) -> None:
    """Compile or load what a program with so many topics calls. unequal: with a prior of each topic."""
    packing, one = Packing(topics), steady(np.array([0, 1], np.int64))
    half, pairs, totals = packing.half, np.zeros(1, packing.pair), np.ones(topics, np.int32)
    two, random = np.ones(2), np.ones(2, np.uint64)
    ids, slices, tally = steady(np.zeros(1, np.uint32)), steady(np.array([[0, 1]], np.uint32)), Tally(True, 1)
    if continued:
        kernels.continued_pairs(pairs, ids, slices, one, topics, half, random[0])
    kernels.first_pairs(pairs, ids, topics, half, random[0])
    kernels.visit_words(pairs, half, ids, slices, one, totals, two, random, tally.dense, tally.large)
    priors = Priors(np.ones(topics) if unequal else 1.0, 1.0, topics)
    priors = Priors.of({**priors.packed(), **priors.table()}, topics)
    kernels.visit_documents(pairs, half, 0, one, ids, totals, two, priors.unequal, priors.alias, random, tally.dense, tally.large)
    topic = np.zeros(1, packing.topic)
    kernels.topics_of(pairs, topic)
    ptr, columns, counts, _ = word_counts(topic, slices, one, topics)
    cells, ones = cells_of_documents(pairs, half, one, ids, topics), (np.ones(1, np.int64), np.ones(1, np.int64))
    joint_log_likelihood(np.ones(2, np.int64), ones, ones, ones, 1, 1.0, 1.0)
    learned_alpha(np.ones(topics), cells, ones)
    learned_beta(1.0, ones, totals, 1)
    if merging_too:
        top = merging.top_words(ptr, columns, counts, totals, np.zeros(1, np.int32))
        both = merging.TopWords.joined([top.packed(), top.packed()])
        merging.follow(merging.changes(merging.leaders_of(both, totals)), pairs, totals, half)
