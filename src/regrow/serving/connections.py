"""Connections that are open, and what is done with one more when there are too many.

The one that has been silent the longest (it waits for a first request, or for a next one) makes room; if none is silent, the slowest of
those whose body is coming, or whose answer is being taken, at less than a certain pace. If all are at work, or have only just come, the new
one is refused: whatever it asks is answered by 503 with Retry-After, and it is hung up. Only who asks how the service
is, with all of it sent at once, is answered: whoever watches it is to see that it is full, not that it is gone.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from regrow.serving.forms import JSON, SAFE, error_body
from regrow.serving.limits import Limits

__all__ = ["JUST_NOW", "LINGER_SECONDS", "Connections", "Passing", "Taking", "Talking"]

JUST_NOW = 1.0
"""Who has been silent for less than so many seconds is about to say something, and how fast a body comes is not seen in less."""
SLOW = 1 << 16
"""Bytes a second, in the mean: what comes or is taken more slowly makes room. At that pace the largest body would take two minutes."""
LINGER_SECONDS = 2.0
"""So long what is refused is still read and dropped, so that whoever sends it gets to see the answer."""
RESERVE = 32
"""So many more than there may be are open, for those who ask how the service is; each for one answer."""
HEALTH = tuple(f"GET {path} HTTP/1.".encode() for path in ("/livez", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready"))
REFUSALS = 256
"""So many are heard at a time; for one more, the first one is hung up without a word."""


class Talking(Protocol):
    """A connection that is open."""

    @property
    def silent_since(self) -> float:
        """Since when nothing has been asked, by the loop's clock; infinite while something is."""
        ...

    def force_close(self) -> None:
        """Hang up."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Passing:
    """What goes at the pace of a client: a body that it sends, or an answer that it takes.

    since   when it began, by the loop's clock
    passed  how many bytes have come, or have been taken, since then
    cut     ends it, as others need the connection
    """

    since: float
    passed: Callable[[], int]
    cut: Callable[[], None]

    def pace(self, now: float) -> float:
        """Bytes a second, in the mean; infinite while it has only just begun."""
        return self.passed() / max(now - self.since, 1e-9) if now - self.since >= JUST_NOW else math.inf


class Connections:
    """open: those that are; passing: what they send or take; refused: how many were; hung_up: how many made room for others."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.open: set[Talking] = set()
        self.passing: dict[Talking, Passing] = {}
        self.refused = self.hung_up = 0
        self.refusals: dict[_Refusal, None] = {}

    def room(self) -> bool:
        """Whether one more may be open; a silent or a slow one makes room if need be."""
        return len(self.open) < self.limits.connections or self._hang_up_silent() or self._hang_up_slow()

    def _hang_up_silent(self) -> bool:
        longest = min(self.open, key=lambda one: one.silent_since, default=None)
        if longest is None or asyncio.get_running_loop().time() - longest.silent_since < JUST_NOW:
            return False
        self._made_room(longest)
        longest.force_close()
        return True

    def _hang_up_slow(self) -> bool:
        now = asyncio.get_running_loop().time()
        paces = {one: passing.pace(now) for one, passing in self.passing.items() if one in self.open}
        slowest = min(paces, key=paces.__getitem__, default=None)
        if slowest is None or paces[slowest] >= SLOW:
            return False
        self._made_room(slowest)
        self.passing.pop(slowest).cut()
        return True

    def _made_room(self, one: Talking) -> None:
        self.open.discard(one)
        self.hung_up += 1

    def passes(self, one: Any, passed: Callable[[], int], cut: Callable[[], None]) -> None:
        """Something begins to pass over a connection, see `Passing`, until `has_passed`."""
        self.passing[one] = Passing(asyncio.get_running_loop().time(), passed, cut)

    def has_passed(self, one: Any) -> None:
        """It has ended."""
        self.passing.pop(one, None)

    @property
    def at_work(self) -> int:
        """How many are at a request: its body is coming, or its answer is going out, or it is worked on."""
        return sum(one.silent_since == math.inf for one in self.open)

    @property
    def over(self) -> bool:
        """Whether more are open than there may be."""
        return len(self.open) > self.limits.connections

    def refusal(self, converse: Callable[[], asyncio.Protocol]) -> asyncio.Protocol:
        """What speaks with one for which there is no room. converse: what answers it after all, if it asks how the service is."""
        return _Refusal(self, converse)

    def asks_how_it_is(self, data: bytes) -> bool:
        """Whether these first bytes are a whole question after the service's health, and there is some reserve left."""
        if not data.startswith(HEALTH) or len(self.open) >= self.limits.connections + RESERVE:
            return False
        head = data.lower()
        return head.find(b"\r\n\r\n") == len(head) - 4 and b"\r\ncontent-length" not in head and b"\r\ntransfer-encoding" not in head


class Taking:
    """An answer that a client takes more slowly than it is given; it is hung up when nothing of it is taken for `body_seconds`."""

    def __init__(self, connections: Connections, one: Any, transport: Any) -> None:
        self._unsent, self._cut, self._seconds = transport.get_write_buffer_size, transport.abort, connections.limits.body_seconds
        first = self._unsent()
        connections.passes(one, lambda: first - self._unsent(), self._cut)
        self._over = partial(connections.has_passed, one)
        self._look_later()

    def end(self) -> None:
        """It is taken, or nobody is there any more."""
        self._over()
        self._timer.cancel()

    def _look_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._look, self._unsent())

    def _look(self, before: int) -> None:
        if self._unsent() < before:
            self._look_later()
        else:
            self._cut()


class _Refusal(asyncio.Protocol):
    """One connection, until it has been told."""

    def __init__(self, connections: Connections, converse: Callable[[], asyncio.Protocol]) -> None:
        self.connections, self.converse, self.all_of_them = connections, converse, connections.refusals
        self.transport: Any = None
        self.told = False
        self.end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is heard for a while."""
        self.transport = transport
        if len(self.all_of_them) >= REFUSALS:
            first = next(iter(self.all_of_them))
            del self.all_of_them[first]
            first.transport.abort()
        self.all_of_them[self] = None
        self.end = asyncio.get_running_loop().call_later(LINGER_SECONDS, self.transport.close)

    def data_received(self, data: bytes) -> None:
        """What it asks is looked at only if it may be after the service's health."""
        if not self.told:
            self.told = True
            if self.connections.asks_how_it_is(data):
                self._forget()
                conversation = self.converse()
                self.transport.set_protocol(conversation)
                conversation.connection_made(self.transport)
                conversation.data_received(data)
                return
            self.connections.refused += 1
            self.transport.write(REFUSED)
            self.transport.write_eof()

    def connection_lost(self, error: Exception | None) -> None:
        """It is over."""
        if not self.told:
            self.connections.refused += 1
        self._forget()

    def _forget(self) -> None:
        self.all_of_them.pop(self, None)
        if self.end is not None:
            self.end.cancel()


def _refused() -> bytes:
    body = error_body("too many connections are open", "ask again, and keep connections: one is enough for many requests")
    headers = {**SAFE, "Content-Type": JSON, "Content-Length": len(body), "Retry-After": 1, "Connection": "close"}
    head = ["HTTP/1.1 503 Service Unavailable", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*head, "", ""]).encode() + body


REFUSED = _refused()
