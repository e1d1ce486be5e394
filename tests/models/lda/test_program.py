"""LDA as a program, run by the reference: the grid changes nothing, the likelihood is right, planted topics are found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.lda import naive
from models.lda.corpus import facts, grid, planted_docs, random_docs
from reference import Reference
from regrow.errors import DataError, UsageError
from regrow.models.lda import LDA
from regrow.packed import Strings, strings
from regrow.program import Data, Results

WORDS = 50
DOCS = random_docs(70, WORDS, 15)


def run(program: LDA, docs: list[list[int]], words: int, rows: int = 1, columns: int = 1, seed: int = 1) -> tuple[Reference, Results, Any]:
    reference = Reference(program, grid(docs, words, rows, columns), facts(docs, words), seed)
    results = reference.run()
    return reference, results, program.model(results)


def topics_after_documents(layouts: Any, reference: Reference, round: int) -> list[list[int]]:
    """The topics of the tokens of each document after the documents were visited in a round, from what they sent."""
    found = []
    for r, part in enumerate(layouts["rows"]):
        sent = reference.history["docs", round, r].messages
        lists, places = sent["words", None], np.concatenate([sent["words", c]["places"] for c in range(len(layouts["columns"]))])
        entries, width = lists["entries"].tolist(), 4 * lists["entries"].itemsize
        for d, group in enumerate(naive.documents_of(part["doc_ptr"], part["cell"])):
            found.append([entries[4 * int(lists["blocks"][d]) + int(places[i])] & ((1 << width) - 1) for i in group])
    return found


def topics_at_the_end(layouts: Any, results: Results) -> list[list[int]]:
    """The same of the last round, from what is kept (below 65,536 topics)."""
    parts = zip(layouts["rows"], results["topics_of_tokens"], strict=True)
    return [
        (kept["pairs"][group] & np.uint32(0xFFFF)).tolist()
        for part, kept in parts
        for group in naive.documents_of(part["doc_ptr"], part["cell"])
    ]


def as_bytes(model: dict[str, Any]) -> dict[str, Any]:
    return {k: (v.utf8.tobytes(), v.offsets.tobytes()) if isinstance(v, Strings) else (v.dtype.str, v.tobytes()) for k, v in model.items()}


@pytest.mark.parametrize("topics", [12, 65_537])
def test_the_grid_changes_no_byte_of_the_model(topics: int) -> None:
    program = LDA(topics=topics, alpha_sum=2.0, rounds=7, likelihood_every=3)
    runs = [run(program, DOCS, WORDS, *shape) for shape in ((1, 1), (2, 3), (5, 7))]
    models = [as_bytes(model) for _, _, model in runs]
    assert models[0] == models[1] == models[2]
    assert runs[0][1].metrics == runs[1][1].metrics == runs[2][1].metrics
    for round in (3, 6):
        assert runs[0][0].metrics_of(round) == runs[1][0].metrics_of(round) == runs[2][0].metrics_of(round) != {}


def test_another_seed_gives_another_model() -> None:
    program = LDA(topics=12, rounds=2)
    assert as_bytes(run(program, DOCS, WORDS, seed=1)[2]) != as_bytes(run(program, DOCS, WORDS, seed=2)[2])


@pytest.mark.parametrize(("topics", "topic_type"), [(12, np.uint16), (65_535, np.uint16), (65_536, np.uint32)])
@pytest.mark.parametrize("draws", [1, 16])
def test_every_token_is_in_the_model(topics: int, topic_type: Any, draws: int) -> None:
    _, _, model = run(LDA(topics=topics, rounds=3, draws=draws), DOCS, WORDS, 2, 3)
    tokens = sum(map(len, DOCS))
    assert model["topics"].dtype == topic_type
    assert model["counts"].dtype == (np.int32 if draws == 1 else np.float32)
    assert model["counts"].sum() == model["topic_totals"].sum() == tokens
    assert (draws * model["counts"] == np.rint(draws * model["counts"])).all()
    assert np.array_equal(np.bincount(model["topics"], model["counts"], topics), model["topic_totals"])
    by_word = [model["counts"][a:b].sum() for a, b in zip(model["word_ptr"], model["word_ptr"][1:], strict=False)]
    assert by_word == model["vocabulary.count"].tolist()
    for a, b in zip(model["word_ptr"], model["word_ptr"][1:], strict=False):
        assert (np.diff(model["topics"][a:b].astype(int)) > 0).all()
    assert model["alpha"].sum() == pytest.approx(5.0)
    assert list(model["vocabulary.word"])[:2] == ["word0000", "word0001"]


def test_the_likelihood_is_that_of_the_textbook() -> None:
    """Every round's likelihood, and the final one, against the plain formula on the topics of all tokens."""
    topics, alpha, beta, tokens = 6, 0.1, 0.05, sum(map(len, DOCS))
    program = LDA(topics=topics, alpha_sum=topics * alpha, beta=beta, rounds=4, likelihood_every=1)
    layouts = grid(DOCS, WORDS, 2, 3)
    reference = Reference(program, layouts, facts(DOCS, WORDS))
    results = reference.run()
    for round in (1, 2, 3, 4):
        z = topics_after_documents(layouts, reference, round) if round < 4 else topics_at_the_end(layouts, results)
        expected = naive.joint_log_likelihood(DOCS, z, topics, WORDS, alpha, beta) / tokens
        value = reference.metrics_of(round)["log_likelihood"] if round < 4 else results.metrics["final_log_likelihood"]
        assert value == pytest.approx(expected, rel=1e-10), round
    assert "log_likelihood" not in reference.metrics_of(0)


