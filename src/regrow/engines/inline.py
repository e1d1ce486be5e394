"""The engine `inline`: the same coordinator and the same artifacts, byte for byte, in one process, one task at a time.

For debugging and tests: a debugger stops in the task, and an array that changes after it was sent is found.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any

from regrow.coordinator.actions import Start
from regrow.coordinator.events import AttemptDone, AttemptFailed, WorkerJoined, WorkerLost
from regrow.coordinator.plan import Task
from regrow.engines.base import Engine, cpu_seconds
from regrow.engines.memory import MemoryWatch
from regrow.errors import RegrowError, UsageError
from regrow.job import Job
from regrow.worker import AttemptError, Workshop

__all__ = ["InlineEngine"]

IN_VAIN_MAX = 3
"""So many ticks without anything under way, and nothing will ever happen again."""


class InlineEngine(Engine):
    """One worker, which is this process; and one that checks, which is this process too."""

    def __init__(self, workers: int = 1, *, backwards: bool = False, begins: Callable[[Task], None] | None = None) -> None:
        """workers: so many tasks are asked for at a time; backwards: of those, the last is done first; begins: told each, before it."""
        super().__init__()
        self._begins = begins
        self._workers, self._next = workers, -1 if backwards else 0
        self._queue: list[Start] = []
        self._joined = 0
        self._in_vain = 0
        self._memory = MemoryWatch()
        self._cpu = cpu_seconds()

    def _start(self, job: Job) -> None:
        began = self.now()
        self._shop = Workshop(job, frozen_sends=True)
        self._shop.directory = self.directory
        self._shop.warm()
        self.tally.compile_seconds = self.now() - began
        self._memory.idle([])
        self._cpu = cpu_seconds()
        for _ in range(self._workers):
            self._join()
        self._join(checks=True)

    def _join(self, *, checks: bool = False) -> None:
        self._joined += 1
        self._events.append(WorkerJoined(f"{'check' if checks else 'inline'}-{self._joined}", checks, self._shop.environment))

    def _try(self, action: Start) -> None:
        self._queue.append(action)

    def _replace(self, worker: str) -> None:
        self._events.append(WorkerLost(worker, "replaced after an error of the program"))
        self._join(checks=worker.startswith("check"))

    def _release(self, worker: str) -> None:
        """It is this process: nothing ends."""

    def scale(self, workers: int) -> None:
        """There is one worker, whatever anybody wants. Raises UsageError."""
        raise UsageError("the engine inline has one worker, the process itself", "pause the run and resume it with --engine local")

    def drain(self, worker: str) -> bool:
        """It cannot leave. Raises UsageError."""
        raise UsageError(f"{worker} is the process that runs everything", "to pause the run: regrow stop")

    def crew(self) -> list[dict[str, Any]]:
        """This process."""
        return [{"worker": f"inline-{self._joined}", "pid": os.getpid(), "task": "", "seconds": 0.0, "done": self.tally.attempts}]

    def _wait(self, seconds: float) -> None:
        if not self._queue:
            if self._cutting is None or not (self._cutting.is_alive() or self._events):
                self._in_vain += 1
            if self._in_vain > IN_VAIN_MAX:
                raise RegrowError("the coordinator waits and nothing is under way", "please report this as a fault of regrow")
            if self._cutting is not None:
                self._cutting.join(seconds)
            return
        self._in_vain = 0
        self._attempt(self._queue.pop(self._next))
        self._memory.sample([], self.now())

    def _attempt(self, action: Start) -> None:
        """Try a task, here and now."""
        began = cpu_seconds()
        if self._begins is not None:
            self._begins(action.attempt.task)
        try:
            with contextlib.redirect_stdout(sys.stderr):  # what a task prints is no result
                receipt = self._shop.attempt(action.attempt.task, action.chain, self.directory.attempt_path(action.attempt))
        except AttemptError as error:
            self._events.append(AttemptFailed(action.worker, action.attempt, error.kind, error.cause, error.lost))
        else:
            self._reported[action.attempt] = (receipt, cpu_seconds() - began)
            self._events.append(AttemptDone(action.worker, action.attempt, receipt))

    def close(self) -> None:
        """Nothing outlives the run."""
        super().close()
        self.tally.cpu_seconds += cpu_seconds() - self._cpu
        self.tally.peak_memory_bytes = self._memory.peak_bytes
