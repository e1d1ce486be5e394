"""`python -m regrow.simulation SEED` tells one history; `--seeds N` runs many; `--speed` measures the coordinator."""

from __future__ import annotations

import argparse
import sys
import time
import traceback

from regrow.simulation.broken import Broken
from regrow.simulation.histories import history, run_seed
from regrow.simulation.speed import measure


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m regrow.simulation", description=__doc__)
    parser.add_argument("seed", type=int, nargs="?", default=0, help="the history to tell, or with --seeds the first one")
    parser.add_argument("--seeds", type=int, help="run so many histories and print only what goes wrong")
    parser.add_argument("--speed", action="store_true", help="microseconds per event with 1,000 workers and 20,000 partitions")
    asked = parser.parse_args()
    if asked.speed:
        print(measure(workers=1000, partitions=20_000, rounds=3))
        return 0
    if asked.seeds is None:
        world = history(asked.seed, trace=print)
        try:
            print(world.run(), world.counts)
        except Broken as why:
            print(f"BROKEN: {why}")
            return 1
        return 0
    return many(asked.seed, asked.seeds)


def many(first: int, seeds: int) -> int:
    """Run histories; returns the exit code."""
    began, broken, commits = time.monotonic(), 0, 0
    for seed in range(first, first + seeds):
        try:
            commits += run_seed(seed).counts.commits
        except Broken as why:
            broken += 1
            print(f"seed {seed}: {why}")
            if broken <= 3 and not isinstance(why.__cause__, Broken):
                traceback.print_exception(why.__cause__)
    print(f"{seeds:,} histories, {commits:,} commits, {broken} broken, {time.monotonic() - began:.1f} s")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
