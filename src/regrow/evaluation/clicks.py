"""How well predictions of clicks hold: loss, entropy, AUC, calibration and slope, over all and by band of frequency.

log loss        mean of -log of the chance that was given to what happened, in nats
normalised entropy      log loss / entropy of the base rate of the same rows: below 1 the model knows something
AUC             the chance that a click has the higher score of a click and a row without; interval after DeLong (1988)
calibration     sum of predictions / sum of labels; interval from the variance p (1 - p) of each label
slope           of the logistic regression of labels on scores: 1 is right, above 1 the scores are too near to each other (under-fitted)

Where rows have weights, each counts by its weight in all of these, and in differences: in sums as in pairs. Examples are rows, whatever
they weigh; clicks are weights of rows. Intervals do not change if all weights are doubled: a weight is no number of rows.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from regrow.arithmetic import exp, log
from regrow.evaluation.bands import BANDS
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
    def of(score: Array, label: Array, weight: Array, band: Array, base_rate: float) -> ClickReport:
        """From one number of each for each row: score float64 (log odds), label uint8 (0 or 1), weight float32 (empty: all are 1), band
        int8 (see `band_of`). Beside them it needs eight bytes a row, to order scores; with weights 28."""
        rows = _Rows(score, label, weight[:0] if (weight == 1).all() else weight, band)
        found = [_band(name, rows, number) for number, name in enumerate(BANDS)]
        odds = math.log(base_rate / (1 - base_rate)) if 0 < base_rate < 1 else 0.0
        numbers = range(len(BANDS))
        weights, clicks = ([sums(number) for number in numbers] for sums in (rows.total, rows.clicks))
        baseline = [_of_constant(odds, *sums) for sums in zip(weights, clicks, strict=True)]
        losses = [rows.loss(number) for number in numbers]
        tail = TailReport.of_sums([row.examples for row in found], losses, baseline, "examples", weights)
        return ClickReport(tuple(found), _band("all", rows, ALL), tail)

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


def compare_clicks(first: Array, second: Array, label: Array, weight: Array, band: Array, blocks: Array) -> Comparison:
    """The difference of two models' log losses on the same rows, by band; blocks of rows are resampled (see `blocks_of`).

    weight: float32, of each row; empty: all are 1.
    """
    shape = int(blocks.max(initial=-1)) + 1, len(BANDS)
    units, weights, sums = np.zeros(shape, np.int64), np.zeros(shape), (np.zeros(shape), np.zeros(shape))
    for score, by_block in zip((first, second), sums, strict=True):
        units[:], weights[:] = 0, 0.0
        _add_losses(score, label, weight, band, blocks, units, weights, by_block)
    return compare(units, *sums, weight=weights)


def blocks_of(moment: Array, rows: int | None = None) -> Array:
    """A block for each row (int32): the rows of one time, where there are at least twenty times; else stretches of rows, at most 1,000.

    rows: how many there are, where they have no times and `moment` is empty.
    """
    rows = len(moment) if rows is None else rows
    if len(moment):
        times, block = np.unique(moment, return_inverse=True)
        if 20 <= len(times) <= 100 * BLOCKS_MAX:
            return block.astype(np.int32)
    found = np.empty(rows, np.int32)
    for at in range(0, rows, PIECE_ROWS):
        end = min(at + PIECE_ROWS, rows)
        found[at:end] = np.arange(at, end) * min(rows, BLOCKS_MAX) // rows
    return found


ALL = -1
"""Stands for all bands."""


@dataclass(frozen=True)
class _Rows:
    """What is known of rows. They are looked at in pieces that are small beside them: of many rows nothing else takes memory."""

    score: Array
    label: Array
    weight: Array
    band: Array
    sums: dict[tuple[str, int], float] = field(default_factory=dict)
    """Of bands, that were made before."""

    def pieces(self, number: int) -> Iterator[tuple[Array, Array, Array]]:
        """score, label and weight of the rows of a band, in order; without those that weigh nothing."""
        for at in range(0, len(self.score), PIECE_ROWS):
            own = slice(at, at + PIECE_ROWS)
            score, label = self.score[own], self.label[own]
            weight = self.weight[own] if len(self.weight) else np.ones(len(score), np.float32)
            if number != ALL or len(self.weight):
                mine = weight > 0
                if number != ALL:
                    mine &= self.band[own] == number
                score, label, weight = score[mine], label[mine], weight[mine]
            yield score, label, weight

    def having(self, number: int, value: int) -> int:
        """How many rows of a band that weigh something have this label."""
        return sum(int(np.count_nonzero(label == value)) for _, label, _ in self.pieces(number))

    def total(self, number: int) -> float:
        """What the rows of a band weigh."""
        if not len(self.weight):
            return float(self.rows(number))
        return self._once("weight", number, lambda s, y, w: w)

    def clicks(self, number: int) -> float:
        """What the rows of a band with label 1 weigh."""
        if not len(self.weight):
            return float(self.having(number, 1))
        return self._once("clicks", number, lambda s, y, w: w[y == 1])

    def rows(self, number: int) -> int:
        """How many rows a band has."""
        return len(self.score) if number == ALL else int(np.count_nonzero(self.band == number))

    def loss(self, number: int) -> float:
        """The sum of the log losses of a band, each times its row's weight, rounded once."""
        return self._once("loss", number, lambda s, y, w: log_losses(s, y) * w)

    def _once(self, name: str, number: int, values: Callable[[Array, Array, Array], Array]) -> float:
        if (name, number) not in self.sums:
            self.sums[name, number] = self.exact_sum(number, values)
        return self.sums[name, number]

    def exact_sum(self, number: int, values: Callable[[Array, Array, Array], Array]) -> float:
        """The sum of numbers of the rows of a band, rounded once; values(score, label, weight) gives those of a piece."""
        return math.fsum(itertools.chain.from_iterable(values(*piece).tolist() for piece in self.pieces(number)))

    def ordered(self, number: int, label: int, size: int) -> tuple[Array, Array]:
        """The scores of the `size` rows of a band that have this label, ascending; and what the rows before each weigh, and all:
        empty where all weigh 1."""
        found, at = np.empty(size), 0
        weights = np.empty(size if len(self.weight) else 0, np.float32)
        for score, labels, weight in self.pieces(number):
            own = np.flatnonzero(labels == label)
            found[at : at + len(own)] = score[own]
            if len(weights):
                weights[at : at + len(own)] = weight[own]
            at += len(own)
        if not len(weights):
            found.sort()
            return found, np.empty(0)
        order = np.argsort(found, kind="stable")
        found, weights = found[order], weights[order]
        del order
        before = np.zeros(size + 1)
        np.cumsum(weights, dtype=np.float64, out=before[1:])
        return found, before


