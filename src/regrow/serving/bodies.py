"""Bodies of requests, read whole before a request takes a place among those under way: who sends slowly holds nobody up.

Each must come within a time, and has at most so many bytes (known from its head, where that says it); all that are still coming hold at
most so many together. One that came with its head, as small ones do, is counted nowhere.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from regrow.errors import NoAnswer
from regrow.serving.forms import BadRequest
from regrow.serving.limits import Limits
from regrow.serving.unpacking import Unpacking

__all__ = ["Bodies"]


class Bodies:
    """Those that are still coming. held: their bytes that are here already."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.held = 0

    async def read(self, request: web.Request, seconds: float) -> bytes:
        """The body, within so many seconds. Raises BadRequest for one that is too large, NoAnswer for too many at once, TimeoutError."""
        if (request.content_length or 0) > self.limits.body_bytes:
            raise self.too_large()
        unpacking = Unpacking(request.headers.get("Content-Encoding"))
        body = bytearray()
        if request.content.is_eof():
            for piece in unpacking.pieces(request.content.read_nowait()):
                body += piece
                if len(body) > self.limits.body_bytes:  # of one that is sent in chunks, or packed, the head does not say it
                    raise self.too_large()
            unpacking.end()
            return bytes(body)
        try:
            async with asyncio.timeout(min(seconds, self.limits.body_seconds)):
                async for block in request.content.iter_any():
                    for piece in unpacking.pieces(block):
                        body += piece
                        self.held += len(piece)
                        if len(body) > self.limits.body_bytes:
                            raise self.too_large()
                        if self.held > self.limits.bodies_bytes:
                            raise NoAnswer(f"{self.limits.bodies_bytes:,} bytes of bodies that are still coming are here already")
            unpacking.end()
            return bytes(body)
        finally:
            self.held -= len(body)

    def too_large(self) -> BadRequest:
        """How a body of too many bytes is refused."""
        return BadRequest(f"the body has more than {self.limits.body_bytes:,} bytes", "send less at once, or use /v1/batch", 413)
