"""How much memory the processes of a run hold, whether that is too much, and whether the kernel killed somebody for it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable

__all__ = ["MemoryBudget", "MemoryKills", "MemoryWatch", "pss_bytes"]

SAMPLE_SECONDS = 0.5
SHARE = 0.005
"""Looking takes at most this share of the time: the kernel walks all pages of a process for it."""


def pss_bytes(pid: int) -> int:
    """The proportional set size of a process; 0 if it is gone or the system does not tell."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            for line in file:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return 0


class MemoryWatch:
    """The highest sampled sum over this process and others, minus the same processes before the first task.

    Of proportional set sizes (PSS), which count shared pages once.
    """

    def __init__(self) -> None:
        self.peak_bytes = 0
        self._idle_bytes = 0
        self._next = 0.0

    def idle(self, pids: Iterable[int]) -> None:
        """Take the level before any work, if it was not taken yet."""
        if not self._idle_bytes:
            self._idle_bytes = self._sum(pids)

    def sample(self, pids: Iterable[int], now: float) -> None:
        """Look, if it is time to."""
        if now >= self._next and self._idle_bytes:
            began = time.thread_time()
            self.peak_bytes = max(self.peak_bytes, self._sum(pids) - self._idle_bytes)
            self._next = now + max(SAMPLE_SECONDS, (time.thread_time() - began) / SHARE)

    @staticmethod
    def _sum(pids: Iterable[int]) -> int:
        return sum(pss_bytes(pid) for pid in (os.getpid(), *pids))


LATELY_SECONDS = 2.0
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class MemoryKills:
    """Whether the kernel has killed a process for memory lately: it counts them for the whole machine (/proc/vmstat)."""

    def __init__(self) -> None:
        self._seen = _oom_kills()
        self._last = float("-inf")

    def look(self, now: float) -> None:
        """Look at the counter."""
        kills = _oom_kills()
        if kills > self._seen:
            self._seen, self._last = kills, now

    def lately(self, now: float) -> bool:
        """Whether somebody was killed for memory in the last two seconds."""
        self.look(now)
        return now - self._last < LATELY_SECONDS

    @staticmethod
    def figures() -> str:
        """How much memory there is."""
        found = {}
        with contextlib.suppress(OSError, ValueError), open("/proc/meminfo") as file:
            for line in file:
                name, _, rest = line.partition(":")
                found[name] = int(rest.split()[0]) * 1024
        return f"the machine has {found.get('MemTotal', 0) / 1e9:.1f} GB, {found.get('MemAvailable', 0) / 1e9:.1f} GB of it free now"


def _oom_kills() -> int:
    with contextlib.suppress(OSError, ValueError), open("/proc/vmstat") as file:
        for line in file:
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


class MemoryBudget:
    """What tasks have taken: memory of the workers' own, beyond what each had when it joined.

    bytes_max   what all together may take; None: whatever the machine gives
    """

    def __init__(self, bytes_max: int | None) -> None:
        self.bytes_max = bytes_max
        self._workers: dict[str, tuple[int, int]] = {}
        """Worker -> pid, bytes when it joined."""
        self._taken: dict[str, int] = {}

    def joined(self, worker: str, pid: int) -> None:
        """A worker is ready and has done nothing yet."""
        self._workers[worker] = (pid, own_bytes(pid))

    def left(self, worker: str) -> None:
        """A worker is gone."""
        self._workers.pop(worker, None)

    def too_large(self) -> tuple[str, str] | None:
        """The largest worker, and the figures, if all together have taken too much."""
        self._taken = {worker: max(0, own_bytes(pid) - before) for worker, (pid, before) in self._workers.items()}
        total = sum(self._taken.values())
        if self.bytes_max is None or total <= self.bytes_max:
            return None
        worst = max(self._taken, key=lambda worker: self._taken[worker])
        held = f"{self._taken[worst] / 1e6:,.0f} MB of {total / 1e6:,.0f} MB taken by {len(self._taken)} workers"
        return worst, f"killed for memory: it held {held}, --memory-max is {self.bytes_max / 1e6:,.0f} MB"

    def taken(self, worker: str) -> int:
        """What a worker's tasks had taken when it was seen last; 0 if it was gone before anybody looked."""
        return self._taken.get(worker, 0)

    def figures(self, worker: str) -> str:
        """What a worker had taken when it was seen last."""
        return f"; it held {self._taken[worker] / 1e6:,.0f} MB when seen last" if worker in self._taken else ""


def own_bytes(pid: int) -> int:
    """The memory that a process has to itself, as good as: resident, and no file. 0 if it is gone."""
    try:
        with open(f"/proc/{pid}/statm") as file:
            _, resident, shared, *_ = file.read().split()
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(shared)) * PAGE_BYTES