def _of_constant(odds: float, weight: float, clicks: float) -> float:
    """The sum of the log losses of rows that all have the same score, times their weights, rounded once."""
    one, zero = (Fraction(float(loss)) for loss in log_losses(np.full(2, odds), np.array([1, 0], np.uint8)))
    return float(Fraction(clicks) * one + (Fraction(weight) - Fraction(clicks)) * zero)


def _band(name: str, rows: _Rows, number: int) -> BandOfClicks:
    size, total, clicks = rows.rows(number), rows.total(number), rows.clicks(number)
    if not total:
        return BandOfClicks(name, size, 0.0, None, None, None, None, None, None, None, None)
    mean = rows.loss(number) / total
    entropy = _entropy(clicks / total)
    predicted = rows.exact_sum(number, lambda s, y, w: _sigmoids(s) * w)
    spread = NORMAL_95 * math.sqrt(rows.exact_sum(number, lambda s, y, w: _variances(_sigmoids(s), w)))
    calibration = predicted / clicks if clicks else None
    interval = (predicted / (clicks + spread), predicted / (clicks - spread)) if clicks > spread else None
    ones, zeros = rows.having(number, 1), rows.having(number, 0)
    enough = min(ones, zeros) >= CLICKS_MIN
    auc, auc_interval = _auc(rows, number, ones, zeros) if enough else (None, None)
    slope, slope_interval = _slope(rows, number) if enough else (None, None)
    return BandOfClicks(
        name, size, clicks, mean, mean / entropy if entropy else None, auc, auc_interval, calibration, interval, slope, slope_interval
    )


def _variances(p: Array, weight: Array) -> Array:
    """Those of labels, each of a chance p, times their weights."""
    found: Array = p * (1 - p) * weight * weight
    return found


def _entropy(rate: float) -> float:
    return -(rate * math.log(rate) + (1 - rate) * math.log(1 - rate)) if 0 < rate < 1 else 0.0


def _auc(rows: _Rows, number: int, ones: int, zeros: int) -> tuple[float, tuple[float, float]]:
    """The area and its interval: a pair of rows counts by the product of their weights."""
    area, below = _shares_below(rows, number, 1, ones, zeros)
    _, above = _shares_below(rows, number, 0, zeros, ones)
    spread = NORMAL_95 * math.sqrt(below / ones + above / zeros)
    return area, (max(0.0, area - spread), min(1.0, area + spread))


