"""The contract of an engine, and what all engines share whose artifacts lie in the run's directory.

start(job)          make ready; workers join as events
perform(action)     do it, or begin it; whatever comes of it arrives as an event
next_event()        the next fact; a Tick if nothing happens for a while
now()               seconds on the engine's clock
close()             end all that was started; afterwards the tally is complete

scale, drain, crew  more workers or fewer, this one not any more, who is there: for whoever speaks to the run (see `call`)
"""

from __future__ import annotations

import contextlib
import os
import resource
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from regrow.coordinator.actions import Action, Commit, Discard, DropCut, Forget, KeepAside, MakeCut, Release, Replace, Save, Start
from regrow.coordinator.events import ArtifactsLost, CutFailed, CutMade, Event, Receipt, Saved, StopAsked
from regrow.coordinator.plan import Attempt
from regrow.errors import RegrowError
from regrow.job import Job
from regrow.store.container import Broken
from regrow.store.directory import Directory

__all__ = ["Engine", "Tally"]

TICK_SECONDS = 0.25
SCAN_SECONDS = 1.0
"""How often the directory is looked over for artifacts that somebody removed."""


@dataclass(slots=True)
class Tally:
    """What a run cost. Measurements: they go to events, status and `--json`, never into an artifact or a model."""

    attempts: int = 0
    workers_lost: int = 0
    cpu_seconds: float = 0.0
    coordinator_seconds: float = 0.0
    redone_seconds: float = 0.0
    useful_seconds: float = 0.0
    recovery_seconds: list[float] = field(default_factory=list)
    peak_memory_bytes: int = 0
    compile_seconds: float = 0.0
    workers_wanted: int | None = None
    """How many workers the engine wants by itself, where it follows a cluster."""
    moved_bytes: int = 0
    """Sent from one machine to another."""


class Engine(ABC):
    """An engine whose artifacts lie in the directory of the run."""

    def __init__(self) -> None:
        self.tally = Tally()
        self._events: deque[Event] = deque()
        self._calls: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._closed = False
        self._reported: dict[Attempt, tuple[Receipt, float]] = {}
        """Attempts that came to their end -> receipt and CPU seconds, until they are committed or discarded."""
        self._cutting: threading.Thread | None = None
        self._scanned = 0.0
        self.directory: Directory

    def start(self, job: Job, directory: Directory) -> None:
        """Make ready to run tasks of a job."""
        self.directory = directory
        _allow_many_files()
        self._start(job)

    @abstractmethod
    def _start(self, job: Job) -> None: ...

    @abstractmethod
    def _wait(self, seconds: float) -> None:
        """Let facts arrive in the queue for at most so long."""

    @abstractmethod
    def _try(self, action: Start) -> None:
        """Let a worker try a task."""

    @abstractmethod
    def _replace(self, worker: str) -> None:
        """End a worker that is at nothing, and start another."""

    @abstractmethod
    def _release(self, worker: str) -> None:
        """End a worker that only checks."""

    @abstractmethod
    def scale(self, workers: int) -> None:
        """Have so many workers from now on: start some, or let some drain."""

    @abstractmethod
    def drain(self, worker: str) -> bool:
        """Let a worker finish what it does and leave, without another in its place. Raises UsageError if there is no such worker."""

    @abstractmethod
    def crew(self) -> list[dict[str, Any]]:
        """Who is there: name, pid, task, seconds at it, tasks done, and whether it drains or only checks."""

    def why_nobody(self) -> str:
        """Why there are no workers, as far as that is known; else nothing."""
        return ""

    def close(self) -> None:
        """End all that was started."""
        self._closed = True
        self._answer_calls()
        if self._cutting is not None:
            self._cutting.join()

    def now(self) -> float:
        """Seconds, from an arbitrary start."""
        return time.monotonic()

    def interrupt(self, cause: str) -> None:
        """Somebody wants the run to pause (may be called from a signal handler)."""
        self._events.append(StopAsked(cause))
        self._wake()

    def call(self, what: Callable[[], Any]) -> Future[Any]:
        """Let this be done by the thread that steers the engine, between two events (may be called from any thread).

        What comes of it is in the future, which is cancelled if the engine has been closed.
        """
        future: Future[Any] = Future()
        self._calls.append((what, future))
        if self._closed:
            self._answer_calls()
        self._wake()
        return future

    def _wake(self) -> None:
        """Let `_wait` come back (may be called from any thread, and from a signal handler)."""
        return

    def _answer_calls(self) -> None:
        while self._calls:
            try:
                what, future = self._calls.popleft()
            except IndexError:  # another thread was quicker
                return
            if self._closed:
                future.cancel()
                continue
            try:
                future.set_result(what())
            except Exception as error:
                future.set_exception(error)

    def next_event(self) -> Event | None:
        """The next fact; None if nothing happened for a tick."""
        self._answer_calls()
        if not self._events:
            self._wait(TICK_SECONDS)
            self._scan()
        return self._events.popleft() if self._events else None

    def perform(self, action: Action) -> None:
        """Do what the coordinator decided. Raises OSError where the disk refuses."""
        match action:
            case Start():
                self.tally.attempts += 1
                self._try(action)
            case Commit(attempt):
                self._commit(attempt)
            case Discard(attempt):
                self.directory.discard(attempt)
                self.tally.redone_seconds += self._reported.pop(attempt, (None, 0.0))[1]
            case KeepAside(task, attempt_aside, worker):
                self.directory.keep_aside(task, attempt_aside, worker)
            case Save():
                self._in_background(self._save)
            case Forget(tasks):
                self.directory.forget(tasks)
            case MakeCut():
                self._in_background(lambda: self._make_cut(action))
            case DropCut(round):
                self.directory.drop_cut(round)
            case Replace(worker):
                self._replace(worker)
            case Release(worker):
                self._release(worker)

    def _commit(self, attempt: Attempt) -> None:
        receipt, seconds = self._reported.pop(attempt)
        if self.directory.commit(attempt, receipt.digest):
            self.tally.useful_seconds += seconds
        else:
            self.tally.redone_seconds += seconds
            self._events.append(ArtifactsLost((attempt.task,), "what its attempt wrote was gone before it was committed"))

    def _in_background(self, what: Callable[[], None]) -> None:
        """In a thread, off the critical path: fsync waits for the disk."""
        self._cutting = threading.Thread(target=what, daemon=True)
        self._cutting.start()

    def _save(self) -> None:
        try:
            self.directory.save()
        except (OSError, RegrowError) as why:
            self._events.append(Saved(str(why)))
        else:
            self._events.append(Saved())
        self._wake()

    def _make_cut(self, cut: MakeCut) -> None:
        try:
            self.directory.make_cut(cut.round, cut.tasks)
        except (OSError, Broken) as why:
            self._events.append(CutFailed(cut.round, str(why)))
        except RegrowError as error:
            self._events.append(CutFailed(cut.round, str(error)))
            self._events.append(StopAsked(error.message))
        else:
            self._events.append(CutMade(cut.round))
        self._wake()

    def _scan(self) -> None:
        """Notice artifacts that somebody removed before anybody reads them."""
        if self.now() - self._scanned >= SCAN_SECONDS:
            self._scanned = self.now()
            missing = self.directory.missing()
            if missing:
                self._events.append(ArtifactsLost(tuple(sorted(missing)), "removed from the run's directory"))


def _allow_many_files() -> None:
    """Let this process, and those it starts, map as many files as the system allows it: one for each message that is held."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(now, most), most))


def cpu_seconds() -> float:
    """CPU seconds of this process, user and system."""
    times = os.times()
    return times.user + times.system
