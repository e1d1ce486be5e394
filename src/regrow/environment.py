"""In what a process runs, as far as results could depend on it: told when a worker joins, and named when attempts differ."""

from __future__ import annotations

import os
import platform
from functools import cache
from importlib.metadata import version

__all__ = ["VERSIONS", "environment"]

PACKAGES = ("regrow", "numpy", "numba")
VERSIONS = ("python", *PACKAGES)
"""What must be the same in all processes of a run; that the CPU is, is checked by comparing what they make."""


@cache
def environment() -> dict[str, str]:
    """Versions, the CPU for which kernels are compiled, and the hash seed."""
    from llvmlite.binding import get_host_cpu_name

    found = {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
    found["CPU"] = os.environ.get("NUMBA_CPU_NAME") or get_host_cpu_name()
    found["hash seed"] = os.environ.get("PYTHONHASHSEED", "random")
    return found
