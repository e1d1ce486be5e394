"""What a person sees while a run goes on (stderr) and when it has ended (stdout)."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from regrow.coordinator.policy import what_was_raised
from regrow.errors import ProgramError
from regrow.job import make
from regrow.running import Watcher
from regrow.spec import Spec
from regrow.store.model import read_model
from regrow.story import sentence
from regrow.summary import published
from regrow.traces import guest

__all__ = ["Bar", "Lines", "print_json", "run_and_show"]

PLAIN_SECONDS = 30.0
"""Off a terminal a plain line is printed so often."""


def print_json(value: Any) -> None:
    """One line; what is no finite number is null, as JSON has no word for it."""
    print(json.dumps(_finite(value), ensure_ascii=False, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def run_and_show(run: Path, work: Callable[[Watcher], dict[str, Any]], as_json: bool) -> None:
    """Do the work of a run with its progress on stderr, then print its summary."""
    watcher = Bar(run) if sys.stderr.isatty() else Lines(run)
    try:
        summary = work(watcher)
    finally:
        watcher.close()
    _remark(run, summary)
    if "output" in summary:
        print(f"{summary['output']}, SHA-256 {summary['digest']}", file=sys.stderr)
    elif as_json:
        print_json(summary)
    else:
        _print_summary(run, summary)


def _remark(run: Path, summary: dict[str, Any]) -> None:
    """What a person should know of the rows that were trained on, on stderr; the broken ones among them are listed in the summary."""
    about = published(run)
    facts, bounds = about["facts"], time_bounds(about["text"])
    if "clicks" in facts and facts["clicks"] in (0, facts["examples"]):
        told = f"warning: all {int(facts['examples']):,} labels are {int(facts['clicks'] > 0)}: there is nothing to tell apart"
        print(f"{told}\n        say which value means 1: --label COLUMN=VALUE", file=sys.stderr)
    if "bad_rows" in facts:
        counted = ("bad_rows", *(["left_out"] if bounds else []))
        summary["metrics"] = {**summary["metrics"], **{name: facts[name] for name in counted}}
    if "bad_rows" in facts and bounds:
        print(f"{bounds}: {int(facts['examples']):,} rows are within, {int(facts['left_out']):,} were left out", file=sys.stderr)
    if facts.get("bad_rows"):
        arrays = read_model(run).arrays
        rows = zip(*(list(arrays[f"skipped.{name}"]) for name in ("file", "line", "why")), strict=True)
        summary["skipped"] = [{"file": file, "line": int(line), "why": why} for file, line, why in rows]
        bad, first = int(facts["bad_rows"]), summary["skipped"][0]
        were = "broken rows were" if bad > 1 else "broken row was"
        print(f"{bad:,} {were} left out, the first: {first['file']}, line {first['line']:,}: {first['why']}", file=sys.stderr)


def time_bounds(text: Mapping[str, Any]) -> str:
    """The bounds of time among the options of reading; nothing if there are none."""
    return " ".join(f"--{name} {text[name]}" for name in ("since", "until") if text.get(name))


def _print_summary(run: Path, summary: Mapping[str, Any]) -> None:
    try:
        print(_report(run))
    except ProgramError as error:  # the model is there, whatever the report says
        print(f"regrow: {error}", file=sys.stderr)
    rounds = f"{summary['rounds']:,} round{'s' if summary['rounds'] != 1 else ''}"
    sizes = (name for name in ("tokens", "examples", "edges", "cells") if name in summary)
    size = next((f"{summary[name]:,} {name if summary[name] != 1 else name[:-1]}, " for name in sizes), "")
    rate = next((f" ({_rate(name, value)})" for name, value in summary.items() if name.endswith("_per_second") and value), "")
    took = f"{size}{rounds} in {summary['train_seconds']:.1f} s{rate}, {summary['cpu_seconds']:.1f} CPU-s"
    lost = f"workers lost {summary['workers_lost']:,}, work redone {summary['redone_seconds']:.2f} CPU-s"
    print(f"\n{took}\n{lost}\nmodel  {summary['model']}\ndigest {summary['digest']}", file=sys.stderr)


def _report(run: Path) -> str:
    files = read_model(run)
    program = make(Spec.read(run).job(run).kind(), files.parameters)
    with guest(f"the model is made, but {type(program).__name__}.report() failed"):
        return str(program.report_of(files.arrays, files.about))


def _rate(name: str, value: float) -> str:
    unit = name.removesuffix("_per_second")
    return f"{value / 1e6:.1f} M {unit}/s" if value >= 1e5 else f"{value:,.0f} {unit}/s"


def told(line: Mapping[str, Any], run: Path | None = None) -> str | None:
    """A line of the story that a person wants to see at once, in words; None for the others."""
    match line["event"]:
        case "attempt failed" if not line["then"].startswith(("failed", "refused")):  # those end the run, and are told then
            return f"attempt of {line['task']} failed on {line['worker']}: {what_was_raised(line['cause'])}; {line['then']}"
        case "artifacts lost":
            names = line["artifacts"]
            shown = ", ".join(names[:8]) + (f" and {len(names) - 8:,} more" if len(names) > 8 else "")
            return f"artifacts lost: {shown} ({line['cause']}); what is still needed is made again"
        case "going on":
            return f"going on after {line['rounds']:,} rounds, with {line['artifacts']:,} artifacts"
        case "cut failed":
            return f"a durable cut failed ({line['cause']}); the older ones are still there"
        case "stop asked":
            count = line["under_way"]
            when = f" as soon as {count} task{'s are' if count > 1 else ' is'} done" if count else ""
            return f"{line['cause']}: the run pauses{when}"
        case "workers wanted":
            return f"{line['workers']} workers from now on"
        case "waiting for workers":
            if line["why"]:
                return f"no workers: {line['why']}: the run waits until there is one"
            return f"no workers: the run waits; give it some: regrow scale {run or 'RUN'} N"
        case "fewer at a time":
            return f"{line['attempts']} tasks at a time from now on: {line['why']}"
        case "advice":
            return f'role "{line["role"]}": {line["why"]}'
        case "attempts differ":
            return f"two attempts of {line['task']} differ, by {' and '.join(line['workers'])}: a third one decides whom to blame"
        case "input changed":
            return f"{', '.join(line['files'])}: changed since the run began, which goes on with what it had read"
        case "prepared data lost":
            return f"{line['cause']}; it is made again"
        case "prepared data made again":
            why = f"other code had prepared the data ({'; '.join(line['changes'])})"
            return f"{why}: it is prepared again; unless that makes the same bytes, the run begins anew from it"
        case "going back":
            return f"attempts of {', '.join(line['tasks'])} differed: going back to before them"
        case "changes accepted":
            return sentence(line)
    return None


def _amount(stage: str, done: float, total: float) -> str:
    if stage == "reading":
        return f"{done / 1e6:,.1f} of {total / 1e6:,.1f} MB"
    return f"{done:,.0f} of {total:,.0f} round{'s' if total != 1 else ''}"


class Lines(Watcher):
    """Plain lines, now and then."""

    def __init__(self, run: Path | None = None) -> None:
        self._run = run
        self._printed = time.monotonic()
        self._lost = 0
        self._told_ready = False

    def progress(self, stage: str, done: float, total: float, note: str = "") -> None:
        now = time.monotonic()
        if now - self._printed >= PLAIN_SECONDS:
            self._printed = now
            self.line(f"{stage}: " + ", ".join([_amount(stage, done, total), *self._notes(note)]))

    def event(self, line: Mapping[str, Any]) -> None:
        if line["event"] == "coordinator started" and self._run is not None:
            self.line(f"run {self._run}")
        self._lost += line["event"] == "worker lost"
        words = told(line, self._run)
        if words is not None:
            self.line(words)

    def getting_ready(self) -> None:
        if not self._told_ready:
            self._told_ready = True
            self.line("getting workers ready: kernels are compiled at their first use, which may take a minute, and kept")

    def output(self, lines: bytes) -> None:
        sys.stdout.buffer.write(lines)
        sys.stdout.buffer.flush()

    def _notes(self, note: str) -> list[str]:
        lost = f"{self._lost:,} worker{'s' if self._lost != 1 else ''} lost" if self._lost else ""
        return [text for text in (note, lost) if text]

    def line(self, text: str) -> None:
        """Print a line to stderr."""
        print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Nothing is left open."""


class Bar(Lines):
    """A progress bar for each stage."""

    def __init__(self, run: Path | None = None) -> None:
        super().__init__(run)
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description:10}"),
            BarColumn(),
            TextColumn("{task.fields[amount]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=Console(stderr=True),
        )
        self._progress.start()
        self._tasks: dict[str, Any] = {}

    def progress(self, stage: str, done: float, total: float, note: str = "") -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(stage, total=total, note="", amount="")
        amount, notes = _amount(stage, done, total), ", ".join(self._notes(note))
        self._progress.update(self._tasks[stage], completed=done, total=total, amount=amount, note=notes)

    def line(self, text: str) -> None:
        self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        self._progress.stop()