def test_planted_topics_are_found_and_the_likelihood_rises() -> None:
    docs = planted_docs(400, topics=5, words_a_topic=20, length=30)
    reference, results, model = run(LDA(topics=5, alpha_sum=1.0, rounds=60, likelihood_every=1), docs, 100, 2, 2)
    values = [reference.metrics_of(round)["log_likelihood"] for round in (1, 30, 45)] + [results.metrics["final_log_likelihood"]]
    assert values[0] < min(values[1:])
    table = np.zeros((100, 5))
    table[np.repeat(np.arange(100), np.diff(model["word_ptr"])), model["topics"]] = model["counts"]
    by_plant = table.reshape(5, 20, 5).sum(axis=1)
    assert sorted(by_plant.argmax(axis=1)) == [0, 1, 2, 3, 4]
    assert by_plant.max(axis=1).sum() > 0.97 * by_plant.sum()


def test_without_reports_only_the_final_likelihood_is_made() -> None:
    reference, results, _ = run(LDA(topics=4, rounds=3, likelihood_every=0), DOCS, WORDS)
    assert set(results.metrics) == {"final_log_likelihood"}
    assert {name for name, _, _ in reference.history} == {"sizes", "first", "docs", "words", "topics_of_tokens", "end", "vocabulary"}


def test_words_that_no_document_has_stay_in_the_model() -> None:
    _, _, model = run(LDA(topics=3, rounds=2), [[0, 2, 2], [], [2]], 5, 2, 2)
    assert np.diff(model["word_ptr"]).tolist()[1::2] == [0, 0]
    assert model["topic_totals"].sum() == 4


def test_fewer_documents_and_words_than_partitions() -> None:
    program = LDA(topics=3, rounds=3, likelihood_every=1)
    one, many = run(program, [[0, 1, 1]], 2)[2], run(program, [[0, 1, 1]], 2, 4, 5)[2]
    assert as_bytes(one) == as_bytes(many)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"topics": 1}, "from 2"),
        ({"topics": 2**31 + 1}, "2,147,483,648"),
        ({"rounds": 0}, "at least one"),
        ({"alpha_sum": 0.0}, "greater than 0"),
        ({"beta": -0.1}, "greater than 0"),
        ({"alpha_sum": 1e-13}, "1e-12 to"),
        ({"beta": 1e300}, "to 1e\\+12"),
        ({"beta": float("nan")}, "greater than 0"),
        ({"likelihood_every": -1}, "0 for only at the end"),
        ({"start": "warm"}, "--start random"),
        ({"draws": 0}, "1 to 1024"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused_with_advice(parameters: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        LDA(**parameters)


def test_no_words_at_all_is_an_error_of_the_data() -> None:
    with pytest.raises(DataError, match="not one word"):
        LDA().roles(Data({"rows": 1, "columns": 1, "vocabulary.word": 1}, {"tokens": 0}))


@pytest.mark.parametrize("topics", [2, 65_537])
@pytest.mark.parametrize("more", [{}, {"learn_alpha": True, "learn_beta": True, "learn_every": 2, "learn_from": 2, "merge_every": 3}])
def test_after_warming_nothing_is_compiled(topics: int, more: dict[str, Any]) -> None:
    from regrow.models.lda.training import (
        count_kernels,
        document_kernels,
        merging_kernels,
        priors_kernels,
        spread_kernels,
        starting_kernels,
        word_kernels,
    )

    program = LDA(topics=topics, rounds=12, likelihood_every=1, **more)
    program.warm()
    used = [
        getattr(module, name)
        for module in (count_kernels, document_kernels, word_kernels, spread_kernels, starting_kernels, merging_kernels, priors_kernels)
        for name in module.__all__
    ]
    used = [kernel for kernel in used if hasattr(kernel, "signatures") and kernel.signatures]
    before = [len(kernel.signatures) for kernel in used]
    for shape in ((1, 1), (2, 2)):
        run(program, DOCS, WORDS, *shape)
    assert [len(kernel.signatures) for kernel in used] == before


def test_words_that_were_dropped_and_a_vocabulary_of_several_parts_come_into_the_model() -> None:
    whole = grid(DOCS, WORDS, 2, 2)
    words, counts = whole["vocabulary"][0]["words"], whole["vocabulary"][0]["counts"]
    parts = [
        {"words": strings(words[:20]), "counts": counts[:20], "dropped": strings(["the"])},
        {"words": strings(words[20:]), "counts": counts[20:], "dropped": strings([])},
    ]
    program = LDA(topics=3, rounds=2)
    models = [
        program.model(Reference(program, {**whole, "vocabulary": own}, facts(DOCS, WORDS)).run()) for own in (whole["vocabulary"], parts)
    ]
    assert (list(models[0]["dropped.word"]), list(models[1]["dropped.word"])) == ([], ["the"])
    assert as_bytes({**models[0], "dropped.word": words}) == as_bytes({**models[1], "dropped.word": words})
