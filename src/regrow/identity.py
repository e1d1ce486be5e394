"""What a run is: if any of this differs, it is another run, and its artifacts must not be mixed.

Workers, engine, memory and losses are not in it: they may change whenever a run is resumed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from regrow.job import Job
from regrow.program import Program, Roles
from regrow.rng import GENERATOR
from regrow.sources import source_files
from regrow.store.dataset import Dataset

__all__ = ["difference", "identity_of"]


def identity_of(job: Job, dataset: Dataset, program: Program, roles: Roles) -> dict[str, Any]:
    """The identity of a run of a job on a dataset."""
    return {
        "program": job.program.name,
        "sources": _sources(job),
        "versions": {name: version(name) for name in ("regrow", "numpy", "numba")},
        "parameters": program.parameters(),
        "seed": job.seed,
        "data": dataset.digest,
        "partitions": {name: role.partitions for name, role in roles.items()},
        "rounds": roles.rounds,
        "generator": GENERATOR,
    }


def _sources(job: Job) -> dict[str, str]:
    """SHA-256 of the program's file, and of those that belong to it: copied into the run with it, or of the same package."""
    file = job.program.source()
    if file is None:
        return {}
    files = sorted(source_files(file) if job.program.is_file else file.parent.rglob("*.py"))
    return {str(path.relative_to(file.parent)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def difference(then: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """One line for each thing that differs."""
    lines = []
    for name in sorted({*then, *now}):
        old, new = then.get(name), now.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            lines += difference(old, new, f"{prefix}{name}.")
        elif old != new:
            lines.append(f"{prefix}{name}: was {_short(old)}, is {_short(new)}")
    return lines


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 24 else text[:20] + "..."


def source_name(path: Path) -> str:
    """The name under which a program's file is kept in the run."""
    return f"program/{path.name}"
