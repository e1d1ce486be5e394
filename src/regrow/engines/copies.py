"""Two copies of each artifact before it counts: the first on the node that made it, the second in the run's directory.

The coordinator fetches the second copy, looks whether it is what the worker says it wrote, and only then is the attempt done. It also
knows who holds the first copies, so that readers take what they read from there, and serves the second ones to whoever asks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from regrow.coordinator.events import AttemptDone, AttemptFailed, Receipt
from regrow.coordinator.plan import Attempt, Task
from regrow.far.ranges import Gone, RangeServer, Reader
from regrow.store.container import Broken, Container
from regrow.store.directory import Directory

__all__ = ["Copies"]

FETCHERS = 4

Told = Callable[[AttemptDone | AttemptFailed, float], None]
"""Hears, from another thread, what came of an attempt, and the CPU seconds that it took."""


class Copies:
    """The artifacts of one stage, on the machines of a cluster."""

    def __init__(self, address: str, token: str, directory: Directory, data: Path, told: Told) -> None:
        self._directory, self._token, self._told = directory, token, told
        self._server = RangeServer(address, token, self._holders)
        self._server.serve({"committed": directory.committed, "data": data})
        self._where: dict[tuple[str, int], dict[int, tuple[str, str]]] = {}
        """Phase -> partition -> who holds the first copy of its artifact, and under which name."""
        self._origin: dict[Attempt, str] = {}
        """Attempts that are done or on their way here -> the address at which their first copies are served."""
        self._names: dict[Task, str] = {}
        self._fetchers = ThreadPoolExecutor(FETCHERS, thread_name_prefix="fetch")
        self._own = threading.local()
        """Each thread has a reader."""
        self._readers: list[Reader] = []

    @property
    def address(self) -> str:
        """Where second copies and prepared data are served."""
        return self._server.address

    @property
    def sent_bytes(self) -> int:
        """What was sent from here."""
        return self._server.sent_bytes

    def _holders(self, role: str, round: int) -> dict[int, tuple[str, str]]:
        """Who holds the first copies of a phase (asked from another thread)."""
        return dict(self._where.get((role, round), {}))

    def fetch(self, worker: str, address: str, attempt: Attempt, receipt: Receipt, cpu: float) -> None:
        """Take a copy of what a worker wrote; what comes of it is told."""
        self._origin[attempt] = address
        self._fetchers.submit(self._fetch, worker, address, attempt, receipt, cpu)

    def _fetch(self, worker: str, address: str, attempt: Attempt, receipt: Receipt, cpu: float) -> None:
        if not hasattr(self._own, "reader"):
            self._own.reader = Reader(self._token)
            self._readers.append(self._own.reader)
        path = self._directory.attempt_path(attempt)
        try:
            self._own.reader.fetch(address, f"attempts/{attempt}", path)
            container = Container(path)
            container.check_all()
            if container.digest != receipt.digest:
                raise Broken(f"it has digest {container.digest} instead of {receipt.digest}")
        except (Gone, Broken) as why:
            path.unlink(missing_ok=True)
            self._told(AttemptFailed(worker, attempt, "handed back", f"its artifact did not arrive: {why}"), cpu)
        except OSError as error:
            path.unlink(missing_ok=True)
            self._told(AttemptFailed(worker, attempt, "environment", f"{error.strerror}: {path}"), cpu)
        else:
            self._told(AttemptDone(worker, attempt, receipt), cpu)

    def committed(self, attempt: Attempt) -> None:
        """An artifact counts: from now on its first copy is read."""
        address = self._origin.pop(attempt, None)
        if address is not None:
            task = attempt.task
            self._names[task] = str(attempt)
            self._where.setdefault((task.role, task.round), {})[task.partition] = address, f"attempts/{attempt}"

    def discarded(self, attempt: Attempt) -> bool:
        """An attempt counts for nothing; returns whether it may have left something on another node."""
        return self._origin.pop(attempt, None) is not None

    def forgotten(self, tasks: Iterable[Task]) -> list[str]:
        """Artifacts are not needed any more; returns the names under which nodes may have them."""
        names = []
        for task in tasks:
            names += [self._names.pop(task, str(task)), str(task)]
            held = self._where.get((task.role, task.round))
            if held is not None:
                held.pop(task.partition, None)
                if not held:
                    del self._where[task.role, task.round]
        return names

    def lost(self, address: str) -> None:
        """Nobody serves there any more: readers come here at once."""
        self._origin = {attempt: one for attempt, one in self._origin.items() if one != address}
        for held in self._where.values():
            for partition in [partition for partition, (one, _) in held.items() if one == address]:
                del held[partition]

    def close(self) -> None:
        """End; what is on its way is not waited for longer than a reader waits."""
        self._fetchers.shutdown(wait=True, cancel_futures=True)
        for reader in self._readers:
            reader.close()
        self._server.close()
