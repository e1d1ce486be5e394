"""What lies on another machine is read as if it were here: by the section, checked, from whoever still has it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from regrow.coordinator.plan import Task
from regrow.errors import DamagedData
from regrow.far.directory import FarDataset, FarDirectory
from regrow.far.ranges import Gone, RangeServer, Reader
from regrow.store.container import Broken, Container, write
from regrow.store.dataset import DatasetWriter

TASK = Task("docs", 3, 1)
SECTIONS = {f"to/words/{part}": {"x": np.arange(50_000) + part} for part in range(4)}


@dataclass
class World:
    """A node that made an artifact, the coordinator with a copy of it, and a node that reads."""

    folder: Path
    maker: RangeServer = field(init=False)
    coordinator: RangeServer = field(init=False)
    holders: dict[int, tuple[str, str]] = field(default_factory=dict)
    readers: list[Reader] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.maker = RangeServer("127.0.0.1", "secret")
        self.coordinator = RangeServer("127.0.0.1", "secret", lambda *_: self.holders)
        self.first, self.copy = self.folder / "maker" / "docs.3.1.1", self.folder / "committed" / str(TASK)
        for path in (self.first, self.copy):
            path.parent.mkdir()
            write(path, SECTIONS, {"task": str(TASK)})
        self.maker.serve({"attempts": self.first.parent})
        self.coordinator.serve({"committed": self.copy.parent, "data": self.folder / "data"})
        self.holders[1] = (self.maker.address, "attempts/docs.3.1.1")

    def reader(self, token: str = "secret") -> Reader:
        """Somebody who reads, until the test is over."""
        self.readers.append(Reader(token))
        return self.readers[-1]

    def close(self) -> None:
        """End."""
        for reader in self.readers:
            reader.close()
        self.maker.close()
        self.coordinator.close()

    def directory(self, name: str = "reader") -> FarDirectory:
        """The directory as a node sees it."""
        return FarDirectory(self.folder / name, "epoch", self.coordinator.address, self.reader())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def x(container: Container, part: int) -> list[int]:
    value = container.section(f"to/words/{part}")["x"]
    assert isinstance(value, np.ndarray)
    return [int(number) for number in value]


def test_a_section_is_fetched_from_who_made_it_and_nothing_else_is(world: World) -> None:
    assert x(world.directory().open(TASK), 2) == list(range(2, 50_002))
    assert 400_000 < world.maker.sent_bytes < 410_000
    assert world.coordinator.sent_bytes == 0


def test_what_one_worker_of_a_node_has_read_the_others_need_not_fetch(world: World) -> None:
    x(world.directory().open(TASK), 2)
    before = world.maker.sent_bytes
    assert x(world.directory().open(TASK), 2) == list(range(2, 50_002))
    assert world.maker.sent_bytes == before


def test_an_artifact_of_this_node_is_mapped_where_it_lies(world: World) -> None:
    directory = world.directory()
    directory.epoch.mkdir(parents=True)
    write(directory.epoch / "docs.3.1.1", SECTIONS, {"task": str(TASK)})
    assert directory.open(TASK).path == directory.epoch / "docs.3.1.1"
    assert world.maker.sent_bytes == 0


def test_when_the_maker_is_gone_the_coordinators_copy_is_read(world: World) -> None:
    world.maker.close()
    world.first.unlink()
    assert x(world.directory().open(TASK), 0) == list(range(50_000))
    assert world.coordinator.sent_bytes > 400_000


def test_when_the_maker_goes_between_two_sections_the_rest_comes_from_the_coordinator(world: World) -> None:
    directory = world.directory()
    assert x(directory.open(TASK), 0) == list(range(50_000))
    world.first.unlink()
    assert x(directory.open(TASK), 1) == list(range(1, 50_001))


def test_a_flipped_bit_at_the_maker_is_found_and_the_copy_is_read(world: World) -> None:
    damage(world.first)
    assert x(world.directory().open(TASK), 3) == list(range(3, 50_003))


def test_what_nobody_has_whole_is_broken_and_named(world: World) -> None:
    damage(world.first)
    damage(world.copy)
    with pytest.raises(Broken, match="does not check"):
        x(world.directory().open(TASK), 3)
    world.first.unlink()
    world.copy.unlink()
    with pytest.raises(Broken, match=r"docs\.3\.1"):
        world.directory("another").open(TASK)


def damage(path: Path) -> None:
    """Flip a bit in the last section."""
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)


def test_prepared_data_is_fetched_once_and_again_if_it_is_damaged(world: World) -> None:
    writer = DatasetWriter(world.folder / "data")
    writer.add("text", 0, {"lines": np.arange(1000)})
    writer.publish({"bytes": 1.0})
    here = world.folder / "reader" / "data"
    here.mkdir(parents=True)
    (here / "dataset.json").write_text((world.folder / "data" / "dataset.json").read_text())
    reader = world.reader()
    dataset = FarDataset.of(here, reader, world.coordinator.address)
    dataset.part("text", 0)
    before = reader.received_bytes
    assert dataset.part("text", 0)["lines"].tolist() == list(range(1000))  # type: ignore[union-attr]
    assert reader.received_bytes == before
    damage(here / "text.0")
    with pytest.raises(DamagedData):
        dataset.part("text", 0)
    assert len(dataset.part("text", 0)["lines"]) == 1000
    world.coordinator.serve({})
    (here / "text.0").unlink()
    with pytest.raises(DamagedData, match="cannot be had"):
        dataset.part("text", 0)


@pytest.mark.parametrize("name", ["attempts/../../etc/passwd", "attempts//etc/passwd", "nothing/docs.3.1.1", "attempts", "attempts/none"])
def test_nothing_else_is_served(world: World, name: str) -> None:
    with pytest.raises(Gone):
        world.reader().read(world.maker.address, name, 0, 10)


def test_who_does_not_hold_the_token_gets_nothing(world: World) -> None:
    with pytest.raises(Gone, match="does not answer"):
        world.reader("guess").header(world.maker.address, "attempts/docs.3.1.1")
    assert world.maker.sent_bytes == 0
    host, _, port = world.maker.address.partition(" ")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"GET / HTTP/1.1\n")
        assert connection.recv(100) == b""


def test_a_connection_that_was_closed_meanwhile_is_opened_again(world: World) -> None:
    reader = world.reader()
    reader.header(world.maker.address, "attempts/docs.3.1.1")
    connection, _ = next(iter(reader._open.values()))
    connection.shutdown(socket.SHUT_RDWR)
    assert reader.header(world.maker.address, "attempts/docs.3.1.1")[0] == world.first.stat().st_size
