"""What engines share whose workers are processes that speak JSON lines over a connection of their own, and may be lost at any moment.

A closed connection is a lost worker. Lost is final: the process is ended, its name is never used again, and another takes its place.
Who starts and ends the processes, and who looks at them from outside, is each engine's own business.
"""

from __future__ import annotations

import contextlib
import os
import random
import selectors
import signal
import threading
from abc import abstractmethod
from collections import deque
from functools import partial
from typing import Any

from regrow import errors
from regrow.coordinator.actions import Start
from regrow.coordinator.events import (
    ArtifactsLost,
    AttemptDone,
    AttemptFailed,
    Receipt,
    StopAsked,
    WorkerDraining,
    WorkerJoined,
    WorkerLost,
)
from regrow.coordinator.plan import Attempt, Task
from regrow.coordinator.policy import Lost, how_lost
from regrow.engines.base import Engine, cpu_seconds
from regrow.engines.processes import Worker, end_of, how_it_ended
from regrow.errors import UsageError

__all__ = ["CrewEngine"]

WATCH_SECONDS = 0.25
CAUSE_WAIT_SECONDS = 5.0
"""How long a closed connection waits for the word on how the process ended, which is on its way by another one: whether what it ran is to
blame, or memory, depends on it. Whoever is to say it and is gone, or frozen, is noticed before that; its workers are lost with it."""
IN_VAIN_MAX = 20
"""So many workers may end before they were ready, one after the other."""


