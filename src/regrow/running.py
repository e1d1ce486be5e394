"""The one place that wires: program, data, store and engine become a run. Above engines, below the shell and estimators.

A run goes through stages, each a program on the same engine: some prepare the data (see preparing), and the last program is
the one that was asked for. The results of one stage are the data of the next. A stage that is whole is never repeated:
`resume` goes on with the first that is not.

    RUN/run.json            what to do and how (see Spec)
    RUN/stages/<name>/      preparing: each with its own artifacts, then its dataset
    RUN/data/               the prepared data that the last program reads
    RUN/prepared.json       which code makes the prepared data, and without which words
    RUN/identity.json       what the last program's artifacts are a function of
    RUN/committed, ...      the artifacts of the last program (see store.directory)
    RUN/kept/               results that are not in the model, but needed to go on from it (see Program.results_kept)
    RUN/model/              the model, published by one rename
    RUN/model.before/       the model of a run that this one takes the place of, until there is a new one (see place)
    RUN/output.before.jsonl likewise, the lines of such a run
    RUN/output.jsonl, .json instead of a model: the lines of a program whose results are a stream (see Program.results_streamed)
    RUN/control             a socket, while a coordinator works on the run (see control)
    RUN/events.jsonl        the story; RUN/sessions/: what each coordinator did and cost
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from regrow.control import Control
from regrow.crash import point
from regrow.errors import DamagedData, DataError, Paused, ProgramError, RegrowError, UsageError
from regrow.identity import difference, identity_of
from regrow.interrupts import Interrupts
from regrow.job import Job, loading
from regrow.mirror import Mirror, check_empty
from regrow.outlet import Outlet
from regrow.place import drop_what_was_before, locked, new_directory, refuse_to_lose, settle, telling_of_what_was_before
from regrow.preparing import Preparing
from regrow.program import Value, as_value
from regrow.spec import How, Spec, write_json
from regrow.stage import Around, ResultLost, Stage, Watcher
from regrow.store.dataset import Dataset, DatasetWriter
from regrow.store.directory import Directory
from regrow.store.durable import sync, sync_all
from regrow.store.model import publish_model
from regrow.story import VERSION, Story
from regrow.summary import Session, is_published, published, summary_of
from regrow.traces import guest
from regrow.worker import ENVIRONMENT

__all__ = ["Watcher", "begin", "resume"]


def begin(spec: Spec, run: Path, how: How, watcher: Watcher | None = None, *, overwrite: bool = False) -> dict[str, Any]:
    """Make a run in a new directory and bring it to its end; returns its summary (INTERFACE's fields).

    Raises UsageError if the directory is there already, DataError or ProgramError for what the user can mend, Paused when it
    can be resumed.
    """
    _refuse_imports()
    refuse_to_lose(spec, run)
    interrupts = Interrupts(run)
    with (
        telling_of_what_was_before(run),
        _patient_with_disk(run),
        interrupts.caught(),
        _reached(how, overwrite, interrupts),
        new_directory(run, overwrite),
    ):
        spec = spec.settled(run)
        spec.write(run)
        point("begin-spec")
        settle(run)
        how.write(run)
        point("begin-how")
        for name in ("program", "input", "run.json", "how.json"):
            sync_all(run / name)
        for folder in (run, run.parent):
            sync(folder)  # from here on a loss of power leaves a run that can be resumed
        return _Run(run, spec, how, watcher or Watcher(), interrupts).to_the_end()


def resume(
    run: Path, watcher: Watcher | None = None, *, accept_changes: bool = False, how: How | None = None, **changes: Any
) -> dict[str, Any]:
    """Go on with a run, with its own engine and workers unless others are given (`how`, or some changes of it); returns its summary."""
    _refuse_imports()
    if not (run / "run.json").exists():
        with telling_of_what_was_before(run):
            raise DataError(f"{run} is no run", "name the folder that training printed first")
    spec, how = Spec.read(run), how or How.read(run).changed(changes)
    interrupts = Interrupts(run)
    with telling_of_what_was_before(run), _patient_with_disk(run), interrupts.caught(), locked(run):
        if is_published(run) and (run / "done").exists():
            drop_what_was_before(run)  # left by whoever was stopped while it took this run's place, before anything was gone
            return summary_of(run)
        how.write(run)
        return _Run(run, spec, how, watcher or Watcher(), interrupts, resumed=True, accept_changes=accept_changes).to_the_end()


def _refuse_imports() -> None:
    """A script that starts a run whenever it is imported would start one in every worker."""
    if loading:
        raise ProgramError(f"{loading[-1]} starts a run while it is imported", 'put what starts it below: if __name__ == "__main__":')


@contextlib.contextmanager
def _reached(how: How, overwrite: bool, interrupts: Interrupts) -> Iterator[None]:
    """Cluster and storage are there, before anything is written. Raises UsageError or DataError."""
    try:
        if how.durable is not None and not overwrite:
            check_empty(how.durable)
        how.reach()
        interrupts.check()  # Ray takes what is raised while it starts for a fault of its own, and goes on
        yield
    finally:
        how.leave()


class _Run:
    """A run from wherever it stands to its end, by this process."""

    def __init__(
        self,
        run: Path,
        spec: Spec,
        how: How,
        watcher: Watcher,
        interrupts: Interrupts,
        *,
        resumed: bool = False,
        accept_changes: bool = False,
    ) -> None:
        self.mirror: Mirror | None = None
        self.run, self.spec, self.how, self.watcher = run, spec, how, watcher
        self.interrupts, self.resumed, self.accept_changes = interrupts, resumed, accept_changes
        self.story = Story(run, watcher.event)
        self.session = Session(run, how.crew)
        self.control = Control(run, how.crew, interrupts, self._crew_changed, elastic=how.elastic)

    def _crew_changed(self, workers: int) -> None:
        """Somebody wants another number of workers: it holds for what is left of the run, and when that is resumed."""
        self.story.tell("workers wanted", workers=workers)
        self.session.have(workers)
        if workers:  # a run that waits is not to wait when it is resumed
            replace(self.how, workers=workers).write(self.run)

    def to_the_end(self) -> dict[str, Any]:
        """Prepare, run the program, publish the model. What stops it is told in the story."""
        with self.control.listening():
            try:
                return self._to_the_end()
            except Exception as error:
                if logs := self.how.leave(failed=not isinstance(error, NOT_IN_LOGS)):
                    where = f"the logs of Ray are in {logs}"
                    if isinstance(error, RegrowError):
                        error.advice = "; ".join(filter(None, (error.advice, where)))
                    else:
                        error.add_note(where)
                raise
            finally:
                self.how.leave()

    def _to_the_end(self) -> dict[str, Any]:
        self.story.tell("coordinator started", story=VERSION, engine=self.how.engine, workers=self.how.crew, process=os.getpid())
        try:
            with _patient_with_disk(self.run):
                if self.how.durable is not None:
                    self.mirror = Mirror(self.run, self.how.durable, self.story)
                if is_published(self.run):
                    self._finish()  # it was published, and then this run was stopped
                else:
                    preparing = Preparing(self.spec, self._around(), resumed=self.resumed, accept_changes=self.accept_changes)
                    self._last_stage(preparing.dataset())
        except BaseException as error:
            state = "paused" if isinstance(error, (Paused, KeyboardInterrupt)) else "failed"
            self.story.tell(state, cause=error.message if isinstance(error, RegrowError) else repr(error))
            self.session.end(state)
            raise
        finally:
            self.story.close()
        return summary_of(self.run)

    def _around(self) -> Around:
        return Around(self.run, self.how, self.story, self.session, self.watcher, self.interrupts, self.control, self.mirror)

    # The program that was asked for

    def _last_stage(self, dataset: Dataset) -> None:
        job = self.spec.job(self.run.absolute())
        stage = Stage(self._around(), "training", job)
        self._check_identity(job, dataset, stage)
        if stage.program.results_streamed:
            self._stream(job, dataset, stage)
            return
        outcome, model = self._model(job, stage)
        about = self._about(job, dataset, outcome)
        self.interrupts.check()
        with self.interrupts.shielded():
            self._keep(outcome)
            publish_model(self.run / "model", model, about)
            self._finish()

    def _model(self, job: Job, stage: Stage) -> tuple[Stage, dict[str, Value]]:
        """Run the last program and let it make the model. A result that is lost at the last moment is made again."""
        for again in range(LOST_AGAIN_MAX + 1):
            outcome = self._to_the_last_round(job, stage)
            try:
                with guest(f"{type(outcome.program).__name__}.model()"):
                    return outcome, _named_values(outcome.program.model(outcome.results))
            except ResultLost:
                if again == LOST_AGAIN_MAX:
                    raise
            stage = Stage(self._around(), "training", job)
        raise AssertionError  # unreachable: the last turn returns or raises

    def _to_the_last_round(self, job: Job, stage: Stage, outlet: Outlet | None = None) -> Stage:
        """Run the last program. Prepared data that is lost meanwhile is made again, and the program goes on from what it has committed."""
        for again in range(LOST_AGAIN_MAX + 1):
            try:
                return stage.to_the_end(outlet)
            except DamagedData as error:
                if again == LOST_AGAIN_MAX:
                    raise
                self.story.tell("prepared data lost", cause=error.message)
            dataset = Preparing(self.spec, self._around(), resumed=True).dataset()
            stage = Stage(self._around(), "training", job)
            self._check_identity(job, dataset, stage)
        raise AssertionError  # unreachable: the last turn returns or raises

    def _stream(self, job: Job, dataset: Dataset, stage: Stage) -> None:
        """The results of the last program are lines: give them away in their order, as soon as they are there."""
        outlet = Outlet(stage.program.results_streamed, self.run / "output.jsonl", self.watcher.output)
        try:
            outcome = self._to_the_last_round(job, stage, outlet)
            digest = outlet.publish(stage.roles[stage.program.results_streamed].partitions)
        finally:
            outlet.close()
        with self.interrupts.shielded():
            about = self._about(job, dataset, outcome) | {"digest": digest}
            write_json(self.run / "output.json", about)
            self._finish()

    def _about(self, job: Job, dataset: Dataset, outcome: Stage) -> dict[str, Any]:
        """What model.json says besides the arrays."""
        return {
            "kind": f"{self.spec.program}",
            "command": self.spec.command,
            "parameters": outcome.program.parameters(),
            "seed": job.seed,
            "data": dataset.digest,
            "text": self.spec.options_json(),
            **self.spec.source_of_model(),
            "facts": dict(dataset.facts),
            "rounds": outcome.results.rounds,
            "metrics": outcome.results.metrics,
            "history": outcome.history,
            **({"accepted_changes": self._accepted()} if self._accepted() else {}),
        }

    def _keep(self, outcome: Stage) -> None:
        """Results that whoever goes on from this run needs."""
        if not outcome.program.results_kept:
            return
        aside, kept = self.run / "kept.new", self.run / "kept"
        shutil.rmtree(aside, ignore_errors=True)
        writer = DatasetWriter(aside)
        for role in outcome.program.results_kept:
            for index, arrays in enumerate(outcome.results[role]):
                writer.add(role, index, arrays)
        writer.publish({})
        sync_all(aside)
        point("keep-aside")
        shutil.rmtree(kept, ignore_errors=True)
        point("keep-cleared")
        os.rename(aside, kept)
        point("kept")

    def _finish(self) -> None:
        """The model is published: delete what it was made of, then note that the run is done."""
        with self.interrupts.shielded():
            about = published(self.run)
            drop_what_was_before(self.run)
            Directory(self.run).clear()
            shutil.rmtree(self.run / "stages", ignore_errors=True)
            point("finish-cleared")
            self.session.round = self.session.rounds = about["rounds"]
            self.session.digest = about["digest"]
            self.session.end("finished")
            self.story.tell("finished", digest=about["digest"], rounds=about["rounds"])
            point("finish-told")
            (self.run / "done").write_text(about["digest"] + "\n")
        if self.mirror is not None:
            self.mirror.publish(last=True)

    def _check_identity(self, job: Job, dataset: Dataset, stage: Stage) -> None:
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
                anew = any(line.startswith(NOT_FROM_A_CUT) for line in changes)
                stage.directory.back_to_cut(before=-1 if anew else float("inf"))
                self.story.tell("changes accepted", changes=changes)
                (self.run / "accepted.json").write_text(json.dumps(self._accepted() + changes))
        write_json(path, now)
        point("identity-written")

    def _accepted(self) -> list[str]:
        path = self.run / "accepted.json"
        found: list[str] = json.loads(path.read_text()) if path.exists() else []
        return found


def _named_values(made: Any) -> dict[str, Value]:
    """What a program's `model` returned, as it is stored. Raises ProgramError."""
    if not isinstance(made, Mapping) or not all(isinstance(name, str) for name in made):
        raise ProgramError(f"model() returned a {type(made).__name__}", 'return arrays by name, e.g. {"centers": centers}')
    return {name: as_value(name, value) for name, value in made.items()}


NOT_IN_LOGS = (Paused, DataError, UsageError)
"""Why a run ended of which the logs of a cluster can tell nothing more."""
LOST_AGAIN_MAX = 3
"""So often prepared data, and results at the last moment, are made again in one go: whoever takes them away all the time is to be told."""
NOT_FROM_A_CUT = ("partitions", "data", "generator", "sources: was nothing")
"""Changes after which artifacts made before cannot be gone on from: the run begins anew, from the prepared data."""


@contextlib.contextmanager
def _patient_with_disk(run: Path) -> Iterator[None]:
    """A disk that is full or refuses is nobody's fault: the run pauses and can be resumed."""
    try:
        yield
    except BrokenPipeError:
        raise  # whoever read our output has gone
    except OSError as error:
        if error.errno not in ENVIRONMENT:
            raise RegrowError(f"{type(error).__name__}: {error}", "".join(traceback.format_tb(error.__traceback__)[-3:])) from error
        what = "make room" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "see to the disk"
        then = f"then go on: regrow resume {run}" if (run / "run.json").exists() else "then begin again: nothing was done yet"
        raise Paused(f"{error.strerror}: {error.filename or run}", f"{what}, {then}") from None
