"""The tail report: how well each band of frequency is served.

A unit is what is predicted once: a word of a text, an example. Each has a loss (nats), and the loss of a baseline that knows
frequencies and nothing else. A band's loss is the mean over its units, and its gain the baseline's mean less that.
Where units have weights, both are weighted means.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.evaluation.bands import BANDS

__all__ = ["Row", "TailReport"]


@dataclass(frozen=True, slots=True)
class Row:
    """One band: how many units and which share of all of them; their mean loss and gain, None without units (or if all weigh 0)."""

    band: str
    units: int
    share: float
    loss: float | None
    gain: float | None

    def to_json(self) -> dict[str, Any]:
        """{"band", "units", "share", "loss", "gain"}."""
        return {"band": self.band, "units": self.units, "share": self.share, "loss": self.loss, "gain": self.gain}


@dataclass(frozen=True, slots=True)
class TailReport:
    """A row for each band, from the rarest, and one for all units together.

    unit    what a unit is, in the plural: "tokens", "examples"
    """

    rows: tuple[Row, ...]
    total: Row
    unit: str = "units"

    @staticmethod
    def of_sums(
        units: Sequence[int], loss: Sequence[float], baseline: Sequence[float], unit: str = "units", weight: Sequence[float] | None = None
    ) -> TailReport:
        """From sums over the units of each band: how many, their losses, the baseline's losses; `weight`: their weights, and the losses are
        times these (None: all weigh 1).

        The sums of bands are added without rounding in between, so whoever brings sums that do not depend on the order of the
        units gets a report that does not. Raises ValueError unless there is one sum for each band.
        """
        everything = sum(int(number) for number in units)
        weight = units if weight is None else weight
        rows = (_row(*sums, everything) for sums in zip(BANDS, units, loss, baseline, weight, strict=True))
        total = _row("all", everything, math.fsum(loss), math.fsum(baseline), math.fsum(weight), everything)
        return TailReport(tuple(rows), total, unit)

    @staticmethod
    def of_units(band: npt.ArrayLike, loss: npt.ArrayLike, baseline: npt.ArrayLike, unit: str = "units") -> TailReport:
        """From one number of a band (see `band_of`), loss and baseline loss for each unit: arrays of one length.

        Sums are exact before they are rounded once, so the order of the units changes nothing.
        """
        band, loss, baseline = np.asarray(band), np.asarray(loss, np.float64), np.asarray(baseline, np.float64)
        mine = [np.flatnonzero(band == number) for number in range(len(BANDS))]
        return TailReport.of_sums(
            [len(own) for own in mine], _exact_sums(loss[own] for own in mine), _exact_sums(baseline[own] for own in mine), unit
        )

    @property
    def perplexity(self) -> float | None:
        """exp of the mean loss: between how many equally likely words the model is undecided. None without units."""
        return None if self.total.loss is None else math.exp(self.total.loss)

    def to_json(self) -> list[dict[str, Any]]:
        """The rows of the bands as JSON values."""
        return [row.to_json() for row in self.rows]

    def text(self) -> str:
        """An aligned table of plain text; a band without units shows a dash."""
        lines = [("band", self.unit, "share", "loss", "gain")]
        for row in (*self.rows, self.total):
            lines.append((row.band, f"{row.units:,}", f"{100 * row.share:.1f} %", _number(row.loss, ".4f"), _number(row.gain, "+.4f")))
        return aligned(lines)


def _row(band: str, units: int, loss: float, baseline: float, weight: float, everything: int) -> Row:
    if not weight:
        return Row(band, int(units), units / everything if units else 0.0, None, None)
    return Row(band, int(units), units / everything, loss / weight, (baseline - loss) / weight)


def _exact_sums(parts: Iterable[npt.NDArray[np.float64]]) -> list[float]:
    return [math.fsum(part.tolist()) for part in parts]


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Lines of words in columns: the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    shown = ("  ".join([words[0].ljust(widths[0]), *map(str.rjust, words[1:], widths[1:])]) for words in lines)
    return "\n".join(line.rstrip() for line in shown)
