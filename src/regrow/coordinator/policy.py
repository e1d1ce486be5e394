"""Small decisions as pure functions; each returns what it decided and why. The why goes into the story of the run."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Limits", "Pace", "backup_due", "failed_for_good", "pick_worker"]


@dataclass(frozen=True, slots=True)
class Limits:
    """The numbers that decisions depend on."""

    run_ahead_rounds: int = 2
    """How many rounds may be open beyond the oldest unfinished one: bounds what is kept."""
    cut_every_seconds: float = 10.0
    application_failures_max: int = 2
    backup_elapsed_seconds_min: float = 0.5
    """Tasks shorter than this are never worth a second attempt."""
    backup_share: float = 0.05
    stop_wait_seconds: float = 5.0
    checker_wait_seconds: float = 10.0
    """How long a run that has nothing else to do waits for a worker that checks, before any worker may."""


class Pace:
    """How long the recent attempts of one role took, in seconds."""

    def __init__(self, kept: int = 99) -> None:
        self._recent: deque[float] = deque(maxlen=kept)
        self._ordered: list[float] | None = None

    def add(self, seconds: float) -> None:
        """Note one attempt that came to its end."""
        self._recent.append(seconds)
        self._ordered = None

    def quantile(self, share: float) -> float | None:
        """The share-quantile of the recent durations; None before there are five."""
        if len(self._recent) < 5:
            return None
        if self._ordered is None:
            self._ordered = sorted(self._recent)
        return self._ordered[min(len(self._ordered) - 1, int(share * len(self._ordered)))]


def backup_due(elapsed: float, pace: Pace, backups: int, slots: int, limits: Limits) -> tuple[bool, str]:
    """Whether a second attempt of a slow task pays (MapReduce, section 3.6).

    elapsed: seconds since the attempt began; backups: backup attempts that run now; slots: workers in all.
    """
    median, tail = pace.quantile(0.5), pace.quantile(0.95)
    if median is None or tail is None:
        return False, "too few attempts to know the pace"
    allowed = max(1, int(limits.backup_share * slots))
    if backups >= allowed:
        return False, f"{backups} backup attempts run already"
    due = max(tail, 1.5 * median, limits.backup_elapsed_seconds_min)
    if elapsed <= due:
        return False, "within the usual time"
    return True, f"runs for {elapsed:.2f} s, the usual time is {median:.2f} s"


def pick_worker(idle: Mapping[str, float], avoid: Collection[str], losses: int) -> tuple[str | None, str]:
    """Which idle worker (name -> time it joined, oldest wait first) takes a task that was lost `losses` times.

    A task that was lost twice goes to the longest-lived worker: that one is the least likely to be taken next.
    """
    if not avoid and losses < 2:
        return next(iter(idle), None), "first to be idle"
    usable = [worker for worker in idle if worker not in avoid]
    if not usable:
        return None, "every idle worker has failed at this task"
    if losses < 2:
        return usable[0], "first to be idle that has not failed at it"
    return min(usable, key=lambda worker: (idle[worker], worker)), f"lost {losses} times: the longest-lived worker"


def failed_for_good(causes: Sequence[str], limits: Limits) -> tuple[bool, str]:
    """Whether a task that raised on these occasions is given up. Losses of workers are not among them: they cost nothing."""
    if len(causes) < limits.application_failures_max:
        return False, "once more, in another process"
    return True, f"failed {len(causes)} times in different processes"
