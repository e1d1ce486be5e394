"""Making files durable: what `fsync` returned for survives a loss of power."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["sync", "sync_all"]


def sync(path: Path) -> None:
    """Make the content of a file, or the names in a folder, durable. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_all(path: Path) -> None:
    """Make a file durable, or a folder with everything in it; one that is not there is nothing to be made so."""
    if path.is_dir():
        for entry in path.iterdir():
            sync_all(entry)
    if path.exists():
        sync(path)
