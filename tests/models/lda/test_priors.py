"""Learned priors: kernels against their slow twins, the fixed point finds what made the data, the grid changes nothing."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from scipy.special import psi
from scipy.stats import chisquare

from models.lda import naive
from models.lda.corpus import facts, grid, planted_docs
from models.lda.test_kernels import KEYS, WORDS, pairs_and_totals, unpacked
from models.lda.test_program import DOCS, as_bytes, run
from models.lda.test_program import WORDS as N_WORDS
from reference import Reference
from regrow.errors import UsageError
from regrow.models.lda import LDA, kernels
from regrow.models.lda.training import priors_kernels
from regrow.models.lda.training.exchange import Packing, Tally, steady
from regrow.models.lda.training.likelihood import histogram_of
from regrow.models.lda.training.priors import FLOOR, STEPS, Priors, cells_of_documents, learned_alpha, learned_beta
from regrow.models.lda.training.schedule import Schedule


def priors_of(topics: int) -> Any:
    return np.random.default_rng(topics).gamma(0.3, 1.0, topics) + 1e-6


@pytest.mark.parametrize("topics", [2, 7, 1000, 65537])
def test_columns_of_an_alias_table_add_up_to_the_prior(topics: int) -> None:
    alpha = priors_of(topics)
    table = priors_kernels.alias_table(alpha)
    own, other = (table & np.uint64(0xFFFFFFFF)).astype(float) / 2**32, (table >> np.uint64(32)).astype(int)
    share = own + np.bincount(other, 1 - own, topics)
    assert np.allclose(share, alpha * topics / alpha.sum(), atol=topics * 2.0**-32)


@pytest.mark.parametrize("topics", [7, 65536, 65537])
def test_a_visit_of_documents_with_a_prior_of_each_topic_is_its_twin(topics: int) -> None:
    part = grid([list(np.arange(n) % WORDS) for n in (12, 0, 31, 1, 7, 22)] * 5, WORDS, 2, 2)["rows"][1]
    first, cell, alpha = int(part["first_token"][0]), part["cell"], steady(priors_of(topics))
    pairs, plain, totals = pairs_and_totals(len(cell), topics)
    groups, items = naive.documents_of(part["doc_ptr"], cell), np.empty(len(cell), np.int64)
    table = steady(priors_kernels.alias_table(alpha))
    items[cell] = first + np.arange(len(cell))
    priors, nothing = np.array([Priors(alpha, 0.1, topics).alpha_sum, 11.7]), np.zeros(0, np.int64)
    fresh = kernels.visit_documents(
        pairs, Packing(topics).half, first, part["doc_ptr"], cell, totals, priors, alpha, table, KEYS, nothing, nothing
    )
    expected = list(plain)
    for group in groups:
        tokens = [(*plain[i], int(items[i])) for i in group]
        for i, pair in zip(group, naive.visit_unequal(tokens, totals.tolist(), alpha.tolist(), table.tolist(), 11.7, KEYS), strict=True):
            expected[i] = pair
    assert unpacked(pairs, topics) == expected
    assert fresh.tolist() == np.bincount([s for s, _ in expected], minlength=topics).tolist()


def test_proposals_follow_counts_plus_the_prior_of_each_topic() -> None:
    """Topic k is proposed with probability (C_dk + a_k) / (n + A), in documents of 12 tokens (chi-square)."""
    alpha, groups = steady(np.array([0.1, 2.0, 0.01, 4.0, 0.5, 1.0])), 20_000
    own = np.array([0] * 6 + [1] * 3 + [2] * 2 + [4], np.uint32)
    topic = np.tile(own, groups)
    pairs, nothing = topic | topic << np.uint32(16), np.zeros(0, np.int64)
    ptr, cell = steady(np.arange(0, len(topic) + 1, 12)), steady(np.arange(len(topic), dtype=np.uint32))
    table, priors = steady(priors_kernels.alias_table(alpha)), np.array([float(alpha.sum()), 3.0])
    kernels.visit_documents(pairs, 16, 0, ptr, cell, np.full(6, 100, np.int32), priors, alpha, table, KEYS, nothing, nothing)
    drawn = np.bincount(pairs >> np.uint32(16), minlength=6)
    expected = (np.bincount(own, minlength=6) + alpha) / (12 + alpha.sum())
    assert chisquare(drawn, expected * drawn.sum()).pvalue > 1e-3


@pytest.mark.parametrize("topics", [7, 65537])
@pytest.mark.parametrize("chunk", [1, 20, 1 << 20])
def test_the_cells_of_documents_are_their_twin(topics: int, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regrow.models.lda.training.priors.CHUNK", chunk)
    part = grid(DOCS, N_WORDS, 2, 3)["rows"][1]
    pairs, plain, _ = pairs_and_totals(len(part["cell"]), topics)
    keys, numbers = cells_of_documents(pairs, Packing(topics).half, part["doc_ptr"], part["cell"], topics)
    expected = naive.cells(naive.documents_of(part["doc_ptr"], part["cell"]), [s for s, _ in plain])
    assert [(key >> 32, key & 0xFFFFFFFF) for key in keys.tolist()] == list(expected)
    assert numbers.tolist() == list(expected.values())


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
    model, mask = LEARNING.model(results), np.uint32(0xFFFF)
    for rounds in range(1, LEARNING.rounds + 1):
        z: list[list[int]] = []
        for r, part in enumerate(layouts["rows"]):
            out = reference.history["docs", rounds - 1, r]
            last = rounds == LEARNING.rounds
            cells = out.results["pairs"] if last else np.concatenate([out.messages["words", c]["pairs"] for c in range(3)])
            z += [(cells & mask)[group].tolist() for group in naive.documents_of(part["doc_ptr"], part["cell"])]
        newest = max(at for name, at, _ in reference.history if name == "priors" and at < rounds)
        priors = reference.history["priors", newest, 0].results
        alpha, beta = priors["alpha"].tolist(), float(priors["beta"])
        expected = naive.joint_log_likelihood(DOCS, z, 6, N_WORDS, alpha, beta) / tokens
        found = results.metrics["final_log_likelihood"] if last else reference.metrics_of(rounds)["log_likelihood"]
        assert found == pytest.approx(expected, rel=1e-10), rounds
    assert (model["alpha"].tolist(), model["beta"].tolist()) == (alpha, [beta])
    assert (results.metrics["alpha_sum"], results.metrics["beta"]) == (pytest.approx(sum(alpha)), beta)


def test_what_is_learned_is_what_the_counts_of_the_round_before_say() -> None:
    """The first step of learning, in round 4 here, from the topics of all tokens after four rounds; beta from those after three."""
    layouts = grid(DOCS, N_WORDS, 2, 2)
    reference = Reference(LEARNING, layouts, facts(DOCS, N_WORDS))
    reference.run()
    documents, words = [], [Counter[int]() for _ in range(N_WORDS)]
    for r, part in enumerate(layouts["rows"]):
        sent = np.concatenate([reference.history["docs", 3, r].messages["words", c]["pairs"] for c in range(2)]) & np.uint32(0xFFFF)
        documents += [sent[group].tolist() for group in naive.documents_of(part["doc_ptr"], part["cell"])]
    for c, part in enumerate(layouts["columns"]):
        sent = np.concatenate([reference.history["docs", 2, r].messages["words", c]["pairs"] for r in range(2)]) & np.uint32(0xFFFF)
        for word, group in zip(part["words"].tolist(), naive.words_of(part["slices"], part["row_ptr"]), strict=True):
            words[word] = Counter(sent[group].tolist())
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


def test_counts_are_not_tallied_where_they_are_not_asked_for() -> None:
    assert Tally(False, 1000).dense.size == 0
