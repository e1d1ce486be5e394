"""What will happen, in order of time. Of what happens at the same time, what was put down first comes first.

A heap of 10^5 entries is walked through memory for each of them. So only the present tenth of a second is a heap; of later ones it is
only known which tenth they belong to.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

__all__ = ["Agenda"]

Entry = tuple[float, int, Callable[..., None], tuple[Any, ...]]
SPANS_PER_SECOND = 10.0


class Agenda:
    """Times with what happens then: `put` it down, `take` what is next."""

    def __init__(self) -> None:
        self._sequence = 0
        self._present: list[Entry] = []
        """A heap: what is left of the present span of time, and of those before it."""
        self._span = -1
        self._later: dict[int, list[Entry]] = {}
        self._spans: list[int] = []
        """A heap of the later spans."""

    def put(self, at: float, what: Callable[..., None], about: tuple[Any, ...]) -> None:
        """At a time, what(*about) happens."""
        self._sequence += 1
        entry = (at, self._sequence, what, about)
        span = int(at * SPANS_PER_SECOND)
        if span <= self._span:
            heapq.heappush(self._present, entry)
            return
        entries = self._later.get(span)
        if entries is None:
            self._later[span] = [entry]
            heapq.heappush(self._spans, span)
        else:
            entries.append(entry)

    def take(self) -> Entry:
        """What is next: its time, its place among those of that time, what, and about what. Raises IndexError if nothing is."""
        while not self._present:
            self._span = heapq.heappop(self._spans)
            self._present = self._later.pop(self._span)
            self._present.sort()
        return heapq.heappop(self._present)
