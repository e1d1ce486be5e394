"""The lock of a run: one coordinator at a time. The kernel releases it when its holder ends, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path

from regrow.errors import UsageError

__all__ = ["Lock", "is_lock", "is_locked"]

TRIES, LOOKED_AT_TRIES = 10, 500
"""So often it is tried while somebody has it, who may be about to end; and while others only look."""
PAUSE_SECONDS = 0.02


class Lock:
    """flock on RUN/lock, through a descriptor that no child inherits: a living orphan must not hold it."""

    def __init__(self, run: Path) -> None:
        """Take the lock. Raises UsageError if another process has it."""
        self._descriptor = os.open(run / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if not _taken(self._descriptor):
            holder = os.pread(self._descriptor, 32, 0).decode(errors="replace").strip()
            os.close(self._descriptor)
            raise UsageError(
                f"{run} is running already (process {holder or 'unknown'})",
                f"watch it with: regrow status {run}; or end that process first",
            )
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let go."""
        os.close(self._descriptor)


def _taken(descriptor: int) -> bool:
    """Take the lock, in spite of those who take it for a moment to see whether it is free: on a busy machine a moment may be long."""
    held = 0
    for _ in range(LOOKED_AT_TRIES):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        held += not _only_looked_at(descriptor)
        if held == TRIES:
            return False
        time.sleep(PAUSE_SECONDS)
    return False


def _only_looked_at(descriptor: int) -> bool:
    """Whether nobody has the lock for good."""
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        return True
    return False


def is_lock(run: Path) -> bool:
    """Whether RUN/lock was written by a lock: it is empty, or holds the number of a process."""
    content = (run / "lock").read_bytes()[:32]
    return not content or content.strip().isdigit()


def is_locked(run: Path) -> bool:
    """Whether a coordinator works on a run now."""
    try:
        descriptor = os.open(run / "lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
