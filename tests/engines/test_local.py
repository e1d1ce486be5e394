"""The engine `local`, where the order in which it hears its processes matters: two sockets keep no order between them."""

from __future__ import annotations

import json
import os
import socket

import numpy as np

from regrow.engines.local import LocalEngine
from regrow.engines.processes import Worker


def test_what_a_worker_takes_counts_though_it_is_ready_before_the_fork_server_tells_of_it() -> None:
    engine = LocalEngine(1, memory_max=20_000_000)
    ours, theirs = socket.socketpair()
    worker = Worker("worker-1", ours)
    engine._add(worker)
    theirs.sendall(json.dumps({"ready": True, "pid": os.getpid(), "cpu": 0.0, "environment": {}}).encode() + b"\n")
    engine._poll(5)
    held = np.ones(5_000_000)
    engine._watch_budget()
    assert worker.over_budget
    assert "it held" in worker.cause
    assert engine.crew()[0]["pid"] == os.getpid()
    assert held.sum() == 5_000_000
    theirs.close()
    engine.close()
