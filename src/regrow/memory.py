"""How much memory this machine gives: what it has, or the limit of the container that this process is in."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["memory_bytes"]

CGROUPS = Path("/sys/fs/cgroup")


def memory_bytes(cgroups: Path = CGROUPS, own: Path = Path("/proc/self/cgroup")) -> int:
    """What all processes here may take together, in bytes. cgroups, own: where the kernel shows limits (cgroups(7)), and whose are ours."""
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([there, *_limits(cgroups, own)])


def _limits(cgroups: Path, own: Path) -> list[int]:
    """The limits of our cgroup and of those around it: version 2 (memory.max) and 1 (a tree of its own)."""
    found = []
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        root, name = (cgroups / "memory", "memory.limit_in_bytes") if controllers else (cgroups, "memory.max")
        inner = root / path.strip("/")
        for folder in (inner, *inner.parents):
            if folder.is_relative_to(root):
                found += _limit(folder / name)
    return found


def _limit(file: Path) -> list[int]:
    """What a file says, if there is one and it says a number."""
    try:
        return [int(file.read_text())]
    except (OSError, ValueError):  # "max"
        return []
