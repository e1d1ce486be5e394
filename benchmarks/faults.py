"""What losses cost, beside others: speed while workers are killed, seconds to be at work again, cost of cuts, gain of backup attempts.

    python benchmarks/faults.py [--rounds 60] [--size 60000] [--only regrow,pool] [--quick] [--json OUT.json]

1. k-means (`faults_algorithm.py`), the same code for everybody, with 4 workers, quietly and while a random worker is killed every 10,
   3, 1 and 0.3 s: speed relative to its own quiet runs before and after. A contestant that has come to no end after --patience times
   its quiet run is stopped. `same` says whether the centers have the bytes of regrow's quiet run.
2. Seconds from a loss to the new attempt at what was lost, by kind of loss: median and 95th percentile.
3. Seconds of a quiet run of topics with a durable cut every 10 s and every second, beside none.
4. Seconds of a run in which one of four workers gets a tenth of its time, with backup attempts and without.

Needs the extra `faults` (joblib, ray, mpi4py) and Open MPI; who is not installed is left out, and named.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from faults_peers import SETTINGS, version_of
from faults_race import CONTESTANTS, Outcome, Size, race
from faults_recovery import cuts, recovery, slow_machine

OWN_SETTINGS = "regrow run --workers 4; workers are killed from outside, as those of the others"
KILLS = (10.0, 3.0, 1.0, 0.3)


def there(name: str) -> str | None:
    """The version of a contestant; None if it cannot take part."""
    if name == "regrow":
        return version("regrow")
    if name == "mpi" and shutil.which("mpirun") is None:
        return None
    return version_of(name)


def races(names: list[str], size: Size, patience: float, kills: tuple[float, ...]) -> dict[str, Any]:
    """The first table, a line for each contestant as it comes."""
    print(f"\nk-means, {size.rounds} rounds, {size.partitions} partitions of {size.points:,} points, {size.workers} workers, ")
    print(f"{os.cpu_count()} cores; speed relative to the own quiet run, and kills")
    print(f"{'':8} {'quiet s':>11}  " + "".join(f"{f'every {every:g} s':>18}" for every in kills) + "   same")
    found: dict[str, Any] = {}
    reference = ""
    for name in names:
        quiet = race(name, size, None, 600.0)
        reference = reference or quiet.digest
        outcomes = {every: race(name, size, every, patience * quiet.seconds) for every in kills}
        again = race(name, size, None, 600.0)
        seconds = (quiet.seconds + again.seconds) / 2
        cells = "".join(f"{_cell(seconds, outcome):>18}" for outcome in outcomes.values())
        same = all(outcome.digest in ("", reference) for outcome in (quiet, again, *outcomes.values()))
        print(f"{name:8} {quiet.seconds:5.1f} {again.seconds:5.1f}  {cells}   {'yes' if same else 'NO'}", flush=True)
        found[name] = {
            "quiet_seconds": [quiet.seconds, again.seconds],
            "same": same,
            "kills": {every: _figures(seconds, outcome) for every, outcome in outcomes.items()},
        }
    return found


def _figures(quiet: float, outcome: Outcome) -> dict[str, Any]:
    relative = quiet / outcome.seconds if outcome.digest else None
    return {"relative_speed": relative, "kills": outcome.kills, "starts": outcome.starts, "seconds": outcome.seconds}


def _cell(quiet: float, outcome: Outcome) -> str:
    if not outcome.digest:
        return f"no end ({outcome.kills})"
    return f"{100 * quiet / outcome.seconds:.0f} % ({outcome.kills})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--size", type=int, default=60_000)
    parser.add_argument("--only", help="contestants, e.g. regrow,pool")
    parser.add_argument("--parts", default="1,2,3,4", help="which of the four tables")
    parser.add_argument("--patience", type=float, default=3.0)
    parser.add_argument("--times", type=int, default=20, help="losses of each kind")
    parser.add_argument("--repeat", type=int, default=3, help="runs for the cost of cuts")
    parser.add_argument("--quick", action="store_true", help="small sizes: to see that it works")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if given.quick:
        given.rounds, given.times, given.repeat = 6, 3, 1
    parts = given.parts.split(",")
    found: dict[str, Any] = {}
    names = [name for name in CONTESTANTS if given.only is None or name in given.only.split(",")]
    for name in names:
        print(f"{name:8} {there(name) or 'not installed: left out':14} {SETTINGS.get(name, OWN_SETTINGS)}")
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores: figures of a busy machine are noisy", flush=True)
    if "1" in parts:
        size = Size(given.rounds, 8, given.size, 4)
        found["race"] = races([name for name in names if there(name)], size, given.patience, KILLS[2:] if given.quick else KILLS)
    if "2" in parts:
        print(f"\n{'seconds to be at work again':30} {'p50':>8} {'p95':>8} {'n':>4}")
        found["recovery"] = recovery(given.times)
        for kind, seconds in found["recovery"].items():
            ordered = sorted(seconds)
            print(f"{kind:30} {ordered[len(ordered) // 2]:8.3f} {ordered[int(0.95 * (len(ordered) - 1) + 0.5)]:8.3f} {len(ordered):4}")
    if "3" in parts:
        found["cuts"] = cuts(given.repeat, 40 if given.quick else 200)
        none, none_cpu = found["cuts"]["0"]
        print(f"\ndurable cuts, topics, median of {given.repeat}: none {none:.2f} s, {none_cpu:.2f} CPU-s", end="")
        for every in ("10", "1"):
            seconds, cpu = found["cuts"][every]
            print(f"; every {every} s {100 * seconds / none - 100:+.1f} % time, {100 * cpu / none_cpu - 100:+.1f} % CPU", end="")
        print(flush=True)
    if "4" in parts:
        found["slow machine"] = slow_machine(3 if given.quick else 10)
        print("\none worker of four ten times slower: " + ", ".join(f"{name} {s:.1f} s" for name, s in found["slow machine"].items()))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")
    if not all(entry["same"] for entry in found.get("race", {}).values()):
        sys.exit("somebody came out otherwise")


if __name__ == "__main__":
    main()
