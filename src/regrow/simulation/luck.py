"""How much goes wrong in a world, and what happened in it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Counts", "Luck"]


@dataclass(frozen=True, slots=True)
class Luck:
    """How much goes wrong.

    accidents           how many accidents happen in all; afterwards the world is quiet, so that an end is due
    accident_seconds    the mean time between two
    slow, frozen        the share of attempts that take ten times as long; that freeze and answer long after they are given up
    spoilt_commit       the share of attempts whose file is gone when it is committed
    cut_fails           the share of cuts that cannot be made
    power               the share of losses of the coordinator that are losses of power
    kinds               the kinds of accidents, as often as each is named
    verify, checkers    whether the coordinator repeats tasks, and how many workers there are for that
    machines            on so many machines the workers are, in turn; 0: nobody says where
    """

    accidents: int = 0
    accident_seconds: float = 4.0
    slow: float = 0.0
    frozen: float = 0.0
    spoilt_commit: float = 0.0
    cut_fails: float = 0.0
    cut_seconds: float = 0.5
    power: float = 0.5
    kinds: tuple[str, ...] = (*("worker",) * 3, "drain", "all workers", *("artifacts",) * 2, "coordinator", "stop", "environment")
    verify: bool = True
    checkers: int = 1
    machines: int = 0


@dataclass(slots=True)
class Counts:
    """What happened."""

    events: int = 0
    actions: int = 0
    commits: int = 0
    restarts: int = 0
    losses: int = 0
    accidents: int = 0
    cuts: int = 0
    unready_starts: int = 0
