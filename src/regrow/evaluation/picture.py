"""Tail reports as a picture: loss and gain by band."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regrow.errors import UsageError
from regrow.evaluation.tail import TailReport

__all__ = ["check_drawing", "draw"]

_COLOURS = ("#1b6ca8", "#d1651f", "#3a8f57", "#8a4fa3", "#7d6b54", "#c23b6e")  # readable on white, and told apart by most eyes
_GREY = "#9a9a9a"


def draw(path: str | Path, reports: Mapping[str, TailReport], title: str = "") -> None:
    """Write a PNG with the loss of each band above and the gain over the baseline below.

    reports: by name, all of the same units. The baseline and the shares of the bands shown are those of the first. Raises
    UsageError where matplotlib is not installed, or the file cannot be written.
    """
    figure = _figure()
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    first = next(iter(reports.values()))
    bands = range(len(first.rows))
    above.plot(bands, [_baseline(row) for row in first.rows], color=_GREY, marker="_", markersize=14, linestyle=":", label="baseline")
    width = 0.8 / len(reports)
    for number, (name, report) in enumerate(reports.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        loss = [_shown(row.loss) for row in report.rows]
        above.plot(bands, loss, color=colour, marker="o", label=f"{name} ({report.total.loss or 0:.3f} in all)")
        places = [band + (number + 0.5) * width - 0.4 for band in bands]
        bars = below.bar(places, [_shown(row.gain) for row in report.rows], 0.9 * width, color=colour)
        if len(reports) == 1:
            below.bar_label(bars, ["" if row.gain is None else f"{row.gain:+.2f}" for row in report.rows], fontsize=8, padding=2)
    _label(above, below, first, title)
    try:
        figure.savefig(path, format="png", dpi=120)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", "name another file") from None


def check_drawing() -> None:
    """Raises UsageError if there is no matplotlib: for whoever draws only after long work."""
    if importlib.util.find_spec("matplotlib") is None:
        raise UsageError("a picture needs matplotlib, which is not installed", "pip install 'regrow[plot]'")


def _figure() -> Any:
    check_drawing()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _label(above: Any, below: Any, report: TailReport, title: str) -> None:
    above.set_title(title or f"{report.total.units:,} {report.unit}")
    above.set_ylabel("loss, nats")
    above.legend(frameon=False)
    below.set_ylabel("gain, nats")
    below.axhline(0, color="black", linewidth=0.8)
    below.set_xlabel(f"training count (below: share of the {report.unit})")
    below.set_xticks(range(len(report.rows)), [f"{row.band}\n{100 * row.share:.1f} %" for row in report.rows])
    below.set_xlim(-0.6, len(report.rows) - 0.4)
    below.margins(y=0.18)
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", linewidth=0.4, alpha=0.6)
        axes.set_axisbelow(True)


def _shown(value: float | None) -> float:
    """A number that matplotlib leaves out where there is none."""
    return float("nan") if value is None else value


def _baseline(row: Any) -> float:
    return _shown(row.loss) + _shown(row.gain)
