"""A scenario like a run that has been: its roles and partitions, and what its tasks have cost, with other workers and losses.

The run says what it was (its program and data) and what it took (`sessions/`). What one task costs is the same for all roles: a run does
not keep the seconds of each. It is such that the run itself, simulated, takes as long as it did.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from regrow.errors import DataError
from regrow.program import ALWAYS, LAST, Role
from regrow.simulation.fleet import Fleet
from regrow.simulation.scenario import Bounds, Costs, Faults, Machines, Scenario, Work

__all__ = ["Costed", "like"]

DETECT_SECONDS = 0.005
"""Of a worker that was killed on this machine (a closed socket)."""
RESTART_SECONDS = 0.03
"""From a loss to the next attempt, where the run had no loss (benchmarks/faults.py)."""
FIRST_SECONDS = 0.02
"""What a fresh process needs more for its first task: pages, caches (benchmarks/predict.py)."""
START_CPU_SECONDS = 0.01
"""What ending a process and beginning another takes of the cores, where the run lost too few to tell (benchmarks/predict.py)."""
FEW = 10
FIT_TASKS, FIT_TURNS = 20_000, 3
"""So many tasks of a run are simulated, so often, to find out how long one takes."""


class Costed:
    """What a finished run has cost.

    rounds              done
    seconds, workers    of training, by so many
    lost                workers that were lost
    restart_seconds     from a loss to the next attempt, in the mean
    goodput             CPU seconds of attempts that were committed / paid core-seconds
    not_in_vain         the same / CPU seconds of all attempts
    start_cpu_seconds   of ending a worker and beginning another: what was in vain for each loss, beyond half a task
    """

    def __init__(self, run: Path) -> None:
        _read(run, "identity.json")
        sessions = [json.loads(path.read_text()) for path in sorted((run / "sessions").glob("*.json"))]
        if not sessions or not (run / "done").exists():
            raise DataError(f"{run} has not finished: its costs are not known", f"regrow resume {run}; or name a run that has")
        self.rounds = int(sessions[-1]["rounds"])
        self.seconds = float(sum(session["train_seconds"] for session in sessions))
        self.workers = max(1, sessions[-1]["workers"])
        self.lost = int(sum(session["workers_lost"] for session in sessions))
        recoveries = [seconds for session in sessions for seconds in session["recovery_seconds"]]
        self.restart_seconds = sum(recoveries) / len(recoveries) if recoveries else RESTART_SECONDS
        paid = sum(session["paid_seconds"] for session in sessions)
        useful, redone = (float(sum(session[f"{name}_seconds"] for session in sessions)) for name in ("useful", "redone"))
        self.goodput = useful / paid if paid else 0.0
        self.not_in_vain = useful / (useful + redone) if useful else 1.0
        half = useful / max(1, int(sum(session["attempts"] for session in sessions))) / 2
        self.start_cpu_seconds = max(0.0, redone / self.lost - half) if self.lost >= FEW else START_CPU_SECONDS

    def task_seconds(self, roles: Mapping[str, Role]) -> float:
        """Worker-seconds for each task, all in: computing, moving things, handing out, waiting for the last of a phase."""
        tasks = sum(len(range(0, self.rounds if role.when == ALWAYS else 1, role.every)) * role.partitions for role in roles.values())
        return float(self.workers * self.seconds / max(1, tasks))


def like(
    costed: Costed, roles: Mapping[str, Role], *, workers: int, loss_per_hour: float = 0.0, rounds: int | None = None, seed: int = 1
) -> Scenario:
    """The same job with other workers, of which each is lost at this rate. Roles that run last are left out: they run once.

    As many workers are on a machine as the run had, and share its cores; on the last one are those that are left.
    """
    task = costed.task_seconds(roles)
    works = {}
    for name, role in roles.items():
        if role.when != LAST:
            reads = {other: max(role.offsets(other)) for other in role.reads}
            works[name] = Work(role.partitions, task, reads, spread=0.2, state_bytes=1.0, fan_out=1, every=role.every)
    free = Costs(1e30, 0.0, 1e30, 0.0, 0.0, commit_seconds=0.0, warm_seconds=costed.restart_seconds + FIRST_SECONDS)
    free = replace(free, start_cpu_seconds=costed.start_cpu_seconds)
    together = min(workers, costed.workers)
    count = -(-workers // together)
    quiet = Scenario(costed.rounds, works, Machines(costed.workers, restart_seconds=0.0), free, limits=Bounds(cut_every_seconds=10.0))
    return replace(
        _fitted(quiet, costed.seconds),
        rounds=rounds or costed.rounds,
        machines=Machines(count, together, restart_seconds=0.0, vacant=count * together - workers),
        faults=Faults(worker_per_hour=loss_per_hour, detect_seconds=DETECT_SECONDS),
        seed=seed,
        what="like a run that has been",
    )


def _fitted(quiet: Scenario, seconds: float) -> Scenario:
    """The same run with tasks of such a length that it takes so many seconds: their mean has in it what it waited for in its phases."""
    each = sum(work.partitions / work.every for work in quiet.roles.values())
    rounds = max(1, min(quiet.rounds, int(FIT_TASKS / each)))
    for _ in range(FIT_TURNS):
        fleet = Fleet(replace(quiet, rounds=rounds))
        fleet.run()
        factor = seconds / quiet.rounds * rounds / max(1e-9, fleet.now - quiet.costs.warm_seconds)
        quiet = replace(quiet, roles={name: replace(work, seconds=work.seconds * factor) for name, work in quiet.roles.items()})
    return quiet


def _read(run: Path, name: str) -> Any:
    try:
        return json.loads((run / name).read_text())
    except (OSError, ValueError):
        raise DataError(f"{run} is no run, or was made by another version", "name the folder that training printed first") from None
