"""The engine `local`: worker processes on this machine, which may be killed at any moment.

A killed worker is lost at once (its socket closes; the fork server says how it ended). A frozen one is seen from outside: it
is stopped, or can run and gains no CPU time, for two seconds. A heartbeat thread inside would lie: it is silent while one C
call holds the interpreter. Lost is final: the process is killed, its name is never used again, and another takes its place.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import selectors
import signal
import socket
import subprocess
import sys
from array import array
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from regrow import errors
from regrow.coordinator.actions import Start
from regrow.coordinator.events import AttemptDone, AttemptFailed, Receipt, WorkerDraining, WorkerJoined, WorkerLost
from regrow.coordinator.plan import Attempt, Task
from regrow.engines.base import Engine, cpu_seconds
from regrow.engines.frozen import FrozenWatch
from regrow.engines.memory import MemoryWatch
from regrow.job import Job

__all__ = ["LocalEngine"]

ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "ARROW_NUM_THREADS": "1",
    "PYTHONUNBUFFERED": "1",
}
"""The environment of workers, fixed before the first import."""

CRASHES = {signal.SIGSEGV, signal.SIGILL, signal.SIGFPE, signal.SIGABRT, signal.SIGBUS}
"""Signals by which a process ends through a fault of what it ran."""

WATCH_SECONDS = 0.25
CAUSE_WAIT_SECONDS = 0.2
"""How long a closed socket waits for the word on how the process ended."""


@dataclass(slots=True)
class _Worker:
    """A worker process as the coordinator's side sees it."""

    name: str
    connection: socket.socket
    checks: bool = False
    pid: int | None = None
    process: subprocess.Popen[bytes] | None = None
    buffer: bytearray = field(default_factory=bytearray)
    attempt: Attempt | None = None
    begun: bool = False
    draining: bool = False
    closed_at: float | None = None
    cause: str = ""
    cpu_at_start: float = 0.0
    cpu_reported: float = 0.0
    replaces: float | None = None
    """When its predecessor was lost."""


