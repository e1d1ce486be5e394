"""What the host of a worker is told of a stage: all that it needs to run tasks of a job, also on a machine that has none of its files."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from regrow.job import Job
from regrow.sources import source_files

__all__ = ["Far", "briefing"]


@dataclass(frozen=True, slots=True)
class Far:
    """Where a host on another machine than the run's reads what it has not: the address of the coordinator's server, and the token."""

    coordinator: str
    token: str


def briefing(job: Job, stage: str, far: Far | None) -> dict[str, Any]:
    """The first line of a stage (see `host`). far: None for a host on the machine on which the run's directory lies."""
    content = job.to_json()
    files: dict[str, str] = {}
    if far is not None:
        content["far"] = {**asdict(far), "epoch": stage}
        if job.program.is_file:
            place = Path(job.program.place)
            files = {str(path.relative_to(place.parent)): path.read_text() for path in source_files(place)}
    described = "" if far is None else (job.data / "dataset.json").read_text()
    return {"job": content, "stage": stage, "epoch": stage, "here": far is None, "files": files, "dataset": described}
