"""The picture of `lda_peers.py`: perplexity against CPU time on the left, what each band of words gained on the right.

Recorded curves get a panel of their own in the middle, where everybody is scored the way that they were.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

COLOURS = {
    "regrow": "#1b6ca8", "regrow, alpha learned": "#0b3c66", "tomotopy": "#e08a3c", "tomotopy, alpha learned": "#b3480f",
    "gensim": "#3a8f57", "scikit-learn": "#8a4fa3", "Mallet, recorded": "#a3324a", "WarpLDA, recorded": "#4d4d4d",
}  # fmt: skip


def draw(path: Path, results: dict[str, Any]) -> None:
    """Write a PNG of what `lda_peers.py` writes as JSON."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    recorded = results["recorded"]["curves"] if "recorded" in results else {}
    ran = {name: each for name, each in results["contestants"].items() if each["checkpoints"]}
    figure = Figure(figsize=(20 if recorded else 13, 5.4), layout="constrained")
    FigureCanvasAgg(figure)
    left, *middle, right = figure.subplots(1, 3 if recorded else 2, width_ratios=(1.1, 1.1, 1) if recorded else (1.1, 1))
    curves = {name: _points(each["checkpoints"]) for name, each in ran.items()}
    end = next(iter(ran.values()))["checkpoints"][-1]
    _curves(left, curves, [name for name in curves if "learned" in name], math.exp(end["loss"] + end["gain"]))
    for axes in middle:
        everybody = {name: each["checkpoints"] for name, each in ran.items()} | recorded
        _curves(axes, {name: _points(each, "perplexity_recorded_way") for name, each in everybody.items()}, list(recorded))
        axes.set_ylabel("perplexity, scored the way of the recorded curves (dashed)")
        title = f"dashed: another machine of a similar kind, alpha sum {results['alpha_sum']:g} kept; another score than left"
        axes.set_title(title, fontsize=9, loc="left")
    _bars(right, ran)
    for axes in (left, *middle, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_axisbelow(True)
    corpus = results["corpus"]
    figure.suptitle(
        f"{corpus['name']}: {corpus['tokens'] / 1e6:.1f} M tokens, {corpus['words']:,} words, {results['topics']:,} topics, "
        f"{results['budget']:g} CPU-seconds each, one worker",
        fontsize=12,
    )
    figure.savefig(path, format="png", dpi=110)


def _points(checkpoints: list[dict[str, Any]], score: str = "perplexity") -> list[tuple[float, float]]:
    return [(point["cpu_seconds"], point[score]) for point in checkpoints]


def _curves(axes: Any, curves: dict[str, list[tuple[float, float]]], dashed: list[str], unigram: float | None = None) -> None:
    """Curves with their names at their ends. Without a unigram for measure the dashed ones are seen whole."""
    ends = []
    for name, points in curves.items():
        style = "--" if name in dashed else "-"
        axes.plot(*zip(*points, strict=True), style, color=COLOURS[name], marker="o", markersize=4, linewidth=1.8)
        ends.append((points[-1][1], points[-1][0], name))
    axes.set_xscale("log")
    axes.set_yscale("log")
    seen = 1.6 * unigram if unigram else 1.15 * max(perplexity for name in dashed for _, perplexity in curves[name])
    low, high = 0.86 * min(ends)[0], max(seen, 1.1 * max(ends)[0])  # a beginning far above knows nothing yet
    axes.set_ylim(low, high)
    first, last = axes.get_xlim()
    axes.set_xlim(first, last * (last / first) ** 0.48)
    _plain_ticks(axes, low, high, last)
    if unigram:
        axes.axhline(unigram, color="#9a9a9a", linewidth=1, linestyle=":")
        axes.annotate(f"unigram  {unigram:,.0f}", (first, unigram), (6, 3), textcoords="offset points", color="#6a6a6a", fontsize=9)
    heights = _apart([math.log(perplexity) for perplexity, _, _ in sorted(ends)], math.log(high / low) / 21)
    for (perplexity, seconds, name), height in zip(sorted(ends), heights, strict=True):
        axes.annotate(
            f"{name}  {perplexity:,.0f}", (seconds, perplexity), (last * 1.06, math.exp(height)),
            color=COLOURS[name], fontsize=9, va="center",
            arrowprops={"arrowstyle": "-", "color": COLOURS[name], "linewidth": 0.6, "shrinkA": 2, "shrinkB": 3, "relpos": (0, 0.5)},
        )  # fmt: skip
    axes.set_xlabel("CPU seconds of training")
    axes.set_ylabel("perplexity of held-out words (lower is better)")
    axes.grid(which="major", linewidth=0.4, alpha=0.6)


def _apart(places: list[float], step: float) -> list[float]:
    """Ascending places, moved until neighbours are a step apart; groups that touch stay around their middle."""
    groups: list[list[float]] = []
    for place in places:
        groups.append([place])
        while len(groups) > 1 and _ends(groups[-2], step)[1] + step > _ends(groups[-1], step)[0]:
            groups[-2:] = [groups[-2] + groups[-1]]
    return [_ends(group, step)[0] + i * step for group in groups for i in range(len(group))]


def _ends(group: list[float], step: float) -> tuple[float, float]:
    middle, half = sum(group) / len(group), step * (len(group) - 1) / 2
    return middle - half, middle + half


def _plain_ticks(axes: Any, low: float, high: float, last: float) -> None:
    """Numbers as people write them: 1, 1.5, 2, 3, 4, 5, 7 times a power of ten for perplexities, 1, 2, 5 for seconds."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    shown = [m * 10**e for e in range(7) for m in (1, 1.5, 2, 3, 4, 5, 7) if low <= m * 10**e <= high]
    seconds = [m * 10.0**e for e in range(-3, 7) for m in (1, 2, 5) if axes.get_xlim()[0] <= m * 10.0**e <= last]
    for axis, places, form in ((axes.yaxis, shown, "{:,.0f}"), (axes.xaxis, seconds, "{:g}")):
        axis.set_major_locator(FixedLocator(places))
        axis.set_major_formatter(FuncFormatter(lambda value, _, form=form: form.format(value)))
        axis.set_minor_locator(NullLocator())


def _bars(axes: Any, ran: dict[str, Any]) -> None:
    first = next(iter(ran.values()))["checkpoints"][-1]["bands"]
    bands = [b for b, row in enumerate(first) if row["units"]]
    width = 0.84 / len(ran)
    for number, (name, each) in enumerate(ran.items()):
        gains = [each["checkpoints"][-1]["bands"][b]["gain"] for b in bands]
        places = [place + (number + 0.5) * width - 0.42 for place in range(len(bands))]
        axes.bar(places, gains, 0.9 * width, color=COLOURS[name], label=name)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_xticks(range(len(bands)), [f"{first[b]['band']}\n{100 * first[b]['share']:.1f} %" for b in bands])
    axes.set_xlabel("training count of the word (below: share of the scored tokens)")
    axes.set_ylabel("gain over the unigram, nats a token (higher is better)")
    axes.grid(axis="y", linewidth=0.4, alpha=0.6)
    axes.legend(frameon=False, fontsize=9, loc="best")
