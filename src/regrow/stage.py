"""One stage of a run: a program from wherever it stands to its last round. The coordinator meets its engine here."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regrow.collector import calm
from regrow.control import Control
from regrow.coordinator.actions import Action, Commit, Fail, Finish, Pause, Record, Tell
from regrow.coordinator.events import ArtifactsLost, Tick
from regrow.coordinator.machine import Machine
from regrow.coordinator.plan import PhaseKey, Plan, Task
from regrow.coordinator.policy import Limits
from regrow.crash import point
from regrow.engines.base import Engine
from regrow.errors import DamagedData, DataError, Paused, ProgramError
from regrow.interrupts import Interrupts
from regrow.job import Job
from regrow.mirror import Mirror
from regrow.outlet import Outlet
from regrow.program import Results, Roles
from regrow.spec import How
from regrow.store.container import Broken
from regrow.store.dataset import Dataset
from regrow.store.differences import differences
from regrow.store.directory import Directory
from regrow.story import Story
from regrow.summary import Session
from regrow.traces import shown_place
from regrow.worker import checked_roles

RUNS_TASKS_HERE = ("inline", "sim")
"""Engines whose tasks run in the process of the coordinator."""
READY_SECONDS = 4.0
"""An engine that takes longer to get ready makes a person wonder why."""

__all__ = ["Around", "ResultLost", "Stage", "Watcher"]


class ResultLost(Paused):
    """The run had ended, and then a result turned out to be missing or damaged: its task is to be done again."""


class Watcher:
    """Who wants to see a run go on: a progress bar, or nobody."""

    def progress(self, stage: str, done: float, total: float, note: str = "") -> None:
        """A stage has come so far."""

    def event(self, line: Mapping[str, Any]) -> None:
        """A line was added to the story."""

    def getting_ready(self) -> None:
        """Workers take long to get ready: kernels are being compiled, as a rule. Called from another thread."""

    def output(self, lines: bytes) -> None:
        """The next lines of a program whose results are a stream."""


@dataclass(frozen=True, slots=True)
class Around:
    """What a stage shares with the others of its run."""

    run: Path
    how: How
    story: Story
    session: Session
    watcher: Watcher
    interrupts: Interrupts
    control: Control
    mirror: Mirror | None = None
    """The copy of the run in durable storage, if there is to be one."""


@contextlib.contextmanager
def _told_if_long(watcher: Watcher) -> Iterator[None]:
    """Tell a watcher if what is done here takes long."""
    timer = threading.Timer(READY_SECONDS, watcher.getting_ready)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class Stage:
    """One program from wherever it stands to its last round."""

    def __init__(self, around: Around, name: str, job: Job) -> None:
        self.around, self.name, self.job = around, name, job
        self.program = job.load()
        self.roles: Roles = checked_roles(self.program, Dataset.open(job.data))
        self.plan = Plan(self.roles)
        self.directory = Directory(job.run)
        self.directory.ground = (
            job.data,
            *(around.run / name for name in ("program", "run.json", "how.json", "identity.json", "prepared.json")),
        )
        self.directory.ground_folders = tuple(folder for folder in job.run.parents if folder.is_relative_to(around.run.absolute().parent))
        self.story = around.story
        self._metrics: dict[str, dict[int, Mapping[str, float]]] = {name: {} for name in self.roles}
        """Role -> round -> metrics of that phase; also of rounds that may turn out never to have happened."""
        self._latest: dict[str, float] = {}
        self._heard: set[str] = set()
        """Roles that gave a result, a metric, a state or a stop in some round."""
        self.results: Results

    def to_the_end(self, outlet: Outlet | None = None) -> Stage:
        """Run it; afterwards `results` are there. Artifacts go to the outlet as they come. Raises ProgramError, DataError or Paused."""
        self._outlet = outlet
        how, session = self.around.how, self.around.session
        mirror = self.around.mirror if self.name == "training" else None
        if mirror is not None:
            self.directory.copied_away = lambda everything: mirror.publish(everything=everything)
        limits = Limits(cut_every_seconds=how.durable_every, notice_seconds=how.notice)
        machine = Machine(self.plan, limits, verify=how.verify, verify_all=how.verify_all)
        engine = how.make_engine(self.around.control.workers)
        began_at = self._restore(machine)
        session.stage(self.name, engine.tally, self.plan.rounds)
        self.story.tell("stage began", stage=self.name, rounds=self.plan.rounds)
        try:
            with self._signals_to(engine):
                try:
                    with _told_if_long(self.around.watcher):
                        engine.start(self.job, self.directory)
                    began = time.monotonic()
                    with self.around.control.steering(engine), calm(others=how.engine in RUNS_TASKS_HERE):
                        end = self._drive(machine, engine, began_at)
                    seconds = time.monotonic() - began
                finally:
                    with self.around.interrupts.shielded():
                        if mirror is not None:
                            mirror.hurry()
                        engine.close()
                        session.write()
        except Paused as paused:
            if paused.advice:
                raise
            raise Paused(paused.message, f"go on with it: regrow resume {self.around.run}") from None
        session.stage_done(seconds if self.name == "training" else 0.0)
        self.results = self._read_results(machine, self._judge(end))
        return self

    def _signals_to(self, engine: Engine) -> contextlib.AbstractContextManager[None]:
        """An engine that begins processes hears of signals from before the first one until the last has ended.

        What a signal raises would leave processes of which nobody knows, or that nobody ends. One without any is broken off as it starts.
        """
        here = self.around.how.engine in RUNS_TASKS_HERE
        return contextlib.nullcontext() if here else self.around.interrupts.steering(engine)

    def _restore(self, machine: Machine) -> tuple[Any, ...]:
        """What an earlier coordinator left: the arguments of Machine.begin."""
        boot = _boot_id()
        seen = self.job.run / "boot"
        same_boot = seen.exists() and seen.read_text() == boot
        self.directory.begin_epoch()
        if settled := self.directory.settle_disputes():
            self.story.tell("going back", tasks=settled[0], cause="attempts of them differed", to_cut=settled[1])
        present, broken = self.directory.present(check=not same_boot)
        seen.write_text(boot)
        point("restore-boot")
        cuts = self.directory.read_cuts(present)
        records = [record for record, _ in self.directory.read_records()]
        for record in records:
            self._note(record)
        if present or records:
            rounds = max((record.phase.round + 1 for record in records), default=0)
            self.story.tell("going on", artifacts=len(present), broken=broken, rounds=rounds, cuts=[cut.round for cut in cuts])
        elif broken:
            self.story.tell("artifacts lost", artifacts=broken, cause="broken when the run was taken up again")
        return present, records, cuts

    def _drive(self, machine: Machine, engine: Engine, left: tuple[Any, ...]) -> Finish | Fail | Pause:
        """Events in, actions out, until the machine has ended."""
        present, records, cuts = left
        self._give_away(present)
        actions = machine.begin(engine.now(), present, records, cuts)
        while True:
            end = self._perform(actions, engine)
            if end is not None:
                return end
            event = engine.next_event()
            if isinstance(event, ArtifactsLost):
                self.directory.mark_lost(event.tasks)
            actions = machine.handle(event or Tick(), engine.now())
            self._account(machine, engine)

    def _account(self, machine: Machine, engine: Engine) -> None:
        session, wanted = self.around.session, engine.tally.workers_wanted
        session.round = machine.ledger.floor
        if wanted is not None and wanted != session.workers:
            session.have(wanted)
        session.write()

    def _perform(self, actions: list[Action], engine: Engine) -> Finish | Fail | Pause | None:
        """Perform actions in their order; returns the one that ends the run."""
        for action in actions:
            match action:
                case Tell("waiting for workers" as what, facts):
                    self._tell(what, {**facts, "why": engine.why_nobody()})
                case Tell(what, facts):
                    self._tell(what, facts)
                case Record():
                    self.directory.record(action, time.time())
                    self._note(action)
                case Finish() | Fail() | Pause():
                    return action
                case _:
                    engine.perform(action)
                    if isinstance(action, Commit):
                        self._give_away([action.attempt.task])
        return None

    def _give_away(self, tasks: Iterable[Task]) -> None:
        if self._outlet is not None:
            self._outlet.committed(tasks, self.directory)

    def _tell(self, what: str, facts: Mapping[str, Any]) -> None:
        if what == "rounds complete":
            self.around.session.round = facts["rounds"]
            note = ", ".join(f"{name} {_shown(value)}" for name, value in self._latest.items() if self.name == "training")
            self.around.watcher.progress(self.name, facts["rounds"], facts["of"], note)
            return
        self.story.tell(what, stage=self.name, **facts)

    def _note(self, record: Record) -> None:
        """Keep the metrics of a complete phase."""
        role, round = record.phase
        if record.metrics or record.holds or record.stop or not record.stateless:
            self._heard.add(role)
        if role in self._metrics and record.metrics:
            self._metrics[role][round] = record.metrics
            self._latest.update(record.metrics)

    def _judge(self, end: Finish | Fail | Pause) -> int:
        """The last round, or an error that says why there is none."""
        match end:
            case Finish(round):
                return round
            case Fail("data", reason):
                raise DataError(reason)
            case Fail("prepared", reason):
                raise DamagedData(reason, f"it is made anew: regrow resume {self.around.run}")
            case Fail("nondeterministic", reason, task, who) if task is not None:
                where = differences(self.directory.disputed, task)
                raise ProgramError(f"{self.job.program.name}: {reason}{where}", WHAT_TO_DO[who].format(run=self.around.run))
            case Fail(_, reason):
                raise ProgramError(f"{self.job.program.name}: {reason}", self._how_to_mend())
            case Pause(reason):
                raise Paused(reason, f"go on with it: regrow resume {self.around.run}")

    def _how_to_mend(self) -> str:
        """What an author may do whose program raised."""
        go_on = f"then go on from what is done: regrow resume {self.around.run} --accept-changes"
        if not self.job.program.is_file:
            return f"mend the program, {go_on}; or begin anew"
        copy = self.around.run / "program" / Path(self.job.program.place).name
        return f"mend {shown_place(self.job.program.place)} and begin anew; or mend the run's own copy, {copy}, {go_on}"

    def _read_results(self, machine: Machine, last: int) -> Results:
        for role in self.plan.roles:
            if not self.plan.readers[role] and role not in self._heard:
                raise ProgramError(f'role "{role}" has no readers and gave no result, metric or state', "nothing came of its work")
        self._last = last
        results: dict[str, Sequence[Mapping[str, Any]]] = {}
        metrics: dict[str, float] = {}
        for role in self.plan.roles:
            key = PhaseKey(role, self.plan.newest(role, last))
            if machine.ledger.phases[key].holds:
                results[role] = _Opened(self._result, self.plan.tasks(key))
            for name, value in self._metrics[role].get(key.round, {}).items():
                metrics[name] = metrics.get(name, 0) + value
        self.history = self._history(last)
        return Results(results, metrics, last + 1)

    def artifact_of(self, role: str, index: int) -> Path:
        """The file that holds the last result of a partition."""
        return self.directory.artifact_path(Task(role, self.plan.newest(role, self._last), index))

    def _history(self, last: int) -> dict[str, list[tuple[int, float]]]:
        """Each metric round by round, added up over roles in their order. Rounds after the last one never happened."""
        found: dict[str, dict[int, float]] = {}
        for role in self.plan.roles:
            for round, metrics in sorted(self._metrics[role].items()):
                for name, value in metrics.items() if round <= last else ():
                    values = found.setdefault(name, {})
                    values[round] = values.get(round, 0) + value
        return {name: sorted(values.items()) for name, values in found.items()}

    def _result(self, task: Any) -> Mapping[str, Any]:
        try:
            return self.directory.open(task).section("result")
        except Broken as broken:
            self.directory.mark_lost([task])  # so that whoever comes next makes it again
            self.story.tell("artifacts lost", stage=self.name, artifacts=[str(task)], cause=f"a result that does not check: {broken}")
            raise ResultLost(
                f"a result was lost at the last moment: {broken}", f"it is made again: regrow resume {self.around.run}"
            ) from None


class _Opened(Sequence[Mapping[str, Any]]):
    """Results of the partitions of a role, each mapped and checked when it is asked for: all together may be larger than the memory."""

    def __init__(self, read: Callable[[Any], Mapping[str, Any]], tasks: Iterable[Any]) -> None:
        self._read, self._tasks = read, list(tasks)

    def __len__(self) -> int:
        return len(self._tasks)

    def __getitem__(self, index: Any) -> Any:
        return [self._read(task) for task in self._tasks[index]] if isinstance(index, slice) else self._read(self._tasks[index])


WHAT_TO_DO = {
    "program": "mend the program (regrow check finds more), then go on: regrow resume {run} --accept-changes",
    "environment": "run it where all workers are alike, then go on: regrow resume {run}",
    "machine": "go on without that machine: regrow resume {run}; it goes back to before this task",
}


def _shown(value: float) -> str:
    """A metric in a few digits, however small it is."""
    return f"{value:.4f}" if abs(value) >= 0.001 or not value else f"{value:.1e}"


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"
