"""The trained topic model: what people ask of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from regrow.errors import DataError, UsageError
from regrow.models.lda import TopicModel
from regrow.packed import strings

WORDS, TOPICS = 30, 7


def random_model() -> tuple[TopicModel, Any]:
    """A model and its dense table of counts, words by topics, with many ties."""
    table = np.random.default_rng(4).poisson(0.6, (WORDS, TOPICS))
    table[:, 3] = 0
    table[5:, 2] = 0
    where = np.nonzero(table)
    arrays = {
        "word_ptr": np.concatenate([[0], np.cumsum((table > 0).sum(axis=1))]),
        "topics": where[1].astype(np.uint16),
        "counts": table[where].astype(np.int32),
        "topic_totals": table.sum(axis=0),
        "vocabulary.word": strings([f"w{w}" for w in range(WORDS - 1)] + ["été"]),
        "vocabulary.count": table.sum(axis=1),
        "alpha": np.full(TOPICS, 0.1),
        "beta": np.array([0.01]),
    }
    return TopicModel(arrays, {"topics": TOPICS}), table


@pytest.mark.parametrize("n", [1, 4, 50])
def test_top_words_are_the_most_frequent_and_of_equal_ones_the_first(n: int) -> None:
    model, table = random_model()
    expected = []
    for k in range(TOPICS):
        order = sorted((-table[w, k], w) for w in range(WORDS) if table[w, k])[:n]
        expected.append([(model.vocabulary[w], -c) for c, w in order])
    assert model.top_words(n) == expected
    assert model.top_words(n)[3] == []


def test_the_summary_lists_the_largest_topics_first() -> None:
    model, table = random_model()
    lines = model.summary(topics=3, words=2).splitlines()
    assert [int(line.split()[0]) for line in lines] == np.argsort(-table.sum(axis=0), kind="stable")[:3].tolist()


def test_the_counts_as_a_scipy_matrix() -> None:
    model, table = random_model()
    assert np.array_equal(model.to_scipy().toarray(), table)


def test_without_scipy_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    with pytest.raises(UsageError, match="pip install scipy"):
        random_model()[0].to_scipy()


def test_an_export_is_read_by_scipy_and_its_lines_are_the_rows(tmp_path: Path) -> None:
    model, table = random_model()
    model.export_npz(tmp_path / "out")
    assert np.array_equal(scipy.sparse.load_npz(tmp_path / "out" / "counts.npz").toarray(), table)
    assert (tmp_path / "out" / "vocab.txt").read_text("utf-8").splitlines() == list(model.vocabulary)


def test_an_export_without_scipy_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    random_model()[0].export_npz(tmp_path)
    assert (tmp_path / "counts.npz").exists()


def test_missing_arrays_are_named() -> None:
    with pytest.raises(DataError, match="without counts"):
        TopicModel({name: array for name, array in random_model()[0].arrays.items() if name != "counts"}, {})


def test_no_words_a_topic_is_refused() -> None:
    with pytest.raises(UsageError, match="at least one"):
        random_model()[0].top_words(0)
