"""Learned priors: kernels against their slow twins, the fixed point finds what made the data, the grid changes nothing."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from scipy.special import psi

from models.lda import naive
from models.lda.corpus import facts, grid, planted_docs
from models.lda.test_program import DOCS, as_bytes, run, topics_after_documents, topics_at_the_end
from models.lda.test_program import WORDS as N_WORDS
from reference import Reference
from regrow.errors import UsageError
from regrow.models.lda import LDA
from regrow.models.lda.training import priors_kernels
from regrow.models.lda.training.likelihood import histogram_of
from regrow.models.lda.training.priors import FLOOR, STEPS, learned_alpha, learned_beta
from regrow.models.lda.training.schedule import Schedule


def test_rises_of_psi_are_right_however_they_are_summed() -> None:
    """Short sums and long ones, from small and large starts, against scipy."""
    for prior in (1e-6, 0.01, 3.7, 15.9, 16.0, 1e4):
        for value in (1, 5, 64, 65, 66, 1000, 10**6, 10**9):
            one = np.zeros(1, np.int64)
            found = priors_kernels.gains(one, np.array([value]), one + 3, np.array([prior]))[0]
            assert found == pytest.approx(3 * (psi(value + prior) - psi(prior)), rel=1e-9), (prior, value)
    values, groups = np.array([1, 2, 70, 500, 3, 400]), np.array([0, 0, 0, 0, 2, 2])
    found = priors_kernels.gains(groups, values, np.arange(1, 7), np.array([0.3, 9.0, 0.7]))
    expected = [naive.gain({1: 1, 2: 2, 70: 3, 500: 4}, 0.3), 0.0, naive.gain({3: 5, 400: 6}, 0.7)]
    assert found.tolist() == pytest.approx(expected, rel=1e-13)


def drawn_documents(alpha: Any, documents: int, length: int) -> list[list[int]]:
    random = np.random.default_rng(3)
    return [random.choice(len(alpha), random.integers(1, 2 * length), p=random.dirichlet(alpha)).tolist() for _ in range(documents)]


def as_cells(documents: list[list[int]]) -> Any:
    found = Counter((k << 32 | n) for own in documents for k, n in Counter(own).items())
    return np.array(sorted(found), np.uint64), np.array([found[key] for key in sorted(found)], np.int64)


def test_learning_alpha_is_its_twin_and_finds_what_made_the_documents() -> None:
    alpha = np.array([2.0, 0.5, 0.15, 0.7, 0.2])
    documents = drawn_documents(alpha, 4000, 30)
    cells, lengths = as_cells(documents), histogram_of(np.array([len(own) for own in documents]))
    few = documents[:60]
    start = np.full(6, 0.4)
    small = learned_alpha(start, as_cells(few), histogram_of(np.array([len(own) for own in few])))
    assert small.tolist() == pytest.approx(naive.learned_alpha(start.tolist(), few, FLOOR, STEPS), rel=1e-12)
    assert small[5] == pytest.approx(FLOOR * small.mean(), rel=0.05), "nobody has this topic"
    found = np.full(5, 1.0)
    for _ in range(40):
        found = learned_alpha(found, cells, lengths)
    assert np.allclose(found, alpha, rtol=0.15)


def test_learning_beta_is_its_twin_and_finds_what_made_the_topics() -> None:
    random, beta, topics, vocabulary = np.random.default_rng(5), 0.07, 40, 300
    table = np.array([random.multinomial(2000, random.dirichlet(np.full(vocabulary, beta))) for _ in range(topics)]).T
    words = histogram_of(table[table > 0])
    found = 1.0
    for _ in range(20):
        found = learned_beta(found, words, table.sum(axis=0), vocabulary)
    assert found == pytest.approx(beta, rel=0.1)
    twin = naive.learned_beta(1.0, [Counter(dict(enumerate(row[row > 0].tolist()))) for row in table[:, :1]], 1, vocabulary, 0)
    assert twin == 1.0
    small = table[:50, :6]
    by_word = [Counter({k: int(n) for k, n in enumerate(row) if n}) for row in small]
    expected = naive.learned_beta(0.5, by_word, 6, 50, STEPS)
    assert learned_beta(0.5, histogram_of(small[small > 0]), small.sum(axis=0), 50) == pytest.approx(expected, rel=1e-12)


def test_a_schedule_is_met_by_the_rounds_of_its_step() -> None:
    for every in (1, 2, 7, 10):
        for offset in (0, 3, 120):
            schedule = Schedule(every, 2, 500)
            step = schedule.step(offset)
            assert all((round - offset) % step == 0 for round in range(offset, 300) if schedule.due(round))
    assert [round for round in range(100) if Schedule(10, 20, 60).due(round)] == [25, 35, 45, 55]
    assert Schedule(0, 2, 500).step(3) == 0


# In training

LEARN: dict[str, Any] = {"learn_alpha": True, "learn_beta": True, "learn_every": 3, "learn_from": 2}
LEARNING = LDA(topics=6, alpha_sum=2.0, beta=0.05, rounds=9, likelihood_every=1, **LEARN)


@pytest.mark.parametrize("topics", [12, 65_537])
def test_the_grid_changes_no_byte_of_a_model_with_learned_priors(topics: int) -> None:
    program = LDA(topics=topics, rounds=12, likelihood_every=3, merge_every=4, **LEARN)
    runs = [run(program, DOCS, N_WORDS, *shape) for shape in ((1, 1), (2, 3), (5, 7))]
    models = [as_bytes(model) for _, _, model in runs]
    assert models[0] == models[1] == models[2]
    for round in range(12):
        assert runs[0][0].metrics_of(round) == runs[1][0].metrics_of(round) == runs[2][0].metrics_of(round)
    assert len(set(runs[0][2]["alpha"].tolist())) > 2
    assert runs[0][2]["beta"][0] != program.beta


def test_the_likelihood_is_that_of_the_textbook_under_the_priors_of_its_round() -> None:
    layouts, tokens = grid(DOCS, N_WORDS, 2, 3), sum(map(len, DOCS))
    reference = Reference(LEARNING, layouts, facts(DOCS, N_WORDS))
    results = reference.run()
    model = LEARNING.model(results)
    for round in range(1, LEARNING.rounds + 1):
        last = round == LEARNING.rounds
        z = topics_at_the_end(layouts, results) if last else topics_after_documents(layouts, reference, round)
        newest = max(at for name, at, _ in reference.history if name == "priors" and at <= round)
        priors = reference.history["priors", newest, 0].results
        alpha, beta = priors["alpha"].tolist(), float(priors["beta"])
        expected = naive.joint_log_likelihood(DOCS, z, 6, N_WORDS, alpha, beta) / tokens
        found = results.metrics["final_log_likelihood"] if last else reference.metrics_of(round)["log_likelihood"]
        assert found == pytest.approx(expected, rel=1e-10), round
    assert (model["alpha"].tolist(), model["beta"].tolist()) == (alpha, [beta])
    assert (results.metrics["alpha_sum"], results.metrics["beta"]) == (pytest.approx(sum(alpha)), beta)


def test_what_is_learned_is_what_the_counts_of_the_round_before_say() -> None:
    """The first step of learning, in round 4 here, from the topics of all tokens after the documents' visit of round 3."""
    layouts = grid(DOCS, N_WORDS, 2, 2)
    reference = Reference(LEARNING, layouts, facts(DOCS, N_WORDS))
    reference.run()
    documents = topics_after_documents(layouts, reference, 3)
    words = [Counter[int]() for _ in range(N_WORDS)]
    for doc, own in zip(DOCS, documents, strict=True):
        for w, k in zip(doc, own, strict=True):
            words[w][k] += 1
    learned = reference.history["priors", 4, 0].results
    assert learned["alpha"].tolist() == pytest.approx(naive.learned_alpha([2.0 / 6] * 6, documents, FLOOR, STEPS), rel=1e-12)
    assert float(learned["beta"]) == pytest.approx(naive.learned_beta(0.05, words, 6, N_WORDS, STEPS), rel=1e-12)


def test_frequent_topics_get_a_larger_prior() -> None:
    docs = planted_docs(300, topics=3, words_a_topic=20, length=30)
    docs = [[w for w in doc if w < 20 or i % 10 == 0] for i, doc in enumerate(docs)]
    program = LDA(topics=3, alpha_sum=1.0, rounds=60, learn_alpha=True, likelihood_every=0)
    model = run(program, docs, 60, 2, 2)[2]
    assert np.argsort(model["alpha"]).tolist() == np.argsort(model["topic_totals"]).tolist()
    assert model["alpha"].max() > 4 * model["alpha"].min()


@pytest.mark.parametrize("parameters", [{"learn_every": 0}, {"learn_from": 1}, {"merge_every": -1}])
def test_rounds_that_cannot_be_are_refused_with_advice(parameters: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="every"):
        LDA(**parameters)