class LocalEngine(Engine):
    """`workers` processes at a time; with `preempt_seconds`, one of them is killed every so often."""

    def __init__(self, workers: int, *, preempt_seconds: float | None = None, verify: bool = True) -> None:
        super().__init__()
        self._wanted = workers
        self._preempt_seconds = preempt_seconds
        self._verify = verify
        self._workers: dict[str, _Worker] = {}
        self._gone: dict[str, _Worker] = {}
        """Workers that were lost or left, until the fork server has said how they ended."""
        self._names = 0
        self._losses_to_fill: deque[float] = deque()
        self._selector = selectors.DefaultSelector()
        self._frozen = FrozenWatch()
        self._memory = MemoryWatch()
        self._watched = 0.0
        self._closing = False
        self._server: subprocess.Popen[bytes] | None = None

    # Starting

    def _start(self, job: Job) -> None:
        self._job = job
        self._server, self._control = self._spawn("server", "0")
        if self._verify:
            self._start_checker()
        self._await_server()
        self._selector.register(self._control, selectors.EVENT_READ, None)
        for _ in range(self._wanted):
            self._fork_worker()
        self._await_first_workers()
        self._cpu = cpu_seconds()
        self._next_preemption = self.now() + (self._preempt_seconds or 0)

    def _spawn(self, kind: str, hash_seed: str) -> tuple[subprocess.Popen[bytes], socket.socket]:
        ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET if kind == "server" else socket.SOCK_STREAM)
        command = [sys.executable, "-P", "-m", "regrow.engines.forkserver", str(theirs.fileno()), kind, str(os.getpid())]
        environment = {**os.environ, **ENVIRONMENT, "PYTHONHASHSEED": hash_seed}
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=environment, stdin=subprocess.DEVNULL, stdout=2)
        theirs.close()
        ours.sendall(json.dumps(self._job.to_json()).encode() + b"\n")
        return process, ours

    def _start_checker(self) -> None:
        """A worker in a fresh interpreter under another hash seed, which repeats a few tasks and leaves."""
        process, connection = self._spawn("worker", "4242")
        self._add(_Worker(self._name("check"), connection, checks=True, pid=process.pid, process=process))

    def _await_server(self) -> None:
        """Wait until the program is imported and its kernels are compiled."""
        packet = self._control.recv(1 << 20)
        if not packet:
            raise errors.RegrowError("the fork server ended before it was ready", "what it said stands above")
        fact: dict[str, Any] = json.loads(packet)
        if "refused" in fact:
            kind, message, advice = fact["refused"]
            raise getattr(errors, kind)(message, advice)
        self.tally.compile_seconds = float(fact["warm"])

    def _await_first_workers(self) -> None:
        """Let the first workers join before any work: then the level of idle memory can be taken."""
        deadline = self.now() + 10
        while sum(isinstance(event, WorkerJoined) for event in self._events) < self._wanted and self.now() < deadline:
            self._poll(0.05)
        self._memory.idle(self._pids())

    def _name(self, kind: str) -> str:
        self._names += 1
        return f"{kind}-{self._names}"

    def _fork_worker(self) -> None:
        ours, theirs = socket.socketpair()
        worker = _Worker(self._name("worker"), ours, replaces=self._losses_to_fill.popleft() if self._losses_to_fill else None)
        self._add(worker)
        command = json.dumps({"fork": worker.name}).encode()
        with contextlib.suppress(BrokenPipeError):
            self._control.sendmsg([command], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [theirs.fileno()]))])
        theirs.close()

    def _add(self, worker: _Worker) -> None:
        self._workers[worker.name] = worker
        self._selector.register(worker.connection, selectors.EVENT_READ, worker)

    def _pids(self) -> list[int]:
        pids = [worker.pid for worker in self._workers.values() if worker.pid is not None and not worker.checks]
        return pids + ([self._server.pid] if self._server else [])

    # What the coordinator asks

    def _try(self, action: Start) -> None:
        worker = self._workers.get(action.worker)
        if worker is None:
            return  # lost a moment ago: the event is on its way
        worker.attempt, worker.begun = action.attempt, True
        if worker.replaces is not None:
            self.tally.recovery_seconds.append(self.now() - worker.replaces)
            worker.replaces = None
        asked = {
            "task": action.attempt.task,
            "number": action.attempt.number,
            "chain": action.chain,
            "path": str(self.directory.attempt_path(action.attempt)),
        }
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            worker.connection.sendall(json.dumps(asked).encode() + b"\n")

    def _replace(self, worker: str) -> None:
        if worker in self._workers:
            self._dismiss(self._workers[worker], "replaced after an error of the program")

    def _kill(self, worker: _Worker, cause: str) -> None:
        """Kill a worker that is ours; the rest follows from its closed socket."""
        worker.cause = worker.cause or cause
        if worker.process is not None:
            worker.process.kill()
        else:
            with contextlib.suppress(BrokenPipeError):
                self._control.sendall(json.dumps({"kill": worker.name}).encode())

    def _dismiss(self, worker: _Worker, cause: str) -> None:
        """Take a worker off the books without counting it as lost to the world, and start another."""
        self._kill(worker, cause)
        self._take_off(worker)
        self._events.append(WorkerLost(worker.name, cause))
        if not worker.checks:
            self._fork_worker()

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
        if any(worker.closed_at is not None for worker in self._workers.values()):
            seconds = min(seconds, 0.01)
        self._poll(min(seconds, WATCH_SECONDS))

    def _poll(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            if key.data is None:
                self._hear_server()
            elif key.data.name in self._workers:
                self._hear_worker(key.data)
        for worker in [worker for worker in self._workers.values() if worker.closed_at is not None]:
            if not self._closing and self.now() - (worker.closed_at or 0) > CAUSE_WAIT_SECONDS:
                self._lose(worker, worker.cause or "its connection closed", crashed=False)

    def _hear_worker(self, worker: _Worker) -> None:
        try:
            data = worker.connection.recv(1 << 20)
        except ConnectionResetError:
            data = b""
        if not data:
            self._selector.unregister(worker.connection)
            worker.closed_at = self.now()
            if worker.process is not None:
                self._ended(worker, worker.process.wait(), None)
            return
        worker.buffer += data
        *lines, rest = worker.buffer.split(b"\n")
        worker.buffer = rest
        for line in lines:
            self._take(worker, json.loads(line))

    def _take(self, worker: _Worker, fact: dict[str, Any]) -> None:
        if "ready" in fact:
            worker.cpu_at_start = fact["cpu"]
            self._events.append(WorkerJoined(worker.name, worker.checks))
        elif "refused" in fact:
            worker.cause = fact["refused"][1]
        elif "draining" in fact:
            worker.draining = True
            self._events.append(WorkerDraining(worker.name))
            if worker.attempt is None:
                worker.connection.shutdown(socket.SHUT_WR)
        else:
            self._take_answer(worker, fact)

    def _take_answer(self, worker: _Worker, fact: dict[str, Any]) -> None:
        attempt = Attempt(Task(*fact["task"]), fact["number"])
        worker.attempt = None
        worker.cpu_reported += fact["cpu"]
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
            worker.connection.shutdown(socket.SHUT_WR)

    def _hear_server(self) -> None:
        data = self._control.recv(1 << 20)
        if not data:
            self._selector.unregister(self._control)
            if not self._closing:
                raise errors.RegrowError("the fork server ended", "regrow resume goes on with the run")
            return
        fact = json.loads(data)
        if "forked" in fact:
            worker = self._workers.get(fact["forked"]) or self._gone.get(fact["forked"])
            if worker is not None:
                worker.pid = fact["pid"]
        elif worker := self._workers.get(fact["ended"]) or self._gone.pop(fact["ended"], None):
            self._ended(worker, fact["code"], fact["cpu"])

    def _ended(self, worker: _Worker, code: int, cpu: float | None) -> None:
        """A process has ended: book its CPU time, and lose the worker if that is not done yet."""
        total = worker.cpu_reported if cpu is None else cpu - worker.cpu_at_start
        self.tally.cpu_seconds += total
        if worker.attempt is not None:
            self.tally.redone_seconds += max(0.0, total - worker.cpu_reported)
        if worker.name not in self._workers:
            return
        self._drain_socket(worker)
        self._gone.pop(worker.name, None)
        if self._closing or (worker.checks and not worker.cause and code == 0):
            self._take_off(worker)
        elif worker.draining and worker.attempt is None:
            self._take_off(worker)
            self._fill(counted=False)
        else:
            self._lose(worker, worker.cause or _how(code), crashed=code > 0 or -code in CRASHES)
        self._gone.pop(worker.name, None)

    def _drain_socket(self, worker: _Worker) -> None:
        """Take what a worker said before it ended."""
        while worker.closed_at is None and worker.name in self._workers:
            self._hear_worker(worker)

    def _take_off(self, worker: _Worker) -> None:
        if worker.closed_at is None:
            self._selector.unregister(worker.connection)
        worker.connection.close()
        del self._workers[worker.name]
        self._frozen.drop(worker.name)
        if worker.process is None:
            self._gone[worker.name] = worker

    def _lose(self, worker: _Worker, cause: str, *, crashed: bool) -> None:
        self._kill(worker, cause)
        lost_at = worker.closed_at or self.now()
        self._take_off(worker)
        self.tally.workers_lost += 1
        self._events.append(WorkerLost(worker.name, cause, crashed))
        if worker.checks:
            self._start_checker()
        else:
            self._losses_to_fill.append(lost_at)
            self._fill()

    def _fill(self, *, counted: bool = True) -> None:
        """Start a worker in the place of one that is gone."""
        if not self._closing and sum(not worker.checks for worker in self._workers.values()) < self._wanted:
            self._fork_worker()

    # What is looked at from outside

    def _watch(self, now: float) -> None:
        self._memory.sample(self._pids(), now)
        for worker in list(self._workers.values()):
            if worker.pid is not None and (why := self._frozen.look(worker.name, worker.pid, now)):
                self._lose(worker, why, crashed=False)

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
            worker.cause = "the run is over"
            self._kill(worker, "the run is over")
        deadline = self.now() + 5
        while self._server is not None and (self._gone or any(not w.checks for w in self._workers.values())) and self.now() < deadline:
            self._poll(0.05)  # the fork server tells of each what CPU time it took
        for process in [self._server, *(worker.process for worker in self._workers.values())]:
            if process is not None:
                process.kill()
                process.wait()
        if self._server is not None:
            self._control.close()
        self._selector.close()
        if hasattr(self, "_cpu"):
            self.tally.cpu_seconds += cpu_seconds() - self._cpu
            self.tally.peak_memory_bytes = self._memory.peak_bytes


def _how(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"it ended with exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
