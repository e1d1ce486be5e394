"""What router and replica say to each other: whole frames however bytes come, what nobody waits for is forgotten, memory is bounded."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from regrow.serving import members
from regrow.serving import replica as process
from regrow.serving.first import Refused
from regrow.serving.frames import LANES, LARGE, Frames, Word, asked_bytes, asked_parts
from regrow.serving.limits import Limits
from regrow.serving.members import Local, NotAnswered

DIGEST = "a" * 64


class Written:
    """A connection that keeps what is written to it."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data

    def is_closing(self) -> bool:
        return False


@given(some.lists(some.tuples(some.integers(0, 2**64 - 1), some.integers(0, 2**16 - 1), some.binary(max_size=40))), some.data())
def test_frames_are_whole_however_their_bytes_come(frames: list[tuple[int, int, bytes]], data: some.DataObject) -> None:
    written: Any = Written()
    sender = Frames(lambda *_: None, lambda: None)
    sender.connection_made(written)
    for frame in frames:
        sender.send(*frame)
    found: list[tuple[int, int, bytes]] = []
    receiver = Frames(lambda *frame: found.append(frame), lambda: None)
    left = written.data
    while left:
        size = data.draw(some.integers(1, len(left)))
        receiver.data_received(left[:size])
        left = left[size:]
    assert found == frames


def test_what_is_asked_comes_back_in_its_parts() -> None:
    assert asked_parts(asked_bytes(12.5, DIGEST, b"{}")) == (12.5, DIGEST, b"{}")
    assert asked_parts(asked_bytes(0.0, "short", b"")) == (0.0, "short", b"")


class Replica:
    """The other end: notes what is asked, and answers what it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int, bytes]] = []
        self.lanes: list[Frames] = []

    async def of(self, member: Local) -> Replica:
        pairs = [socket.socketpair() for _ in range(LANES)]
        await member.connect([ours for ours, _ in pairs])
        for _, theirs in pairs:
            made = Frames(lambda *frame: self.asked.append(frame), lambda: None)
            await asyncio.get_running_loop().create_unix_connection(lambda made=made: made, sock=theirs)  # type: ignore[misc]
            self.lanes.append(made)
        return self

    async def until(self, asked: int) -> None:
        deadline = time.monotonic() + 30
        while len(self.asked) < asked:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.001)


def played(scene: Callable[[Local, Replica], Awaitable[None]]) -> None:
    """A scene between a member and its replica."""

    async def play() -> None:
        member = Local("a")
        replica = await Replica().of(member)
        await scene(member, replica)
        await member.close()
        for lane in replica.lanes:
            lane.close()

    asyncio.run(play())


def test_answers_come_in_any_order_and_by_their_status() -> None:
    async def scene(member: Local, replica: Replica) -> None:
        asked = [member.ask("/v1/topics", body, DIGEST, 1.0) for body in (b"0", b"1", b"2", b"3", b"4" * (LARGE + 1))]
        await replica.until(5)
        numbers = {asked_parts(said)[2][:1]: number for number, word, said in replica.asked if word == Word.ASK}
        for body, status, lane in ((b"4", 200, 1), (b"3", 503, 0), (b"2", 504, 0), (b"1", 422, 0), (b"0", 200, 0)):
            replica.lanes[lane].send(numbers[body], status, b"said")
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert [answer.status if isinstance(answer, members.Answer) else type(answer) for answer in found] == [
            200,
            422,
            Refused,
            NotAnswered,
            200,
        ]

    played(scene)


@pytest.mark.parametrize("status", [401, 403, 404, 409, 429, 500, 503])
def test_what_is_no_fault_of_who_asked_is_no_answer(status: int) -> None:
    with pytest.raises(NotAnswered):
        members.judged("a", status, b"{}")
    assert members.judged("a", 422, b"{}").status == 422


def test_what_nobody_waits_for_is_forgotten_and_a_late_answer_to_it_is_dropped() -> None:
    async def scene(member: Local, replica: Replica) -> None:
        asked, other = member.ask("/v1/topics", b"{}", DIGEST, 1.0), member.ask("/v1/topics", b"{}", DIGEST, 1.0)
        asked.cancel()
        await replica.until(3)
        (first, _, _), (second, _, _), forgotten = replica.asked
        assert forgotten == (first, Word.FORGET, b"")
        replica.lanes[0].send(first, 200, b"late")
        replica.lanes[0].send(second, 200, b"answer")
        assert (await other).body == b"answer"

    played(scene)


def test_what_is_forgotten_before_it_has_begun_leaves_nothing() -> None:
    async def scene() -> None:
        replica = process.Replica([], Limits())
        lane = process._Lane(replica, asyncio.Event())
        lane.came(1, Word.ASK, asked_bytes(1.0, DIGEST, b"{}"))
        lane.came(1, Word.FORGET, b"")
        await asyncio.sleep(0)
        assert not lane.tasks
        assert replica.desk.tally.cancelled_waiting == 1

    asyncio.run(scene())


def test_a_replica_that_does_not_read_is_asked_no_more_than_so_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "UNSENT", 1 << 20)

    async def scene(member: Local, replica: Replica) -> None:
        replica.lanes[1]._transport.pause_reading()
        asked: list[asyncio.Future[members.Answer]] = []

        def flood() -> None:
            for _ in range(100):
                asked.append(member.ask("/v1/topics", b"x" * (1 << 18), DIGEST, 1.0))

        with pytest.raises(NotAnswered, match="does not read"):
            flood()
        assert len(asked) < 20
        small = member.ask("/v1/topics", b"{}", DIGEST, 1.0)  # it has a lane of its own
        await replica.until(1)
        replica.lanes[0].send(replica.asked[-1][0], 200, b"answer")
        assert (await small).body == b"answer"
        await member.close()
        assert all(isinstance(error, ConnectionError) for error in await asyncio.gather(*asked, return_exceptions=True))

    played(scene)


def test_one_that_is_gone_ends_what_it_was_asked_and_takes_nothing_more() -> None:
    async def scene(member: Local, replica: Replica) -> None:
        asked = member.ask("/v1/topics", b"{}", DIGEST, 1.0)
        told = asyncio.ensure_future(member.tell(Word.ALIVE, json.dumps({}).encode(), 30))
        await replica.until(2)
        replica.lanes[0].close()
        for waiting in (asked, told):
            with pytest.raises(ConnectionError, match="a is gone"):
                await waiting
        with pytest.raises(ConnectionError, match="a is gone"):
            member.ask("/v1/topics", b"{}", DIGEST, 1.0)
        assert await member.tally(1.0) is None

    played(scene)