def _shares_below(rows: _Rows, number: int, label: int, size: int, others: int) -> tuple[float, float]:
    """Of the `size` rows with a label: mean and variance of the share of the other rows, `others` of them, whose score is below theirs;
    equal ones count half. With weights: the weighted mean, and `size` times the variance of that."""
    ordered, before = rows.ordered(number, 1 - label, others)
    if len(before):
        return _weights_below(rows, number, label, size, ordered, before)
    twice, squares = 0, []
    for score, labels, _ in rows.pieces(number):
        own = score[labels == label]
        below = np.searchsorted(ordered, own, "left") + np.searchsorted(ordered, own, "right")
        twice += int(below.sum())
        squares.append(math.fsum(((below / 2 / others) ** 2).tolist()))
    mean = twice / (2 * size * others)
    return mean, max(0.0, math.fsum(squares) - size * mean * mean) / (size - 1)


def _weights_below(rows: _Rows, number: int, label: int, size: int, ordered: Array, before: Array) -> tuple[float, float]:
    """`_shares_below` where rows have weights: `before` is what those before each of the ordered ones weigh."""

    def shares(score: Array) -> Array:
        found: Array = (before[np.searchsorted(ordered, score, "left")] + before[np.searchsorted(ordered, score, "right")]) / 2 / before[-1]
        return found

    def summed(values: Callable[[Array, Array], Array]) -> float:
        own = (values(score[labels == label], weight[labels == label].astype(float)) for score, labels, weight in rows.pieces(number))
        return math.fsum(itertools.chain.from_iterable(piece.tolist() for piece in own))

    weight = summed(lambda s, w: w)
    mean = summed(lambda s, w: shares(s) * w) / weight
    spread = summed(lambda s, w: (w * (shares(s) - mean)) ** 2)
    return mean, spread / weight / weight * size * size / (size - 1)


def _slope(rows: _Rows, number: int) -> tuple[float | None, tuple[float, float] | None]:
    """b of log odds = a + b score by Newton's steps, and its interval. None where they do not settle."""
    a, b = 0.0, 1.0
    for _ in range(50):
        g0, g1, h00, h01, h11 = _derivatives(rows.score, rows.label, rows.weight, rows.band, number, a, b)
        determinant = h00 * h11 - h01 * h01
        if not determinant > 1e-12 * h00 * h11:
            return None, None
        step = (h00 * g1 - h01 * g0) / determinant
        a, b = a - (h11 * g0 - h01 * g1) / determinant, b - step
        if not abs(b) < 1e6:
            return None, None
        if abs(step) < 1e-9:
            variance = h00 / determinant
            if len(rows.weight):  # a weight is no number of rows: H^-1 M H^-1, where M has the squares of the weights (White, 1982)
                squares = rows.weight.astype(np.float64) ** 2
                _, _, m00, m01, m11 = _derivatives(rows.score, rows.label, squares, rows.band, number, a, b)
                variance = (h01 * h01 * m00 - 2 * h01 * h00 * m01 + h00 * h00 * m11) / determinant**2
            spread = NORMAL_95 * math.sqrt(variance)
            return b, (b - spread, b + spread)
    return None, None


@njit(cache=True)
def _derivatives(score, label, weight, band, number, a, b):  # type: ignore[no-untyped-def]
    g0 = g1 = h00 = h01 = h11 = 0.0
    for i in range(score.size):
        if number >= 0 and band[i] != number:
            continue
        own = 1.0 if weight.size == 0 else np.float64(weight[i])
        s = a + b * score[i]
        e = exp(-abs(s))
        p = 1.0 / (1.0 + e) if s >= 0.0 else e / (1.0 + e)
        d, h = own * (p - np.float64(label[i])), own * p * (1.0 - p)
        g0 += d
        g1 += d * score[i]
        h00 += h
        h01 += h * score[i]
        h11 += h * score[i] * score[i]
    return g0, g1, h00, h01, h11


@njit(cache=True)
def _add_losses(score, label, weight, band, block, units, weights, sums):  # type: ignore[no-untyped-def]
    """Add rows to their block's and band's counts, their weights, and their log losses times these to the sums: all [blocks, bands]."""
    for i in range(score.size):
        own = 1.0 if weight.size == 0 else np.float64(weight[i])
        units[block[i], band[i]] += 1
        weights[block[i], band[i]] += own
        sums[block[i], band[i]] += own * (max(score[i], 0.0) + log(1.0 + exp(-abs(score[i]))) - label[i] * score[i])


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
