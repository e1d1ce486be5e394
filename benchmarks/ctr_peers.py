"""Clicks predicted by regrow, Vowpal Wabbit and scikit-learn: the same rows, the same features, as many settings to choose from.

    python benchmarks/ctr_peers.py                          # generated clicks
    python benchmarks/ctr_peers.py --data FOLDER            # baseball: pa-2015.csv.gz -> pa-2020.csv.gz, strikeouts
    python benchmarks/ctr_peers.py --train A.csv --test B.csv --label click --features ad,site --backoff ad:advertiser

Each contestant has sixteen settings, of which one is chosen on the last fifth of the training rows; with that it is trained on all of
them and measured on the test rows: log loss over all and by band (training count of the rarest feature), differences from regrow with
intervals (blocks of days, or stretches of rows, resampled). Last comes regrow with back-off, tuned in the same way. Seconds are those of
training; of scikit-learn without building the matrix.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
from ctr_generated import generate, write_csv
from ctr_peers_contestants import CONTESTANTS, Regrow, Table, read_table

from regrow.evaluation import BANDS, band_of, blocks_of, compare_clicks
from regrow.evaluation.clicks import log_losses
from regrow.evaluation.tail import aligned

BASEBALL = {
    "label": "outcome=K",
    "features": "batter,pitcher,catcher,umpire,park,bat_hand,pit_hand,order,inning,fielding_pos",
    "backoff": ["pair:batter,pitcher", "hands:bat_hand,pit_hand", "versus:batter,pit_hand", "against:pitcher,bat_hand"],
    "time": "date",
    "ids": "batter,pitcher",
    "slow": "catcher,umpire,park",
}
GENERATED = {
    "label": "click",
    "features": "ad,position,hour,site",
    "backoff": ["ad:advertiser,category"],
    "time": "",
    "ids": "",
    "slow": "",
}


def rarest_of(train: Table, test: Table) -> Any:
    """The least training count among the features of each test row."""
    counts = Counter(key for row in train.features for key in zip(train.names, row, strict=True))
    return np.array([min(counts[key] for key in zip(test.names, row, strict=True)) for row in test.features])


def tuned(contestant: Any, train: Table, test: Table, folder: Path) -> dict[str, Any]:
    """Choose a setting on the last fifth of the training rows, train on all, score the test rows."""
    rows = sorted(range(len(train)), key=lambda i: train.time[i])  # stable: files in order of time stay as they are
    cut = len(rows) * 4 // 5
    early, late = train.part(rows[:cut]), train.part(rows[cut:])
    tried = []
    for setting in contestant.settings:
        found = contestant.train(early, late, setting, folder)
        tried.append((float(log_losses(found.score, late.label).mean()), setting))
        print(f"  {contestant.name:18} {tried[-1][0]:.5f}  {shown(setting)}", flush=True)
    loss, best = min(tried, key=lambda pair: pair[0])
    found = contestant.train(train.part(rows), test, best, folder)
    return {"score": found.score, "seconds": found.seconds, "setting": dict(best), "chosen_at": loss}


def shown(setting: Any) -> str:
    """A setting on one line."""
    return " ".join(f"{name}={','.join(value) if isinstance(value, list) else value}" for name, value in setting.items())


def report(found: dict[str, dict[str, Any]], test: Table, rarest: Any) -> None:
    """Losses by band, and differences from regrow."""
    band = band_of(rarest)
    present = [number for number in range(len(BANDS)) if np.any(band == number)]
    lines = [("log loss", *found)]
    for number in present:
        mine = band == number
        losses = [f"{log_losses(one['score'], test.label)[mine].mean():.4f}" for one in found.values()]
        lines.append((f"{BANDS[number]} ({np.count_nonzero(mine):,})", *losses))
    lines.append((f"all ({len(test):,})", *(f"{log_losses(one['score'], test.label).mean():.5f}" for one in found.values())))
    lines.append(("seconds", *(f"{one['seconds']:.1f}" for one in found.values())))
    print("\n" + aligned(lines))
    moments = np.unique(test.time, return_inverse=True)[1].astype(np.uint64)
    for first in [name for name in found if name.startswith("regrow")]:
        for second in found:
            if second == first or (second.startswith("regrow") and first == "regrow"):
                continue
            comparison = compare_clicks(
                found[first]["score"], found[second]["score"], test.label, np.empty(0, np.float32), band, blocks_of(moments)
            )
            print(f"\n{first} less {second}: below 0 {first} is better; a star: the interval leaves out 0")
            print(comparison.text("rows"))


def main(arguments: Sequence[str] | None = None) -> None:
    """Tune, train, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="a folder with pa-2015.csv.gz and pa-2020.csv.gz")
    for name in ("--train", "--test", "--label", "--features", "--ids", "--slow", "--time", "--json"):
        parser.add_argument(name)
    parser.add_argument("--backoff", action="append")
    parser.add_argument("--rows", type=int, default=200_000, help="generated rows")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        about: dict[str, Any] = dict(BASEBALL if given.data else GENERATED)
        if given.data:
            train_file, test_file = f"{given.data}/pa-2015.csv.gz", f"{given.data}/pa-2020.csv.gz"
        elif given.train:
            train_file, test_file = given.train, given.test
        else:
            clicks = generate(given.rows * 5 // 4, ads=given.rows // 4)
            train_file, test_file = str(folder / "generated-train.csv"), str(folder / "generated-test.csv")
            write_csv(Path(train_file), clicks.part(0, given.rows))
            write_csv(Path(test_file), clicks.part(given.rows, len(clicks)))
        about |= {name: value for name, value in vars(given).items() if name in about and value}
        coarser = [name for text in about["backoff"] for name in text.partition(":")[2].split(",")]
        flat = about["features"].split(",")
        names = list(dict.fromkeys([*flat, *coarser]))
        wide = {name: read_table(file, about["label"], names, about["time"]) for name, file in (("train", train_file), ("test", test_file))}
        narrow = {
            name: read_table(file, about["label"], flat, about["time"]) for name, file in (("train", train_file), ("test", test_file))
        }
        print(f"{len(wide['train']):,} rows to train on, {len(wide['test']):,} to test; features {', '.join(flat)}")
        found = {}
        ids, slow = ([name for name in about[kind].split(",") if name] for kind in ("ids", "slow"))
        for contestant in (Regrow(ids, slow), *CONTESTANTS):
            try:
                print(f"{contestant.name} {contestant.version}")
            except PackageNotFoundError as missing:
                print(f"{contestant.name} is left out: pip install {missing.name}")
                continue
            found[contestant.name] = tuned(contestant, narrow["train"], narrow["test"], folder)
        more = ["--features", ",".join(flat), *(word for text in about["backoff"] for word in ("--backoff", text))]
        print(f"regrow with {' '.join(more[2:])}")
        backed = Regrow(ids, slow, more)
        found[backed.name] = tuned(backed, wide["train"], wide["test"], folder)
        for name, one in found.items():
            print(f"{name:18} chose {shown(one['setting'])} at {one['chosen_at']:.5f}")
        report(found, narrow["test"], rarest_of(narrow["train"], narrow["test"]))
        if given.json:
            Path(given.json).write_text(json.dumps({name: {k: v for k, v in one.items() if k != "score"} for name, one in found.items()}))


if __name__ == "__main__":
    sys.exit(main())
