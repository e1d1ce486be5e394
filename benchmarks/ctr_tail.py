"""How well rare ads are served: regret by band on generated clicks whose true chances are known.

    python benchmarks/ctr_tail.py [--rows 2000000] [--ads 600000] [--ads-per-advertiser 100] [--spread 0.5] [--seed 1]
                                  [--workers 2] [--lines "flat;back-off"] [--json OUT.json]

Regret is the mean of KL(true chance, predicted chance) over new rows of the same ads, times 1,000: what is lost by not knowing the truth,
without the noise of clicks. Bands: how often the row's ad stood in training. Every line is one `regrow` run over the training rows with
four learning rates side by side; the one with the least progressive loss counts.

    flat            a weight for each ad, and contexts
    back-off        advertiser and category as well (--backoff ad:advertiser,category)
    drop, admit, hash       the same with --min-count 10, --admit 0.1, --hash-bits 14

The truth is a sum of effects of category, advertiser and ad, so the gain of back-off is an upper bound of what it is elsewhere; and it is
the larger, the more ads an advertiser has.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ctr_generated import generate, write_csv

from regrow.data.clicks import ClickOptions
from regrow.evaluation import BANDS, band_of
from regrow.evaluation.tail import aligned
from regrow.launch import launch
from regrow.models.logistic import FTRL
from regrow.models.logistic.specs import clicks_spec, read_clicks, scoring_spec
from regrow.models.logistic.unseen import Scores
from regrow.spec import How

ALPHAS = (0.05, 0.1, 0.2, 0.5)
FLAT = ("ad", "position", "hour", "site")
BACKOFF = {"backoff": ["ad:advertiser,category"]}
LINES: dict[str, dict[str, Any]] = {
    "flat": {},
    "flat, drop < 10": {"min_count": 10},
    "flat, admit 0.1": {"admit": 0.1},
    "flat, hash 2^14": {"hash_bits": 14},
    "back-off": BACKOFF,
    "back-off, drop < 10": BACKOFF | {"min_count": 10},
    "back-off, admit 0.1": BACKOFF | {"admit": 0.1},
    "back-off, hash 2^14": BACKOFF | {"hash_bits": 14},
}


def regret(p: Any, score: Any) -> Any:
    """KL(p, 1 / (1 + exp(-score))) of each row, times 1,000."""
    loss = np.logaddexp(0, score) - p * score
    entropy = -(p * np.log(p) + (1 - p) * np.log1p(-p))
    return 1000 * (loss - entropy)


def scores_of(train: Path, test: Path, options: dict[str, Any], workers: int) -> tuple[Any, str]:
    """Scores of the test rows under a model of the training rows, and how it came about."""
    program = FTRL(list(ALPHAS), *([value] * len(ALPHAS) for value in (1.0, 0.0, 0.0)))
    how = How("local", workers, verify=False)
    began = time.monotonic()
    spec = clicks_spec([str(train)], program, options=ClickOptions(label="click", features=list(FLAT), **options))
    run = launch(spec, how, None)
    seconds = time.monotonic() - began
    model = read_clicks(run.path)[0]
    told = f"alpha {ALPHAS[int(model.arrays['kept'][0])]:g}, {model.features - 1:,} weights, {seconds:.0f} s"
    return launch(scoring_spec(run.path, [str(test)], Scores), how, None).model["score"], told


def row_of(name: str, values: Any, band: Any, note: str) -> list[str]:
    """A line of the table: the mean of each band, and of all."""
    means = [f"{values[band == number].mean():.2f}" if np.any(band == number) else "-" for number in range(len(BANDS))]
    return [name, f"{values.mean():.2f}", *means, note]


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Generate, train, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--ads", type=int, default=600_000)
    parser.add_argument("--spread", type=float, default=0.5)
    parser.add_argument("--ads-per-advertiser", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--lines", help="only these, separated by semicolons")
    parser.add_argument("--json")
    given = parser.parse_args(arguments)
    clicks = generate(given.rows * 11 // 10, given.ads, given.seed, given.spread, given.ads_per_advertiser)
    train, test = clicks.part(0, given.rows), clicks.part(given.rows, len(clicks))
    band = band_of(np.bincount(train.columns["ad"], minlength=given.ads)[test.columns["ad"]])
    lines = [["regret x 1,000", "all", *BANDS, ""]]
    share = [f"{100 * np.mean(band == number):.1f} %" for number in range(len(BANDS))]
    lines.append(
        [
            "share of rows",
            "",
            *share,
            f"{given.rows:,} rows, {given.ads:,} ads, {given.ads_per_advertiser} an advertiser, spread {given.spread}",
        ]
    )
    base = np.log(train.label.mean() / (1 - train.label.mean()))
    found: dict[str, Any] = {"base rate": regret(test.p, np.full(len(test), base))}
    lines.append(row_of("base rate", found["base rate"], band, ""))
    with tempfile.TemporaryDirectory() as scratch:
        files = Path(scratch) / "train.csv", Path(scratch) / "test.csv"
        for file, rows in zip(files, (train, test), strict=True):
            write_csv(file, rows)
        for name, options in LINES.items():
            if given.lines and name not in given.lines.split(";"):
                continue
            score, note = scores_of(*files, options, given.workers)
            found[name] = regret(test.p, score)
            lines.append(row_of(name, found[name], band, note))
            print(f"{name}: {found[name].mean():.2f} ({note})", file=sys.stderr, flush=True)
    print(aligned(lines))
    verdict(found, band)
    means = {
        name: [float(values[band == n].mean()) if np.any(band == n) else None for n in range(len(BANDS))] for name, values in found.items()
    }
    if given.json:
        Path(given.json).write_text(json.dumps({"bands": BANDS, "share": share, "regret": means}))
    return means


def verdict(found: dict[str, Any], band: Any) -> None:
    """What sharing gains, and what dropping and hashing cost, where ads are rare (up to 19 rows)."""
    rare = band <= 3
    if "flat" in found and "back-off" in found:
        before, after = found["flat"][rare].mean(), found["back-off"][rare].mean()
        print(f"\nads of at most 19 rows: flat {before:.2f}, back-off {after:.2f}: {100 * (1 - after / before):.0f} % less regret")
    for base in ("flat", "back-off"):
        for name, values in found.items():
            if base in found and name.startswith(f"{base}, "):
                rare_cost, cost = (100 * (values[some].mean() / found[base][some].mean() - 1) for some in (rare, band >= 0))
                print(f"{name}: {rare_cost:+.1f} % regret for them, {cost:+.1f} % over all")


if __name__ == "__main__":
    main()
