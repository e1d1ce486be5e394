"""Going on with a finished run: as if it had never ended, and with tokens of new documents."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.lda import naive
from models.lda.corpus import Layouts, facts, grid, random_docs
from models.lda.test_kernels import KEY, unpacked
from models.lda.test_program import DOCS, WORDS, as_bytes
from reference import Reference
from regrow.models.lda import LDA
from regrow.models.lda.training import document_kernels, merging, starting_kernels, word_kernels
from regrow.models.lda.training.packing import Packing, steady
from regrow.program import Results

LEARN: dict[str, Any] = {"learn_alpha": True, "learn_beta": True, "learn_every": 4, "learn_from": 2}


def trained(program: LDA, layouts: Layouts, docs: list[list[int]]) -> tuple[Results, Any]:
    results = Reference(program, layouts, facts(docs, WORDS)).run()
    return results, program.model(results)


def to_go_on(layouts: Layouts, kept: dict[int, int], model: Any, pair: Any) -> Layouts:
    """The layouts with what was kept of each token; all bits of others."""
    columns = []
    for part in layouts["columns"]:
        pairs = np.array([kept.get(token, int(np.iinfo(pair).max)) for token in part["tokens"].tolist()], pair)
        pairs.flags.writeable = False
        columns.append({**part, "pairs": pairs})
    return {**layouts, "columns": columns, "priors": [{"alpha": model["alpha"], "beta": model["beta"]}]}


def by_token(layouts: Layouts, results: Results) -> dict[int, int]:
    """What was kept of each token."""
    found = {}
    for part, own in zip(layouts["rows"], results["topics_of_tokens"], strict=True):
        first = int(part["first_token"][0])
        found.update({first + i: int(own["pairs"][slot]) for i, slot in enumerate(part["cell"].tolist())})
    return found


@pytest.mark.parametrize(
    ("topics", "more"),
    [
        (6, {}),
        (65_537, {}),
        (6, LEARN),
        (65_537, LEARN),
        (6, {"learn_beta": True, "learn_every": 4}),
        (15, {"merge_every": 10, **LEARN}),
        (6, {"draws": 1}),
    ],
)
def test_two_runs_in_a_row_are_one_to_the_last_byte(topics: int, more: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """12 rounds and 12 more are 24; the second run may have another grid, and must not draw what the first drew."""
    monkeypatch.setattr(merging, "SAME", 0.2)  # so that there are mergers, in rounds 5 and 15
    whole = LDA(topics=topics, rounds=24, likelihood_every=0, **more)
    first = LDA(topics=topics, rounds=12, likelihood_every=0, **more)
    second = LDA(topics=topics, rounds=12, likelihood_every=0, first_round=12, continued=True, **more)
    layouts, other = grid(DOCS, WORDS, 2, 3), grid(DOCS, WORDS, 3, 2)
    results, model = trained(first, layouts, DOCS)
    pair = Packing(topics).pair
    after, found = trained(second, to_go_on(other, by_token(layouts, results), model, pair), DOCS)
    at_once, expected = trained(whole, layouts, DOCS)
    assert as_bytes(found) == as_bytes(expected) != as_bytes(model)
    merged = [run.metrics.get("merged_topics", 0) for run in (results, after, at_once)]
    assert merged[0] + merged[1] == merged[2]
    assert not more.get("merge_every") or merged[0] * merged[1] > 0


@pytest.mark.parametrize("topics", [6, 65_537])
def test_tokens_of_new_documents_begin_with_topics_of_their_words(topics: int) -> None:
    packing, part = Packing(topics), grid(random_docs(60, WORDS, 12), WORDS, 3, 2)["columns"][1]
    random, n = np.random.default_rng(1), len(part["tokens"])
    topic, proposal, old = random.integers(0, topics, n), random.integers(0, topics, n), random.random(n) < 0.3
    pairs = topic.astype(packing.pair) | proposal.astype(packing.pair) << packing.pair(packing.half)
    pairs[~old] = np.iinfo(packing.pair).max
    before = unpacked(pairs, topics)
    starting_kernels.continued_pairs(pairs, part["tokens"], part["slices"], part["row_ptr"], topics, packing.half, KEY)
    kept = [int(k) if own else None for k, own in zip(topic, old, strict=True)]
    words = naive.words_of(part["slices"], part["row_ptr"])
    assert any(all(kept[i] is None for i in places) for places in words if places)
    expected = naive.continued(kept, words, part["tokens"], topics, int(KEY))
    found = unpacked(pairs, topics)
    assert [s for s, _ in found] == expected
    assert [t for _, t in found] == [before[i][1] if old[i] else expected[i] for i in range(n)]


def test_new_documents_join_and_the_grid_changes_no_byte() -> None:
    program, docs = LDA(topics=6, rounds=6, **LEARN), DOCS[:50]
    layouts = grid(docs, WORDS, 2, 2)
    results, model = trained(program, layouts, docs)
    kept = by_token(layouts, results)
    more = LDA(topics=6, rounds=5, first_round=6, continued=True, merge_every=4, likelihood_every=2, **LEARN)
    models = []
    for shape in ((1, 1), (2, 3), (5, 4)):
        found = trained(more, to_go_on(grid(DOCS, WORDS, *shape), kept, model, np.uint32), DOCS)
        models.append(as_bytes(found[1]))
        assert found[1]["topic_totals"].sum() == sum(map(len, DOCS))
        assert np.isfinite(found[0].metrics["log_likelihood"])
    assert models[0] == models[1] == models[2]


def test_a_run_that_goes_on_compiles_nothing() -> None:
    layouts = grid(DOCS, WORDS, 2, 2)
    results, model = trained(LDA(topics=6, rounds=2), layouts, DOCS)
    program = LDA(topics=6, rounds=2, first_round=2, continued=True)
    program.warm()
    used = [starting_kernels.continued_pairs, word_kernels.visit_words, document_kernels.visit_documents]
    before = [len(kernel.signatures) for kernel in used]
    trained(program, to_go_on(layouts, by_token(layouts, results), model, np.uint32), DOCS)
    assert [len(kernel.signatures) for kernel in used] == before
    assert steady(layouts["columns"][0]["tokens"]).size
