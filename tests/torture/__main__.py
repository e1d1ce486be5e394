"""make torture [SEED=n] [HISTORIES=n]: topics, k-means and ranks, each quietly once, then through one history after the other.

A history that fails prints the one command that repeats it.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests")]

from shell import themes  # noqa: E402
from torture.faults import Plan, draw  # noqa: E402
from torture.history import Failure, History  # noqa: E402

QUIET = Plan(0, 2, 10.0, ())


def programs(folder: Path) -> dict[str, Sequence[str]]:
    """The commands, and their input: name -> words."""
    (folder / "docs.txt").write_text(themes(9000, words=3000, length=40))
    chance = random.Random(1)
    points = (f"{chance.gauss(i % 20 * 10, 3):.3f},{chance.gauss(i % 20 * 7, 3):.3f}\n" for i in range(60_000))
    (folder / "points.csv").write_text("".join(points))
    topics = ["lda", "train", str(folder / "docs.txt"), "--topics", "50", "--rounds", "60", "--grid", "4x4", "--likelihood-every", "5"]
    kmeans = ["run", f"{ROOT}/examples/kmeans.py:KMeans", str(folder / "points.csv"), "--set", "k=12", "--set", "rounds=40"]
    edges = (f"{int(20_000 * chance.random() ** 2)}\t{int(20_000 * chance.random() ** 3)}\n" for _ in range(200_000))
    (folder / "edges.tsv").write_text("".join(edges))
    ranks = ["pagerank", "train", str(folder / "edges.tsv"), "--partitions", "5", "--tolerance", "1e-13"]
    factors = ["svd", "train", str(folder / "docs.txt"), "--rank", "60", "--power", "20", "--grid", "4x4"]
    return {"topics": topics, "k-means": kmeans, "ranks": ranks, "factors": factors}


def torture(seed: int, histories: int, only: str | None = None) -> int:
    """Run them; returns the exit code."""
    folder = Path(tempfile.mkdtemp(prefix="regrow-torture-"))
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    try:
        commands = {name: words for name, words in programs(folder).items() if only in (None, name)}
        quiet = {}
        for name, words in commands.items():
            (folder / name).mkdir()
            quiet[name] = History(QUIET, words, folder / name).take_its_course()
            print(f"{name:8} quietly: {quiet[name][:16]}", flush=True)
        for number in range(seed, seed + histories):
            for name, words in commands.items():
                if not one(number, name, words, quiet[name], folder / f"{name}-{number}"):
                    return 1
        print(f"{histories} histories of {len(commands)} programs: the same bytes every time")
        return 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def one(seed: int, name: str, words: Sequence[str], quiet: str, folder: Path) -> bool:
    """One history of one program; whether it went well."""
    folder.mkdir()
    history, began = History(draw(seed), words, folder), time.monotonic()
    try:
        digest = history.take_its_course()
        if digest != quiet:
            raise Failure(f"the digest is {digest}, quietly it is {quiet}")
    except Exception as why:
        print(f"{name:8} seed {seed} FAILED: {type(why).__name__}: {why}", *history.told, history.story(), sep="\n  ")
        print(f"repeat it with: make torture SEED={seed} HISTORIES=1 PROGRAM={name}", flush=True)
        return False
    print(f"{name:8} seed {seed}: {history.summary()}, {time.monotonic() - began:.0f} s", flush=True)
    shutil.rmtree(folder)
    return True


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make torture", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="the first history [by the clock]")
    parser.add_argument("--histories", type=int, default=6)
    parser.add_argument("--program", help="only this one")
    asked = parser.parse_args()
    seed = asked.seed if asked.seed is not None else int(time.time()) % 1_000_000
    print(f"histories {seed} to {seed + asked.histories - 1}", flush=True)
    sys.exit(torture(seed, asked.histories, asked.program or None))


if __name__ == "__main__":
    main()
