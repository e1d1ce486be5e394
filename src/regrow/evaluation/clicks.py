"""How well predictions of clicks hold: loss, entropy, AUC, calibration and slope, over all and by band of frequency.

log loss        mean of -log of the chance that was given to what happened, in nats
normalised entropy      log loss / entropy of the base rate of the same rows: below 1 the model knows something
AUC             the chance that a click has the higher score of a click and a row without; interval after DeLong (1988)
calibration     sum of predictions / sum of labels; interval from the variance p (1 - p) of each label
slope           of the logistic regression of labels on scores: 1 is right, above 1 the scores are too near to each other (under-fitted)
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from regrow.arithmetic import exp, log
from regrow.evaluation.bands import BANDS, band_of
from regrow.evaluation.paired import Comparison, compare
from regrow.evaluation.tail import TailReport, aligned

__all__ = ["BandOfClicks", "ClickReport", "blocks_of", "compare_clicks", "log_losses"]

Array = npt.NDArray[Any]

CLICKS_MIN = 10
"""With fewer clicks, or fewer rows without, a band shows no AUC and no slope."""
BLOCKS_MAX = 1_000
NORMAL_95 = 1.959963984540054
PIECE_ROWS = 1 << 16
"""Rows that are looked at together where their order does not matter."""


@dataclass(frozen=True, slots=True)
class BandOfClicks:
    """One band, or all rows together; None where there is too little. Intervals are (from, to), 95 %."""

    band: str
    examples: int
    clicks: float
    log_loss: float | None
    normalised_entropy: float | None
    auc: float | None
    auc_interval: tuple[float, float] | None
    calibration: float | None
    calibration_interval: tuple[float, float] | None
    slope: float | None
    slope_interval: tuple[float, float] | None

    def to_json(self) -> dict[str, Any]:
        """By name, without the band's."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in self._items() if name != "band"}

    def _items(self) -> Sequence[tuple[str, Any]]:
        return [(name, getattr(self, name)) for name in self.__slots__]


@dataclass(frozen=True, slots=True)
class ClickReport:
    """A row for each band, one for all, and the tail report, whose baseline is the share of clicks in training."""

    bands: tuple[BandOfClicks, ...]
    total: BandOfClicks
    tail: TailReport

    @staticmethod
    def of(score: Array, label: Array, weight: Array, rarest: Array, base_rate: float) -> ClickReport:
        """From one number of each for each row: score float64 (log odds), label 0 or 1, weight, training count of its rarest feature."""
        band, loss = band_of(rarest), log_losses(score, label)
        rows = []
        for number, name in enumerate(BANDS):
            own = np.flatnonzero(band == number)
            rows.append(_band(name, score[own], label[own], weight[own], loss[own]))
        base = np.full(len(score), math.log(base_rate / (1 - base_rate)) if 0 < base_rate < 1 else 0.0)
        tail = TailReport.of_units(band, loss, log_losses(base, label), "examples")
        return ClickReport(tuple(rows), _band("all", score, label, weight, loss), tail)

    def to_json(self) -> dict[str, Any]:
        """The fields of `evaluate --json`."""
        bands = [shown | more.to_json() for shown, more in zip(self.tail.to_json(), self.bands, strict=True)]
        return {**self.total.to_json(), "baseline_loss": _baseline(self.tail), "bands": bands}

    def text(self) -> str:
        """An aligned table."""
        lines = [("band", "examples", "clicks", "loss", "gain", "entropy", "AUC", "", "calibration", "", "slope", "")]
        for row, tail in zip((*self.bands, self.total), (*self.tail.rows, self.tail.total), strict=True):
            lines.append(
                (
                    row.band, f"{row.examples:,}", f"{row.clicks:,.0f}", _shown(row.log_loss, ".4f"), _shown(tail.gain, "+.4f"),
                    _shown(row.normalised_entropy, ".3f"), _shown(row.auc, ".3f"), _between(row.auc_interval),
                    _shown(row.calibration, ".3f"), _between(row.calibration_interval),
                    _shown(row.slope, ".2f"), _between(row.slope_interval),
                )
            )  # fmt: skip
        return aligned(lines)


def compare_clicks(first: Array, second: Array, label: Array, rarest: Array, blocks: Array) -> Comparison:
    """The difference of two models' log losses on the same rows, by band; blocks of rows are resampled (see `blocks_of`)."""
    band, size = band_of(rarest).astype(np.int64), int(blocks.max(initial=-1)) + 1
    place = blocks * len(BANDS) + band
    units = np.bincount(place, minlength=size * len(BANDS)).reshape(size, len(BANDS))
    sums = [np.bincount(place, log_losses(score, label), size * len(BANDS)).reshape(size, len(BANDS)) for score in (first, second)]
    return compare(units, sums[0], sums[1])


def blocks_of(moment: Array) -> Array:
    """A block for each row (int64): the rows of one time, where there are at least twenty times; else stretches of rows, at most 1,000."""
    times, block = np.unique(moment, return_inverse=True)
    if 20 <= len(times) <= 100 * BLOCKS_MAX:
        return block.astype(np.int64)
    rows = len(moment)
    return np.arange(rows, dtype=np.int64) * min(rows, BLOCKS_MAX) // max(rows, 1)


