"""Connections that say nothing, send slowly, or take nothing: who makes room for whom."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from regrow.serving import connections
from regrow.serving.connections import Connections, Taking
from regrow.serving.limits import Limits
from regrow.serving.members import Answer
from serving.hurried import Hurried
from serving.scenes import LIVE, Place, Ready, at, posted, until


class One:
    """A connection that is at work, or silent."""

    def __init__(self, silent_since: float = math.inf) -> None:
        self.silent_since, self.ended = silent_since, False

    def force_close(self) -> None:
        self.ended = True


def in_its_own_time(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Play a scene in which only sleep takes time."""
    loop = Hurried()
    loop.run_until_complete(scene())
    loop.close()


def test_the_slowest_makes_room_unless_somebody_is_silent_or_all_are_fast() -> None:
    cut: list[str] = []

    async def scene() -> None:
        loop, there = asyncio.get_running_loop(), Connections(Limits(connections=4))
        for name, pace in (("drips", 1.0), ("fast", 1e6), ("slow", 1e4)):
            one = One()
            there.open.add(one)
            there.passes(one, lambda pace=pace: int(pace * loop.time()), lambda name=name: cut.append(name))
        there.open.add(silent := One(silent_since=0.0))
        await asyncio.sleep(0.9)
        assert not there.room(), "they have only just come"
        await asyncio.sleep(0.2)
        for expected in ([], ["drips"], ["drips", "slow"]):
            assert there.room()
            assert (silent.ended, cut) == (True, expected), "who is silent goes first"
            there.open.add(One())
        assert not there.room(), "one that is fast stays, and so do those that are worked on"
        assert (len(there.open), there.hung_up) == (4, 3)

    in_its_own_time(scene)


class Pipe:
    """What a client has not taken yet."""

    def __init__(self) -> None:
        self.unsent, self.ended = 1000, 0.0

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def abort(self) -> None:
        self.ended = asyncio.get_running_loop().time()


@pytest.mark.parametrize("taken", [0, 3])
def test_an_answer_that_nobody_takes_is_hung_up_and_one_that_is_taken_slowly_is_not(taken: int) -> None:
    async def scene() -> None:
        there, one, pipe = Connections(Limits(body_seconds=30.0)), One(), Pipe()
        taking = Taking(there, one, pipe)
        for _ in range(taken):
            await asyncio.sleep(29)
            pipe.unsent -= 1
        assert not pipe.ended
        assert there.passing[one].passed() == taken
        await asyncio.sleep(100)
        assert pipe.ended == pytest.approx(30 * (taken + 1))
        taking.end()
        assert not there.passing

    in_its_own_time(scene)


async def crowd(place: Place) -> list[asyncio.StreamWriter]:
    """As many silent connections as there may be, two of which have asked something before."""
    writers = []
    for number in range(place.router.limits.connections):
        reader, writer = await place.send(LIVE if number < 2 else b"")
        if number < 2:
            await reader.readuntil(b'{"live": true}')
        writers.append(writer)
    there = place.router.metrics.connections.open
    await until(lambda: len(there) == len(writers) and all(one.silent_since < math.inf for one in there))
    return writers


def test_a_crowd_of_silent_connections_makes_room_for_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "JUST_NOW", 0.0)

    async def scene(place: Place) -> None:
        writers = await crowd(place)
        for _ in range(30):
            assert (await place.post("/v1/topics", {"texts": ["a"]}))[0] == 200
        assert place.router.metrics.connections.hung_up >= 1
        assert place.router.metrics.connections.refused == 0
        for writer in writers:
            writer.close()

    at(scene, connections=20)


def test_who_comes_when_all_have_only_just_come_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "JUST_NOW", math.inf)
    monkeypatch.setattr(connections, "REFUSALS", 3)

    async def scene(place: Place) -> None:
        writers = await crowd(place)
        writers += [(await place.send(b""))[1] for _ in range(10)]
        for _ in range(30):
            status, headers, found = await place.post("/v1/topics", {"texts": ["a"]})
            assert (status, headers["Retry-After"], headers["Connection"]) == (503, "1", "close")
            assert found["error"] == "too many connections are open"
        assert len(place.router.metrics.connections.open) == 20
        for writer in writers:
            writer.close()
        await until(lambda: not place.router.metrics.connections.open)
        assert (await place.post("/v1/topics", {"texts": ["a"]}))[0] == 200

    at(scene, connections=20)


