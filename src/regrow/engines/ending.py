"""What a process of ours owes to the one that started it: to end with it, and to be the first to go when memory is short."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from pathlib import Path

__all__ = ["be_killed_first", "die_with"]

_PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """Let the kernel kill this process when its parent ends; leave at once if that has happened already."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


def be_killed_first() -> None:
    """Where there is no memory left, the kernel is to take a worker, not the coordinator or the fork server."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")
