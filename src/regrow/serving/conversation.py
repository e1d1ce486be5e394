"""What is said with those who connect: HTTP by aiohttp; what is no HTTP is refused in our form, and no client can fill the log.

aiohttp writes a traceback, with what was sent, for each request that it cannot read. Here that is the sender's business alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import re
import socket
from collections.abc import AsyncIterator
from typing import Any, cast

import aiohttp
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from regrow.serving.connections import LINGER_SECONDS, Connections, Taking
from regrow.serving.forms import JSON, SAFE, error_body

__all__ = ["UNREADABLE", "listening"]

UNREADABLE = (web.RequestPayloadError, aiohttp.ClientPayloadError, HttpProcessingError)
"""Raised when what was sent is no HTTP, or not in the encoding that it says."""
CUT_SECONDS = 0.2
"""In so many seconds a request that is cut off, because the time to end has passed, has to end."""


_SENT = re.compile(r"[: ]*(?:when reading[: ]*)?(?:bytearray\()?b['\"]")
"""Where aiohttp begins to show what was sent."""


class _Conversation(web.RequestHandler):
    """One connection."""

    __slots__ = ("_connections", "_taking")

    def __init__(self, manager: web.Server, connections: Connections) -> None:
        self._connections, idle, no_log = connections, connections.limits.idle_seconds, cast("logging.Logger", None)
        loop = asyncio.get_running_loop()
        super().__init__(
            manager, loop=loop, access_log=no_log, keepalive_timeout=idle, lingering_time=LINGER_SECONDS, auto_decompress=False
        )  # what is packed is unpacked by `unpacking`
        self._taking: Taking | None = None
        connections.open.add(self)

    @property
    def silent_since(self) -> float:
        """Since when it waits for a request; infinite while it is at one."""
        waits = self._waiter is not None and not self._waiter.done()
        return self._next_keepalive_close_time - self._connections.limits.idle_seconds if waits else math.inf

    def connection_lost(self, exc: BaseException | None) -> None:
        """It is over."""
        self._connections.open.discard(self)
        self._taken()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """An answer is not taken as fast as it is given."""
        super().pause_writing()
        if self.transport is not None:
            self._taking = Taking(self._connections, self, self.transport)

    def resume_writing(self) -> None:
        """It is."""
        self._taken()
        super().resume_writing()

    def _taken(self) -> None:
        if self._taking is not None:
            self._taking.end()
            self._taking = None

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """The answer to what could not be read, or to a fault of ours (then also a traceback, on stderr)."""
        self.log_exception("a fault of regrow", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("a part of the answer is sent already")
        if status < 500:
            why = _SENT.split((message or "").strip().partition("\n")[0])[0].strip(" :.")[:100]
            body = error_body(f"the request cannot be read: {why}", "send HTTP/1.1, with a path and headers of at most 8,190 bytes each")
        else:
            body = error_body("a fault of regrow", "please report it, with what the service has written to stderr")
        response = web.Response(status=status, body=body, content_type=JSON, headers=SAFE)
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Only our own faults are written down."""
        if not isinstance(kw.get("exc_info"), (*UNREADABLE, ConnectionError)):
            super().log_exception(*args, **kw)


def _not_as_expected(request: web.BaseRequest, body_bytes: int) -> web.StreamResponse | None:
    """What is told to who waits for a word before it sends the body, and need not send it."""
    said = request.headers.get("Expect", "")
    if not said:
        return None
    if said.lower() != "100-continue":
        status, body = 417, error_body(f"the header Expect is {said[:40]}", "send 100-continue, or leave it out")
    elif (request.content_length or 0) > body_bytes and request.path != "/v1/batch":
        status, body = 413, error_body(f"the body has more than {body_bytes:,} bytes", "send less at once, or use /v1/batch")
    else:
        return None
    response = web.Response(status=status, body=body, content_type=JSON, headers=SAFE)
    response.force_close()
    return response


@contextlib.asynccontextmanager
async def listening(app: web.Application, listener: socket.socket, connections: Connections) -> AsyncIterator[None]:
    """Answer at a socket that is bound. At the end nobody new is let in, and who is at a request has `drain_seconds`.

    aiohttp's own end drops whatever comes of bodies from its beginning on, so it begins when nothing comes any more.
    """
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=CUT_SECONDS)
    await runner.setup()
    loop, manager = asyncio.get_running_loop(), runner.server
    assert manager is not None
    answer = manager.request_handler

    async def expected(request: web.BaseRequest) -> web.StreamResponse:
        return _not_as_expected(request, connections.limits.body_bytes) or await answer(request)

    manager.request_handler = expected

    def connected() -> asyncio.Protocol:
        return converse() if connections.room() else connections.refusal(converse)

    def converse() -> asyncio.Protocol:
        return _Conversation(manager, connections)

    try:
        server = await loop.create_server(connected, sock=listener, backlog=connections.limits.backlog)
        try:
            yield
        finally:
            server.close()
            until = loop.time() + connections.limits.drain_seconds
            while connections.at_work and loop.time() < until:
                await asyncio.sleep(0.02)
    finally:
        await runner.cleanup()
