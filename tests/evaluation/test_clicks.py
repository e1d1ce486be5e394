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
    score, label, weight, band = rows(2_000, 4)
    worse = score + np.where(band < 3, 1.5, 0.0)
    found = compare_clicks(score, worse, label, weight, band, blocks_of(np.zeros(2_000, np.uint64)))
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


def weighted(number: int, seed: int) -> tuple[np.ndarray, ...]:
    """Rows of which some have equal scores, and some weigh nothing."""
    score, label, _, band = rows(number, seed)
    weight = np.random.default_rng(seed).choice([0, 0.25, 1, 3.7, 20], number).astype(np.float32)
    return np.round(score, 1), label, weight, band


def test_weights_count_in_all_measures_as_in_scikit_learn() -> None:
    score, label, weight, band = weighted(4_000, 6)
    found = ClickReport.of(score, label, weight, band, 0.3)
    p, baseline = 1 / (1 + np.exp(-score)), np.full(len(label), 0.3)
    for number, (row, tail) in enumerate([*zip(found.bands, found.tail.rows, strict=True), (found.total, found.tail.total)]):
        own = (band == number) | (row.band == "all")
        if not own.any():
            continue
        y, w = label[own], weight[own].astype(float)
        loss = log_loss(y, p[own], sample_weight=w)
        assert row.examples == tail.units == own.sum()
        assert row.log_loss == pytest.approx(loss, rel=1e-12)
        assert tail.loss == pytest.approx(loss, rel=1e-12)
        assert tail.gain == pytest.approx(log_loss(y, baseline[own], sample_weight=w) - loss, rel=1e-9)
        assert row.calibration == pytest.approx((w * p[own]).sum() / (w * y).sum(), rel=1e-12)
        rate = (w * y).sum() / w.sum()
        assert row.normalised_entropy == pytest.approx(loss / log_loss(y, np.full(len(y), rate), sample_weight=w), rel=1e-12)
        if np.bincount(y[w > 0], minlength=2).min() < 10:
            assert row.auc is row.slope is None
            continue
        assert row.auc == pytest.approx(roc_auc_score(y, score[own], sample_weight=w), rel=1e-12)
        reference = LogisticRegression(C=np.inf, tol=1e-10).fit(score[own, None], y, sample_weight=w)
        assert row.slope == pytest.approx(reference.coef_[0, 0], rel=1e-4)
    assert found.to_json()["baseline_loss"] == pytest.approx(log_loss(label, baseline, sample_weight=weight.astype(float)), rel=1e-12)


def test_a_weighted_difference_is_that_of_the_weighted_losses() -> None:
    score, label, weight, band = weighted(4_000, 7)
    worse = score * 1.3
    found = compare_clicks(score, worse, label, weight, band, blocks_of(np.empty(0, np.uint64), len(score)))
    reports = [ClickReport.of(each, label, weight, band, 0.3) for each in (score, worse)]
    for row, first, second in zip((*found.rows, found.total), *((*r.bands, r.total) for r in reports), strict=True):
        assert row.units == first.examples
        if first.log_loss is not None:
            assert row.difference == pytest.approx(first.log_loss - second.log_loss, abs=1e-12)
    assert found.total.low < found.total.difference < found.total.high


def test_intervals_do_not_depend_on_the_unit_of_weights_and_hold_the_truth() -> None:
    names, held, lonely = ("auc", "calibration", "slope"), dict.fromkeys(("calibration", "slope", "auc"), 0), rows(400_000, 99)
    truth = ClickReport.of(*lonely, 0.3).total.auc
    for seed in range(60):
        score, label, _, band = rows(800, seed)
        weight = np.random.default_rng(seed + 100).choice([0.2, 1, 5], len(score)).astype(np.float32)
        total, doubled = (ClickReport.of(score, label, times * weight, band, 0.3).total for times in (1, 2))
        for name in names:
            low, high = getattr(total, f"{name}_interval")
            assert getattr(doubled, f"{name}_interval") == pytest.approx((low, high), rel=1e-9)
            held[name] += low < (truth if name == "auc" else 1) < high
    assert all(50 <= times <= 60 for times in held.values()), held


def test_rows_that_weigh_nothing_are_as_if_they_were_not_there() -> None:
    score, label, weight, band = weighted(3_000, 8)
    some = weight > 0
    with_them, without = (ClickReport.of(score[own], label[own], weight[own], band[own], 0.3).total for own in (slice(None), some))
    assert with_them.to_json() | {"examples": without.examples} == without.to_json()
    none = ClickReport.of(score, label, np.zeros(len(score), np.float32), band, 0.3)
    assert none.total.log_loss is none.tail.total.loss is none.tail.total.gain is None


def test_too_few_clicks_show_no_auc() -> None:
    total = ClickReport.of(np.zeros(5), np.array([1, 0, 0, 0, 0], np.uint8), np.ones(5), np.zeros(5, np.int8), 0.2).total
    assert total.auc is None
    assert total.slope is None
    assert ClickReport.of(np.zeros(0), np.zeros(0, np.uint8), np.ones(0), np.zeros(0, np.int8), 0.2).total.log_loss is None
