"""A Ray cluster on this machine whose nodes can be killed, frozen and added."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import Any

__all__ = ["Nodes", "descendants", "send"]

os.environ.update(
    RAY_USAGE_STATS_ENABLED="0",
    RAY_AUTH_MODE="disabled",
    RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0",  # stay on the loopback interface
    RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0",
)

STORE_BYTES = 80_000_000
"""The smallest object store that Ray takes."""


class Nodes:
    """A head without CPUs, on which the coordinator stands, and nodes of one CPU with the label kind=spot."""

    def __init__(self, store_bytes: int = STORE_BYTES) -> None:
        from ray.cluster_utils import Cluster

        self._args: dict[str, Any] = {"include_dashboard": False, "object_store_memory": store_bytes}
        self._cluster: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **self._args})
        self.address: str = self._cluster.address
        self._nodes: list[Any] = []

    def have(self, count: int) -> None:
        """Have so many nodes: fresh ones in the place of those that were killed."""
        for _ in range(count - len(self._nodes)):
            self.add()
        while len(self._nodes) > count:
            self.kill(self.ids()[-1])
        self._cluster.wait_for_nodes(timeout=240) if len(self._nodes) == count else None

    def add(self) -> str:
        """One more."""
        self._nodes.append(self._cluster.add_node(num_cpus=1, labels={"kind": "spot"}, wait=False, **self._args))
        return self.ids()[-1]

    def ids(self) -> list[str]:
        """The nodes that are there."""
        return [node.node_id for node in self._nodes]

    def _processes(self, id: str) -> list[int]:
        [node] = [node for node in self._nodes if node.node_id == id]
        return [pid for kind in node.all_processes.values() for info in kind for pid in descendants(info.process.pid)]

    def kill(self, id: str) -> None:
        """Everything on a node is gone at once, as when its machine is taken away."""
        for pid in self._processes(id):
            send(pid, signal.SIGKILL)
        [node] = [node for node in self._nodes if node.node_id == id]
        self._nodes.remove(node)
        self._cluster.worker_nodes.discard(node)
        node.kill_all_processes(check_alive=False, allow_graceful=False, wait=True)

    def freeze(self, id: str) -> None:
        """Everything on a node stops, and says nothing more."""
        for pid in self._processes(id):
            send(pid, signal.SIGSTOP)

    def thaw(self, id: str) -> None:
        """It goes on as if nothing had happened."""
        for pid in self._processes(id):
            send(pid, signal.SIGCONT)

    def close(self) -> None:
        """End all."""
        for id in self.ids():
            self.thaw(id)  # who is stopped does not end
        self._cluster.shutdown()


def descendants(pid: int) -> list[int]:
    """A process and all that stem from it."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                parent = int(Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry))
    found, left = [], [pid]
    while left:
        found.append(left.pop())
        left += children.get(found[-1], [])
    return found


def send(pid: int, number: int) -> None:
    """Send a signal to a process that may be gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
