"""The report on clicks: the measures are those of scikit-learn, intervals hold what they should, bands are those of the counts."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score

from regrow.evaluation import BANDS, ClickReport, band_of, blocks_of, compare_clicks


def rows(number: int, seed: int, shrink: float = 1.0) -> tuple[np.ndarray, ...]:
    chance = np.random.default_rng(seed)
    truth = chance.normal(-1, 1, number)
    label = (chance.random(number) < 1 / (1 + np.exp(-truth))).astype(np.uint8)
    return truth * shrink, label, np.ones(number, np.float32), band_of(chance.integers(0, 200, number))


def test_the_measures_are_scikit_learns() -> None:
    score, label, weight, band = rows(3_000, 1)
    score = np.round(score, 1)  # so that some are equal
    found = ClickReport.of(score, label, weight, band, float(label.mean()))
    p = 1 / (1 + np.exp(-score))
    assert found.total.log_loss == pytest.approx(log_loss(label, p), rel=1e-12)
    assert found.total.auc == pytest.approx(roc_auc_score(label, score), rel=1e-12)
    assert found.total.calibration == pytest.approx(p.sum() / label.sum(), rel=1e-12)
    reference = LogisticRegression(C=np.inf, tol=1e-10).fit(score[:, None], label)
    assert found.total.slope == pytest.approx(reference.coef_[0, 0], rel=1e-4)
    assert sum(band.examples for band in found.bands) == 3_000
    assert [band.band for band in found.bands] == list(BANDS)
    assert found.bands[7].log_loss is None
    assert "3,000" in found.text()


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    held = dict.fromkeys(("calibration", "slope"), 0)
    for seed in range(60):
        total = ClickReport.of(*rows(800, seed), 0.3).total
        for name in held:
            low, high = getattr(total, f"{name}_interval")
            held[name] += low < 1 < high
    assert all(50 <= times <= 60 for times in held.values())


def test_scores_that_are_too_near_to_each_other_have_a_slope_above_one() -> None:
    score, label, weight, band = rows(5_000, 3, shrink=0.5)
    total = ClickReport.of(score, label, weight, band, 0.3).total
    assert total.slope == pytest.approx(2.0, rel=0.1)


def test_a_model_is_compared_on_the_same_rows_by_band() -> None:
    score, label, _, band = rows(2_000, 4)
    worse = score + np.where(band < 3, 1.5, 0.0)
    found = compare_clicks(score, worse, label, band, blocks_of(np.zeros(2_000, np.uint64)))
    assert found.rows[2].difference < 0
    assert all(row.difference == 0 for row in found.rows[4:] if row.units)
    assert found.documents == 1_000


def test_rows_of_one_time_are_one_block() -> None:
    moments = np.repeat(np.arange(30, dtype=np.uint64), 4)
    assert np.array_equal(blocks_of(moments), np.repeat(np.arange(30), 4))


def test_rows_without_times_are_resampled_in_stretches() -> None:
    assert np.array_equal(blocks_of(np.empty(0, np.uint64), 2_500), blocks_of(np.zeros(2_500, np.uint64)))
    assert np.bincount(blocks_of(np.empty(0, np.uint64), 2_500)).tolist() == [3, 2] * 500


def test_rows_without_weights_are_those_that_weigh_one() -> None:
    score, label, weight, band = rows(100_000, 5)  # in more than one piece
    assert ClickReport.of(score, label, weight[:0], band, 0.3) == ClickReport.of(score, label, weight, band, 0.3)


def test_too_few_clicks_show_no_auc() -> None:
    total = ClickReport.of(np.zeros(5), np.array([1, 0, 0, 0, 0], np.uint8), np.ones(5), np.zeros(5, np.int8), 0.2).total
    assert total.auc is None
    assert total.slope is None
    assert ClickReport.of(np.zeros(0), np.zeros(0, np.uint8), np.ones(0), np.zeros(0, np.int8), 0.2).total.log_loss is None
