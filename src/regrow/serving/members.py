"""A replica that can be asked: a process of this machine, behind frames, or a service elsewhere, behind a URL."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import aiohttp
import msgspec
from yarl import URL

from regrow.serving.answers import named_kind
from regrow.serving.first import Refused
from regrow.serving.forms import DEADLINE, JSON, MODEL, Failure
from regrow.serving.frames import LARGE, Frames, Word, asked_bytes

__all__ = ["Answer", "Local", "Member", "NotAnswered", "Remote", "checked"]

RETRY = {401, 403, 404, 405, 408, 409, 425, 429}
"""Refusals of one replica that another one may not share, as they are no fault of who asked; so is everything from 500 on."""
SHORTEST_MS = 0.1
"""With less time left nobody elsewhere is asked any more."""
UNSENT = 32 << 20
"""A replica that has so many bytes unread is asked nothing more: it is busy with them, or frozen."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a replica said, and which one."""

    status: int
    body: bytes
    replica: str = ""


class NotAnswered(Exception):
    """An attempt that gave no answer."""


class Member(ABC):
    """Somebody who can be asked. host: where, if that is known."""

    name: str
    host: str = ""

    @abstractmethod
    def ask(self, path: str, body: bytes, digest: str, until: float) -> Awaitable[Answer]:
        """One attempt, under the model of a digest, until a moment (monotonic). Raises NotAnswered, Refused, or as connections do.

        Whoever cancels it cancels the work.
        """

    @abstractmethod
    async def tally(self, seconds: float) -> dict[str, Any] | None:
        """What it has done, if it says so within that time."""

    @abstractmethod
    async def close(self) -> None:
        """Nobody asks it any more; what it was asked ends with an error."""


class Local(Member):
    """A process of this machine."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._lanes: list[Frames] = []
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[Answer]] = {}

    async def connect(self, lanes: Sequence[socket.socket]) -> None:
        """Take over our ends of its lanes."""
        for lane in lanes:
            _, frames = await asyncio.get_running_loop().create_unix_connection(lambda: Frames(self._came, self._ended), sock=lane)
            self._lanes.append(frames)

    def ask(self, path: str, body: bytes, digest: str, until: float) -> asyncio.Future[Answer]:
        """One attempt."""
        lane = self._lanes[len(body) > LARGE]
        if lane.unsent > UNSENT:
            raise NotAnswered(f"{self.name} does not read what it is asked")
        return self._said(lane, Word.ASK, asked_bytes(until, digest, body))

    async def tell(self, word: Word, said: bytes, seconds: float) -> Answer:
        """What it answers to something else, within so many seconds. Raises OSError (also TimeoutError)."""
        async with asyncio.timeout(seconds):
            return await self._said(self._lanes[0], word, said)

    async def tally(self, seconds: float) -> dict[str, Any] | None:
        """What it has done."""
        with contextlib.suppress(OSError):
            found: dict[str, Any] = msgspec.json.decode((await self.tell(Word.TALLY, b"", seconds)).body)
            return found
        return None

    async def close(self) -> None:
        """Hang up."""
        for lane in self._lanes:
            lane.close()
        self._ended()

    def _said(self, lane: Frames, word: Word, said: bytes) -> asyncio.Future[Answer]:
        if not lane.open:
            raise ConnectionError(f"{self.name} is gone")
        number, future = next(self._numbers), asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        lane.send(number, word, said)
        future.add_done_callback(partial(self._over, lane, number))
        return future

    def _over(self, lane: Frames, number: int, future: asyncio.Future[Answer]) -> None:
        if future.cancelled() and self._waiting.pop(number, None) is not None:
            lane.send(number, Word.FORGET)

    def _came(self, number: int, status: int, body: bytes) -> None:
        future = self._waiting.pop(number, None)
        if future is None or future.done():
            return
        try:
            future.set_result(judged(self.name, status, body))
        except (NotAnswered, Refused) as error:
            future.set_exception(error)

    def _ended(self) -> None:
        """It is gone, and will answer nothing more."""
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(ConnectionError(f"{self.name} is gone"))


class Remote(Member):
    """A service elsewhere. unreachable: called with its name when nobody can connect to it."""

    def __init__(self, name: str, url: str, token: str = "", unreachable: Callable[[str], None] | None = None) -> None:
        self.name, self.url, self.unreachable = name, URL(url), unreachable
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=None),
            headers={"Authorization": f"Bearer {token}"} if token else {},
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
        )
        self._paths: dict[str, URL] = {}

    async def ask(self, path: str, body: bytes, digest: str, until: float) -> Answer:
        """One attempt."""
        left = 1000 * (until - time.monotonic())
        if left < SHORTEST_MS:
            raise Refused(f"{self.name}: the deadline has passed")
        headers = {"Content-Type": JSON, DEADLINE: f"{left:.1f}", MODEL: digest}
        try:
            async with self.session.post(self._at(path), data=body, headers=headers) as response:
                found = judged(self.name, response.status, await response.read(), response.headers.get("Retry-After-Ms", "0"))
                return checked(found, path.rpartition("/")[2], digest)
        except aiohttp.ClientConnectorError:
            if self.unreachable is not None:
                self.unreachable(self.name)
            raise

    async def get(self, path: str, seconds: float) -> tuple[int, bytes]:
        """(status, body) of a path, within so many seconds. Raises OSError (also TimeoutError) or aiohttp.ClientError."""
        async with asyncio.timeout(seconds), self.session.get(self._at(path)) as response:
            return response.status, await response.read()

    async def tally(self, seconds: float) -> None:
        """That is told by itself, at its /metrics."""

    async def close(self) -> None:
        """Hang up."""
        await self.session.close()

    def _at(self, path: str) -> URL:
        if path not in self._paths:
            self._paths[path] = self.url.joinpath(path.lstrip("/"))
        return self._paths[path]


def judged(name: str, status: int, body: bytes, retry_after_ms: str = "0") -> Answer:
    """What a replica said, if it is an answer: also that the request is wrong.

    Raises NotAnswered, or Refused if nobody else is to be asked.
    """
    if status == 504:
        raise Refused(f"{name}: the deadline has passed")
    if status >= 500 or status in RETRY:
        with contextlib.suppress(ValueError):
            if float(retry_after_ms) < 0:
                raise Refused(f"{name}: HTTP {status}")
        raise NotAnswered(f"{name}: HTTP {status} {body[:200].decode('utf-8', 'replace')}")
    return Answer(status, body, name)


def checked(answer: Answer, name: str, digest: str) -> Answer:
    """What a service elsewhere said, if it has the form of an answer (of models of a name) by the model of a digest, or of a refusal.

    Raises NotAnswered.
    """
    try:
        said: Any = msgspec.json.decode(answer.body, type=_answer_form(name) if answer.status == 200 else Failure)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as why:
        raise NotAnswered(f"{answer.replica}: HTTP {answer.status} with a body that is none of regrow serve: {why}") from None
    if answer.status == 200 and said.model != digest:
        raise NotAnswered(f"{answer.replica}: an answer by model {said.model[:16]}, and {digest[:16]} was asked for")
    return answer


@cache
def _answer_form(name: str) -> Any:
    kind = named_kind(name)
    assert kind is not None, name
    return msgspec.defstruct("Said", [("model", str), (kind.items, list[kind.item])])  # type: ignore[name-defined]
