"""Every kernel of LDA called once on a corpus of one token, so that no worker compiles."""

from __future__ import annotations

import numpy as np

from regrow.models.lda.training import merging, starting_kernels
from regrow.models.lda.training.likelihood import joint_log_likelihood
from regrow.models.lda.training.packing import Packing, steady
from regrow.models.lda.training.priors import Priors, learned_alpha, learned_beta
from regrow.models.lda.training.visits import Known, Words, visit_documents

__all__ = ["warm"]


def warm(topics: int, *, merging_too: bool, continued: bool) -> None:
    """Compile or load what a program with so many topics calls."""
    packing, one, ids = Packing(topics), steady(np.array([0, 1], np.int64)), steady(np.zeros(1, np.uint32))
    slices, pairs, words = steady(np.array([[0, 1]], np.uint32)), np.zeros(1, packing.pair), steady(np.zeros(1, np.int32))
    minima, key = np.zeros((1, starting_kernels.HASHES), np.float32), np.uint64(1)
    starting_kernels.minima_of_documents(words, np.ones(1, np.int64), slices[0], ids, 1.0, key, minima)
    starting_kernels.minhash_pairs(pairs, packing.half, topics, 0, 0, one, ids, steady(minima), key)
    starting_kernels.random_pairs(pairs, packing.half, topics, 0, ids, key)
    if continued:
        starting_kernels.continued_pairs(pairs, ids, slices, one, topics, packing.half, key)
    totals, priors = np.ones(topics, np.int32), Priors(1.0, 1.0, topics)
    corpus = Known(totals, 1)
    lists = visit_documents({"doc_ptr": one, "cell": ids, "first_token": one[:1]}, pairs, corpus, priors, key)
    columns = {"tokens": ids, "documents": ids, "slices": slices, "row_ptr": one}
    wide = np.array([1 << 32, 0, 0, 0], np.uint64)  # as a document of more than 65,535 tokens has it
    for entries in (wide, lists.entries):
        places = np.zeros(1, packing.topic)
        visit = Words(columns, [{"blocks": lists.blocks, "entries": entries, "places": places}], topics)
        visit.visit(corpus, priors, key)
        visit.spread(corpus, priors, key, 2)
        visit.spread(corpus, priors, key, 1)
    visit.pairs(1.0, key)
    histogram = (np.ones(1, np.int64), np.ones(1, np.int64))
    joint_log_likelihood(np.ones(2, np.int64), histogram, histogram, histogram, 1, 1.0, 1.0)
    learned_alpha(np.ones(topics), (np.ones(1, np.uint64), np.ones(1, np.int64)), histogram)
    learned_beta(1.0, histogram, totals, 1)
    if merging_too:
        top = merging.top_words(*visit.counts, totals, np.zeros(1, np.int32))
        both = merging.TopWords.joined([top.packed(), top.packed()])
        merging.follow(merging.changes(merging.leaders_of(both, totals)), pairs, totals, packing.half)
