"""The engine `sim`: a real program in virtual time. Tasks are really run, in this process; workers, their losses and the clock are made up.

For tests: what the simulator does to the coordinator, it does here to a whole run, which must end with the same bytes. A worker may be
lost at any moment of an attempt, or freeze and answer long after it was given up.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from typing import Any

from regrow.coordinator.actions import Start
from regrow.coordinator.events import WorkerDraining, WorkerJoined, WorkerLost
from regrow.engines.inline import InlineEngine
from regrow.errors import RegrowError, UsageError
from regrow.job import Job

__all__ = ["SimEngine"]

DETECT_SECONDS = 1.0
FROZEN_SECONDS = 5.0
REPLACE_SECONDS = 2.0
IN_VAIN_MAX = 10_000
MACHINES = 3
"""The workers are on so many, in turn."""


class SimEngine(InlineEngine):
    """So many workers, of which one is lost every so many virtual seconds in the mean (None: never). One seed is one history."""

    def __init__(self, workers: int, *, lose_seconds: float | None = None, seed: int = 1) -> None:
        super().__init__()
        self._wanted, self._lose_seconds = workers, lose_seconds
        self._rng = random.Random(seed)
        self._clock = 0.0
        self._heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._sequence = 0
        self._crew: dict[str, Start | None] = {}

    def now(self) -> float:
        """Virtual seconds."""
        return self._clock

    def _start(self, job: Job) -> None:
        super()._start(job)
        self._events.clear()  # the workers of inline: here they are ours
        for _ in range(self._wanted):
            self._come()
        self._come(checks=True)
        if self._lose_seconds:
            self._later(self._rng.expovariate(1 / self._lose_seconds), self._lose)

    def _later(self, seconds: float, what: Callable[..., None], *about: Any) -> None:
        self._sequence += 1
        heapq.heappush(self._heap, (self._clock + seconds, self._sequence, what, about))

    def _come(self, *, checks: bool = False) -> None:
        self._joined += 1
        worker = f"{'check' if checks else 'sim'}-{self._joined}"
        self._crew[worker] = None
        self._events.append(WorkerJoined(worker, checks, self._shop.environment, f"machine-{self._joined % MACHINES}"))

    # Attempts

    def _try(self, action: Start) -> None:
        if action.worker in self._crew:  # else it is gone, and the coordinator is about to hear
            self._crew[action.worker] = action
            self._later(self._rng.lognormvariate(0.0, 0.5), self._ends, action)

    def _ends(self, action: Start) -> None:
        if self._crew.get(action.worker) is action:
            self._crew[action.worker] = None
            self._attempt(action)

    # Losses

    def _lose(self) -> None:
        """One worker is lost: killed, frozen, or with a notice."""
        self._later(self._rng.expovariate(1 / (self._lose_seconds or 1.0)), self._lose)
        workers = [worker for worker in self._crew if not worker.startswith("check")]
        if not workers:
            return
        worker, kind = self._rng.choice(workers), self._rng.random()
        if kind < 0.2:
            self._events.append(WorkerDraining(worker, "notice", 1.0))
            self._later(2.0, self._gone, worker, 0.0)
        elif kind < 0.4:
            action = self._crew[worker]
            self._gone(worker, FROZEN_SECONDS)
            if action is not None:
                self._later(FROZEN_SECONDS + self._rng.expovariate(0.2), self._attempt, action)  # it wakes, and answers in vain
        else:
            self._gone(worker, DETECT_SECONDS)

    def _gone(self, worker: str, heard_seconds: float) -> None:
        if worker in self._crew:
            del self._crew[worker]
            self.tally.workers_lost += 1
            self._later(heard_seconds, self._events.append, WorkerLost(worker, "taken away by the simulation"))
            self._later(heard_seconds + self._rng.expovariate(1 / REPLACE_SECONDS), self._come)

    def _replace(self, worker: str) -> None:
        self._crew.pop(worker, None)
        self._events.append(WorkerLost(worker, "replaced after an error of the program"))
        self._come(checks=worker.startswith("check"))

    def _release(self, worker: str) -> None:
        self._crew.pop(worker, None)
        if not worker.startswith("check"):
            self._later(REPLACE_SECONDS, self._come)

    # Whoever speaks to the run

    def scale(self, workers: int) -> None:
        """The number of workers belongs to the history. Raises UsageError."""
        raise UsageError("the engine sim has the workers that it began with", "pause the run and resume it with others")

    def drain(self, worker: str) -> bool:
        """Who leaves belongs to the history. Raises UsageError."""
        raise UsageError(f"{worker} leaves when its history says so", "pause the run and resume it with others")

    def crew(self) -> list[dict[str, Any]]:
        """Who is there."""
        return [
            {"worker": worker, "pid": 0, "task": str(start.attempt.task) if start else "", "seconds": 0.0, "done": 0}
            for worker, start in self._crew.items()
        ]

    # Time

    def _wait(self, seconds: float) -> None:
        """Go to the next thing that happens, at most so far."""
        if self._cutting is not None and self._cutting.is_alive():
            self._cutting.join(0.001)
        if self._heap and self._heap[0][0] <= self._clock + seconds:
            self._in_vain = 0
            self._clock, _, what, about = heapq.heappop(self._heap)
            what(*about)
            return
        self._clock += seconds
        self._in_vain += 1
        if self._in_vain > IN_VAIN_MAX:
            raise RegrowError("the coordinator waits and nothing is under way", "please report this as a fault of regrow")
