"""Models that change while replicas are born: nobody joins without the model that is served."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from regrow.errors import DataError
from regrow.serving import supervisor as supervising
from regrow.serving.first import Hedge
from regrow.serving.fleet import Fleet
from regrow.serving.following import Following
from regrow.serving.forms import encoded
from regrow.serving.frames import LANES, Word
from regrow.serving.limits import Limits
from regrow.serving.replica import Replica, serve
from regrow.serving.supervisor import Supervisor
from serving.services import TEXTS

BODY = encoded({"texts": [TEXTS[0]]})


class Born:
    """A replica in this process, in the place of a process of its own."""

    pid = os.getpid()

    def __init__(self, replica: Replica, lanes: list[socket.socket], out: Any) -> None:
        self.task = asyncio.create_task(self.live(replica, lanes, out))

    async def live(self, replica: Replica, lanes: list[socket.socket], out: Any) -> None:
        with out:
            try:
                await serve(replica, lanes, out)
            finally:
                for lane in lanes:
                    lane.shutdown(socket.SHUT_RDWR)

    async def wait(self) -> int:
        await asyncio.wait([self.task])
        return -9

    def kill(self) -> None:
        self.task.cancel()


@dataclass
class Cradle:
    """The nursery, where being born takes as long as the test likes: until `gate` is open."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    born: list[Born] = field(default_factory=list)
    waiting: int = 0

    async def warm(self) -> None:
        """Nothing is to be loaded."""

    async def close(self) -> None:
        for child in self.born:
            child.kill()
            await child.wait()

    async def fork(self, name: str, files: list[str]) -> tuple[Born, asyncio.StreamReader, Any, list[socket.socket]]:
        self.waiting += 1
        await self.gate.wait()
        self.waiting -= 1
        reader = asyncio.StreamReader()
        ours, theirs = os.pipe()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ours, "rb", 0)
        )
        pairs = [socket.socketpair() for _ in range(LANES)]
        self.born.append(Born(Replica(files, Limits()), [pair[1] for pair in pairs], os.fdopen(theirs, "w")))
        return self.born[-1], reader, transport, [pair[0] for pair in pairs]


@dataclass
class Scene:
    fleet: Fleet
    supervisor: Supervisor
    following: Following
    cradle: Cradle
    told: list[str]

    async def ask(self) -> str:
        assert self.fleet.model is not None
        answer = await self.fleet.ask(self.fleet.model, "/v1/topics", BODY, 100.0)
        return str(json.loads(answer.body)["model"])

    async def until(self, what: Callable[[], Any]) -> None:
        async with asyncio.timeout(120):
            while not what():
                await asyncio.sleep(0.01)


def play(scene: Callable[[Scene], Awaitable[None]], path: Path, tmp_path: Path) -> None:
    """Play a scene with one replica."""

    async def whole() -> None:
        told: list[str] = []
        fleet = Fleet(Hedge())
        supervisor = Supervisor(fleet, tmp_path, Limits(), told.append)
        cradle = Cradle()
        supervisor._nursery = cradle  # type: ignore[assignment]
        following = Following(path, fleet, supervisor, told.append)
        cradle.gate.set()
        try:
            await following.first()
            await supervisor.start(1)
            await scene(Scene(fleet, supervisor, following, cradle, told))
        finally:
            await supervisor.close()
            await fleet.close()

    asyncio.run(whole())


def test_a_replica_that_is_born_during_a_swap_joins_with_the_new_model(place: Path, tmp_path: Path) -> None:
    async def scene(at: Scene) -> None:
        old = await at.ask()
        at.cradle.gate.clear()
        at.cradle.born[0].kill()
        await at.until(lambda: at.cradle.waiting == 1)  # it was told what to map, and is not born yet
        at.following.path = place / "second"
        swap = asyncio.create_task(at.following.swap())
        await at.until(lambda: len(at.supervisor.files) == 2 or swap.done())
        at.cradle.gate.set()
        new = await swap
        await at.until(lambda: at.fleet.members)
        assert await at.ask() == new.digest != old

    play(scene, place / "first", tmp_path)


def test_a_model_that_no_replica_has_tried_is_not_served(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(at: Scene) -> None:
        monkeypatch.setattr("regrow.serving.following.LOAD_SECONDS", 0.2)
        old = at.fleet.model
        at.cradle.gate.clear()
        at.cradle.born[0].kill()
        await at.until(lambda: at.cradle.waiting == 1)
        at.following.path = place / "second"
        with pytest.raises(DataError, match="no replica was there"):
            await at.following.swap()
        at.cradle.gate.set()
        await at.until(lambda: at.fleet.members)
        assert at.fleet.model is old
        assert old is not None
        assert await at.ask() == old.digest

    play(scene, place / "first", tmp_path)


def test_a_replica_without_the_model_that_is_served_is_replaced(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervising, "PROBE_SECONDS", 0.05)

    async def scene(at: Scene) -> None:
        digest = await at.ask()
        (member,) = at.supervisor.members.values()
        await member.tell(Word.DROP, encoded({"digest": digest}), 100.0)
        await at.until(lambda: len(at.cradle.born) == 2 and at.fleet.members)
        assert await at.ask() == digest
        assert at.supervisor.restarts == {"model": 1}
        assert any("it does not hold the model that is served" in line for line in at.told)

    play(scene, place / "first", tmp_path)


def test_a_model_that_is_published_while_the_service_begins_is_taken_up(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("regrow.serving.following.LOOK_SECONDS", 0.05)
    whole, models = Supervisor.start, tmp_path / "model"
    shutil.copytree(place / "first" / "model", models)

    async def start(supervisor: Supervisor, replicas: int) -> None:
        os.rename(models, tmp_path / "old")
        shutil.copytree(place / "second" / "model", tmp_path / "new")
        os.rename(tmp_path / "new", models)  # it was read already, and nobody looks yet
        await whole(supervisor, replicas)

    monkeypatch.setattr(Supervisor, "start", start)

    async def scene(at: Scene) -> None:
        old = await at.ask()
        follows = asyncio.create_task(at.following.follow())
        await at.until(lambda: at.following.swaps)
        assert await at.ask() != old
        follows.cancel()

    play(scene, models, tmp_path)
