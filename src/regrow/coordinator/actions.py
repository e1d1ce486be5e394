"""What the coordinator asks of an engine, in the order in which it must be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from regrow.coordinator.plan import Attempt, PhaseKey, Task

__all__ = [
    "Action",
    "Commit",
    "Discard",
    "DropCut",
    "Fail",
    "Finish",
    "Forget",
    "KeepAside",
    "MakeCut",
    "Pause",
    "Record",
    "Release",
    "Replace",
    "Save",
    "Start",
    "Tell",
]


@dataclass(frozen=True, slots=True)
class Start:
    """Let a worker try a task. `chain`: the rounds whose artifacts hold the state it goes on from."""

    worker: str
    attempt: Attempt
    chain: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Commit:
    """Publish what an attempt wrote as its task's artifact, if there is none yet."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Discard:
    """Throw away what an attempt wrote."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Record:
    """Note that a phase is complete: its metrics, added up in partition order, and what a resumed run must know of it."""

    phase: PhaseKey
    metrics: Mapping[str, float]
    stop: bool
    stateless: bool
    holds: bool


@dataclass(frozen=True, slots=True)
class Forget:
    """Delete artifacts that nobody will read, and what may be left of lost ones."""

    tasks: tuple[Task, ...]


@dataclass(frozen=True, slots=True)
class MakeCut:
    """Make these artifacts durable and write the cut's manifest; answer with CutMade or CutFailed."""

    round: int
    tasks: tuple[Task, ...]


@dataclass(frozen=True, slots=True)
class DropCut:
    """Remove a cut's manifest: the cut is no longer whole, or two newer ones are."""

    round: int


@dataclass(frozen=True, slots=True)
class Save:
    """Make everything durable that is committed, and the records; answer with Saved. A pause is about to follow."""


@dataclass(frozen=True, slots=True)
class KeepAside:
    """Keep what an attempt wrote (None: the artifact that is committed), made by this worker: attempts of this task differ."""

    task: Task
    attempt: Attempt | None
    worker: str


@dataclass(frozen=True, slots=True)
class Replace:
    """End a worker and start another in its place."""

    worker: str


@dataclass(frozen=True, slots=True)
class Release:
    """Let a worker go: one that only checks, and nothing is left to check; or one that drains and hands back what it is at."""

    worker: str


@dataclass(frozen=True, slots=True)
class Finish:
    """The run is over with this round; results are in the newest artifacts of its roles."""

    round: int


@dataclass(frozen=True, slots=True)
class Fail:
    """The run cannot go on. It stays resumable.

    task, who   of attempts that differ: whose they are, and whom to blame ("program", "environment", "machine")
    """

    kind: Literal["program", "data", "prepared", "nondeterministic"]
    reason: str
    task: Task | None = None
    who: str = ""


@dataclass(frozen=True, slots=True)
class Pause:
    """The run stops here and can be resumed."""

    reason: str


@dataclass(frozen=True, slots=True)
class Tell:
    """A line of the story of the run."""

    what: str
    facts: Mapping[str, Any] = field(default_factory=dict)


Action = (
    Start | Commit | Discard | KeepAside | Record | Release | Forget | MakeCut | DropCut | Save | Replace | Finish | Fail | Pause | Tell
)
