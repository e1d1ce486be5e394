"""What tests of the engine `ray` share: one cluster at a time, and faults that happen while a run goes on."""

from __future__ import annotations

import contextlib
import fcntl
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from conftest import Gate, wait_until

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from ray_nodes import Nodes, descendants, send

__all__ = ["Nodes", "await_phases", "descendants", "meanwhile", "one_cluster", "send", "the_only_one"]


@contextlib.contextmanager
def the_only_one() -> Iterator[None]:
    """There is one cluster at a time on this machine: they take much memory."""
    with open(Path(tempfile.gettempdir()) / "regrow-test-cluster.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def one_cluster() -> Iterator[Nodes]:
    """A cluster on the loopback interface."""
    with the_only_one():
        nodes = Nodes()
        try:
            yield nodes
        finally:
            nodes.close()


@contextlib.contextmanager
def meanwhile(what: Callable[[], None], gate: Gate) -> Iterator[None]:
    """Something that another thread does while a run goes on here, whose gate it opens; what it raises is raised at the end."""
    failed: list[BaseException] = []

    def do() -> None:
        try:
            what()
        except BaseException as error:
            failed.append(error)
        finally:
            gate.open()

    thread = threading.Thread(target=do, daemon=True)
    thread.start()
    yield
    thread.join(600)
    if failed:
        raise failed[0]


def await_phases(run: Path, phases: int) -> None:
    """Wait until so many phases of a run are recorded."""
    records = run / "records.jsonl"
    wait_until(lambda: records.exists() and records.read_bytes().count(b"\n") >= phases, 240)
