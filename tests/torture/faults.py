"""What may happen to a run, and when: a list of faults, drawn from a seed. Each waits for a point in the run, never for a time."""

from __future__ import annotations

import random
from dataclasses import dataclass

from regrow import crash

__all__ = ["KINDS", "Fault", "Plan", "draw"]

LIVE = {
    "kill a worker": 5,
    "kill all workers": 2,
    "freeze a worker": 1,
    "freeze a worker for a moment": 2,
    "notice to a worker": 3,
    "kill the fork server": 2,
    "scale up": 2,
    "scale to none and back": 2,
    "join": 2,
    "drain": 2,
    "a second coordinator": 1,
    "remove artifacts": 2,
    "cut artifacts short": 1,
    "flip bits in artifacts": 2,
    "remove prepared data": 1,
    "freeze the coordinator for a moment": 1,
}
"""Faults that the run survives as it goes -> how often."""
ENDS = {
    "kill the coordinator": 3,
    "kill everything": 2,
    "stop": 1,
    "SIGTERM": 2,
    "lose power": 2,
}
"""Faults after which somebody resumes the run -> how often."""
RESTS = ("nothing", "nothing", "move", "copy", "remove artifacts", "flip bits in artifacts", "another boot")
"""What happens before somebody does."""
KINDS = (*LIVE, *ENDS)

STEPS = sorted(name for name in crash.POINTS if name.startswith(("commit-l", "commit-d", "cut", "record", "forget", "restore-r", "epoch")))


@dataclass(frozen=True, slots=True)
class Fault:
    """One of them: when so many more phases are recorded, what, which of those that it may hit, and what then."""

    phases: int
    kind: str
    which: float
    rest: str = "nothing"
    crash: str = ""
    """A named step at which the coordinator that resumes stops dead, too."""
    full_at: int = 0
    """The link of a file at which the disk is full for the coordinator that resumes."""

    def __str__(self) -> str:
        more = [f"then {self.rest}" * (self.rest != "nothing"), f"crash at {self.crash}" * bool(self.crash)]
        more.append(f"no room at link {self.full_at}" * bool(self.full_at))
        return f"+{self.phases}: {self.kind}" + "".join(f", {text}" for text in more if text)


@dataclass(frozen=True, slots=True)
class Plan:
    """One history."""

    seed: int
    workers: int
    durable_every: float
    faults: tuple[Fault, ...]


def draw(seed: int) -> Plan:
    """The history of a seed."""
    chance = random.Random(seed)
    faults = []
    for _ in range(chance.randint(8, 16)):
        ends = chance.random() < 0.25
        [kind] = chance.choices(list(ENDS if ends else LIVE), list((ENDS if ends else LIVE).values()))
        rest = chance.choice(RESTS) if ends else "nothing"
        step = f"{chance.choice(STEPS)}:{chance.randint(1, 4)}" if ends and chance.random() < 0.4 else ""
        full = chance.randint(1, 30) if ends and not step and chance.random() < 0.2 else 0
        faults.append(Fault(chance.randint(0, 9), kind, chance.random(), rest, step, full))
    return Plan(seed, chance.choice([1, 2, 2, 3, 4]), chance.choice([0.1, 0.3, 1.0]), tuple(faults))
