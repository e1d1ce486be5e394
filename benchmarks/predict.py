"""Predict, then check: the goodput that the simulator says of a job, beside the one of real runs: `python benchmarks/predict.py`.

A job is run quietly; its costs make a scenario (`regrow simulate run --like`). Then it is run while a random worker is killed every so
many seconds, and the simulator says what is to be expected. Two things are told: goodput relative to that of the quiet run, which is how
much longer the training took for the same work, and needs a machine on which nobody else works (each is run --repeat times, in turn, and
the quickest counts); and the share of the work that was not in vain (CPU seconds), which does not. A run before all others is not counted:
it may have to compile.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from regrow.simulation.like import Costed, like
from regrow.simulation.outcome import run_scenario
from regrow.spec import Spec
from regrow.store.dataset import Dataset
from regrow.worker import checked_roles

HERE = Path(__file__).parent


def run(folder: Path, name: str, workers: int, rounds: int, size: int, preempt: float | None) -> Path:
    """A real run of the small algorithm of `faults.py`."""
    path = folder / name
    (folder / "data.txt").write_text("nothing\n")
    sets = ["--set", f"rounds={rounds}", "--set", f"partitions={4 * workers}", "--set", f"size={size}"]
    words = ["run", str(HERE / "faults_algorithm.py:Lloyd"), str(folder / "data.txt"), *sets, "--workers", str(workers), "--run", str(path)]
    more = ["--verify", "off"] + ([] if preempt is None else ["--preempt", str(preempt)])
    subprocess.run([sys.executable, "-m", "regrow.cli.main", *words, *more], check=True, capture_output=True)
    return path


def predicted(quiet: Path, workers: int, preempt: float | None, seeds: int = 5) -> tuple[float, float]:
    """Of the simulated job: hours, and the share of the work that was not in vain; the means over some seeds."""
    job = Spec.read(quiet).job(quiet.absolute())
    roles = checked_roles(job.load(), Dataset.open(job.data))
    rate = 0.0 if preempt is None else 3600 / (preempt * workers)
    scenario = like(Costed(quiet), roles, workers=workers, loss_per_hour=rate)
    outcomes = [run_scenario(replace(scenario, seed=seed), "") for seed in range(1, seeds + 1)]
    return sum(outcome.hours for outcome in outcomes) / seeds, 1 - sum(outcome.redone for outcome in outcomes) / seeds


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--size", type=int, default=20_000, help="points of a partition")
    parser.add_argument("--preempt", default="3,1,0.3", help="seconds between two losses, with commas between")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="regrow-predict-") as name:
        folder = Path(name)
        rates = [None, *(float(text) for text in asked.preempt.split(","))]
        run(folder, "first", asked.workers, 2, asked.size, None)
        runs: dict[float | None, list[Costed]] = {rate: [] for rate in rates}
        quiets = []
        for turn in range(asked.repeat):
            for rate in rates:
                path = run(folder, f"{turn}-{rate}", asked.workers, asked.rounds, asked.size, rate)
                runs[rate].append(Costed(path))
                if rate is None:
                    quiets.append(path)
        best = {rate: min(each, key=lambda costed: costed.seconds) for rate, each in runs.items()}
        quiet = quiets[runs[None].index(best[None])]
        simulated, _ = predicted(quiet, asked.workers, None)
        rows = []
        for rate in rates[1:]:
            hours, kept = predicted(quiet, asked.workers, rate)
            row = {
                "preempt_seconds": rate,
                "workers_lost": best[rate].lost,
                "measured_goodput": round(best[None].seconds / best[rate].seconds, 4),
                "predicted_goodput": round(simulated / hours, 4),
                "measured_not_in_vain": round(best[rate].not_in_vain, 4),
                "predicted_not_in_vain": round(kept, 4),
            }
            rows.append(row)
    if asked.json:
        print(json.dumps(rows))
        return
    print(f"{'':30}goodput, relative      work not in vain")
    print("a loss every   workers lost   measured  predicted   measured  predicted")
    for row in rows:
        shares = "".join(f"{100 * row[name]:10.1f}%" for name in list(row)[2:])
        print(f"{row['preempt_seconds']:10g} s {row['workers_lost']:14}{shares}")


if __name__ == "__main__":
    main()
