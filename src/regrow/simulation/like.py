"""A scenario like a run that has been: its roles and partitions, and what its tasks have cost, with other workers and losses.

The run says what it was: `identity.json` (partitions, rounds) and `sessions/` (seconds, attempts). What one task costs is the mean over all
of its roles: a run does not keep the seconds of each.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regrow.errors import DataError
from regrow.program import ALWAYS, LAST, Role
from regrow.simulation.scenario import Bounds, Costs, Faults, Holds, Machines, Scenario, Work

__all__ = ["Costed", "costs_of", "like"]

DETECT_SECONDS = 0.01
"""Of a worker that was killed on this machine (a closed socket)."""


class Costed:
    """What a run has cost.

    rounds              done
    task_seconds        CPU seconds of a task of the program, in the mean
    overhead_seconds    worker-seconds besides, for each task: handing out, publishing, waiting for others at the end of a phase
    restart_seconds     from a loss to the next attempt, in the mean
    workers, lost, seconds, goodput     how many there were, how many were lost, for how long, and what came of it
    """

    def __init__(self, run: Path) -> None:
        identity = _read(run, "identity.json")
        sessions = [json.loads(path.read_text()) for path in sorted((run / "sessions").glob("*.json"))]
        if not sessions or not (run / "done").exists():
            raise DataError(f"{run} has not finished: its costs are not known", f"regrow resume {run}; or name a run that has")
        self.partitions: dict[str, int] = identity["partitions"]
        self.rounds = int(sessions[-1]["rounds"])
        self.seconds = sum(session["train_seconds"] for session in sessions)
        self.workers = max(1, sessions[-1]["workers"])
        self.lost = int(sum(session["workers_lost"] for session in sessions))
        recoveries = [seconds for session in sessions for seconds in session["recovery_seconds"]]
        self.restart_seconds = sum(recoveries) / len(recoveries) if recoveries else 0.02
        self._useful = sum(session["useful_seconds"] for session in sessions)
        self._paid = sum(session["paid_seconds"] for session in sessions)
        self.goodput = self._useful / self._paid if self._paid else 0.0

    def priced(self, roles: Mapping[str, Role]) -> tuple[float, float]:
        """CPU seconds of a task, and what a worker spends for it besides."""
        tasks = sum(len(range(0, self.rounds if role.when == ALWAYS else 1, role.every)) * role.partitions for role in roles.values())
        task = self._useful / max(1, tasks)
        return task, max(0.0, self.workers * self.seconds / max(1, tasks) - task)


def costs_of(run: Path) -> Costed:
    """What a finished run has cost. Raises DataError for one that is none, or has not finished."""
    return Costed(run)


def like(
    costed: Costed, roles: Mapping[str, Role], *, workers: int, loss_per_hour: float = 0.0, rounds: int | None = None, seed: int = 1
) -> Scenario:
    """The same job with other workers, of which each is lost at this rate. Roles that run last are left out: they run once."""
    task, _ = costed.priced(roles)
    always = {name: role for name, role in roles.items() if role.when != LAST}
    works = {}
    for name, role in always.items():
        reads: dict[str, int] = {}
        for other in role.reads:
            reads[other] = max(role.offsets(other))
        works[name] = Work(role.partitions, task, reads, spread=0.2, state_bytes=1.0, fan_out=1, every=role.every)
    free = Costs(1e30, 0.0, 1e30, 0.0, 0.0, commit_seconds=OVERHEAD_SECONDS, warm_seconds=costed.restart_seconds)
    return Scenario(
        rounds or costed.rounds,
        works,
        Machines(workers, restart_seconds=0.0),
        free,
        Faults(worker_per_hour=loss_per_hour, detect_seconds=DETECT_SECONDS),
        Bounds(cut_every_seconds=10.0),
        Holds(),
        seed,
        "like a run that has been",
    )


OVERHEAD_SECONDS = 0.002
"""Handing a task to a worker and publishing what it made, on one machine (benchmarks/predict.py measures it)."""


def _read(run: Path, name: str) -> Any:
    try:
        return json.loads((run / name).read_text())
    except (OSError, ValueError):
        raise DataError(f"{run} is no run, or was made by another version", "name the folder that training printed first") from None
