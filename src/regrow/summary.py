"""What a run did and cost, over all the coordinators that worked on it: sessions on disk, and their sum."""

from __future__ import annotations

import contextlib
import json
import os
import time
import uuid
from pathlib import Path
from typing import Any

from regrow.engines.base import Tally
from regrow.store.lock import is_locked
from regrow.story import read_story

__all__ = ["Session", "is_published", "published", "status_of", "summary_of"]


class Session:
    """One coordinator's account, written to RUN/sessions/ every now and then: it may be killed at any time."""

    def __init__(self, run: Path, workers: int) -> None:
        (run / "sessions").mkdir(exist_ok=True)
        self._path = run / "sessions" / f"{time.time_ns()}-{uuid.uuid4().hex[:6]}.json"
        self._began = time.monotonic()
        self._written = 0.0
        self._tallies: list[tuple[str, Tally]] = []
        self.workers = workers
        self._paid_seconds = 0.0
        self._counted = self._began
        self.name = "starting"
        self.round = 0
        self.rounds = 0
        self.state = "running"
        self.digest = ""
        self.prepare_seconds = 0.0
        self.train_seconds = 0.0
        self._training_began: float | None = None

    def stage(self, name: str, tally: Tally, rounds: int) -> None:
        """A stage begins."""
        self.name, self.round, self.rounds = name, 0, rounds
        self._tallies.append((name, tally))
        if name == "training":
            self._training_began = time.monotonic()
        self.write()

    def stage_done(self, train_seconds: float) -> None:
        """A stage has ended."""
        self.train_seconds += train_seconds
        self._training_began = None

    def have(self, workers: int) -> None:
        """Another number of workers from now on."""
        self._paid_seconds = self._paid(time.monotonic())
        self._counted, self.workers = time.monotonic(), workers

    def _paid(self, now: float) -> float:
        """Core-seconds that the run had: one for each worker; the coordinator alone counts as one."""
        return self._paid_seconds + max(1, self.workers) * (now - self._counted)

    def end(self, state: str) -> None:
        """The coordinator ends."""
        self.state = state
        self.write(force=True)

    def write(self, *, force: bool = False) -> None:
        """Write the account, at most twice a second. On a full disk it stays as it was: it is not worth a run."""
        now = time.monotonic()
        if not force and now - self._written < 0.5:
            return
        self._written = now
        aside = self._path.with_suffix(".new")
        with contextlib.suppress(OSError):
            aside.write_text(json.dumps(self._content(now)))
            os.replace(aside, self._path)

    def _content(self, now: float) -> dict[str, Any]:
        training = [tally for name, tally in self._tallies if name == "training"]
        every = [tally for _, tally in self._tallies]
        under_way = now - self._training_began if self._training_began is not None else 0.0
        return {
            "stage": self.name,
            "round": self.round,
            "rounds": self.rounds,
            "state": self.state,
            "digest": self.digest,
            "workers": self.workers,
            "seconds": now - self._began,
            "paid_seconds": self._paid(now),
            "prepare_seconds": self.prepare_seconds,
            "train_seconds": self.train_seconds + under_way,
            "compile_seconds": sum(tally.compile_seconds for tally in training),
            "cpu_seconds": sum(tally.cpu_seconds for tally in training),
            "coordinator_seconds": sum(tally.coordinator_seconds for tally in training),
            "useful_seconds": sum(tally.useful_seconds for tally in every),
            "redone_seconds": sum(tally.redone_seconds for tally in every),
            "attempts": sum(tally.attempts for tally in every),
            "workers_lost": sum(tally.workers_lost for tally in every),
            "recovery_seconds": [seconds for tally in every for seconds in tally.recovery_seconds],
            "moved_bytes": sum(tally.moved_bytes for tally in training),
            "peak_memory_bytes": max((tally.peak_memory_bytes for tally in training), default=0),
        }


