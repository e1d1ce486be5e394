"""Topics that say the same: found as by comparing all with all, merged without a byte that depends on the grid, and used anew."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.lda import naive
from models.lda.corpus import facts, grid, planted_docs
from models.lda.test_program import DOCS, WORDS, as_bytes, run, topics_after_documents
from reference import Reference
from regrow.models.lda import LDA
from regrow.models.lda.training import merging
from regrow.models.lda.training.merging import TopWords, changes, distinct_topics, follow, leaders_of, top_words
from regrow.models.lda.training.packing import Packing
from regrow.models.lda.training.priors import Priors


def random_table(words: int, topics: int, seed: int = 1, copies: int = 3) -> Any:
    """Words by topics: every topic has some words of its own; every `copies`-th resembles another."""
    random = np.random.default_rng(seed)
    p = random.dirichlet(np.full(words, 0.05), topics)
    for k in range(copies, topics, copies):
        mix = random.uniform(0.3, 1.0)
        p[k] = mix * p[random.integers(k)] + (1 - mix) * p[k]
    background = np.full(words, 1 / words)
    sizes = random.integers(0, 400, topics) * (random.random(topics) > 0.1)
    return np.array([random.multinomial(n, 0.7 * own + 0.3 * background) for n, own in zip(sizes, p, strict=True)]).T


def sparse(table: Any, words: Any = None) -> tuple[Any, Any, Any]:
    rows = table if words is None else table[words]
    ptr = np.concatenate([[0], np.cumsum((rows > 0).sum(axis=1))]).astype(np.int64)
    return ptr, np.nonzero(rows)[1].astype(np.uint16), rows[rows > 0].astype(np.int32)


@pytest.mark.parametrize("same", [0.3, 0.5, 0.8])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_groups_are_those_of_comparing_all_with_all(same: float, seed: int) -> None:
    table = random_table(90, 40, seed)
    totals = table.sum(axis=0)
    found = leaders_of(top_words(*sparse(table), totals), totals, same).tolist()
    assert found == naive.leaders(table, same, merging.WORDS, merging.WORDS_MIN)
    assert same == 0.8 or found != list(range(40))


@pytest.mark.parametrize("parts", [1, 2, 7])
def test_top_words_of_parts_of_the_vocabulary_join_to_those_of_all(parts: int) -> None:
    table = random_table(90, 40)
    totals, whole = table.sum(axis=0), top_words(*sparse(table), table.sum(axis=0))
    sets = [np.arange(c, 90, parts) for c in range(parts)]
    joined = TopWords.joined([top_words(*sparse(table, words), totals, words.astype(np.int32)).packed() for words in sets])
    for name in ("ptr", "words", "weights"):
        assert np.array_equal(getattr(joined, name), getattr(whole, name)), name
    assert np.diff(whole.ptr).max() <= merging.WORDS


def test_words_that_all_topics_have_make_none_alike() -> None:
    """Topics of half common words: two with the same words of their own, or all with different ones."""
    table = np.zeros((60, 3), np.int64)
    table[:30, :] = 20
    table[30:36, 0] = table[36:42, 1] = table[30:36, 2] = 50
    assert distinct_topics(*sparse(table), table.sum(axis=0)) == 2
    table[30:36, 2], table[42:48, 2] = 0, 50
    assert distinct_topics(*sparse(table), table.sum(axis=0)) == 3


def test_topics_without_tokens_do_not_count_and_those_too_small_to_be_compared_do() -> None:
    table = np.zeros((8, 5), np.int64)
    table[:6, 0], table[6, 1], table[7, 2], table[6, 3] = 50, 9, 1, 8
    assert distinct_topics(*sparse(table), table.sum(axis=0)) == 4
    nothing = np.zeros((6, 4), np.int64)
    nothing[0, 0] = 1
    assert distinct_topics(*sparse(nothing), nothing.sum(axis=0)) == 1


@pytest.mark.parametrize("topics", [9, 65_537])
def test_tokens_proposals_and_totals_follow(topics: int) -> None:
    packing, random = Packing(topics), np.random.default_rng(1)
    topic, proposal = random.integers(0, 9, (2, 50)) + topics - 9
    pairs = topic.astype(packing.pair) | proposal.astype(packing.pair) << packing.pair(packing.half)
    leader = np.arange(topics, dtype=np.int32)
    leader[[topics - 1, topics - 4]] = topics - 6
    totals = np.bincount(topic, minlength=topics).astype(np.int32)
    follow(changes(leader), pairs, totals, packing.half)
    assert pairs.tolist() == [int(leader[s]) | int(leader[t]) << packing.half for s, t in zip(topic, proposal, strict=True)]
    assert totals.tolist() == np.bincount(leader[topic], minlength=topics).tolist()


def test_a_leader_gets_the_prior_of_its_group_and_an_empty_topic_that_of_a_usual_one() -> None:
    priors = Priors(np.array([0.5, 0.1, 0.2, 0.4, 9.0]), 0.1, 5).merged(np.array([0, 1, 0, 0, 4], np.int32))
    assert isinstance(priors.alpha, np.ndarray)
    assert priors.alpha.tolist() == pytest.approx([1.1, 0.1, 0.5, 0.5, 9.0])
    assert Priors(0.5, 0.1, 5).merged(np.array([0, 0, 2, 3, 4], np.int32)).alpha == 0.5


# In training


@pytest.mark.parametrize("more", [{}, {"learn_alpha": True, "learn_beta": True, "learn_every": 4, "learn_from": 2}])
def test_the_grid_changes_no_byte_of_a_model_with_mergers(more: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "SAME", 0.2)  # so that much is merged
    program = LDA(topics=12, alpha_sum=2.0, rounds=16, likelihood_every=1, merge_every=4, **more)
    runs = [run(program, DOCS, WORDS, *shape) for shape in ((1, 1), (2, 3), (5, 7))]
    assert as_bytes(runs[0][2]) == as_bytes(runs[1][2]) == as_bytes(runs[2][2])
    assert runs[0][1].metrics == runs[1][1].metrics == runs[2][1].metrics
    assert runs[0][1].metrics["merged_topics"] > 0


def test_a_merger_moves_all_tokens_and_the_likelihoods_around_it_are_those_of_the_textbook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "SAME", 0.1)
    layouts, tokens = grid(DOCS, WORDS, 2, 3), sum(map(len, DOCS))
    reference = Reference(LDA(topics=8, rounds=12, likelihood_every=1, merge_every=8, alpha_sum=0.8), layouts, facts(DOCS, WORDS))
    reference.run()
    sent = reference.history["priors", 4, 0].messages["docs", None]
    assert len(sent["merged"])
    freed = np.isin(np.arange(8), sent["merged"])
    for round in range(1, 12):
        z = topics_after_documents(layouts, reference, round)
        expected = naive.joint_log_likelihood(DOCS, z, 8, WORDS, 0.8 / 8, 0.01) / tokens
        assert reference.metrics_of(round)["log_likelihood"] == pytest.approx(expected, rel=1e-10), round
        there = np.bincount(np.concatenate(z).astype(int), minlength=8)
        if round == 4:
            assert not there[freed].any(), "after the documents have followed nobody has what is gone"
        if round == 11:
            assert there[freed].any(), "what became empty is used anew"


def test_duplicates_become_one_and_what_is_freed_finds_a_topic_that_was_missed() -> None:
    docs = planted_docs(500, topics=8, words_a_topic=15, length=20)
    found = {}
    for every in (0, 20):
        model = run(LDA(topics=10, alpha_sum=1.0, rounds=120, likelihood_every=0, merge_every=every), docs, 120, 2, 2)[2]
        found[every] = distinct_topics(*(model[name] for name in ("word_ptr", "topics", "counts", "topic_totals")))
    assert found[20] >= found[0]


def test_none_in_the_last_quarter() -> None:
    program = LDA(topics=4, rounds=40, likelihood_every=0, merge_every=10)
    assert [round for round in range(40) if program._calendar.merges(round)] == [5, 15, 25]
