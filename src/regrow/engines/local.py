"""The engine `local`: worker processes on this machine, which may be killed at any moment.

A killed worker is lost at once (its socket closes; the fork server says how it ended). A frozen one is seen from outside: it
is stopped, or can run and gains no CPU time, for two seconds. A heartbeat thread inside would lie: it is silent while one C
call holds the interpreter. Lost is final: the process is killed, its name is never used again, and another takes its place.
The fork server itself may be killed or frozen too, also while it starts: its workers end with it, and another server forks others.
A worker that is killed for memory, by the kernel or because all together take more than they may, is told apart from one that is preempted.
"""

from __future__ import annotations

import json
import os
import selectors
from pathlib import Path

from regrow.coordinator.policy import Lost
from regrow.engines.base import cpu_seconds
from regrow.engines.crew import CrewEngine
from regrow.engines.frozen import FrozenWatch
from regrow.engines.memory import MemoryBudget, MemoryKills, MemoryWatch
from regrow.engines.processes import Server, Worker, how_it_ended, spawn
from regrow.engines.servers import ServerStarter
from regrow.job import Job

__all__ = ["LocalEngine"]

SERVER = "server"
"""The name by which the fork server is watched."""
START_SECONDS = 10.0
"""How long the first task waits for all workers to be there."""


class LocalEngine(CrewEngine):
    """`workers` processes at a time; with `preempt_seconds`, one of them is killed every so often."""

    def __init__(
        self, workers: int, *, preempt_seconds: float | None = None, verify: bool = True, checkers: int = 1, memory_max: int | None = None
    ) -> None:
        """memory_max: bytes that the tasks of all workers together may take."""
        super().__init__(workers, preempt_seconds, checkers if verify else 0)
        self._killed_for_memory = MemoryKills()
        self._budget = MemoryBudget(memory_max)
        self._servers = ServerStarter(self._stop_cause, self.now)
        self._frozen = FrozenWatch()
        self._memory = MemoryWatch()
        self._server: Server | None = None

    # Starting

    def _start(self, job: Job) -> None:
        self._job = json.dumps(job.to_json())
        for _ in range(self._checkers):
            self._begin_checker()
        self.tally.compile_seconds = self._start_server()
        for _ in range(self._wanted):
            self._begin_worker()
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

    def _job_file(self) -> Path:
        """The file that holds the job; written again if somebody removed it."""
        path = self.directory.epoch / "job.json"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._job)
        return path

    def _begin_checker(self) -> None:
        """A worker in a fresh interpreter under another hash seed, which repeats a few tasks."""
        process, connection = spawn("worker", "4242", self._job_file())
        self._add(Worker(self._name("check"), connection, checks=True, pid=process.pid, process=process))

    def _await_first_workers(self) -> None:
        """Let the first workers join before any work: then the level of idle memory can be taken."""
        deadline = self.now() + START_SECONDS
        while sum(worker.ready and not worker.checks for worker in self._workers.values()) < self._wanted and self.now() < deadline:
            if self._stop_cause():
                break
            self._poll(0.05)
        self._memory.idle(self._pids())

    def _begin_worker(self) -> None:
        assert self._server is not None
        name = self._name("worker")
        self._add(Worker(name, self._server.fork(name), replaces=self._replaces()))

    def _pids(self) -> list[int]:
        pids = [worker.pid for worker in self._workers.values() if worker.pid is not None and not worker.checks]
        return pids + ([self._server.pid] if self._server else [])

    # Its processes

    def _end_process(self, worker: Worker) -> None:
        if worker.process is not None:
            worker.process.kill()
        elif self._server is not None:
            self._server.kill(worker.name)

    def _is_ready(self, worker: Worker) -> None:
        assert worker.pid is not None, "the worker says it itself: the word of the fork server may come later"
        self._budget.joined(worker.name, worker.pid)

    def _was_useful(self) -> None:
        self._servers.well()

    def _is_gone(self, worker: Worker) -> None:
        self._frozen.drop(worker.name)
        self._budget.left(worker.name)
        if worker.process is not None:
            worker.process.kill()
            worker.process.wait()

    def _for_memory(self, worker: Worker) -> str | None:
        if not self._killed_for_memory.lately(self.now()):
            return None
        return f"{self._killed_for_memory.figures()}{self._budget.figures(worker.name)}"

    def _held_bytes(self, worker: Worker) -> int | None:
        return self._budget.taken(worker.name)

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
        if self._server is not None:
            self._server.close()
        self._close_books()
        if self._cpu is not None:
            self.tally.peak_memory_bytes = self._memory.peak_bytes