def _sessions(run: Path) -> list[dict[str, Any]]:
    found = []
    for path in sorted((run / "sessions").glob("*.json")):
        try:
            found.append(json.loads(path.read_text()))
        except (OSError, ValueError):
            continue
    return found


def _sum(sessions: list[dict[str, Any]], name: str) -> float:
    return float(sum(session.get(name, 0) for session in sessions))


SIZES = (("tokens", "tokens"), ("examples", "examples"), ("edges", "edges"), ("cells", "cells"))
"""Facts that measure the size of training data, and the fields in which they are shown."""


def _about(run: Path) -> Path:
    model = run / "model" / "model.json"
    return run / "output.json" if not model.exists() else model


def is_published(run: Path) -> bool:
    """Whether what the run was for is there: a model, or lines."""
    return _about(run).exists()


def published(run: Path) -> dict[str, Any]:
    """What a finished run says of what it made."""
    found: dict[str, Any] = json.loads(_about(run).read_text())
    return found


def summary_of(run: Path) -> dict[str, Any]:
    """The fields of `train --json` of a finished run."""
    about = published(run)
    what = {"model": str(run / "model")} if _about(run).name == "model.json" else {"output": str(run / "output.jsonl")}
    sessions = _sessions(run)
    train = _sum(sessions, "train_seconds")
    found: dict[str, Any] = {"run": str(run), **what, "digest": about["digest"], "rounds": about["rounds"]}
    for fact, field in SIZES:
        if fact in about["facts"]:
            size = int(about["facts"][fact])
            found[field] = size
            visits = about["parameters"].get("passes", about["rounds"])  # of one pass over examples there are many rounds
            found[f"{field}_per_second"] = round(size * visits / train, 1) if train else None
    for name in ("prepare_seconds", "compile_seconds", "train_seconds", "cpu_seconds", "coordinator_seconds", "redone_seconds"):
        found[name] = round(_sum(sessions, name), 3)
    found["attempts"] = int(_sum(sessions, "attempts"))
    found["workers_lost"] = int(_sum(sessions, "workers_lost"))
    found["recovery_seconds"] = _median_and_95th([seconds for session in sessions for seconds in session["recovery_seconds"]])
    found["peak_memory_bytes"] = max((session["peak_memory_bytes"] for session in sessions), default=0)
    if moved := int(_sum(sessions, "moved_bytes")):
        found["moved_bytes"] = moved
    found["metrics"] = about["metrics"]
    found["history"] = about["history"]
    return found


def _median_and_95th(values: list[float]) -> list[float] | None:
    if not values:
        return None
    ordered = sorted(values)
    return [round(ordered[int(share * (len(ordered) - 1) + 0.5)], 4) for share in (0.5, 0.95)]


def status_of(run: Path) -> dict[str, Any]:
    """The fields of `regrow status --json`."""
    sessions = _sessions(run)
    last = sessions[-1] if sessions else {"round": 0, "rounds": 0, "workers": 0, "stage": "starting", "state": "running"}
    paid = _sum(sessions, "paid_seconds")
    return {
        "run": str(run),
        "state": _state(run, last),
        "stage": last["stage"],
        "round": last["round"],
        "rounds": last["rounds"],
        "workers": last["workers"],
        "attempts": int(_sum(sessions, "attempts")),
        "workers_lost": int(_sum(sessions, "workers_lost")),
        "redone_seconds": round(_sum(sessions, "redone_seconds"), 3),
        "goodput": round(_sum(sessions, "useful_seconds") / paid, 4) if paid else None,
        "disk_bytes": _disk_bytes(run),
        "last_event": (read_story(run) or [{}])[-1],
    }


def _state(run: Path, last: dict[str, Any]) -> str:
    if (run / "done").exists():
        return "finished"
    if is_locked(run):
        return "running"
    return "failed" if last["state"] == "failed" else "resumable"


def _disk_bytes(run: Path) -> int:
    total = 0
    for folder, _, names in os.walk(run):
        for name in names:
            try:
                total += os.stat(os.path.join(folder, name)).st_size
            except OSError:
                continue
    return total
