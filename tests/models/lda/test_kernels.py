"""Each kernel against its slow, obvious twin: not a bit differs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare

from models.lda import naive
from models.lda.corpus import grid, random_docs
from regrow.models.lda import kernels
from regrow.models.lda.training.exchange import Packing, Tally, steady

KEYS = np.array([0x0123456789ABCDEF, 0xFEDCBA9876543210], np.uint64)
PRIORS = np.array([0.3, 11.7])
WORDS = 40


def pairs_and_totals(n: int, topics: int, seed: int = 5) -> tuple[Any, list[tuple[int, int]], Any]:
    """Random tokens as a kernel and as its twin take them, and totals that include them."""
    random = np.random.default_rng(seed)
    topic, proposal = np.minimum(random.geometric(0.15, (2, n)) - 1, topics - 1)
    topic[:2], proposal[:2] = topics - 1, topics - 2
    packing = Packing(topics)
    pairs = topic.astype(packing.pair) | proposal.astype(packing.pair) << packing.pair(packing.half)
    totals = np.bincount(topic, minlength=topics) + random.integers(0, 50, topics)
    return pairs, list(zip(topic.tolist(), proposal.tolist(), strict=True)), totals.astype(np.int32)


def unpacked(pairs: Any, topics: int) -> list[tuple[int, int]]:
    half = Packing(topics).half
    return [(p & ((1 << half) - 1), p >> half) for p in pairs.tolist()]


@pytest.mark.parametrize("topics", [7, 65536, 65537, 100_000])
@pytest.mark.parametrize("count_type", [np.int32, np.int64])
def test_a_visit_of_words_is_its_twin(topics: int, count_type: Any) -> None:
    part = grid(random_docs(60, WORDS, 12), WORDS, 3, 2)["columns"][1]
    tokens, row_ptr, slices = part["tokens"], part["row_ptr"], part["slices"]
    pairs, plain, totals = pairs_and_totals(len(tokens), topics)
    groups, tally = naive.words_of(slices, row_ptr), Tally(True, len(tokens))
    fresh = kernels.visit_words(
        pairs, Packing(topics).half, tokens, slices, row_ptr, totals.astype(count_type), PRIORS, KEYS, tally.dense, tally.large
    )
    expected, expected_fresh = naive.visit_groups(groups, tokens, plain, totals.tolist(), PRIORS, KEYS)
    assert unpacked(pairs, topics) == expected
    assert fresh.dtype == count_type
    assert fresh.tolist() == expected_fresh
    assert dict(zip(*map(np.ndarray.tolist, tally.histogram()), strict=True)) == naive.count_histogram(groups, [s for s, _ in plain])


@pytest.mark.parametrize("topics", [7, 65536, 65537, 100_000])
def test_a_visit_of_documents_is_its_twin(topics: int) -> None:
    part = grid(random_docs(60, WORDS, 12), WORDS, 3, 2)["rows"][1]
    first, cell = int(part["first_token"][0]), part["cell"]
    pairs, plain, totals = pairs_and_totals(len(cell), topics)
    groups, tally, items = naive.documents_of(part["doc_ptr"], cell), Tally(True, len(cell)), np.empty(len(cell), np.int64)
    items[cell] = first + np.arange(len(cell))
    fresh = kernels.visit_documents(
        pairs, Packing(topics).half, first, part["doc_ptr"], cell, totals, PRIORS, None, None, KEYS, tally.dense, tally.large
    )
    expected, expected_fresh = naive.visit_groups(groups, items, plain, totals.tolist(), PRIORS, KEYS)
    assert unpacked(pairs, topics) == expected
    assert fresh.tolist() == expected_fresh
    assert dict(zip(*map(np.ndarray.tolist, tally.histogram()), strict=True)) == naive.count_histogram(groups, [s for s, _ in expected])


def test_more_tokens_than_32_bits_can_number() -> None:
    """Ids of uint64, beyond 2^32, in a visit of words and in one of documents."""
    part = grid(random_docs(60, WORDS, 12), WORDS, 2, 2)["columns"][1]
    tokens, row_ptr, slices = steady(part["tokens"].astype(np.uint64) + np.uint64(2**40)), part["row_ptr"], part["slices"]
    pairs, plain, totals = pairs_and_totals(len(tokens), 7)
    nothing = np.zeros(0, np.int64)
    kernels.visit_words(pairs, 16, tokens, slices, row_ptr, totals, PRIORS, KEYS, nothing, nothing)
    assert unpacked(pairs, 7) == naive.visit_groups(naive.words_of(slices, row_ptr), tokens, plain, totals.tolist(), PRIORS, KEYS)[0]

    pairs, plain, totals = pairs_and_totals(30, 7)
    ptr, cell = steady(np.array([0, 11, 11, 30])), steady(np.random.default_rng(1).permutation(30).astype(np.uint64))
    kernels.visit_documents(pairs, 16, 2**40, ptr, cell, totals, PRIORS, None, None, KEYS, nothing, nothing)
    items = np.empty(30, np.int64)
    items[cell] = 2**40 + np.arange(30)
    assert unpacked(pairs, 7) == naive.visit_groups(naive.documents_of(ptr, cell), items, plain, totals.tolist(), PRIORS, KEYS)[0]


@pytest.mark.parametrize("documents", [0, 3])
def test_groups_larger_than_a_batch_and_many_in_one(documents: int) -> None:
    """One document of many batches' tokens among small ones: its bounds, and those of the batches, are kept."""
    lengths = np.array([*[5] * documents, 2 * kernels.BATCH + 3, 0, *[3] * 4000, 1], np.int64)
    n, ptr = int(lengths.sum()), steady(np.concatenate([[0], np.cumsum(lengths)]))
    pairs, plain, totals = pairs_and_totals(n, 7)
    nothing, cell = np.zeros(0, np.int64), steady(np.arange(n, dtype=np.uint32))
    kernels.visit_documents(pairs, 16, 0, ptr, cell, totals, PRIORS, None, None, KEYS, nothing, nothing)
    assert unpacked(pairs, 7) == naive.visit_groups(naive.documents_of(ptr, cell), range(n), plain, totals.tolist(), PRIORS, KEYS)[0]