def _band(name: str, score: Array, label: Array, weight: Array, loss: Array) -> BandOfClicks:
    rows = len(score)
    total, clicks = _exact_sum(rows, lambda own: weight[own]), _exact_sum(rows, lambda own: weight[own][label[own] == 1])
    if not rows or not total:
        return BandOfClicks(name, rows, 0.0, None, None, None, None, None, None, None, None)
    mean = _exact_sum(rows, lambda own: loss[own] * weight[own]) / total
    entropy = _entropy(clicks / total)
    predicted = _exact_sum(rows, lambda own: _sigmoids(score[own]) * weight[own])
    spread = NORMAL_95 * math.sqrt(_exact_sum(rows, lambda own: _variances(_sigmoids(score[own]), weight[own])))
    calibration = predicted / clicks if clicks else None
    interval = (predicted / (clicks + spread), predicted / (clicks - spread)) if clicks > spread else None
    ones = np.count_nonzero(label == 1)
    enough = min(ones, rows - ones) >= CLICKS_MIN
    auc, auc_interval = _auc(score, label) if enough else (None, None)
    slope, slope_interval = _slope(score, label, weight) if enough else (None, None)
    return BandOfClicks(
        name, rows, clicks, mean, mean / entropy if entropy else None, auc, auc_interval, calibration, interval, slope, slope_interval
    )


def _exact_sum(rows: int, values: Callable[[slice], Array]) -> float:
    """The sum of numbers, rounded once; of so many rows they are asked for in pieces, which are small beside the rows."""
    pieces = (values(slice(at, at + PIECE_ROWS)).tolist() for at in range(0, rows, PIECE_ROWS))
    return math.fsum(itertools.chain.from_iterable(pieces))


def _variances(p: Array, weight: Array) -> Array:
    """Those of labels, each of a chance p, times their weights."""
    found: Array = p * (1 - p) * weight * weight
    return found


def _entropy(rate: float) -> float:
    return -(rate * math.log(rate) + (1 - rate) * math.log(1 - rate)) if 0 < rate < 1 else 0.0


def _auc(score: Array, label: Array) -> tuple[float, tuple[float, float]]:
    """The area and its interval; rows are taken once each, whatever their weights."""
    ones, zeros = score[label == 1], score[label == 0]
    below, above = _shares_below(ones, zeros), _shares_below(zeros, ones)
    np.subtract(1, above, out=above)
    area = float(below.mean())
    spread = NORMAL_95 * math.sqrt(float(below.var(ddof=1)) / len(ones) + float(above.var(ddof=1)) / len(zeros))
    return area, (max(0.0, area - spread), min(1.0, area + spread))


def _shares_below(values: Array, others: Array) -> Array:
    """The share of others below each value; equal ones count half."""
    ordered, found = np.sort(others), np.empty(len(values))
    for at in range(0, len(values), PIECE_ROWS):
        own = values[at : at + PIECE_ROWS]
        twice = np.searchsorted(ordered, own, "left") + np.searchsorted(ordered, own, "right")
        found[at : at + PIECE_ROWS] = twice / 2 / len(others)
    return found


def _slope(score: Array, label: Array, weight: Array) -> tuple[float | None, tuple[float, float] | None]:
    """b of log odds = a + b score by Newton's steps, and its interval. None where they do not settle."""
    a, b = 0.0, 1.0
    for _ in range(50):
        g0, g1, h00, h01, h11 = _derivatives(score, label.astype(np.float64), weight.astype(np.float64), a, b)
        determinant = h00 * h11 - h01 * h01
        if not determinant > 1e-12 * h00 * h11:
            return None, None
        step = (h00 * g1 - h01 * g0) / determinant
        a, b = a - (h11 * g0 - h01 * g1) / determinant, b - step
        if not abs(b) < 1e6:
            return None, None
        if abs(step) < 1e-9:
            spread = NORMAL_95 * math.sqrt(h00 / determinant)
            return b, (b - spread, b + spread)
    return None, None


@njit(cache=True)
def _derivatives(score, label, weight, a, b):  # type: ignore[no-untyped-def]
    g0 = g1 = h00 = h01 = h11 = 0.0
    for i in range(score.size):
        s = a + b * score[i]
        e = exp(-abs(s))
        p = 1.0 / (1.0 + e) if s >= 0.0 else e / (1.0 + e)
        d, h = weight[i] * (p - label[i]), weight[i] * p * (1.0 - p)
        g0 += d
        g1 += d * score[i]
        h00 += h
        h01 += h * score[i]
        h11 += h * score[i] * score[i]
    return g0, g1, h00, h01, h11


@njit(cache=True)
def _sigmoids(score: Array) -> Array:
    found = np.empty(score.size)
    for i in range(score.size):
        e = exp(-abs(score[i]))
        found[i] = 1.0 / (1.0 + e) if score[i] >= 0.0 else e / (1.0 + e)
    return found


@njit(cache=True)
def log_losses(score: Array, label: Array) -> Array:
    """log(1 + exp(s)) - y s of each row: float64."""
    found = np.empty(score.size)
    for i in range(score.size):
        found[i] = max(score[i], 0.0) + log(1.0 + exp(-abs(score[i]))) - label[i] * score[i]
    return found


def _baseline(tail: TailReport) -> float | None:
    return None if tail.total.loss is None or tail.total.gain is None else tail.total.loss + tail.total.gain


def _shown(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _between(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"{interval[0]:.2f} to {interval[1]:.2f}"
