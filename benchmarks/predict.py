"""Predict, then check: the goodput that the simulator says of a job, beside the one of real runs: `python benchmarks/predict.py`.

A job is run quietly once; its costs make a scenario (`regrow simulate run --like`). Then it is run while a random worker is killed every so
many seconds, and the simulator says what is to be expected. Goodput is told relative to the quiet run: what a busy machine takes from all
of them falls out.
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
from regrow.summary import status_of
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


def predicted(quiet: Path, workers: int, preempt: float | None, seeds: int = 5) -> float:
    """Goodput of the simulated job: the mean over some seeds."""
    job = Spec.read(quiet).job(quiet.absolute())
    roles = checked_roles(job.load(), Dataset.open(job.data))
    rate = 0.0 if preempt is None else 3600 / (preempt * workers)
    scenario = like(Costed(quiet), roles, workers=workers, loss_per_hour=rate)
    return sum(run_scenario(replace(scenario, seed=seed), "").goodput for seed in range(1, seeds + 1)) / seeds


def measured(run: Path) -> float:
    """Goodput of a real run, while it trained: preparing left out."""
    costed = Costed(run)
    return costed.goodput if costed.seconds else status_of(run)["goodput"]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--size", type=int, default=20_000, help="points of a partition")
    parser.add_argument("--preempt", default="3,1,0.3", help="seconds between two losses, with commas between")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="regrow-predict-") as name:
        folder = Path(name)
        quiet = run(folder, "quiet", asked.workers, asked.rounds, asked.size, None)
        ground, simulated = measured(quiet), predicted(quiet, asked.workers, None)
        rows = []
        for seconds in [float(text) for text in asked.preempt.split(",")]:
            path = run(folder, f"every-{seconds:g}", asked.workers, asked.rounds, asked.size, seconds)
            row = {
                "preempt_seconds": seconds,
                "workers_lost": Costed(path).lost,
                "measured": round(measured(path) / ground, 4),
                "predicted": round(predicted(quiet, asked.workers, seconds) / simulated, 4),
            }
            rows.append(row)
    if asked.json:
        print(json.dumps(rows))
        return
    print("a loss every   workers lost   measured   predicted   (goodput relative to the quiet run)")
    for row in rows:
        print(f"{row['preempt_seconds']:10g} s {row['workers_lost']:14} {100 * row['measured']:9.1f}% {100 * row['predicted']:10.1f}%")


if __name__ == "__main__":
    main()
