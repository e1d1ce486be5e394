"""What an engine tells the coordinator. Facts as values; nothing here is a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from regrow.coordinator.plan import Attempt, Task
from regrow.coordinator.policy import Lost

__all__ = [
    "ArtifactsLost",
    "AttemptDone",
    "AttemptFailed",
    "CutFailed",
    "CutMade",
    "Event",
    "Receipt",
    "Saved",
    "StopAsked",
    "Tick",
    "WorkerDraining",
    "WorkerJoined",
    "WorkerLost",
]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the coordinator must know of an artifact, without reading it.

    digest      hash of its whole content
    chain       the rounds whose artifacts together hold the partition's state after this task
    holds       whether it has results
    stop        whether the task said that the run ends with this round
    metrics     the numbers that it reported
    """

    digest: str
    chain: tuple[int, ...] = ()
    holds: bool = False
    stop: bool = False
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WorkerJoined:
    """A worker is ready. One that `checks` only repeats tasks to see whether they come out the same."""

    worker: str
    checks: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    """What it runs in: versions, CPU, hash seed."""
    machine: str = ""
    """On which machine, where there are several: it says who does what, and changes nothing of what comes out."""


@dataclass(frozen=True, slots=True)
class WorkerDraining:
    """A worker will be taken away: it finishes what it does, and gets nothing more."""

    worker: str
    cause: str = ""
    notice_seconds: float | None = None
    """When it will be taken away; None: nobody said."""


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """A worker is gone for good; `kind` says what that means (see `policy.how_lost`)."""

    worker: str
    cause: str
    kind: Lost = "loss"
    held_bytes: int | None = None
    """What its tasks had taken when it was seen last; None: nobody knows."""


@dataclass(frozen=True, slots=True)
class AttemptDone:
    """An attempt has written its artifact."""

    worker: str
    attempt: Attempt
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class AttemptFailed:
    """An attempt ended without an artifact.

    kind        "program": the task raised; "data": it refused the user's data; "prepared": prepared data is lost or damaged;
                "environment": no room, no permission; "memory": no memory;
                "inputs": artifacts that it reads are missing or broken (they are named in `lost`); "handed back": it was not begun, or
                given up, because its worker leaves
    """

    worker: str
    attempt: Attempt
    kind: Literal["program", "data", "environment", "inputs", "handed back", "memory", "prepared"]
    cause: str
    lost: tuple[Task, ...] = ()


@dataclass(frozen=True, slots=True)
class ArtifactsLost:
    """Committed artifacts are missing or broken."""

    tasks: tuple[Task, ...]
    cause: str


@dataclass(frozen=True, slots=True)
class CutMade:
    """The cut of a round is durable."""

    round: int


@dataclass(frozen=True, slots=True)
class CutFailed:
    """The cut of a round could not be made durable."""

    round: int
    cause: str


@dataclass(frozen=True, slots=True)
class Saved:
    """What a run has is durable, as far as that could be done."""

    cause: str = ""


@dataclass(frozen=True, slots=True)
class StopAsked:
    """Somebody wants the run to pause."""

    cause: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


Event = (
    WorkerJoined
    | WorkerDraining
    | WorkerLost
    | AttemptDone
    | AttemptFailed
    | ArtifactsLost
    | CutMade
    | CutFailed
    | Saved
    | StopAsked
    | Tick
)
