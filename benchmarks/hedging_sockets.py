"""A hundred replicas behind real sockets, for `hedging.py`: small HTTP servers in a process of their own, each one a queue.

    python benchmarks/hedging_sockets.py N MEAN_SECONDS SICK_JSON SEED     prints the ports, then serves until its input ends

As in `hedging_world`: log-normal durations, one execution of a hundred twenty times the mean more; some hang, some are ten times slower,
some refuse. Durations are slept, not worked, so that one small machine can be a hundred; a request whose connection is closed leaves the
queue.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import random
import socket
import sys
from collections import deque
from typing import Any

__all__ = ["ANSWER"]

SIGMA = 0.5
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """One replica."""

    def __init__(self, kind: str, mean: float, chance: random.Random) -> None:
        self.kind, self.mean, self.chance = kind, mean, chance
        self.queue: deque[Connection] = deque()
        self.at: Connection | None = None
        self.timer: asyncio.TimerHandle | None = None

    def asked(self, connection: Connection) -> None:
        """One more."""
        self.queue.append(connection)
        if self.at is None:
            self.serve()

    def serve(self) -> None:
        """The next one."""
        self.at = None
        if self.kind == "hangs" or not self.queue:
            return
        self.at = self.queue.popleft()
        takes = self.mean * math.exp(self.chance.gauss(-SIGMA * SIGMA / 2, SIGMA)) * (10 if self.kind == "slow" else 1)
        takes += 20 * self.mean if self.chance.random() < 0.01 else 0.0
        self.timer = asyncio.get_running_loop().call_later(takes, self.done)

    def done(self) -> None:
        """An answer."""
        if self.at is not None:
            self.at.answer()
        self.serve()

    def left(self, connection: Connection) -> None:
        """Nobody waits any more."""
        if connection is self.at:
            assert self.timer is not None
            self.timer.cancel()
            self.serve()
        else:
            with contextlib.suppress(ValueError):
                self.queue.remove(connection)


class Connection(asyncio.Protocol):
    """One request after the other."""

    def __init__(self, server: Server) -> None:
        self.server, self.buffer = server, b""
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        """It begins."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """A request is whole when its two bytes of body are there."""
        self.buffer += data
        if self.buffer.endswith(b"\r\n\r\n{}"):
            self.buffer = b""
            self.server.asked(self)

    def answer(self) -> None:
        """It is answered."""
        self.transport.write(ANSWER)

    def connection_lost(self, error: Exception | None) -> None:
        """It ends."""
        self.server.left(self)


async def main() -> None:
    """Serve until the input ends."""
    number, mean, sick, seed = int(sys.argv[1]), float(sys.argv[2]), json.loads(sys.argv[3]), int(sys.argv[4])
    kinds = [kind for kind, many in sick.items() for _ in range(many)]
    loop, ports = asyncio.get_running_loop(), []
    for i in range(number):
        kind = kinds[i] if i < len(kinds) else "well"
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        ports.append(listener.getsockname()[1])
        if kind == "refuses":
            continue  # bound, and nobody listens
        server = Server(kind, mean, random.Random(seed * 1000 + i))
        await loop.create_server(lambda server=server: Connection(server), sock=listener, backlog=1024)  # type: ignore[misc]
    print(json.dumps(ports), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
