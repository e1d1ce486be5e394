"""Looking up between the checkpoints of `lda_peers.py`, and its tables."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from lda_peers_contestants import CONTESTANTS

Results = dict[str, Any]


def reached(checkpoints: Sequence[Results], perplexity: float, score: str = "perplexity") -> float | None:
    """CPU seconds until a perplexity; between checkpoints on a straight line of logarithms. None if it was not reached."""
    before: Results | None = None
    for point in checkpoints:
        if point[score] <= perplexity:
            if before is None:
                return float(point["cpu_seconds"])
            share = math.log(before[score] / perplexity) / math.log(before[score] / point[score])
            return float(before["cpu_seconds"] * (point["cpu_seconds"] / before["cpu_seconds"]) ** share)
        before = point
    return None


def perplexity_at(checkpoints: Sequence[Results], seconds: float) -> float | None:
    """Perplexity after so many CPU seconds, in the same way; None before the first checkpoint. The last holds 20 % longer."""
    for before, point in itertools.pairwise(checkpoints):
        if before["cpu_seconds"] <= seconds < point["cpu_seconds"]:
            share = math.log(seconds / before["cpu_seconds"]) / math.log(point["cpu_seconds"] / before["cpu_seconds"])
            return float(before["perplexity"] * (point["perplexity"] / before["perplexity"]) ** share)
    last = checkpoints[-1]
    if last["cpu_seconds"] <= seconds <= 1.2 * last["cpu_seconds"]:
        return float(last["perplexity"])
    return None


def compare(results: Results, budget: float, checkpoints: int) -> Results:
    """Perplexity at the same CPU seconds, and CPU seconds to where the best peer ended."""
    ran = {name: each["checkpoints"] for name, each in results.items() if each["checkpoints"]}
    at = [budget / 2**i for i in reversed(range(checkpoints))]
    ends = {name: points[-1]["perplexity"] for name, points in ran.items() if CONTESTANTS[name].peer != "regrow"}
    best = min(ends, key=lambda name: ends[name]) if ends else None
    return {
        "cpu_seconds": at,
        "perplexity_at": {name: [perplexity_at(points, seconds) for seconds in at] for name, points in ran.items()},
        "best_peer": best,
        "best_peer_perplexity": ends[best] if best else None,
        "cpu_seconds_to_best_peer": {name: reached(points, ends[best]) for name, points in ran.items()} if best else {},
    }


def show(results: Results) -> None:
    """The tables."""
    compared, ran = results["compared"], {n: e["checkpoints"][-1] for n, e in results["contestants"].items() if e["checkpoints"]}
    best = compared["best_peer"]
    lines = [("perplexity after CPU-s", *(f"{seconds:.3g}" for seconds in compared["cpu_seconds"]), "job s", "alpha sum", "s to best peer")]
    for name, end in ran.items():
        at = [number(value, ",.0f") for value in compared["perplexity_at"][name]]
        to_best = number(compared["cpu_seconds_to_best_peer"].get(name), ".1f")
        lines.append((name, *at, f"{end['job_seconds']:.1f}", f"{end['alpha_sum']:.3g}", to_best))
    print(f"\n{table(lines)}")
    if best:
        print(f"job s: with imports and loading; best peer: {best}, which ended at {compared['best_peer_perplexity']:,.1f}")
    for what, form in (("loss", ".3f"), ("gain", "+.3f")):
        first = next(iter(ran.values()))["bands"]
        lines = [(f"{what}, nats a token", "tokens", "share", *(["unigram"] if what == "loss" else []), *ran)]
        for b, row in enumerate(first):
            if row["units"]:
                baseline = [f"{row['loss'] + row['gain']:.3f}"] if what == "loss" else []
                own = [number(end["bands"][b][what], form) for end in ran.values()]
                lines.append((row["band"], f"{row['units']:,}", f"{100 * row['share']:.1f} %", *baseline, *own))
        print(f"\n{table(lines)}")


def number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def table(lines: Sequence[Sequence[str]]) -> str:
    """The first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in lines)
