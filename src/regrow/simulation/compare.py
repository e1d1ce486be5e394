"""Systems side by side: published formulas for the others, and regrow simulated with the coordinator that ships."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass

from regrow.collector import calm
from regrow.simulation.fleet import Fleet
from regrow.simulation.formulas import RATES, SYSTEMS, Assumptions
from regrow.simulation.scenario import Bounds, Costs, Faults, Machines, Scenario, Work
from regrow.simulation.weather import weather

__all__ = ["REGROW", "Row", "assumptions", "compare", "scenario_for", "simulated"]

REGROW = "regrow"
ATTEMPTS = 24_000
"""About so many attempts are simulated for a goodput, at least `TASKS_MIN` and at most `TASKS_MAX` for each worker."""
TASKS_MIN, TASKS_MAX = 4, 200
MANY = 1_000
"""Below so many workers a world takes less time than a process to simulate it in."""


@dataclass(frozen=True, slots=True)
class Row:
    """A system, a size, a rate: the share of the time that is progress."""

    system: str
    processes: int
    loss_rate_per_process_hour: float
    goodput: float


def compare(
    processes: Sequence[int],
    rates: Mapping[str, float] = RATES,
    given: Assumptions | None = None,
    told: Callable[[str], None] = lambda line: None,
    *,
    cores: int = 1,
) -> list[Row]:
    """All systems at all sizes and rates. `told` hears how far it is. What is simulated is divided among so many processes.
    Goodputs do not depend on that."""
    given = given or Assumptions()
    found = _simulate([(count, rate) for rate in rates.values() for count in processes], given, told, cores)
    rows = []
    for rate in rates.values():
        for count in processes:
            rows += [Row(system.name, count, rate, round(system.goodput(count * rate / 3600, given), 6)) for system in SYSTEMS]
            rows.append(Row(REGROW, count, rate, round(found[count, rate], 6)))
    return rows


def _simulate(
    worlds: Sequence[tuple[int, float]], given: Assumptions, told: Callable[[str], None], cores: int
) -> dict[tuple[int, float], float]:
    """The goodput of each world of so many workers and that rate of loss: the largest first, for those take the longest."""
    found: dict[tuple[int, float], float] = {}
    began = time.monotonic()
    waiting = sorted(dict.fromkeys(worlds), reverse=True)

    def note(count: int, rate: float, goodput: float) -> None:
        found[count, rate] = goodput
        seconds = time.monotonic() - began
        told(f"{len(found)} of {len(waiting)}, {seconds:.0f} s: {count:,} workers, {rate:g} losses per process-hour: {100 * goodput:.2f} %")

    told(f"simulating {len(waiting)} worlds, of {waiting[-1][0]:,} to {waiting[0][0]:,} workers")
    if cores == 1 or len(waiting) == 1 or waiting[0][0] < MANY:
        for count, rate in waiting:
            note(count, rate, simulated(count, rate, given))
        return found
    spawn, end_quietly = multiprocessing.get_context("spawn"), (signal.SIGINT, signal.SIG_DFL)
    with ProcessPoolExecutor(min(cores, len(waiting)), spawn, signal.signal, end_quietly) as pool:
        asked = {pool.submit(simulated, count, rate, given): (count, rate) for count, rate in waiting}
        for future in as_completed(asked):
            note(*asked[future], future.result())
    return found


def scenario_for(processes: int, rate: float, given: Assumptions, seed: int = 1) -> Scenario:
    """What is simulated for regrow: four roles in a ring, each of which reads what the next one sent in the last round, so that rounds
    overlap: while the last tasks of a role are done, nobody needs them yet. One task of each role for a worker and round."""
    ring = {"north": "east", "east": "south", "south": "west", "west": "north"}
    roles = {name: Work(processes, given.superstep_seconds, {read: -1}, state_bytes=1.0, fan_out=1) for name, read in ring.items()}
    free = Costs(1e30, 0.0, 1e30, 0.0, 0.0, given.regrow_commit_seconds, given.fetch_seconds)
    faults = Faults(worker_per_hour=rate, detect_seconds=given.regrow_detect_seconds)
    return Scenario(10_000, roles, Machines(processes, restart_seconds=0.0), free, faults, Bounds(cut_every_seconds=600.0), seed=seed)


def simulated(processes: int, rate: float, given: Assumptions, seed: int = 1) -> float:
    """The goodput of a long job of regrow: useful and paid seconds are counted while it goes on, from the third task of each worker on."""
    tasks = max(TASKS_MIN, min(TASKS_MAX, ATTEMPTS // processes))
    window = ((2 * given.superstep_seconds), (2 + tasks) * given.superstep_seconds)
    with calm():
        tally = Fleet(scenario_for(processes, rate, given, seed), seconds=window).run(weather)
    return tally.useful_seconds / tally.paid_seconds


def assumptions(given: Assumptions) -> list[str]:
    """What has been assumed, as lines: beside every table."""
    lines = [f"{system.name}: {system.does} ({system.source})" for system in SYSTEMS]
    return [
        *lines,
        f"{REGROW}: simulated with the coordinator that ships; four roles in a ring read each other's last round, a task of each for a "
        f"worker and round, {given.superstep_seconds:g} s with a spread of 10 %; a lost worker is noticed after "
        f"{given.regrow_detect_seconds:g} s, a commit takes {given.regrow_commit_seconds:g} s of a worker; about {ATTEMPTS:,} attempts "
        f"are counted, at least {TASKS_MIN} for each worker: the standard deviation over seeds is 0.05 points or less",
        f"a process has {given.state_bytes / 1e9:g} GB of state, {given.message_bytes / 1e9:g} GB of messages in a superstep of "
        f"{given.superstep_seconds:g} s, {given.memory_bytes / 1e9:g} GB of memory; a checkpoint of the state takes "
        f"{given.checkpoint_seconds:.0f} s, with messages {given.message_checkpoint_seconds:.0f} s; restarting all takes "
        f"{given.restart_seconds:g} s; a job without losses {given.job_seconds / 3600:g} h",
        f"a loss is noticed by the others after {given.detect_seconds:g} s, a replacement is ready after {given.fetch_seconds:g} s, a task "
        f"of Spark is redone in {given.redo_seconds:g} s; losses are independent, replacements instant; messages cost all the same",
    ]
