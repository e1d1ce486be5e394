"""The engine `local`: worker processes on this machine, which may be killed at any moment.

A killed worker is lost at once (its socket closes; the fork server says how it ended). A frozen one is seen from outside: it
is stopped, or can run and gains no CPU time, for two seconds. A heartbeat thread inside would lie: it is silent while one C
call holds the interpreter. Lost is final: the process is killed, its name is never used again, and another takes its place.
The fork server itself may be killed or frozen too, also while it starts: its workers end with it, and another server forks others.
A worker that is killed for memory, by the kernel or because all together take more than they may, is told apart from one that is preempted.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import selectors
import signal
import threading
from collections import deque
from functools import partial
from pathlib import Path
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
from regrow.engines.frozen import FrozenWatch
from regrow.engines.memory import MemoryBudget, MemoryKills, MemoryWatch
from regrow.engines.processes import Server, Worker, end_of, how_it_ended, spawn
from regrow.engines.servers import ServerStarter
from regrow.errors import UsageError
from regrow.job import Job

__all__ = ["LocalEngine"]

SERVER = "server"
"""The name by which the fork server is watched."""
WATCH_SECONDS = 0.25
CAUSE_WAIT_SECONDS = 0.2
"""How long a closed socket waits for the word on how the process ended."""
START_SECONDS = 10.0
"""How long the first task waits for all workers to be there."""
IN_VAIN_MAX = 20
"""So many workers may end before they were ready, one after the other."""


class LocalEngine(Engine):
    """`workers` processes at a time; with `preempt_seconds`, one of them is killed every so often."""

    def __init__(
        self, workers: int, *, preempt_seconds: float | None = None, verify: bool = True, checkers: int = 1, memory_max: int | None = None
    ) -> None:
        """memory_max: bytes that the tasks of all workers together may take."""
        super().__init__()
        self._checkers = checkers if verify else 0
        self._killed_for_memory = MemoryKills()
        self._budget = MemoryBudget(memory_max)
        self._wanted = workers
        self._preempt_seconds = preempt_seconds
        self._workers: dict[str, Worker] = {}
        self._hung: dict[str, Worker] = {}
        """Those of them whose sockets are closed, until it is known how they ended."""
        self._gone: dict[str, Worker] = {}
        """Workers that were lost or left, until the fork server has said how they ended."""
        self._names = 0
        self._in_vain = 0
        self._servers = ServerStarter(self._stop_cause, self.now)
        self._losses_to_fill: deque[float] = deque()
        self._selector = selectors.DefaultSelector()
        """What may be heard from -> the function that hears it."""
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._bell_lock = threading.RLock()  # so that a signal handler may ring
        self._selector.register(self._bell, selectors.EVENT_READ, self._hear_bell)
        self._frozen = FrozenWatch()
        self._memory = MemoryWatch()
        self._watched = 0.0
        self._closing = False
        self._server: Server | None = None
        self._cpu: float | None = None

    # Starting

    def _start(self, job: Job) -> None:
        self._job = json.dumps(job.to_json())
        for _ in range(self._checkers):
            self._start_checker()
        self.tally.compile_seconds = self._start_server()
        for _ in range(self._wanted):
            self._fork_worker()
        self._await_first_workers()
        self._cpu = cpu_seconds()
        self._next_preemption = self.now() + (self._preempt_seconds or 0)

    def _start_server(self) -> float:
        """Start a fork server; returns the seconds that its imports took."""
        seconds = self._servers.start(self._job_file, self._server_began)
        assert self._server is not None
        self._selector.register(self._server.control, selectors.EVENT_READ, self._hear_server)
        return seconds

    def _server_began(self, server: Server) -> None:
        self._server = server

    def _stop_cause(self) -> str:
        return next((event.cause for event in self._events if isinstance(event, StopAsked)), "")

    def _job_file(self) -> Path:
        """The file that holds the job; written again if somebody removed it."""
        path = self.directory.epoch / "job.json"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._job)
        return path

    def _start_checker(self) -> None:
        """A worker in a fresh interpreter under another hash seed, which repeats a few tasks."""
        process, connection = spawn("worker", "4242", self._job_file())
        self._add(Worker(self._name("check"), connection, checks=True, pid=process.pid, process=process))

    def _await_first_workers(self) -> None:
        """Let the first workers join before any work: then the level of idle memory can be taken."""
        deadline = self.now() + START_SECONDS
        while sum(worker.ready and not worker.checks for worker in self._workers.values()) < self._wanted and self.now() < deadline:
            self._poll(0.05)
        self._memory.idle(self._pids())

    def _name(self, kind: str) -> str:
        self._names += 1
        return f"{kind}-{self._names}"

    def _fork_worker(self) -> None:
        assert self._server is not None
        name = self._name("worker")
        self._add(Worker(name, self._server.fork(name), replaces=self._losses_to_fill.popleft() if self._losses_to_fill else None))

    def _add(self, worker: Worker) -> None:
        self._workers[worker.name] = worker
        self._selector.register(worker.connection, selectors.EVENT_READ, partial(self._hear_worker, worker))

    def _pids(self) -> list[int]:
        pids = [worker.pid for worker in self._workers.values() if worker.pid is not None and not worker.checks]
        return pids + ([self._server.pid] if self._server else [])

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
        path = f"{self.directory.epoch}/{action.attempt}"
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
            self._fork_worker()
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

    # Ends of processes

    def _kill(self, worker: Worker, cause: str) -> None:
        """Kill a worker that is ours; the rest follows from its closed socket."""
        worker.cause = worker.cause or cause
        if worker.process is not None:
            worker.process.kill()
        elif self._server is not None:
            self._server.kill(worker.name)

    def _dismiss(self, worker: Worker, cause: str) -> None:
        """Take a worker off the books without counting it as lost to the world, and start another."""
        self._kill(worker, cause)
        self._take_off(worker)
        self._events.append(WorkerLost(worker.name, cause))
        self._fill(worker)

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
            if not self._closing and self.now() - (worker.closed_at or 0) > CAUSE_WAIT_SECONDS:
                self._lose(worker, worker.cause or "its connection closed")

    def _hear_worker(self, worker: Worker, *, wait: bool = True) -> bool:
        """Take what a worker says; False if there was nothing more."""
        if worker.name not in self._workers:
            return False  # taken off a moment ago
        facts = worker.hear(wait=wait)
        if facts is None:
            self._selector.unregister(worker.connection)
            worker.closed_at = self.now()
            self._hung[worker.name] = worker
            if worker.process is not None:
                self._ended(worker, worker.process.wait(), None)
            return False
        for fact in facts:
            self._take(worker, fact)
        return bool(facts)

    def _take(self, worker: Worker, fact: dict[str, Any]) -> None:
        if "ready" in fact:
            worker.cpu_at_start, worker.ready, self._in_vain = fact["cpu"], True, 0
            if worker.pid is not None:
                self._budget.joined(worker.name, worker.pid)
            if not worker.draining:
                self._events.append(WorkerJoined(worker.name, worker.checks, fact["environment"]))
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
        self._servers.well()
        if "failed" in fact:
            lost = tuple(Task(*task) for task in fact["lost"])
            self.tally.redone_seconds += fact["cpu"]
            self._events.append(AttemptFailed(worker.name, attempt, fact["failed"], fact["cause"], lost))
        else:
            digest, chain, holds, stop, metrics = fact["receipt"]
            receipt = Receipt(digest, tuple(chain), holds, stop, metrics)
            self._reported[attempt] = (receipt, fact["cpu"])
            self._events.append(AttemptDone(worker.name, attempt, receipt))
        if worker.draining:
            worker.hang_up()

    def _let_drain(self, worker: Worker, cause: str) -> None:
        """A worker gets nothing more, and leaves when it has finished what it does."""
        if not worker.draining:
            worker.draining = True
            self._events.append(WorkerDraining(worker.name, cause))
            if worker.attempt is None:
                worker.hang_up()

    def _hear_bell(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._bell)

    def _wake(self) -> None:
        with self._bell_lock:
            if self._bell >= 0:
                os.eventfd_write(self._bell, 1)

    def _hear_server(self) -> None:
        assert self._server is not None
        fact = self._server.hear()
        if fact is None:
            self._selector.unregister(self._server.control)
            if not self._closing:
                self._replace_server()
        elif "unforked" in fact:
            raise OSError(fact["errno"], os.strerror(fact["errno"]), "a new worker process")
        elif "forked" in fact:
            worker = self._workers.get(fact["forked"]) or self._gone.get(fact["forked"])
            if worker is not None:
                worker.pid = fact["pid"]
        elif worker := self._workers.get(fact["ended"]) or self._gone.pop(fact["ended"], None):
            self._ended(worker, fact["code"], fact["cpu"])

    def _replace_server(self) -> None:
        """The fork server has ended, and its workers with it: start another, which forks others."""
        assert self._server is not None
        how = self._server.cause or how_it_ended(self._server.process.wait())
        memory = self._killed_for_memory.lately(self.now()) and "SIGKILL" in how
        self._server.close()
        self._frozen.drop(SERVER)
        self._servers.failed(how)
        theirs = [worker for worker in self._workers.values() if worker.process is None]
        for worker in theirs:
            worker.closed_at = worker.closed_at or self.now()
            if worker.name not in self._hung:
                self._selector.unregister(worker.connection)
        self._start_server()
        for worker in theirs:
            kind: Lost = "memory" if memory and worker.attempt is not None else "loss"
            memory = memory and kind != "memory"  # one of them was too many: the others go with it
            cause = f"its fork server ended: {how}" + (f", {self._killed_for_memory.figures()}" if kind == "memory" else "")
            self._lose(worker, cause, kind)
        self._gone.clear()  # nobody is left who could tell how they ended

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
        memory = worker.over_budget or (not worker.cause and self._killed_for_memory.lately(self.now()))
        kind, why = how_lost(end_of(code), ours=bool(worker.cause), busy=worker.attempt is not None, memory=memory)
        if kind == "memory" and not worker.over_budget:
            cause += f", for memory by the kernel; {self._killed_for_memory.figures()}{self._budget.figures(worker.name)}"
        return f"{cause}: {why}" if kind == "memory" else cause, kind

    def _take_off(self, worker: Worker) -> None:
        if worker.closed_at is None:
            self._selector.unregister(worker.connection)
        worker.connection.close()
        del self._workers[worker.name]
        self._hung.pop(worker.name, None)
        self._frozen.drop(worker.name)
        self._budget.left(worker.name)
        if worker.process is None:
            self._gone[worker.name] = worker
        else:
            worker.process.kill()
            worker.process.wait()

    def _lose(self, worker: Worker, cause: str, kind: Lost = "loss") -> None:
        self._kill(worker, cause)
        self._take_off(worker)
        self.tally.workers_lost += 1
        self._events.append(WorkerLost(worker.name, cause, kind, self._budget.taken(worker.name)))
        if not worker.ready:
            self._in_vain += 1
            if self._in_vain > IN_VAIN_MAX:
                raise errors.RegrowError(f"{self._in_vain} workers, one after the other, ended before they were ready: {cause}")
        if not worker.checks:
            self._losses_to_fill.append(worker.closed_at or self.now())
        self._fill(worker)

    def _fill(self, gone: Worker) -> None:
        """Start a worker in the place of one that is gone."""
        if self._closing:
            return
        if gone.checks:
            self._start_checker()
        elif len(self._staying()) < self._wanted:
            self._fork_worker()

    # What is looked at from outside

    def _watch(self, now: float) -> None:
        self._memory.sample(self._pids(), now)
        self._killed_for_memory.look(now)
        self._watch_budget()
        for worker in list(self._workers.values()):
            if worker.pid is not None and (why := self._frozen.look(worker.name, worker.pid, now)):
                self._lose(worker, why)
        if self._server is not None and (why := self._frozen.look(SERVER, self._server.pid, now)):
            self._server.cause = why
            self._server.process.kill()  # the rest follows from its closed socket

    def _watch_budget(self) -> None:
        """Kill the largest worker if all together take more than they may."""
        too_large = self._budget.too_large()
        if too_large is not None and (worker := self._workers.get(too_large[0])) is not None and not worker.over_budget:
            worker.over_budget = True
            self._kill(worker, too_large[1])

    def _preempt(self, now: float) -> None:
        """Kill a worker at random, as a cluster would. One that has not begun its first task is spared: else nothing is ever done."""
        assert self._preempt_seconds is not None
        victims = [worker for worker in self._workers.values() if worker.begun and not worker.checks and worker.closed_at is None]
        if victims:
            self._kill(random.choice(victims), "preempted")
            self._next_preemption = max(self._next_preemption + self._preempt_seconds, now)

    # The end

    def close(self) -> None:
        """End all processes, and wait until the last has ended."""
        super().close()
        self._closing = True
        for worker in list(self._workers.values()):
            self._kill(worker, "the run is over")
            if worker.checks:
                self._take_off(worker)
        deadline = self.now() + 5
        while self._server is not None and not self._server.ended and (self._gone or self._workers) and self.now() < deadline:
            self._poll(0.05)  # the fork server tells of each what CPU time it took
        for worker in list(self._workers.values()):
            self._take_off(worker)
        if self._server is not None:
            self._server.close()
        self._selector.close()
        with self._bell_lock:
            os.close(self._bell)
            self._bell = -1
        if self._cpu is not None:
            self.tally.coordinator_seconds = cpu_seconds() - self._cpu
            self.tally.cpu_seconds += self.tally.coordinator_seconds
            self.tally.peak_memory_bytes = self._memory.peak_bytes
