"""Results as a stream: the lines that tasks make, in the order of their partitions, while the run goes on.

A committed artifact never changes, so its lines can be given away at once. What was given away is written to a file as well,
and the file is published by one rename when the run has ended.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO

import numpy as np

from regrow.coordinator.plan import Task
from regrow.errors import Paused
from regrow.store.container import Broken
from regrow.store.directory import Directory
from regrow.store.durable import sync

__all__ = ["Outlet"]


class Outlet:
    """The output of a run: the result `lines` (uint8) of the partitions of a role, to a file and to whoever listens.

    role    runs once, in the first round
    """

    def __init__(self, role: str, path: Path, listener: Callable[[bytes], None]) -> None:
        self._role, self._path = role, path
        self._aside = path.with_name(path.name + ".new")
        self._file: IO[bytes] = open(self._aside, "wb")  # noqa: SIM115 - closed by publish or close
        self._listener = listener
        self._sha256 = hashlib.sha256()
        self._next = 0
        self._there: set[int] = set()

    def committed(self, tasks: Iterable[Task], directory: Directory) -> None:
        """These artifacts are there (again): give away what comes next."""
        self._there.update(task.partition for task in tasks if task.role == self._role)
        while self._next in self._there:
            task = Task(self._role, 0, self._next)
            try:
                lines = np.asarray(directory.open(task).section("result")["lines"]).tobytes()
            except Broken:
                self._there.discard(self._next)  # it will be noticed, made again and committed again
                return
            self._file.write(lines)
            self._sha256.update(lines)
            self._listener(lines)
            self._there.discard(self._next)
            self._next += 1

    def publish(self, partitions: int) -> str:
        """Everything has been given away: make the file durable and give it its name. Returns its SHA-256."""
        if self._next < partitions:
            raise Paused("a result was lost at the last moment", f"it is made again: regrow resume {self._path.parent}")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self._aside, self._path)
        sync(self._path.parent)
        return self._sha256.hexdigest()

    def close(self) -> None:
        """Give up."""
        self._file.close()
