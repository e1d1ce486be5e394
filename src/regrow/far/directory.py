"""The directory of a run, seen from a machine on which it does not lie: what is read is fetched, section by section.

    data/<layout>.<part>    prepared data, fetched whole when it is first read
    attempts/<epoch>/...    what workers of this machine wrote: the first copy of their artifacts, mapped by all workers here
    far/<name>              artifacts of others: files with holes, in which the sections lie that somebody here has read

A section has a check of its own, so a hole needs no book: what does not check is fetched, and what still does not is asked from the
coordinator, who holds a copy of everything that is committed. Whoever writes into such a file writes the same bytes as any other.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from regrow.coordinator.plan import Task
from regrow.errors import DamagedData
from regrow.far.ranges import Gone, Reader
from regrow.program import Value
from regrow.store.container import Broken, Container, Header
from regrow.store.dataset import Dataset
from regrow.store.directory import Directory

__all__ = ["FarDataset", "FarDirectory"]

TRIES = 3

Place = tuple[str, str]
"""The address of a server, and the name of a file there."""


class FarDirectory(Directory):
    """Reads the artifacts of a run whose coordinator is at an address."""

    def __init__(self, path: Path, epoch: str, coordinator: str, reader: Reader) -> None:
        super().__init__(path)
        self.epoch = path / "attempts" / epoch
        self._coordinator, self._reader = coordinator, reader
        self._where: dict[tuple[str, int], dict[int, Place]] = {}
        self._far = path / "far"
        self._far.mkdir(parents=True, exist_ok=True)

    def open(self, task: Task) -> Container:
        """A committed artifact. Raises Broken."""
        address, name = self._place(task)
        if address and (own := self.epoch / name.rpartition("/")[2]).exists():
            return Container(own)
        known = self._headers.get(task.role)
        headers = known[1] if known is not None and known[0] == task.round else {}
        container = self._holed(task, (address, name), headers.get(task.partition))
        headers[task.partition] = container.header
        self._headers[task.role] = task.round, headers
        return container

    def _place(self, task: Task) -> Place:
        """Who holds the first copy; the coordinator, if nobody else does."""
        key = task.role, task.round
        if task.partition not in self._where.get(key, {}):
            for old in [one for one in self._where if one[0] == task.role and one[1] < task.round - 1]:
                del self._where[old]
            try:
                self._where[key] = self._reader.where(self._coordinator, task.role, task.round)
            except Gone as why:
                raise Broken(f"{task}: {why}") from None
        return self._where[key].get(task.partition, ("", f"committed/{task}"))

    def _holed(self, task: Task, place: Place, known: Header | None) -> Container:
        copy = (self._coordinator, f"committed/{task}")
        places = [place, copy] if place[0] else [copy]
        path = self._far / places[0][1].rpartition("/")[2]
        if path.exists():
            with contextlib.suppress(Broken):
                return _Holed(path, places, self._reader, known)
            path.unlink(missing_ok=True)
        why = ""
        for address, name in places:
            try:
                size, head = self._reader.header(address, name)
                _make_holed(path, size, head)
                return _Holed(path, places, self._reader, known)
            except (Gone, Broken) as error:
                why = str(error)
                path.unlink(missing_ok=True)
        self._where.pop((task.role, task.round), None)  # perhaps it was made again, and lies elsewhere
        raise Broken(f"{task} cannot be had: {why}")


def _make_holed(path: Path, size: int, head: bytes) -> None:
    """A file of that size with nothing but its header in it; never seen without."""
    aside = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}")
    with open(aside, "xb") as file:
        file.truncate(size)
        file.write(head)
    os.replace(aside, path)


class _Holed(Container):
    """A container whose sections are fetched when they are first read."""

    def __init__(self, path: Path, places: list[Place], reader: Reader, known: Header | None) -> None:
        super().__init__(path, known)
        self._places, self._reader = places, reader

    def section(self, section: str) -> dict[str, Value]:
        """The arrays of a section. Raises Broken."""
        with contextlib.suppress(Broken):
            return super().section(section)
        start, end = self.span(section)
        why = ""
        for address, name in self._places:
            try:
                content = self._reader.read(address, name, start, end - start)
            except Gone as gone:
                why = str(gone)
                continue
            with open(self.path, "r+b") as file:
                os.pwrite(file.fileno(), content, start)
            try:
                return super().section(section)
            except Broken as broken:
                why = str(broken)
        raise Broken(why)


@dataclass(frozen=True, slots=True)
class FarDataset(Dataset):
    """Prepared data whose parts are fetched when they are first read."""

    fetch: Callable[[str, Path], None] = lambda name, path: None

    def part(self, layout: str, index: int) -> dict[str, Value]:
        """The arrays of one partition. Raises DamagedData."""
        path = self.path / f"{layout}.{index}"
        if not path.exists():
            self._have(path)
        try:
            return self._arrays(path.name)
        except Broken:
            path.unlink(missing_ok=True)  # a fetched copy may be fetched again; what the coordinator holds is looked over by it
            raise DamagedData(f"prepared data is damaged: {path.name}", "regrow resume makes it anew from the input") from None

    def _have(self, path: Path) -> None:
        """Fetch a part. Nobody else has it, so a coordinator that is busy is asked again."""
        aside = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}")
        for left in reversed(range(TRIES)):
            try:
                self.fetch(f"data/{path.name}", aside)
            except Gone as why:
                if not left:
                    raise DamagedData(f"prepared data cannot be had: {why}") from None
            else:
                os.replace(aside, path)
                return

    @staticmethod
    def of(folder: Path, reader: Reader, coordinator: str) -> FarDataset:
        """The data of a run, whose description is here already."""
        found = Dataset.open(folder)
        fetch = partial(reader.fetch, coordinator)
        return FarDataset(found.path, found.layouts, found.facts, found.digest, fetch)
