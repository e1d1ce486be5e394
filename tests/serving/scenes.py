"""Scenes for tests: a service in this process, over a fleet whose one member answers at once, asked through real sockets."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from regrow.serving.connections import Connections
from regrow.serving.conversation import listening
from regrow.serving.first import Hedge
from regrow.serving.fleet import Fleet, Model
from regrow.serving.limits import Limits
from regrow.serving.members import Answer, Member
from regrow.serving.metrics import Metrics
from regrow.serving.router import Router

__all__ = ["DIGEST", "JSON", "LIVE", "NDJSON", "WELL", "Place", "Ready", "at", "posted", "until"]

DIGEST = "d" * 64
WELL = b'{"model": "%b", "documents": [{"doc": 0, "topics": [[1, 0.5]], "tokens": 1, "unknown": 0}]}' % DIGEST.encode()
JSON, NDJSON = "Content-Type: application/json", "Content-Type: application/x-ndjson"
PATIENT = Limits(drain_seconds=0.1, deadline_seconds=300.0, body_seconds=300.0, idle_seconds=3000.0)
"""Nothing ends because a machine is slow, unless a test is about that."""
LIVE = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Ready(Member):
    """Somebody who answers at once."""

    name = "ready"

    async def ask(self, path: str, body: bytes, digest: str, until: float) -> Answer:
        return Answer(200, WELL, self.name)

    async def tally(self, seconds: float) -> None:
        """Nothing is told."""

    async def close(self) -> None:
        """Nothing is open."""


class Place:
    """A service in this process."""

    def __init__(self, router: Router, port: int) -> None:
        self.router, self.port = router, port

    async def send(self, sent: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(sent)
        return reader, writer

    async def raw(self, sent: bytes) -> tuple[int, dict[str, str], Any]:
        """(status, headers, the value of the body) of the answer to bytes."""
        reader, writer = await self.send(sent)
        async with asyncio.timeout(120):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.split(": ", 1) for line in head[1:] if line)
            body = await reader.readexactly(int(headers["Content-Length"]))
        writer.close()
        assert headers["Server"] == "regrow"
        return int(head[0].split()[1]), headers, json.loads(body)

    async def post(
        self, path: str, body: Any, *headers: str, kind: str = JSON, length: int | None = None
    ) -> tuple[int, dict[str, str], Any]:
        return await self.raw(posted(path, body, *headers, kind=kind, length=length))


async def until(what: Callable[[], bool]) -> None:
    """Wait until something is true."""
    async with asyncio.timeout(60):
        while not what():
            await asyncio.sleep(0.002)


def posted(path: str, body: Any, *headers: str, kind: str = JSON, length: int | None = None) -> bytes:
    """A request; length: that its head says."""
    said = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", kind, f"Content-Length: {len(said) if length is None else length}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + said


def at(scene: Callable[[Place], Awaitable[None]], *, finally_: Callable[[], Awaitable[None]] | None = None, **limits: Any) -> None:
    """Play a scene at a service of topics with one member; finally_: what goes on while it ends."""

    async def play() -> None:
        fleet = Fleet(Hedge())
        fleet.model = Model(DIGEST, "topics", {"model": DIGEST, "name": "topics"})
        fleet.join(Ready())
        own = replace(PATIENT, **limits)
        there = Connections(own)
        router = Router(fleet, Metrics(fleet, there), own)
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            async with listening(router.app(), listener, there):
                await scene(Place(router, listener.getsockname()[1]))
            if finally_ is not None:
                await finally_()
            await fleet.close()

    asyncio.run(play())
