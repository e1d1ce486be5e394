"""The comparison as a picture: goodput over the number of processes, a panel for each rate of loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from regrow.errors import UsageError
from regrow.evaluation.picture import check_drawing
from regrow.simulation.compare import REGROW, Row

__all__ = ["draw"]

_STYLES: Mapping[str, tuple[str, str]] = {
    "MPI": ("#9a9a9a", "x"),
    "MPI + checkpoints": ("#7d6b54", "s"),
    "MapReduce": ("#8a4fa3", "v"),
    "Pregel": ("#d1651f", "D"),
    "Spark": ("#1b6ca8", "^"),
    REGROW: ("#2f8f4e", "o"),
}


def draw(path: str | Path, rows: Sequence[Row], names: Mapping[float, str]) -> None:
    """Write a PNG. names: rate -> what it is called. Raises UsageError where matplotlib is not installed, or the file cannot be written."""
    check_drawing()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rates = sorted({row.loss_rate_per_process_hour for row in rows})
    figure = Figure(figsize=(3.1 * len(rates) + 1.2, 3.9), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(rates), sharey=True, squeeze=False)[0]
    for axes, rate in zip(panels, rates, strict=True):
        _panel(axes, [row for row in rows if row.loss_rate_per_process_hour == rate])
        axes.set_title(f"{names.get(rate, '')}\n{rate:g} losses per process-hour", fontsize=9)
    panels[0].set_ylabel("goodput: share of the time that is progress")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(_STYLES), frameon=False, fontsize=9)
    try:
        figure.savefig(path, format="png", dpi=120)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", "name another file") from None


def _panel(axes: Any, rows: Sequence[Row]) -> None:
    for system, (colour, marker) in _STYLES.items():
        mine = sorted((row.processes, row.goodput) for row in rows if row.system == system)
        width = 2.4 if system == REGROW else 1.4
        axes.plot(*zip(*mine, strict=True), color=colour, marker=marker, markersize=5, linewidth=width, label=system, clip_on=False)
    axes.set_xscale("log")
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
    axes.set_xlabel("processes")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", linewidth=0.4, alpha=0.6)
