"""Bodies of requests, read whole before a request takes a place among those under way: who sends slowly holds nobody up.

Each must come within a time, and has at most so many bytes (known from its head, where that says it); all that are still coming hold at
most so many together. One that comes slowly ends when others need its connection. One that came with its head, as small ones do, is counted
nowhere.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from regrow.errors import NoAnswer
from regrow.serving.connections import Connections
from regrow.serving.forms import BadRequest
from regrow.serving.limits import Limits
from regrow.serving.unpacking import Unpacking

__all__ = ["Bodies"]


class Bodies:
    """Those that are still coming. held: their bytes that are here already."""

    def __init__(self, limits: Limits, connections: Connections) -> None:
        self.limits, self.connections = limits, connections
        self.held = 0

    async def read(self, request: web.Request, seconds: float) -> bytes:
        """The body, within so many seconds. Raises BadRequest for one that is too large, NoAnswer for too many at once, TimeoutError."""
        if (request.content_length or 0) > self.limits.body_bytes:
            raise self.too_large()
        unpacking = Unpacking(request.headers.get("Content-Encoding"))
        if not request.content.is_eof():
            return await self._coming(request, unpacking, min(seconds, self.limits.body_seconds))
        body = bytearray()
        for piece in unpacking.pieces(request.content.read_nowait()):
            body += piece
            if len(body) > self.limits.body_bytes:  # of one that is sent in chunks, or packed, the head does not say it
                raise self.too_large()
        unpacking.end()
        return bytes(body)

    async def _coming(self, request: web.Request, unpacking: Unpacking, seconds: float) -> bytes:
        body, sent, too_slow = bytearray(), 0, False

        def cut() -> None:
            nonlocal too_slow
            too_slow = True
            if not until.expired():
                until.reschedule(asyncio.get_running_loop().time())

        try:
            async with asyncio.timeout(seconds) as until:
                self.connections.passes(request.protocol, lambda: sent, cut)
                async for block in request.content.iter_any():
                    sent += len(block)
                    for piece in unpacking.pieces(block):
                        body += piece
                        self.held += len(piece)
                        if len(body) > self.limits.body_bytes:
                            raise self.too_large()
                        if self.held > self.limits.bodies_bytes:
                            raise NoAnswer(f"{self.limits.bodies_bytes:,} bytes of bodies that are still coming are here already")
            unpacking.end()
        except TimeoutError:
            if not too_slow:
                raise
        finally:
            self.connections.has_passed(request.protocol)
            self.held -= len(body)
        if too_slow:  # also if the last of it came in this very moment: its connection is given away
            raise BadRequest("the body comes slowly, and others need its connection", "send it faster, or ask again", 408)
        return bytes(body)

    def too_large(self) -> BadRequest:
        """How a body of too many bytes is refused."""
        return BadRequest(f"the body has more than {self.limits.body_bytes:,} bytes", "send less at once, or use /v1/batch", 413)
