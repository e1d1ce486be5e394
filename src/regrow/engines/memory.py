"""How much memory the processes of a run hold: the sum of their proportional set sizes (PSS), which counts shared pages once."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

__all__ = ["MemoryWatch", "pss_bytes"]

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
    """The highest sampled sum over this process and others, minus the same processes before the first task."""

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
