"""Prepared data: layouts as folders of containers, with what a program may know of them.

    dataset.json        partitions of each layout, facts, digest
    <layout>.<part>     one container each, with the section "result"

The results of one program are the data of the next: a layout is the results of one role.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from regrow.crash import point
from regrow.errors import DamagedData, DataError
from regrow.program import Data, Value
from regrow.store.container import Broken, Container, write

__all__ = ["Dataset", "DatasetWriter"]


@dataclass(frozen=True, slots=True)
class Dataset:
    """Prepared data in a folder."""

    path: Path
    layouts: Mapping[str, int]
    facts: Mapping[str, float]
    digest: str
    _checked: dict[str, tuple[int, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @staticmethod
    def open(path: Path) -> Dataset:
        """The dataset in a folder; raises DataError if there is none."""
        try:
            found = json.loads((path / "dataset.json").read_text())
            return Dataset(path, found["layouts"], found["facts"], found["digest"])
        except (OSError, ValueError, KeyError, TypeError) as why:
            raise DamagedData(f"{path} holds no prepared data ({why})", "train again, or resume a run that is whole") from None

    @property
    def data(self) -> Data:
        """What a program may know of it."""
        return Data(self.layouts, self.facts)

    def part(self, layout: str, index: int) -> dict[str, Value]:
        """The arrays of one partition, memory-mapped and checked. Raises DataError if they do not check."""
        try:
            return self._arrays(f"{layout}.{index}")
        except Broken as broken:
            raise DamagedData(f"prepared data is damaged: {broken}", "regrow resume makes it anew from the input") from None

    def _arrays(self, name: str) -> dict[str, Value]:
        """What is in a file. It is checked when this process first reads it, and again when it has changed: most tasks read the same every
        round. Raises Broken."""
        container = Container(self.path / name)
        if self._checked.get(name) == container.identity:
            return container.section_again("result")
        arrays = container.section("result")
        self._checked[name] = container.identity
        return arrays

    def damage(self) -> str:
        """What is missing or does not check; "" if every byte is as it was made."""
        digests = {}
        try:
            for layout, parts in self.layouts.items():
                for index in range(parts):
                    container = Container(self.path / f"{layout}.{index}")
                    container.check_all()
                    digests[f"{layout}.{index}"] = container.digest
        except Broken as broken:
            return str(broken)
        return "" if _digest(digests, self.facts) == self.digest else f"{self.path} is not what it was"


def _link(origin: Path, path: Path) -> None:
    """A hard link; a copy on another file system."""
    try:
        os.link(origin, path)
    except OSError:
        shutil.copy2(origin, path)


def _digest(digests: Mapping[str, str], facts: Mapping[str, float]) -> str:
    """The digest of a dataset: it covers the content of all parts and the facts."""
    return hashlib.sha256(json.dumps([sorted(digests.items()), sorted(facts.items())]).encode()).hexdigest()


class DatasetWriter:
    """Fills a folder part by part and publishes it by writing dataset.json last."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.layouts: dict[str, int] = {}
        self._digests: dict[str, str] = {}

    def add(self, layout: str, index: int, arrays: Mapping[str, Value]) -> None:
        """Write one part; parts of a layout may come in any order."""
        path = self.path / f"{layout}.{index}"
        path.unlink(missing_ok=True)
        self._digests[f"{layout}.{index}"] = write(path, {"result": arrays}, {})
        self.layouts[layout] = max(self.layouts.get(layout, 0), index + 1)

    def take(self, layout: str, index: int, artifact: Path, arrays: Mapping[str, Value]) -> None:
        """Add the result in an artifact: as a link to it where it holds nothing else, so that large results are written once."""
        container = Container(artifact)
        if container.sections != ("result",):
            self.add(layout, index, arrays)
            return
        path = self.path / f"{layout}.{index}"
        path.unlink(missing_ok=True)
        _link(artifact, path)
        self._digests[path.name] = container.digest
        self.layouts[layout] = max(self.layouts.get(layout, 0), index + 1)

    def link(self, layout: str, source: Dataset, name: str | None = None) -> None:
        """Add all parts of another dataset's layout after those that are here: hard links, or copies on another file system."""
        for index in range(source.layouts[name or layout]):
            number = self.layouts.get(layout, 0)
            path, origin = self.path / f"{layout}.{number}", source.path / f"{name or layout}.{index}"
            path.unlink(missing_ok=True)
            try:
                self._digests[path.name] = Container(origin).digest
            except Broken as broken:
                raise DataError(f"prepared data is damaged: {broken}", "train again, or name a run that is whole") from None
            _link(origin, path)
            self.layouts[layout] = number + 1

    def publish(self, facts: Mapping[str, float]) -> Dataset:
        """Write dataset.json."""
        digest = _digest(self._digests, facts)
        text = json.dumps({"layouts": self.layouts, "facts": dict(facts), "digest": digest}, indent=1)
        aside = self.path / "dataset.json.new"
        aside.write_text(text)
        point("dataset-written")
        os.replace(aside, self.path / "dataset.json")
        return Dataset(self.path, dict(self.layouts), dict(facts), digest)
