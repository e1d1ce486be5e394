"""How fast, how big: LDA as a whole job, files, checksums and coordination included. A table, or JSON.

    python benchmarks/lda_speed.py --data DIR_OR_FILES [--rounds 40] [--topics 1000] [--preempt-seconds 60] [--json OUT.json]

DIR holds *.tsv.gz with the columns title and abstract. Each row is one `regrow lda train` in a process of its own:

    quiet 1, quiet 2    one and two workers; M tokens per CPU-second (a token counts once for both visits)
    wide                two workers with 100,000 topics: speed and memory do not grow with the topics
    fire                two workers, one killed every second, beside a quiet run of the same length

Ratios are the figures to quote: machines are noisy, so quiet runs stand on both sides of the others, and medians are taken.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Summary = dict[str, Any]


def train(files: Sequence[str], folder: Path, name: str, options: str) -> Summary:
    """One run in a process of its own; its summary."""
    command = [sys.executable, "-m", "regrow.cli.main", "lda", "train", *files, "--run", str(folder / name), "--overwrite", "--json"]
    if any(".tsv" in file for file in files):
        command += ["--text-field", "title,abstract"]
    ended = subprocess.run([*command, *options.split()], capture_output=True, text=True, check=False)
    if ended.returncode:
        sys.exit(f"{name}: exit {ended.returncode}\n{ended.stderr}")
    summary: Summary = json.loads(ended.stdout)
    print(f"{name:12} {row(summary)}", flush=True)
    return summary


def row(summary: Summary) -> str:
    """The figures of a run in one line."""
    recovery = summary["recovery_seconds"] or [0, 0]
    per_task = 1000 * summary["coordinator_seconds"] / summary["attempts"]
    return (
        f"{per_cpu_second(summary):6.1f} {summary['tokens_per_second'] / 1e6:7.1f} {summary['train_seconds']:8.2f} "
        f"{summary['cpu_seconds']:8.2f} {summary['peak_memory_bytes'] / summary['tokens']:7.1f} {summary['attempts']:7} "
        f"{per_task:7.2f} {summary['workers_lost']:5} {recovery[0]:6.3f} {recovery[1]:6.3f}"
    )


HEAD = f"{'':12} M/CPU-s M/s      train s   CPU s  B/token   tasks  ms/task  lost  recovery p50, p95 s"


def per_cpu_second(summary: Summary) -> float:
    """M tokens x rounds per CPU-second of coordinator and all attempts."""
    return float(summary["tokens"] * summary["rounds"] / summary["cpu_seconds"] / 1e6)


def compare(files: Sequence[str], folder: Path, rounds: int, topics: int, repeat: int, fire_seconds: float) -> dict[str, Any]:
    """All rows, and the ratios."""
    common = f"--topics {topics} --rounds {rounds} --likelihood-every 10 --seed 1"
    first = train(files, folder, "prepare", f"--topics {topics} --rounds 2 --workers 2 --no-cache")
    train(files, folder, "warm", f"--topics {topics} --rounds 2 --workers 2")
    ones, twos = [], []
    for _ in range(repeat):
        ones.append(train(files, folder, "quiet 1", f"{common} --workers 1"))
        twos.append(train(files, folder, "quiet 2", f"{common} --workers 2"))
    wide = train(files, folder, "wide", f"--topics 100000 --rounds {rounds} --likelihood-every 10 --seed 1 --workers 2")
    seconds = statistics.median(two["train_seconds"] for two in twos)
    long = max(rounds, int(rounds * fire_seconds / seconds))
    lasting = f"--topics {topics} --rounds {long} --likelihood-every 10 --seed 1 --workers 2"
    quiet = train(files, folder, "quiet long", lasting)
    fire = train(files, folder, "fire", f"{lasting} --preempt 1")
    again = train(files, folder, "quiet long", lasting)
    beside = (quiet["train_seconds"] + again["train_seconds"]) / 2
    text_bytes = sum(os.path.getsize(file) for file in files)
    return {
        "tokens": fire["tokens"],
        "topics": topics,
        "rounds": rounds,
        "million_tokens_per_cpu_second_2_workers": statistics.median(per_cpu_second(two) for two in twos),
        "cpu_ratio_2_to_1": statistics.median(two["cpu_seconds"] / one["cpu_seconds"] for one, two in zip(ones, twos, strict=True)),
        "time_ratio_2_to_1": statistics.median(two["train_seconds"] / one["train_seconds"] for one, two in zip(ones, twos, strict=True)),
        "fire_time_ratio": fire["train_seconds"] / beside,
        "fire_kills": fire["workers_lost"],
        "fire_same_digest": fire["digest"] == quiet["digest"],
        "recovery_seconds": fire["recovery_seconds"],
        "bytes_per_token": max(two["peak_memory_bytes"] / two["tokens"] for two in twos),
        "bytes_per_token_100000_topics": wide["peak_memory_bytes"] / wide["tokens"],
        "prepare_seconds": first["prepare_seconds"],
        "input_bytes_compressed": text_bytes,
        "coordinator_ms_per_task": statistics.median(1000 * two["coordinator_seconds"] / two["attempts"] for two in twos),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", required=True, help="a folder with *.tsv.gz, or files")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--topics", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--fire-seconds", type=float, default=60.0)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    files = [str(f) for d in given.data for f in (sorted(Path(d).glob("*.tsv.gz")) if Path(d).is_dir() else [d])]
    print(HEAD)
    with tempfile.TemporaryDirectory(prefix="regrow-speed-") as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        figures = compare(files, Path(folder), given.rounds, given.topics, given.repeat, given.fire_seconds)
    print("\n".join(f"{name:42} {value:.4g}" if isinstance(value, float) else f"{name:42} {value}" for name, value in figures.items()))
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