def test_a_crowd_that_sends_keeps_out_nobody_who_asks_how_the_service_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "JUST_NOW", math.inf)

    async def scene(place: Place) -> None:
        there = place.router.metrics.connections
        writers = [(await place.send(posted("/v1/topics", b"{", length=50)))[1] for _ in range(20)]
        await until(lambda: place.router.bodies.held == 20)
        for _ in range(2 * connections.RESERVE):
            for path in ("livez", "readyz"):
                status, headers, _ = await place.raw(b"GET /%b HTTP/1.1\r\nHost: localhost\r\n\r\n" % path.encode())
                assert (status, headers["Connection"]) == (200, "close")
        for sent in (posted("/v1/topics", {"texts": ["a"]}), LIVE[:-2] + b"Content-Length: 9\r\n\r\n", b"GET /docs" + LIVE[10:]):
            assert (await place.raw(sent))[0] == 503
        await until(lambda: len(there.open) == 20)
        for writer in writers:
            writer.close()

    at(scene, connections=20)


def test_a_crowd_that_sends_slowly_makes_room_for_who_asks_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "JUST_NOW", 0.0)
    monkeypatch.setattr(connections, "SLOW", math.inf)

    async def scene(place: Place) -> None:
        crowd = [await place.send(posted("/v1/topics", b"{", length=50)) for _ in range(20)]
        await until(lambda: place.router.bodies.held == 20)
        told = [asyncio.create_task(reader.read()) for reader, _ in crowd]
        for _ in range(30):
            assert (await place.post("/v1/topics", {"texts": ["a"]}))[0] == 200
        (first, *_), _ = await asyncio.wait(told, return_when=asyncio.FIRST_COMPLETED)
        assert first.result().startswith(b"HTTP/1.1 408 ")
        assert b"Connection: close" in first.result()
        assert b"others need its connection" in first.result()
        for _, writer in crowd:
            writer.close()
        await asyncio.gather(*told)
        await until(lambda: place.router.bodies.held == 0)
        assert place.router.metrics.connections.refused == 0
        assert not place.router.metrics.connections.passing

    at(scene, connections=20)


@pytest.mark.parametrize("full", [True, False])
def test_a_crowd_that_takes_no_answers_makes_room_and_ends(
    full: bool, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []

    async def large(*told: Any) -> Answer:
        asked.append(told)
        return Answer(200, b" " * (16 << 20))

    monkeypatch.setattr(Ready, "ask", large)
    monkeypatch.setattr(connections, "JUST_NOW", 0.0 if full else math.inf)
    monkeypatch.setattr(connections, "SLOW", math.inf)

    async def scene(place: Place) -> None:
        there, writers = place.router.metrics.connections, []
        for _ in range(3):
            writers.append((await place.send(posted("/v1/topics", {"texts": ["a"]})))[1])
        if full:
            await until(lambda: len(there.passing) == 3)
            assert (await place.raw(b"GET /v1/model HTTP/1.1\r\nHost: localhost\r\n\r\n"))[0] == 200
            assert there.hung_up >= 1
        else:
            await until(lambda: len(asked) == 3 and not there.open)
        for writer in writers:
            writer.close()

    at(scene, connections=3, **({} if full else {"body_seconds": 0.1}))
    assert capfd.readouterr() == ("", "")


def test_a_connection_that_says_nothing_ends() -> None:
    async def scene(place: Place) -> None:
        silent, dripping, asked = [await place.send(sent) for sent in (b"", LIVE[:-2], LIVE)]
        await asked[0].readuntil(b'{"live": true}')
        for reader, writer in (silent, dripping, asked):
            assert await reader.read() == b""
            writer.close()

    at(scene, idle_seconds=0.2)