def test_counts_too_large_for_the_array_are_listed() -> None:
    topic = np.array([3] * 9 + [1] * 5 + [2] * 2 + [0], np.uint32)
    pairs = topic | topic << np.uint32(16)
    dense, large = np.zeros(4, np.int64), np.zeros(5, np.int64)
    ids, ptr = steady(np.arange(17, dtype=np.uint32)), steady(np.array([0, 17], np.int64))
    kernels.visit_documents(pairs, 16, 0, ptr, ids, np.ones(4, np.int32), PRIORS, None, None, KEYS, dense, large)
    counts = sorted(np.bincount(pairs & np.uint32(0xFFFF)).tolist())
    assert sorted(large[1 : 1 + large[0]].tolist()) == [c for c in counts if c >= 4]
    assert dense.tolist() == [0] + [counts.count(c) for c in (1, 2, 3)]


@pytest.mark.parametrize("topics", [7, 65536, 65537])
def test_first_topics_are_their_twin_and_their_own_proposals(topics: int) -> None:
    tokens = steady(np.array([0, 1, 2, 77, 4_000_000_000], np.uint32))
    pairs = np.zeros(len(tokens), Packing(topics).pair)
    kernels.first_pairs(pairs, tokens, topics, Packing(topics).half, KEYS[0])
    expected = [naive.first_topic(int(KEYS[0]), int(token), topics) for token in tokens]
    assert unpacked(pairs, topics) == [(k, k) for k in expected]


def test_the_sparse_counts_of_words_are_their_twin() -> None:
    part = grid(random_docs(60, WORDS, 12), WORDS, 3, 2)["columns"][0]
    groups = naive.words_of(part["slices"], part["row_ptr"])
    topic = np.random.default_rng(3).integers(0, 9, len(part["tokens"])).astype(np.uint16)
    ptr, columns, counts = np.empty(len(groups) + 1, np.int64), np.empty(len(topic), np.uint16), np.empty(len(topic), np.int32)
    totals = kernels.word_topics(topic, part["slices"], part["row_ptr"], 9, ptr, columns, counts)
    for w, group in enumerate(groups):
        cells = sorted(naive.Counter(topic[group].tolist()).items())
        assert list(zip(columns[ptr[w] : ptr[w + 1]].tolist(), counts[ptr[w] : ptr[w + 1]].tolist(), strict=True)) == cells
    assert totals.tolist() == np.bincount(topic, minlength=9).tolist()


def test_proposals_follow_counts_plus_prior() -> None:
    """Positioning draws topic k with probability (C_gk + b) / (n + K b), for groups of 12 tokens in 6 topics (chi-square)."""
    topics, n, groups, prior = 6, 12, 20_000, 0.7
    own = np.array([0] * 6 + [1] * 3 + [2] * 2 + [4], np.uint32)
    topic = np.tile(own, groups)
    pairs = topic | topic << np.uint32(16)
    ptr, cell = steady(np.arange(0, groups * n + 1, n)), steady(np.arange(groups * n, dtype=np.uint32))
    nothing = np.zeros(0, np.int64)
    totals, priors = np.full(topics, 100, np.int32), np.array([prior, 3.0])
    kernels.visit_documents(pairs, 16, 0, ptr, cell, totals, priors, None, None, KEYS, nothing, nothing)
    assert np.array_equal(pairs & np.uint32(0xFFFF), topic)
    drawn = np.bincount(pairs >> np.uint32(16), minlength=topics)
    expected = (np.bincount(own, minlength=topics) + prior) / (n + topics * prior)
    assert chisquare(drawn, expected * drawn.sum()).pvalue > 1e-3


def test_acceptance_has_the_probability_of_its_formula() -> None:
    """One group shape many times: tokens of topic 0 propose topic 1; a binomial deviation beyond 4 sigma is a fault."""
    groups, prior, prior_sum = 30_000, 0.5, 2.0
    topic, proposal = np.array([0, 0, 0, 1], np.uint32), np.array([1, 0, 0, 1], np.uint32)
    totals = np.array([40, 60], np.int32)
    pairs = np.tile(topic | proposal << np.uint32(16), groups)
    ptr, cell = steady(np.arange(0, groups * 4 + 1, 4)), steady(np.arange(groups * 4, dtype=np.uint32))
    nothing = np.zeros(0, np.int64)
    kernels.visit_documents(pairs, 16, 0, ptr, cell, totals, np.array([prior, prior_sum]), None, None, KEYS, nothing, nothing)
    p = (1 + prior) * (40 - 1 + prior_sum) / ((3 - 1 + prior) * (60 + prior_sum))
    moved = int(((pairs[::4] & np.uint32(0xFFFF)) == 1).sum())
    assert abs(moved - groups * p) < 4 * (groups * p * (1 - p)) ** 0.5
