"""The one place that wires: program, data, store and engine become a run. Above engines, below the shell and estimators.

A run goes through stages, each a program on the same engine: the user's files are cut into parts of text, programs of
the data room make tokens and the grid of them, and the last program is the one that was asked for. The results of one stage are
the data of the next. A stage that is whole is never repeated: `resume` goes on with the first that is not.

    RUN/run.json            what to do and how (see Spec)
    RUN/stages/<name>/      preparing: each with its own artifacts, then its dataset
    RUN/data/               the prepared data that the last program reads
    RUN/identity.json       what the last program's artifacts are a function of
    RUN/committed, ...      the artifacts of the last program (see store.directory)
    RUN/model/              the model, published by one rename
    RUN/events.jsonl        the story; RUN/sessions/: what each coordinator did and cost
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from regrow import prepared
from regrow.coordinator.actions import Action, Fail, Finish, Pause, Record, Tell
from regrow.coordinator.events import ArtifactsLost, Tick
from regrow.coordinator.machine import Machine
from regrow.coordinator.plan import PhaseKey, Plan
from regrow.coordinator.policy import Limits
from regrow.data import Grid, Ingested, content_digest, default_grid, ingest, tokens_program
from regrow.engines.base import Engine
from regrow.errors import DataError, Paused, ProgramError, RegrowError, UsageError
from regrow.identity import difference, identity_of
from regrow.job import Job, ProgramName
from regrow.program import Program, Results, Roles
from regrow.spec import How, Spec
from regrow.store.container import Broken
from regrow.store.dataset import Dataset, DatasetWriter
from regrow.store.directory import Directory
from regrow.store.lock import Lock
from regrow.store.model import publish_model
from regrow.story import Story
from regrow.summary import Session, summary_of
from regrow.worker import ENVIRONMENT, checked_roles

__all__ = ["Watcher", "begin", "resume"]


class Watcher:
    """Who wants to see a run go on: a progress bar, or nobody."""

    def progress(self, stage: str, done: float, total: float, note: str = "") -> None:
        """A stage has come so far."""

    def event(self, line: Mapping[str, Any]) -> None:
        """A line was added to the story."""


def begin(spec: Spec, run: Path, how: How, watcher: Watcher | None = None, *, overwrite: bool = False) -> dict[str, Any]:
    """Make a run in a new directory and bring it to its end; returns its summary (INTERFACE's fields).

    Raises UsageError if the directory is there already, DataError or ProgramError for what the user can mend, Paused when it
    can be resumed.
    """
    _make_directory(run, overwrite)
    lock = Lock(run)
    try:
        spec = spec.settled(run)
        spec.write(run)
        how.write(run)
        return _Run(run, spec, how, watcher or Watcher()).to_the_end()
    finally:
        lock.release()


def resume(run: Path, watcher: Watcher | None = None, *, accept_changes: bool = False, **changes: Any) -> dict[str, Any]:
    """Go on with a run, with its own engine and workers unless others are given; returns its summary."""
    if not (run / "run.json").exists():
        raise DataError(f"{run} is no run", "name the folder that training printed first")
    spec, how = Spec.read(run), How.read(run).changed(changes)
    lock = Lock(run)
    try:
        if (run / "model" / "model.json").exists() and (run / "done").exists():
            return summary_of(run)
        how.write(run)
        return _Run(run, spec, how, watcher or Watcher(), accept_changes).to_the_end()
    finally:
        lock.release()


def _make_directory(run: Path, overwrite: bool) -> None:
    if run.exists() and (not run.is_dir() or any(run.iterdir())):
        if not (run / "run.json").exists():
            raise UsageError(f"{run} is there already and is no run", "take another name with --run DIR")
        if not overwrite:
            raise UsageError(
                f"{run} is there already",
                f"go on with it: regrow resume {run}; or take another name: --run DIR; or begin anew in its place: --overwrite",
            )
        lock = Lock(run)  # refuses while somebody works on it
        lock.release()
        shutil.rmtree(run)
    run.mkdir(parents=True, exist_ok=True)


class _Run:
    """A run from wherever it stands to its end, by this process."""

    def __init__(self, run: Path, spec: Spec, how: How, watcher: Watcher, accept_changes: bool = False) -> None:
        self.run, self.spec, self.how, self.watcher = run, spec, how, watcher
        self.accept_changes = accept_changes
        self.story = Story(run, watcher.event)
        self.session = Session(run, how.workers)

    def to_the_end(self) -> dict[str, Any]:
        """Prepare, run the program, publish the model. What stops it is told in the story."""
        self.story.tell("coordinator started", engine=self.how.engine, workers=self.how.workers, process=os.getpid())
        try:
            with _patient_with_disk(self.run):
                dataset = self._prepare()
                self._last_stage(dataset)
        except RegrowError as error:
            state = "paused" if isinstance(error, Paused) else "failed"
            with contextlib.suppress(OSError):
                self.story.tell(state, cause=error.message)
                self.session.end(state)
            raise
        finally:
            self.story.close()
        return summary_of(self.run)

    # Preparing

    def _prepare(self) -> Dataset:
        """The data of the last program, from this run, from an earlier one on the same input, or made now."""
        data = self.run / "data"
        if (data / "dataset.json").exists():
            return Dataset.open(data)
        shutil.rmtree(data, ignore_errors=True)
        began = time.monotonic()
        key = self._cache_key()
        cache = Path(self.how.cache) if self.how.cache else None
        if cache is not None and prepared.fetch(cache, key, data):
            self.story.tell("prepared data reused", key=key)
        else:
            self._stages(data)
            if cache is not None:
                prepared.keep(cache, key, data)
        self.session.prepare_seconds += time.monotonic() - began
        self.session.write()
        shutil.rmtree(self.run / "stages", ignore_errors=True)
        return Dataset.open(data)

    def _cache_key(self) -> str:
        """What prepared data is a function of."""
        spec = self.spec
        found = content_digest([file.name for file in spec.source.files], spec.source.vocabulary)
        if spec.input_digest and found != spec.input_digest:
            raise DataError("the input files have changed since the run began", "put them back, or begin anew with --overwrite")
        code = hashlib.sha256()
        for path in sorted(Path(__file__).parent.joinpath("data").glob("*.py")):
            code.update(path.read_bytes())
        about: list[Any] = [
            found,
            spec.source.to_json() | {"files": [file.name for file in spec.source.files]},
            spec.options_json(),
            spec.pipeline,
        ]
        about += [spec.grid, spec.topics, code.hexdigest()]
        return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:32]

    def _stages(self, data: Path) -> None:
        """Text, tokens, grid: each a dataset in its own folder; the last one becomes the run's data."""
        folder = self.run / "stages"
        text = self._text(folder / "text" / "data")
        made = text
        if self.spec.pipeline == "grid":
            program = tokens_program(self.spec.source, self.spec.options)
            tokens = self._stage("tokens", program, text)
            count = int(tokens.facts["tokens"])
            rows, columns = self.spec.grid or default_grid(count, self.spec.topics)
            made = self._stage("grid", Grid(rows, columns), tokens)
        os.rename(made.path, data)

    def _text(self, folder: Path) -> Dataset:
        if (folder / "dataset.json").exists():
            return Dataset.open(folder)
        shutil.rmtree(folder, ignore_errors=True)
        writer = DatasetWriter(folder)
        found: Ingested = ingest(self.spec.source, writer.add, lambda done, total: self.watcher.progress("reading", done, total))
        facts = {"bytes": found.bytes_text, "lines": found.lines}
        self.story.tell("input read", parts=found.parts, bytes=found.bytes_text, digest=found.digest)
        return writer.publish(facts)

    def _stage(self, name: str, program: Program, dataset: Dataset) -> Dataset:
        """One preparing program: its results become a dataset."""
        folder = self.run / "stages" / name
        if (folder / "data" / "dataset.json").exists():
            return Dataset.open(folder / "data")
        folder.mkdir(parents=True, exist_ok=True)
        kind = ProgramName(type(program).__module__, type(program).__qualname__)
        job = Job(kind, program.parameters(), self.spec.seed, dataset.path, folder)
        shutil.rmtree(folder / "data", ignore_errors=True)
        outcome = _Stage(self, name, job).to_the_end()
        writer = DatasetWriter(folder / "data")
        for role, parts in outcome.results.items():
            for index, arrays in enumerate(parts):
                if arrays:
                    writer.add(role, index, arrays)
        made = writer.publish(outcome.results.metrics)
        outcome.directory.clear()
        return made

    # The program that was asked for

    def _last_stage(self, dataset: Dataset) -> None:
        job = self.spec.job(self.run)
        stage = _Stage(self, "training", job)
        self._check_identity(job, dataset, stage)
        outcome = stage.to_the_end()
        model = outcome.program.model(outcome.results)
        about = {
            "kind": f"{self.spec.program}",
            "command": self.spec.command,
            "parameters": outcome.program.parameters(),
            "seed": job.seed,
            "data": dataset.digest,
            "facts": dict(dataset.facts),
            "rounds": outcome.results.rounds,
            "metrics": outcome.results.metrics,
            "history": outcome.history,
            **({"accepted_changes": self._accepted()} if self._accepted() else {}),
        }
        digest = publish_model(self.run / "model", model, about)
        outcome.directory.clear()
        self.session.digest = digest
        self.session.end("finished")
        self.story.tell("finished", digest=digest, rounds=outcome.results.rounds)
        (self.run / "done").write_text(digest + "\n")

    def _check_identity(self, job: Job, dataset: Dataset, stage: _Stage) -> None:
        """Refuse to mix artifacts of two different runs."""
        path = self.run / "identity.json"
        now = json.loads(json.dumps(identity_of(job, dataset, stage.program, stage.roles)))
        if path.exists():
            changes = difference(json.loads(path.read_text()), now)
            if changes and not self.accept_changes:
                raise DataError(
                    f"{self.run} was begun as another run:\n  " + "\n  ".join(changes),
                    "go on from the newest cut all the same, and let the model say so: regrow resume --accept-changes; or begin anew",
                )
            if changes:
                stage.directory.back_to_cut()
                self.story.tell("changes accepted", changes=changes)
                (self.run / "accepted.json").write_text(json.dumps(self._accepted() + changes))
        path.write_text(json.dumps(now, indent=1))

    def _accepted(self) -> list[str]:
        path = self.run / "accepted.json"
        found: list[str] = json.loads(path.read_text()) if path.exists() else []
        return found


class _Stage:
    """One program from wherever it stands to its last round."""

    def __init__(self, parent: _Run, name: str, job: Job) -> None:
        self.parent, self.name, self.job = parent, name, job
        self.program = job.load()
        self.roles: Roles = checked_roles(self.program, Dataset.open(job.data))
        self.plan = Plan(self.roles)
        self.directory = Directory(job.run)
        self.story = parent.story
        self.history: dict[str, list[tuple[int, float]]] = {}
        self.newest: dict[str, tuple[int, Mapping[str, float]]] = {}
        self._heard: set[str] = set()
        """Roles that gave a result, a metric, a state or a stop in some round."""
        self.results: Results

    def to_the_end(self) -> _Stage:
        """Run it; afterwards `results` are there. Raises ProgramError, DataError or Paused."""
        how, session = self.parent.how, self.parent.session
        machine = Machine(self.plan, Limits(cut_every_seconds=how.durable_every), verify=how.verify)
        engine = how.make_engine()
        began_at = self._restore(machine)
        session.stage(self.name, engine.tally, self.plan.rounds)
        try:
            engine.start(self.job, self.directory)
            began = time.monotonic()
            with _signals(engine):
                end = self._drive(machine, engine, began_at)
            seconds = time.monotonic() - began
        finally:
            engine.close()
            session.write()
        session.stage_done(seconds if self.name == "training" else 0.0)
        self.results = self._read_results(machine, self._judge(end))
        return self

    def _restore(self, machine: Machine) -> tuple[Any, ...]:
        """What an earlier coordinator left: the arguments of Machine.begin."""
        boot = _boot_id()
        seen = self.job.run / "boot"
        same_boot = seen.exists() and seen.read_text() == boot
        self.directory.begin_epoch()
        present, broken = self.directory.present(check=not same_boot)
        seen.write_text(boot)
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
        actions = machine.begin(engine.now(), present, records, cuts)
        while True:
            end = self._perform(actions, engine)
            if end is not None:
                return end
            event = engine.next_event()
            if isinstance(event, ArtifactsLost):
                self.directory.mark_lost(event.tasks)
            actions = machine.handle(event or Tick(), engine.now())
            if event is None:
                self.parent.session.round = machine.ledger.floor
                self.parent.session.write()

    def _perform(self, actions: list[Action], engine: Engine) -> Finish | Fail | Pause | None:
        """Perform actions in their order; returns the one that ends the run."""
        for action in actions:
            match action:
                case Tell(what, facts):
                    self._tell(what, facts)
                case Record():
                    self.directory.record(action, time.time())
                    self._note(action)
                case Finish() | Fail() | Pause():
                    return action
                case _:
                    engine.perform(action)
        return None

    def _tell(self, what: str, facts: Mapping[str, Any]) -> None:
        if what == "rounds complete":
            self.parent.session.round = facts["rounds"]
            note = ", ".join(f"{name} {values[-1][1]:.4f}" for name, values in self.history.items() if values and self.name == "training")
            self.parent.watcher.progress(self.name, facts["rounds"], facts["of"], note)
            return
        self.story.tell(what, stage=self.name, **facts)

    def _note(self, record: Record) -> None:
        """Keep the metrics of complete phases: the newest of each role, and the history of each name."""
        role, round = record.phase
        if record.metrics or record.holds or record.stop or not record.stateless:
            self._heard.add(role)
        if role not in self.newest or self.newest[role][0] <= round:
            self.newest[role] = (round, record.metrics)
        for name, value in record.metrics.items():
            values = self.history.setdefault(name, [])
            if not any(seen == round for seen, _ in values[-8:]):
                values.append((round, value))

    def _judge(self, end: Finish | Fail | Pause) -> int:
        """The last round, or an error that says why there is none."""
        match end:
            case Finish(round):
                return round
            case Fail("data", reason):
                raise DataError(reason)
            case Fail(_, reason):
                raise ProgramError(reason, f"mend the program, then go on: regrow resume {self.parent.run} --accept-changes")
            case Pause(reason):
                raise Paused(reason, f"go on with it: regrow resume {self.parent.run}")

    def _read_results(self, machine: Machine, last: int) -> Results:
        for role in self.plan.roles:
            if not self.plan.readers[role] and role not in self._heard:
                raise ProgramError(f'role "{role}" has no readers and gave no result, metric or state', "nothing came of its work")
        results: dict[str, list[Mapping[str, Any]]] = {}
        metrics: dict[str, float] = {}
        for role in self.plan.roles:
            key = PhaseKey(role, self.plan.newest(role, last))
            if machine.ledger.phases[key].holds:
                results[role] = [self._result(task) for task in self.plan.tasks(key)]
            for name, value in self.newest.get(role, (0, {}))[1].items():
                metrics[name] = metrics.get(name, 0) + value
        return Results(results, metrics, last + 1)

    def _result(self, task: Any) -> Mapping[str, Any]:
        try:
            return self.directory.open(task).section("result")
        except Broken as broken:
            raise Paused(f"a result was lost at the last moment: {broken}", f"it is made again: regrow resume {self.parent.run}") from None


@contextlib.contextmanager
def _signals(engine: Engine) -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP pause the run; a second one ends this process at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked: list[int] = []

    def ask(number: int, _: object) -> None:
        if asked:
            os._exit(130)
        asked.append(number)
        engine.interrupt(f"interrupted by {signal.Signals(number).name}")

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _patient_with_disk(run: Path) -> Iterator[None]:
    """A disk that is full or refuses is nobody's fault: the run pauses and can be resumed."""
    try:
        yield
    except OSError as error:
        if error.errno not in ENVIRONMENT:
            raise RegrowError(f"{type(error).__name__}: {error}", "".join(traceback.format_tb(error.__traceback__)[-3:])) from error
        raise Paused(f"{error.strerror}: {error.filename or run}", f"make room, then go on: regrow resume {run}") from None


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"
