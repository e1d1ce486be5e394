"""What a large world keeps account of."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Tally"]


@dataclass(slots=True)
class Tally:
    """What happened."""

    events: int = 0
    attempts: int = 0
    commits: int = 0
    workers_lost: int = 0
    machines_lost: int = 0
    zones_lost: int = 0
    frozen: int = 0
    notices: int = 0
    copies_again: int = 0
    artifacts_lost: int = 0
    coordinators_lost: int = 0
    powers_lost: int = 0
    disputes: int = 0
    """Attempts that differed, of which the coordinator knew: it failed, and was resumed."""
    cuts: int = 0
    late_answers: int = 0
    scans: int = 0
    useful_seconds: float = 0.0
    """Of computing that was committed."""
    committed_seconds: float = 0.0
    """Of attempts that were committed, moving things included."""
    spent_seconds: float = 0.0
    paid_seconds: float = 0.0
    task_bytes_max: float = 0.0
