"""The engine `local`, where the order in which it hears its processes matters: two sockets keep no order between them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pytest

from regrow.coordinator.events import WorkerLost
from regrow.coordinator.plan import Attempt, Task
from regrow.engines.crew import CAUSE_WAIT_SECONDS
from regrow.engines.forkserver import ForkServer
from regrow.engines.local import LocalEngine
from regrow.engines.processes import Worker

Pair = tuple[LocalEngine, Worker, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """An engine, a worker of which it knows, and the worker's end of their connection."""
    engine = LocalEngine(1, memory_max=20_000_000)
    ours, theirs = socket.socketpair()
    worker = Worker("worker-1", ours)
    engine._add(worker)
    yield engine, worker, theirs
    theirs.close()
    engine.close()


def test_what_a_worker_takes_counts_though_it_is_ready_before_the_fork_server_tells_of_it(pair: Pair) -> None:
    engine, worker, theirs = pair
    theirs.sendall(json.dumps({"ready": True, "pid": os.getpid(), "cpu": 0.0, "environment": {}}).encode() + b"\n")
    engine._poll(5)
    held = np.ones(5_000_000)
    engine._watch_budget()
    assert worker.over_budget
    assert "it held" in worker.cause
    assert engine.crew()[0]["pid"] == os.getpid()
    assert held.sum() == 5_000_000


@pytest.mark.parametrize(("code", "large", "kind"), [(-signal.SIGSEGV, False, "crash"), (-signal.SIGKILL, True, "memory")])
def test_who_is_to_blame_is_known_though_the_word_of_it_comes_late(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, code: int, large: bool, kind: str
) -> None:
    engine, worker, theirs = pair
    worker.attempt, worker.ready, worker.over_budget = Attempt(Task("work", 0, 0), 0), True, large
    worker.cause = "killed for memory" if large else ""
    monkeypatch.setattr(engine, "_fill", lambda gone: None)
    theirs.close()
    engine._poll(5)
    monkeypatch.setattr(engine, "now", lambda: cast(float, worker.closed_at) + CAUSE_WAIT_SECONDS / 2)
    engine._poll(0)
    assert not engine._events, "nothing is known yet"
    engine._ended(worker, code, 0.0)
    [lost] = engine._events
    assert isinstance(lost, WorkerLost)
    assert lost.kind == kind


def test_a_fork_server_that_is_not_listened_to_goes_on_listening() -> None:
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    server = ForkServer(theirs, cast(Any, None))
    for number in range(2000):  # far more than the socket holds
        server._tell({"ended": f"worker-{number}"})
    thread = threading.Thread(target=server.run)
    thread.start()
    for _ in range(2000):
        ours.sendall(b'{"kill": "nobody"}')
    told = [json.loads(ours.recv(1 << 16))["ended"] for _ in range(2000)]
    ours.close()
    thread.join()
    theirs.close()
    assert told == [f"worker-{number}" for number in range(2000)]


def test_a_process_that_stays_though_its_connection_is_closed_holds_nobody_up(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, worker, theirs = pair
    worker.process = subprocess.Popen(["sleep", "600"])
    worker.ready = True
    monkeypatch.setattr(engine, "_fill", lambda gone: None)
    theirs.close()
    engine._poll(5)
    monkeypatch.setattr(engine, "now", lambda: cast(float, worker.closed_at) + CAUSE_WAIT_SECONDS + 1)
    engine._poll(0)
    assert [type(event) for event in engine._events] == [WorkerLost]
    assert worker.process.returncode == -signal.SIGKILL
