"""What an engine tells the coordinator. Facts as values; nothing here is a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from regrow.coordinator.plan import Attempt, Task

__all__ = [
    "ArtifactsLost",
    "AttemptDone",
    "AttemptFailed",
    "CutFailed",
    "CutMade",
    "Event",
    "Receipt",
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


@dataclass(frozen=True, slots=True)
class WorkerDraining:
    """A worker will be taken away: it finishes what it does, and gets nothing more."""

    worker: str
    cause: str = ""


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """A worker is gone for good. `crashed`: by a fault of what it ran (a signal such as SIGSEGV, a non-zero exit)."""

    worker: str
    cause: str
    crashed: bool = False


@dataclass(frozen=True, slots=True)
class AttemptDone:
    """An attempt has written its artifact."""

    worker: str
    attempt: Attempt
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class AttemptFailed:
    """An attempt ended without an artifact.

    kind        "program": the task raised; "data": it refused the user's data; "environment": no room, no permission;
                "inputs": artifacts that it reads are missing or broken (they are named in `lost`); "handed back": it was not begun, or
                given up, because its worker leaves
    """

    worker: str
    attempt: Attempt
    kind: Literal["program", "data", "environment", "inputs", "handed back"]
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
class StopAsked:
    """Somebody wants the run to pause."""

    cause: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


Event = WorkerJoined | WorkerDraining | WorkerLost | AttemptDone | AttemptFailed | ArtifactsLost | CutMade | CutFailed | StopAsked | Tick
