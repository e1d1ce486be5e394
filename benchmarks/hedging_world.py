"""Replicas in virtual time, for `hedging.py`: each serves one request at a time, in the order in which they came.

A request takes 5 ms on average (log-normal, sigma 0.5), and one execution of a hundred 100 ms more. Some replicas hang (they take
requests and never answer), some are ten times slower, some refuse at once. Requests come as they please (Poisson): whether the one before
is done matters to none of them. A cancelled attempt leaves the queue; if `stops`, it also ends when it is being served.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import Any

from regrow.serving.moves import Answered, Asked, Cancel, Failed, Joined, Lost, Start, Wake, Woken, Won

__all__ = ["Outcome", "World"]

MEAN, SIGMA, STALL = 0.005, 0.5, 0.100


@dataclass
class Outcome:
    """What came of it. seconds: of each request, the deadline for those that failed."""

    seconds: list[float] = field(default_factory=list)
    failed: int = 0
    attempts: int = 0
    worked: float = 0.0
    """Seconds that replicas were at it."""

    def row(self, mean: float) -> dict[str, float]:
        """The figures of the table; extra work is against `mean` seconds a request."""
        ordered, n = sorted(self.seconds), len(self.seconds)
        at = {f"p{100 * share:g}": 1000 * ordered[min(n - 1, math.ceil(share * n) - 1)] for share in (0.5, 0.99, 0.999)}
        return {
            **at,
            "failed": 100 * self.failed / n,
            "extra": 100 * (self.attempts / n - 1),
            "work": self.worked / n / mean,
        }


@dataclass
class Server:
    """One replica."""

    kind: str = "well"
    queue: deque[tuple[int, int]] = field(default_factory=deque)
    at: tuple[int, int] | None = None
    since: float = 0.0
    serial: int = 0


class World:
    """One run."""

    def __init__(
        self, machine: Any, replicas: int, load: float, sick: dict[str, int], seed: int, *, deadline: float = 1.0, stops: bool = True
    ) -> None:
        self.machine, self.deadline, self.stops = machine, deadline, stops
        self.random = Random(seed)
        kinds = [kind for kind, number in sick.items() for _ in range(number)]
        self.servers = {f"r{i}": Server(kinds[i] if i < len(kinds) else "well") for i in range(replicas)}
        for name in self.servers:
            machine.handle(Joined(name), 0.0)
        self.gap = (MEAN + 0.01 * STALL) / (load * replicas)
        self.timers: list[tuple[float, int, tuple[Any, ...]]] = []
        self.count = 0
        self.now = 0.0
        self.began: dict[int, float] = {}
        self.where: dict[tuple[int, int], str] = {}
        self.gone: set[tuple[int, int]] = set()
        self.outcome = Outcome()

    def at(self, when: float, *what: Any) -> None:
        """Let something happen."""
        self.count += 1
        heapq.heappush(self.timers, (when, self.count, what))

    def run(self, requests: int) -> Outcome:
        """Until all requests have ended."""
        self.at(0.0, "ask", 0)
        while self.timers:
            self.now, _, what = heapq.heappop(self.timers)
            if what[0] == "ask":
                number = what[1]
                if number + 1 < requests:
                    self.at(self.now + self.random.expovariate(1 / self.gap), "ask", number + 1)
                self.began[number] = self.now
                self.tell(Asked(number, self.now + self.deadline))
            elif what[0] == "wake":
                if what[1] in self.began:
                    self.tell(Woken(what[1]))
            elif what[0] == "refuse":
                request, attempt = what[1]
                self.tell(Failed(request, attempt, "refused"))
            else:
                self.done(*what[1:])
            if len(self.outcome.seconds) == requests:
                break
        return self.outcome

    def tell(self, event: Any) -> None:
        """An event, and what follows from it."""
        for action in self.machine.handle(event, self.now):
            match action:
                case Start(request, attempt, name):
                    self.start((request, attempt), name)
                case Cancel(request, attempt):
                    self.cancel((request, attempt))
                case Wake(request, at):
                    self.at(at, "wake", request)
                case Won(request) | Lost(request):
                    seconds = self.now - self.began.pop(request)
                    self.outcome.seconds.append(self.deadline if isinstance(action, Lost) else seconds)
                    self.outcome.failed += isinstance(action, Lost)

    def start(self, which: tuple[int, int], name: str) -> None:
        """A replica is asked."""
        self.outcome.attempts += 1
        server = self.servers[name]
        self.where[which] = name
        if server.kind == "refuses":
            self.at(self.now + 0.0002, "refuse", which)
            return
        server.queue.append(which)
        if server.at is None:
            self.serve(name)

    def serve(self, name: str) -> None:
        """The next one of the queue."""
        server = self.servers[name]
        server.at = None
        if server.kind == "hangs":
            return
        while server.queue:
            which = server.queue.popleft()
            if which in self.gone:
                self.gone.discard(which)
                continue
            takes = MEAN * math.exp(self.random.gauss(-SIGMA * SIGMA / 2, SIGMA)) * (10 if server.kind == "slow" else 1)
            takes += STALL if self.random.random() < 0.01 else 0.0
            server.at, server.since = which, self.now
            server.serial += 1
            self.at(self.now + takes, "done", name, server.serial, which)
            return

    def done(self, name: str, serial: int, which: tuple[int, int]) -> None:
        """A replica has an answer."""
        server = self.servers[name]
        if server.serial != serial or server.at != which:
            return
        self.outcome.worked += self.now - server.since
        if which in self.gone:
            self.gone.discard(which)
        else:
            self.tell(Answered(*which))
        self.serve(name)

    def cancel(self, which: tuple[int, int]) -> None:
        """Nobody waits for an attempt."""
        name = self.where[which]
        server = self.servers[name]
        if server.kind in ("refuses", "hangs"):
            return
        if server.at == which and self.stops:
            self.outcome.worked += self.now - server.since
            self.serve(name)
        else:
            self.gone.add(which)