class CrewEngine(Engine):
    """`workers` processes at a time; with `preempt_seconds`, one of them is killed every so often."""

    def __init__(self, workers: int, preempt_seconds: float | None, checkers: int) -> None:
        """checkers: so many workers that only repeat tasks, each in a fresh interpreter under another hash seed."""
        super().__init__()
        self._wanted = workers
        self._preempt_seconds = preempt_seconds
        self._checkers = checkers
        self._workers: dict[str, Worker] = {}
        self._hung: dict[str, Worker] = {}
        """Those of them whose connections are closed, until it is known how they ended."""
        self._gone: dict[str, Worker] = {}
        """Workers that were lost or left, until somebody has said how they ended."""
        self._names = 0
        self._in_vain = 0
        self._losses_to_fill: deque[float] = deque()
        self._selector = selectors.DefaultSelector()
        """What may be heard from -> the function that hears it."""
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._bell_lock = threading.RLock()  # so that a signal handler may ring
        self._selector.register(self._bell, selectors.EVENT_READ, self._hear_bell)
        self._watched = 0.0
        self._next_preemption = 0.0
        self._closing = False
        self._cpu: float | None = None

    # What each engine does in its own way

    @abstractmethod
    def _begin_worker(self) -> None:
        """Start a worker, or ask for one."""

    @abstractmethod
    def _begin_checker(self) -> None:
        """Start a worker in a fresh interpreter under another hash seed, which repeats a few tasks."""

    @abstractmethod
    def _end_process(self, worker: Worker) -> None:
        """Kill the process of a worker; that it has ended is heard later."""

    @abstractmethod
    def _watch(self, now: float) -> None:
        """Look at the processes from outside, four times a second."""

    def _is_ready(self, worker: Worker) -> None:
        """A worker is ready and has done nothing yet."""

    def _was_useful(self) -> None:
        """A task was brought to its end."""

    def _is_gone(self, worker: Worker) -> None:
        """A worker was taken off the books."""

    def _machine(self, worker: Worker) -> str:
        """On which machine it is; "" where there is one."""
        return ""

    def _folder(self, worker: Worker) -> str:
        """Where it writes."""
        return str(self.directory.epoch)

    def _for_memory(self, worker: Worker) -> str | None:
        """The figures, if a process that was killed has been killed for memory."""
        return None

    def _held_bytes(self, worker: Worker) -> int | None:
        """What its tasks had taken when it was seen last; None: nobody knows."""
        return None

    def _stop_cause(self) -> str:
        return next((event.cause for event in self._events if isinstance(event, StopAsked)), "")

    # What the coordinator asks

    def _try(self, action: Start) -> None:
        worker = self._workers.get(action.worker)
        if worker is None:
            return  # lost a moment ago: the event is on its way
        if worker.hung_up:  # it drains, which the coordinator did not know yet
            self._events.append(AttemptFailed(worker.name, action.attempt, "handed back", "its worker drains"))
            return
        worker.attempt, worker.begun, worker.since = action.attempt, True, self.now()
        if worker.replaces is not None:
            self.tally.recovery_seconds.append(self.now() - worker.replaces)
            worker.replaces = None
        path = f"{self._folder(worker)}/{action.attempt}"
        worker.ask({"task": action.attempt.task, "number": action.attempt.number, "chain": action.chain, "path": path})

    def _replace(self, worker: str) -> None:
        if worker in self._workers:
            self._dismiss(self._workers[worker], "replaced after an error of the program")

    def _release(self, worker: str) -> None:
        released = self._workers.get(worker)
        if released is not None and released.checks:
            self.tally.cpu_seconds += released.cpu_reported
            self._take_off(released)
        elif released is not None:  # it hands back what it is at
            self._kill(released, "its work was handed back")
            self._take_off(released)
            self._fill(released)

    # What somebody asks who speaks to the run

    def scale(self, workers: int) -> None:
        """Have so many workers: fork some, or let some drain, the idle and the youngest first."""
        self._wanted = workers
        staying = self._staying()
        for _ in range(workers - len(staying)):
            self._begin_worker()
        youngest = list(reversed(staying))
        for worker in sorted(youngest, key=lambda worker: worker.attempt is not None)[: max(0, len(staying) - workers)]:
            self._let_drain(worker, "asked to leave")

    def drain(self, worker: str) -> bool:
        """Let a worker leave, without another in its place."""
        found = self._workers.get(worker)
        if found is None or found.checks or found.draining:
            names = ", ".join(one.name for one in self._staying())
            raise UsageError(f"there is no worker {worker}", f"there are: {names or 'none'}")
        self._wanted = max(0, self._wanted - 1)
        self._let_drain(found, "asked to leave")
        return True

    def crew(self) -> list[dict[str, Any]]:
        """Who is there."""
        now = self.now()
        return [
            {
                "worker": worker.name,
                "pid": worker.pid,
                "task": str(worker.attempt.task) if worker.attempt else "",
                "seconds": round(now - worker.since, 3) if worker.attempt else 0.0,
                "done": worker.done,
                "draining": worker.draining,
                "checks": worker.checks,
            }
            for worker in self._workers.values()
        ]

    def _staying(self) -> list[Worker]:
        """The workers that are to run tasks and do not drain."""
        return [worker for worker in self._workers.values() if not worker.checks and not worker.draining]

    # The books

    def _name(self, kind: str) -> str:
        self._names += 1
        return f"{kind}-{self._names}"

    def _add(self, worker: Worker) -> None:
        self._workers[worker.name] = worker
        self._selector.register(worker.connection, selectors.EVENT_READ, partial(self._hear_worker, worker))

    def _replaces(self) -> float | None:
        """When the worker was lost in whose place the next one comes."""
        return self._losses_to_fill.popleft() if self._losses_to_fill else None

    def _kill(self, worker: Worker, cause: str) -> None:
        """Kill a worker that is ours; the rest follows from its closed connection."""
        worker.cause = worker.cause or cause
        self._end_process(worker)

    def _dismiss(self, worker: Worker, cause: str) -> None:
        """Take a worker off the books without counting it as lost to the world, and start another."""
        self._kill(worker, cause)
        self._take_off(worker)
        self._events.append(WorkerLost(worker.name, cause))
        self._fill(worker)

    def _take_off(self, worker: Worker) -> None:
        if worker.closed_at is None:
            self._selector.unregister(worker.connection)
        worker.connection.close()
        del self._workers[worker.name]
        self._hung.pop(worker.name, None)
        if worker.process is None:
            self._gone[worker.name] = worker
        self._is_gone(worker)

    def _lose(self, worker: Worker, cause: str, kind: Lost = "loss") -> None:
        self._kill(worker, cause)
        self._take_off(worker)
        self.tally.workers_lost += 1
        self._events.append(WorkerLost(worker.name, cause, kind, self._held_bytes(worker)))
        if not worker.ready:
            self._came_in_vain(cause)
        if not worker.checks:
            self._losses_to_fill.append(worker.closed_at or self.now())
        self._fill(worker)

    def _came_in_vain(self, cause: str) -> None:
        """A worker has ended before it was ready. Raises RegrowError if that happens again and again."""
        self._in_vain += 1
        if self._in_vain > IN_VAIN_MAX:
            raise errors.RegrowError(f"{self._in_vain} workers, one after the other, ended before they were ready: {cause}")

    def _fill(self, gone: Worker) -> None:
        """Start a worker in the place of one that is gone."""
        if self._closing:
            return
        if gone.checks:
            self._begin_checker()
        elif len(self._staying()) < self._wanted:
            self._begin_worker()

    # What happens

    def _wait(self, seconds: float) -> None:
        now = self.now()
        if now - self._watched >= WATCH_SECONDS:
            self._watched = now
            self._watch(now)
        if self._preempt_seconds is not None:
            if now >= self._next_preemption:
                self._preempt(now)
            seconds = min(seconds, max(0.0, self._next_preemption - now))
        if self._hung:
            seconds = min(seconds, 0.01)
        self._poll(min(seconds, WATCH_SECONDS))

    def _poll(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            key.data()
        for worker in list(self._hung.values()):
            code = worker.process.poll() if worker.process is not None else None
            if code is not None:
                self._ended(worker, code, None)
            elif not self._closing and self.now() - (worker.closed_at or 0) > CAUSE_WAIT_SECONDS:
                self._lose(worker, worker.cause or "its connection closed", "memory" if worker.over_budget else "loss")

    def _hear_worker(self, worker: Worker, *, wait: bool = True) -> bool:
        """Take what a worker says; False if there was nothing more."""
        if worker.name not in self._workers:
            return False  # taken off a moment ago
        facts = worker.hear(wait=wait)
        if facts is None:
            self._selector.unregister(worker.connection)
            worker.closed_at = self.now()
            self._hung[worker.name] = worker
            return False
        for fact in facts:
            self._take(worker, fact)
        return bool(facts)

    def _take(self, worker: Worker, fact: dict[str, Any]) -> None:
        if "ready" in fact:
            worker.pid, worker.cpu_at_start, worker.ready, self._in_vain = fact["pid"], fact["cpu"], True, 0
            self._is_ready(worker)
            if not worker.draining:
                self._events.append(WorkerJoined(worker.name, worker.checks, fact["environment"], self._machine(worker)))
        elif "refused" in fact:
            worker.cause = fact["refused"][1]
        elif "draining" in fact:
            self._let_drain(worker, "notice of preemption (SIGTERM)")
        else:
            self._take_answer(worker, fact)

    def _take_answer(self, worker: Worker, fact: dict[str, Any]) -> None:
        attempt = Attempt(Task(*fact["task"]), fact["number"])
        worker.attempt = None
        worker.done += 1
        worker.cpu_reported += fact["cpu"]
        self._was_useful()
        if "failed" in fact:
            lost = tuple(Task(*task) for task in fact["lost"])
            self.tally.redone_seconds += fact["cpu"]
            self._events.append(AttemptFailed(worker.name, attempt, fact["failed"], fact["cause"], lost))
        else:
            digest, chain, holds, stop, metrics = fact["receipt"]
            receipt = Receipt(digest, tuple(chain), holds, stop, metrics)
            self._answered(worker, attempt, receipt, fact["cpu"])
        if worker.draining:
            worker.hang_up()

    def _answered(self, worker: Worker, attempt: Attempt, receipt: Receipt, cpu: float) -> None:
        """An attempt has written its artifact."""
        self._reported[attempt] = (receipt, cpu)
        self._events.append(AttemptDone(worker.name, attempt, receipt))

    def _let_drain(self, worker: Worker, cause: str, notice_seconds: float | None = None) -> None:
        """A worker gets nothing more, and leaves when it has finished what it does."""
        if not worker.draining:
            worker.draining = True
            self._events.append(WorkerDraining(worker.name, cause, notice_seconds))
            if worker.attempt is None:
                worker.hang_up()

    def _ended(self, worker: Worker, code: int, cpu: float | None) -> None:
        """A process has ended: book its CPU time, and lose the worker if that is not done yet."""
        if worker.name in self._workers:
            while worker.closed_at is None and self._hear_worker(worker, wait=False):
                pass  # what it said before it ended
        total = worker.cpu_reported if cpu is None else cpu - worker.cpu_at_start
        self.tally.cpu_seconds += total
        if worker.attempt is not None:
            self.tally.redone_seconds += max(0.0, total - worker.cpu_reported)
        if worker.name not in self._workers:
            return
        if self._closing:
            self._take_off(worker)
        elif worker.draining and worker.attempt is None:
            self._take_off(worker)
            self._fill(worker)
        else:
            self._lose(worker, *self._how_lost(worker, code))
        self._gone.pop(worker.name, None)

    def _how_lost(self, worker: Worker, code: int) -> tuple[str, Lost]:
        """Why a process ended, and what that means.

        The kernel sends SIGBUS to who reads a mapped file that was cut short: that is a lost artifact, and nobody's fault.
        """
        cause = worker.cause or how_it_ended(code)
        if -code == signal.SIGBUS and (damaged := self.directory.damaged()):
            self._events.append(ArtifactsLost(tuple(sorted(damaged)), "cut short while it was read"))
            return cause, "loss"
        figures = None if worker.over_budget or worker.cause else self._for_memory(worker)
        memory = worker.over_budget or figures is not None
        kind, why = how_lost(end_of(code), ours=bool(worker.cause), busy=worker.attempt is not None, memory=memory)
        if kind == "memory" and not worker.over_budget:
            cause += f", for memory by the kernel; {figures}"
        return f"{cause}: {why}" if kind == "memory" else cause, kind

    def _preempt(self, now: float) -> None:
        """Kill a worker at random, as a cluster would. One that has not begun its first task is spared: else nothing is ever done."""
        assert self._preempt_seconds is not None
        victims = [worker for worker in self._workers.values() if worker.begun and not worker.checks and worker.closed_at is None]
        if victims:
            self._kill(random.choice(victims), "preempted")
            self._next_preemption = max(self._next_preemption + self._preempt_seconds, now)

    def _hear_bell(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._bell)

    def _wake(self) -> None:
        with self._bell_lock:
            if self._bell >= 0:
                os.eventfd_write(self._bell, 1)

    # The end

    def _close_books(self) -> None:
        """Every process has ended: nothing will be heard any more."""
        for worker in list(self._workers.values()):
            self._take_off(worker)
        self._selector.close()
        with self._bell_lock:
            os.close(self._bell)
            self._bell = -1
        if self._cpu is not None:
            self.tally.coordinator_seconds = cpu_seconds() - self._cpu
            self.tally.cpu_seconds += self.tally.coordinator_seconds
