"""Two models on the same documents: what the difference is, and how sure that is."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from models.lda.naive import bits
from regrow import rng
from regrow.evaluation import BANDS, compare


def world(documents: int, difference: float = 0.0, seed: int = 0) -> tuple[Any, Any, Any]:
    """Units and losses of documents of very different lengths, whose units are alike."""
    random = np.random.default_rng(seed)
    units = random.integers(0, 12, (documents, len(BANDS)))
    units[:, 1] = 0
    second = units * random.exponential(6, (documents, 1))
    return units, second + units * (difference + random.normal(0, 0.5, (documents, 1))), second


def test_equal_models_differ_by_exactly_nothing() -> None:
    units, _, losses = world(40)
    found = compare(units, losses, losses)
    for row in (*found.rows, found.total):
        assert (row.difference, row.low, row.high) == ((0.0, 0.0, 0.0) if row.units else (None, None, None))
        assert not row.sure


def test_the_difference_is_that_of_the_means_over_units_not_over_documents() -> None:
    units, first, second = world(50, 0.3)
    found = compare(units, first, second)
    assert found.total.difference == pytest.approx((first.sum() - second.sum()) / units.sum(), rel=1e-12)
    assert found.rows[4].difference == pytest.approx((first[:, 4].sum() - second[:, 4].sum()) / units[:, 4].sum(), rel=1e-12)
    assert found.rows[4].units == units[:, 4].sum()
    assert found.rows[1] == found.rows[1].__class__("1", 0, None, None, None)


def test_the_intervals_are_those_of_a_slow_twin() -> None:
    units, first, second = world(17, 0.1)
    found = compare(units, first, second, resamples=200)
    key, ratios = int(rng.key_of(0, "evaluation", "paired", 0)), []
    for r in range(200):
        drawn = [(bits(key, r * 17 + i) >> 32) * 17 >> 32 for i in range(17)]
        ratios.append(sum(first[d, 3] - second[d, 3] for d in drawn) / sum(units[d, 3] for d in drawn))
    ratios.sort()
    assert (found.rows[3].low, found.rows[3].high) == pytest.approx((ratios[5], ratios[194]), rel=1e-9)


def test_the_same_documents_give_the_same_bytes() -> None:
    texts = [json.dumps(compare(*world(60, 0.2)).to_json()) for _ in range(2)]
    assert texts[0] == texts[1]


def test_a_difference_that_is_there_is_found_and_its_interval_covers_it() -> None:
    assert compare(*world(200, -0.5)).total.sure
    covered = 0
    for seed in range(200):
        total = compare(*world(60, 0.2, seed), resamples=300).total
        covered += total.low <= 0.2 <= total.high  # type: ignore[operator]
    assert 0.88 <= covered / 200 <= 0.99


def test_a_band_of_a_few_documents_gets_no_interval() -> None:
    units, first, second = world(60, 0.2)
    units[9:, 5] = first[9:, 5] = second[9:, 5] = 0
    row = compare(units, first, second).rows[5]
    assert row.difference is not None
    assert (row.low, row.high, row.sure) == (None, None, False)


def test_a_table_marks_what_is_sure() -> None:
    lines = compare(*world(200, -0.5)).text("tokens").splitlines()
    assert len(lines) == 10
    assert lines[-1].endswith("*")
    assert lines[2].split()[1:] == ["0", "-", "-", "-"]


def test_a_difference_of_rounding_is_none() -> None:
    units, first, _ = world(200, 0.0)
    assert not compare(units, first, first * (1 + 1e-15)).total.sure
    real = compare(units, first, first * (1 + 1e-6))
    assert real.total.sure
    line = real.text().splitlines()[-1]
    assert line.endswith("*")
    assert "0.0000 " not in line
