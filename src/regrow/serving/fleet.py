"""Whom the router asks: replicas behind Unix sockets or URLs, hedged, and the model that they are asked for.

A request is pinned to the model that is current when it begins: whoever has not got it says 409, which is as good as an error, and the next
one is asked. So all attempts of a request score one model, and any of them gives the same bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from yarl import URL

from regrow.errors import NoAnswer, TooLate
from regrow.serving.first import Hedge, Refused
from regrow.serving.forms import DEADLINE, JSON, MODEL
from regrow.serving.moves import Joined

__all__ = ["Answer", "Fleet", "Member", "Model"]

RETRY = {408, 409, 425, 429}
"""Refusals of one replica that another one may not share; so is everything from 500 on."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a replica said; which one; how many attempts there were."""

    status: int
    body: bytes
    replica: str = ""


class NotAnswered(Exception):
    """An attempt that gave no answer."""


@dataclass(eq=False)
class Model:
    """A model that is served. users: requests that are pinned to it."""

    digest: str
    name: str
    card: Mapping[str, Any]
    file: str = ""
    users: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.idle.set()

    def __enter__(self) -> Model:
        self.users += 1
        self.idle.clear()
        return self

    def __exit__(self, *_: object) -> None:
        self.users -= 1
        if not self.users:
            self.idle.set()


class Member:
    """A replica that can be asked."""

    def __init__(self, name: str, url: str, *, socket: str | None = None, token: str = "", host: str = "") -> None:
        self.name, self.url, self.host = name, URL(url), host
        connector: aiohttp.BaseConnector
        if socket is not None:
            connector = aiohttp.UnixConnector(socket, limit=0, keepalive_timeout=600)
        else:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=None),
            headers=headers,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
        )
        self._paths: dict[str, URL] = {}

    def at(self, path: str) -> URL:
        """The URL of a path."""
        if path not in self._paths:
            self._paths[path] = self.url.joinpath(path.lstrip("/"))
        return self._paths[path]

    async def ask(self, path: str, body: bytes, digest: str, until: float) -> Answer:
        """One attempt. Raises NotAnswered, Refused, or what the connection raises."""
        headers = {"Content-Type": JSON, DEADLINE: f"{max(0.0, 1000 * (until - time.monotonic())):.1f}", MODEL: digest}
        async with self.session.post(self.at(path), data=body, headers=headers) as response:
            found = await response.read()
            if response.status == 504:
                raise Refused(f"{self.name}: the deadline has passed")
            if response.status >= 500 or response.status in RETRY:
                with contextlib.suppress(ValueError):
                    if float(response.headers.get("Retry-After-Ms", "0")) < 0:
                        raise Refused(f"{self.name}: HTTP {response.status}")
                raise NotAnswered(f"{self.name}: HTTP {response.status} {found[:200].decode('utf-8', 'replace')}")
            return Answer(response.status, found, self.name)

    async def get(self, path: str, seconds: float) -> tuple[int, bytes]:
        """(status, body) of a path, within so many seconds. Raises OSError (also TimeoutError) or aiohttp.ClientError."""
        async with asyncio.timeout(seconds), self.session.get(self.at(path)) as response:
            return response.status, await response.read()

    async def tell(self, path: str, body: bytes, seconds: float) -> tuple[int, bytes]:
        """(status, body) of something that is told."""
        async with asyncio.timeout(seconds), self.session.post(self.at(path), data=body, headers={"Content-Type": JSON}) as response:
            return response.status, await response.read()

    async def close(self) -> None:
        """Nobody asks it any more."""
        await self.session.close()


class Fleet:
    """The members that can be asked now, and the model that is current."""

    def __init__(self, hedge: Hedge) -> None:
        self.hedge = hedge
        self.members: dict[str, Member] = {}
        self.model: Model | None = None
        self.retiring: list[Model] = []
        """Models that requests may still be pinned to."""
        self.unreachable: Callable[[str], None] | None = None
        """Called with the name of a member that nobody can connect to."""

    def join(self, member: Member) -> None:
        """It can be asked from now on. Its name is used once."""
        self.members[member.name] = member
        self.hedge.machine.handle(Joined(member.name, member.host), time.monotonic())

    async def leave(self, name: str) -> None:
        """It is not asked any more, and what it was asked ends with an error."""
        member = self.members.pop(name, None)
        if member is not None:
            self.hedge.forget(name)
            await member.close()

    async def ask(self, model: Model, path: str, body: bytes, seconds: float) -> Answer:
        """The first answer. Raises NoAnswer, TooLate."""
        until = time.monotonic() + seconds
        try:
            with model:
                return await self.hedge.ask(lambda name: self._attempt(name, model, path, body, until), None, seconds, float(len(body)))
        except NoAnswer as error:
            if isinstance(error, TooLate) or time.monotonic() < until:
                raise
            raise TooLate(error.message) from None

    async def _attempt(self, name: str, model: Model, path: str, body: bytes, until: float) -> Answer:
        member = self.members.get(name)
        if member is None:
            raise NotAnswered(f"{name} is gone")
        try:
            return await member.ask(path, body, model.digest, until)
        except aiohttp.ClientConnectorError:
            if self.unreachable is not None:
                self.unreachable(name)
            raise

    async def close(self) -> None:
        """The end."""
        for name in list(self.members):
            await self.leave(name)
