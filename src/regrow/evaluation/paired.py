"""Which of two models is better, on the same documents, and how sure that is.

Documents are what is drawn at random from the world, and the units of one document are alike: so documents are resampled, not
units (the paired bootstrap; Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 6, 8 and 13). The statistic is
the difference of mean losses per unit, a ratio of sums: of all differences over all units of the resampled documents. Intervals
are the percentiles of the resamples. Draws are functions of (resample, place): the same documents give the same bytes always.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, uint64

from regrow.evaluation.bands import BANDS
from regrow.evaluation.tail import aligned
from regrow.rng import bits, key_of

__all__ = ["Comparison", "Difference", "compare"]

Array = npt.NDArray[Any]

RESAMPLES = 2_000
ROUNDING = 1e-9
"""Differences below this share of the losses may come of rounding, when the same is added in another order."""
LEVEL = 0.95
DOCUMENTS_MIN = 10
"""A band that fewer documents have units in gets no interval: a resample would show the same few documents, and look sure."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean loss per unit of the first model less that of the second, in nats: below 0 the first is better.

    low, high: the interval; None where too few documents have units. All None without units, and where these weigh nothing.
    rounding: what the rounding of sums may make of no difference.
    """

    band: str
    units: int
    difference: float | None
    low: float | None
    high: float | None
    rounding: float = 0.0

    @property
    def sure(self) -> bool:
        """Whether the interval leaves 0 out, by more than what may come of rounding."""
        return self.low is not None and self.high is not None and (self.low > self.rounding or self.high < -self.rounding)

    def to_json(self) -> dict[str, Any]:
        """{"band", "units", "difference", "low", "high"}."""
        return {"band": self.band, "units": self.units, "difference": self.difference, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True)
class Comparison:
    """A difference for each band, from the rarest, and one for all units together."""

    rows: tuple[Difference, ...]
    total: Difference
    documents: int
    resamples: int
    level: float

    def text(self, unit: str = "units") -> str:
        """An aligned table; a star marks intervals without 0."""
        lines: list[Sequence[str]] = [("band", unit, "difference", f"{100 * self.level:g} % from", "to", "")]
        for row in (*self.rows, self.total):
            numbers = [_shown(value, row.sure) for value in (row.difference, row.low, row.high)]
            lines.append((row.band, f"{row.units:,}", *numbers, "*" if row.sure else ""))
        return aligned(lines)

    def to_json(self) -> dict[str, Any]:
        """The row of all units, the rows of the bands, and how they were made."""
        about = {"documents": self.documents, "resamples": self.resamples, "level": self.level}
        return {**self.total.to_json(), **about, "bands": [row.to_json() for row in self.rows]}


def compare(
    units: Array,
    first: Array,
    second: Array,
    *,
    weight: Array | None = None,
    bands: Sequence[str] = BANDS,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Comparison:
    """Compare the losses of two models.

    units           [D, bands] integers: how many units of each band each document has
    first, second   [D, bands] float64: the sums of their losses under the two models, in nats
    weight          [D, bands] float64: the sums of their units' weights, where the losses are times these; None: all weigh 1
    bands           the names of the columns

    Equal losses give a difference of exactly 0. Cost: `resamples` x D documents.
    """
    table = np.empty((len(units), 2, len(bands) + 1))
    table[:, 0, :-1] = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    table[:, 1, :-1] = units if weight is None else weight
    table[:, :, -1] = _added(table[:, :, :-1])
    whole = _sums(table)
    drawn = np.empty((resamples, 2, len(bands) + 1))
    _resample(table, drawn, key_of(0, "evaluation", "paired", 0))
    holders = np.count_nonzero(table[:, 1], axis=0)
    counts, losses = (np.append(sums, sums.sum()) for sums in (np.sum(units, axis=0), np.sum(first, axis=0) + np.sum(second, axis=0)))
    rows = [
        _difference(band, int(counts[b]), whole[:, b], drawn[:, :, b] if holders[b] >= DOCUMENTS_MIN else None, level, ROUNDING * losses[b])
        for b, band in enumerate((*bands, "all"))
    ]
    return Comparison(tuple(rows[:-1]), rows[-1], int(holders[-1]), resamples, level)


def _shown(value: float | None, sure: bool) -> str:
    """A number with four digits; of a difference that is sure, more where these would all be 0."""
    if value is None:
        return "-"
    return f"{value:+.1e}" if sure and abs(value) < 0.00005 else f"{value:+.4f}"


def _difference(band: str, units: int, whole: Array, drawn: Array | None, level: float, rounding: float) -> Difference:
    """The ratio of the sums `whole` (difference, weight), and the percentiles of those of the resamples that have weight."""
    if not whole[1]:
        return Difference(band, units, None, None, None)
    value = float(whole[0] / whole[1])
    if drawn is None:
        return Difference(band, units, value, None, None)
    some = drawn[drawn[:, 1] > 0]
    ratios = np.sort(some[:, 0] / some[:, 1])
    outside = int((1 - level) / 2 * len(ratios))
    low, high = float(ratios[outside]), float(ratios[len(ratios) - 1 - outside])
    return Difference(band, units, value, low, high, float(rounding / whole[1]))


@njit(cache=True)
def _added(table: Array) -> Array:
    """The sums over the last axis of [D, 2, bands], in order."""
    found = np.zeros(table.shape[:2])
    for d in range(table.shape[0]):
        for i in range(2):
            for b in range(table.shape[2]):
                found[d, i] += table[d, i, b]
    return found


@njit(cache=True)
def _sums(table: Array) -> Array:
    """The sums over the first axis of [D, 2, columns], in order."""
    found = np.zeros(table.shape[1:])
    for d in range(table.shape[0]):
        found += table[d]
    return found


@njit(cache=True)
def _resample(table, drawn, key):  # type: ignore[no-untyped-def]
    """drawn[r] = the sum of D rows of `table` ([D, 2, columns], D below 2^32), drawn at random with replacement."""
    documents = uint64(table.shape[0])
    flat, sums = table.reshape(table.shape[0], -1), drawn.reshape(drawn.shape[0], -1)
    for r in range(drawn.shape[0]):
        sums[r, :] = 0.0
        for i in range(documents):
            d = (bits(key, uint64(r) * documents + uint64(i)) >> uint64(32)) * documents >> uint64(32)
            for column in range(flat.shape[1]):
                sums[r, column] += flat[d, column]
