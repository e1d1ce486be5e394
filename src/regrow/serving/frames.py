"""What router and replicas of one machine say to each other: frames, over pairs of sockets that nobody else can open.

    length 4 bytes, number 8, word 2 (little-endian), then so many bytes as the length says

Many requests are under way on one connection, and answers come in any order, with the number of the request. To a replica the word is a
`Word`; from a replica it is how it went, as an HTTP status. Nothing is answered to what nobody waits for any more (FORGET).
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from enum import IntEnum
from typing import Any

__all__ = ["LANES", "Frames", "Word", "asked_bytes", "asked_parts"]

LANES, LARGE = 2, 1 << 16
"""Connections to each replica: one for requests of up to so many bytes, one for larger ones, behind which no small one has to wait."""
_HEAD = struct.Struct("<IQH")
_ASK = struct.Struct("<d64s")


class Word(IntEnum):
    """What a replica is to do.

    ASK     answer a request: see `asked_bytes`
    FORGET  the request of this number: nobody waits any more
    LOAD    one more model, {"file": ...}; DROP: one less, {"digest": ...}
    ALIVE   say that it is there; TALLY: what it has done
    """

    ASK = 1
    FORGET = 2
    LOAD = 3
    DROP = 4
    ALIVE = 5
    TALLY = 6


def asked_bytes(until: float, digest: str, body: bytes) -> bytes:
    """What ASK says. until: when nobody waits any more (CLOCK_MONOTONIC, which is the same for all processes); digest: of the model."""
    return _ASK.pack(until, digest.encode()) + body


def asked_parts(said: bytes) -> tuple[float, str, bytes]:
    """(until, digest, body) of what ASK says."""
    until, digest = _ASK.unpack_from(said)
    return until, digest.rstrip(b"\0").decode(), said[_ASK.size :]


class Frames(asyncio.Protocol):
    """One end of a connection. came: called with (number, word, what is said) of each frame; ended: when there is nobody any more."""

    def __init__(self, came: Callable[[int, int, bytes], None], ended: Callable[[], None]) -> None:
        self._came, self._ended = came, ended
        self._transport: Any = None
        self._unread = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It begins."""
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        """It ends."""
        self._transport = None
        self._ended()

    def data_received(self, data: bytes) -> None:
        """Some bytes more."""
        self._unread += data
        start, size = 0, len(self._unread)
        while size - start >= _HEAD.size:
            length, number, word = _HEAD.unpack_from(self._unread, start)
            end = start + _HEAD.size + length
            if end > size:
                break
            self._came(number, word, bytes(memoryview(self._unread)[start + _HEAD.size : end]))
            start = end
        if start:
            del self._unread[:start]

    def send(self, number: int, word: int, said: bytes = b"") -> None:
        """One frame, unless nobody is there."""
        if self.open:
            self._transport.write(_HEAD.pack(len(said), number, word) + said)

    @property
    def open(self) -> bool:
        """Whether somebody is there."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def unsent(self) -> int:
        """Bytes that the other end has not read yet, besides what lies in its socket."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def close(self) -> None:
        """Hang up at once."""
        if self._transport is not None:
            self._transport.abort()
