"""What a replica does when: requests are worked on in turns, piece by piece, a few at a time; a few wait; more are refused at once.

Between two pieces others get their turn, and it is seen whether anybody still waits: whoever goes away, or whose deadline passes, costs at
most a piece more. A small request is one piece and never waits for a large one to end.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from regrow.serving.forms import decoded
from regrow.serving.limits import Limits
from regrow.serving.tables import Served, body_of

__all__ = ["Busy", "Desk", "Expired", "Tally"]


class Busy(Exception):
    """Too many wait already."""


class Expired(Exception):
    """The deadline has passed."""


@dataclass(slots=True)
class Tally:
    """What has been done: requests answered, refused for their form, refused because too many waited, given up while they waited or while
    they were worked on, too late; items answered, pieces of work, seconds of it."""

    answered: int = 0
    wrong: int = 0
    busy: int = 0
    cancelled_waiting: int = 0
    cancelled_running: int = 0
    expired: int = 0
    items: int = 0
    pieces: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class Desk:
    """The work of one replica."""

    limits: Limits
    tally: Tally = field(default_factory=Tally)
    running: int = 0
    waiting: int = 0
    _free: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._free = asyncio.Semaphore(self.limits.at_once)

    async def answer(self, served: Served, body: bytes, until: float) -> bytes:
        """The body of the answer. until: when nobody waits any more (monotonic). Raises Busy, Expired, BadRequest."""
        if self.running >= self.limits.at_once and self.waiting >= self.limits.waiting:
            self.tally.busy += 1
            raise Busy
        self.waiting += 1
        try:
            await self._free.acquire()
        except asyncio.CancelledError:
            self.tally.cancelled_waiting += 1
            raise
        finally:
            self.waiting -= 1
        self.running += 1
        try:
            return await self._work(served, body, until)
        except asyncio.CancelledError:
            self.tally.cancelled_running += 1
            raise
        finally:
            self.running -= 1
            self._free.release()

    async def _work(self, served: Served, body: bytes, until: float) -> bytes:
        asked: Any = decoded(body, served.answers.asked)
        lines: list[bytes] = []
        pieces = served.answers.work(asked, self.limits)
        while True:
            began = time.monotonic()
            if began >= until:
                self.tally.expired += 1
                raise Expired
            piece = next(pieces, None)
            self.tally.seconds += time.monotonic() - began
            if piece is None:
                break
            self.tally.pieces += 1
            if lines:
                await asyncio.sleep(0)
            lines += piece
        self.tally.answered += 1
        self.tally.items += len(lines)
        return body_of(served, asked, lines)
