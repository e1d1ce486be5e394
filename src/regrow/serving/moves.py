"""What is told to the hedging machine, and what it asks for.

A request is a number that is used once; an attempt is a number within its request. So an answer that comes late needs no state of its
own: it is already decided. Times are seconds of any clock that only goes forward.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "Abandoned",
    "Action",
    "Answered",
    "Asked",
    "Cancel",
    "Event",
    "Failed",
    "Joined",
    "Left",
    "Lost",
    "Start",
    "Wake",
    "Woken",
    "Won",
]


# What happened


@dataclass(frozen=True, slots=True)
class Joined:
    """A replica can be asked. host: where it runs, if that is known: attempts of one request avoid a common one."""

    replica: str
    host: str = ""


@dataclass(frozen=True, slots=True)
class Left:
    """A replica is not to be asked any more. What it was asked is not cancelled by that."""

    replica: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A request begins.

    deadline    when an answer is worth nothing any more
    units       how much there is to do, in any unit: words, rows
    among       the replicas that can answer it; None: all
    """

    request: int
    deadline: float
    units: float = 1.0
    among: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """An attempt has an answer."""

    request: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Failed:
    """An attempt has failed. stop: the replica asks that nobody else be tried."""

    request: int
    attempt: int
    cause: str = ""
    stop: bool = False


@dataclass(frozen=True, slots=True)
class Woken:
    """The time of the newest `Wake` of a request has come."""

    request: int


@dataclass(frozen=True, slots=True)
class Abandoned:
    """Whoever asked does not wait any more."""

    request: int


Event = Joined | Left | Asked | Answered | Failed | Woken | Abandoned


# What is to be done


@dataclass(frozen=True, slots=True)
class Start:
    """Ask this replica."""

    request: int
    attempt: int
    replica: str
    why: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """Nobody waits for this attempt any more."""

    request: int
    attempt: int
    why: str


@dataclass(frozen=True, slots=True)
class Wake:
    """Say `Woken` at this time; it replaces the one before."""

    request: int
    at: float


@dataclass(frozen=True, slots=True)
class Won:
    """The request is answered, by this attempt."""

    request: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Lost:
    """The request has no answer. late: its deadline has passed."""

    request: int
    why: str
    late: bool = False


Action = Start | Cancel | Wake | Won | Lost
