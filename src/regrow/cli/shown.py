"""What a person sees while a run goes on (stderr) and when it has ended (stdout)."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from regrow.job import make
from regrow.running import Watcher
from regrow.spec import Spec
from regrow.store.model import read_model
from regrow.story import sentence

__all__ = ["Bar", "Lines", "print_json", "run_and_show"]

PLAIN_SECONDS = 30.0
"""Off a terminal a plain line is printed so often."""
TOLD = {"artifacts lost", "attempt failed", "cut failed", "stop asked", "going on", "changes accepted"}
"""Events that a person wants to see at once."""


def print_json(value: Any) -> None:
    """One line."""
    print(json.dumps(value, ensure_ascii=False))


def run_and_show(run: Path, work: Callable[[Watcher], dict[str, Any]], as_json: bool) -> None:
    """Do the work of a run with its progress on stderr, then print its summary."""
    print(f"run {run}", file=sys.stderr, flush=True)
    watcher = Bar() if sys.stderr.isatty() else Lines()
    try:
        summary = work(watcher)
    finally:
        watcher.close()
    if as_json:
        print_json(summary)
    else:
        _print_summary(run, summary)


def _print_summary(run: Path, summary: Mapping[str, Any]) -> None:
    files = read_model(run)
    spec = Spec.read(run)
    job = spec.job(run)
    print(make(job.program.load(), files.parameters).report(files.arrays))
    size = next((f"{summary[name]:,} {name}, " for name in ("tokens", "examples", "edges", "cells") if name in summary), "")
    rate = next(
        (
            f" ({summary[name] / 1e6:.1f} M {name.partition('_')[0]}/s)"
            for name in summary
            if name.endswith("_per_second") and summary[name]
        ),
        "",
    )
    print(
        f"\n{size}{summary['rounds']} rounds in {summary['train_seconds']:.1f} s{rate}, {summary['cpu_seconds']:.1f} CPU-s", file=sys.stderr
    )
    lost = summary["workers_lost"]
    print(f"workers lost {lost}, work redone {summary['redone_seconds']:.2f} CPU-s", file=sys.stderr)
    print(f"model  {summary['model']}\ndigest {summary['digest']}", file=sys.stderr)


class Lines(Watcher):
    """Plain lines, now and then."""

    def __init__(self) -> None:
        self._printed = time.monotonic()
        self._lost = 0

    def progress(self, stage: str, done: float, total: float, note: str = "") -> None:
        now = time.monotonic()
        if now - self._printed >= PLAIN_SECONDS:
            self._printed = now
            self.line(
                f"{stage} {done:,.0f} of {total:,.0f}"
                + (f", {note}" if note else "")
                + (f", {self._lost} workers lost" if self._lost else "")
            )

    def event(self, line: Mapping[str, Any]) -> None:
        self._lost += line["event"] == "worker lost"
        if line["event"] in TOLD:
            self.line(sentence(line))

    def line(self, text: str) -> None:
        """Print a line to stderr."""
        print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Nothing is left open."""


class Bar(Lines):
    """A progress bar for each stage."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description:10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(stderr=True),
        )
        self._progress.start()
        self._tasks: dict[str, Any] = {}

    def progress(self, stage: str, done: float, total: float, note: str = "") -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(stage, total=total, note="")
        lost = f"{self._lost} workers lost" if self._lost else ""
        self._progress.update(self._tasks[stage], completed=done, total=total, note=", ".join(text for text in (note, lost) if text))

    def line(self, text: str) -> None:
        self._progress.console.print(text, markup=False, highlight=False)

    def close(self) -> None:
        self._progress.stop()
