"""What a made-up program means: every artifact is a digest of what its task has read, so that a wrong input shows.

The expected digests are computed here by going through the rounds in order: no workers, no coordinator, nothing that can be lost.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b

from regrow.coordinator.events import Receipt
from regrow.coordinator.plan import PhaseKey, Plan, Task
from regrow.program import LAST, Role, Roles

__all__ = ["Meaning", "digest_of", "random_meaning"]

NEVER = 10**9


def digest_of(*parts: object) -> int:
    """A hash of these values."""
    return int.from_bytes(blake2b(repr(parts).encode(), digest_size=8).digest(), "big")


@dataclass(slots=True)
class Meaning:
    """A program as far as the coordinator can tell one from another.

    keeps       role -> how often its tasks put out (a whole state, a delta on it); else the state is unchanged
    holds       roles that give results
    stops       role -> rounds in which it says that the run ends
    raises      task -> how many times it raises before it goes well
    """

    plan: Plan
    keeps: dict[str, tuple[float, float]] = field(default_factory=dict)
    holds: frozenset[str] = frozenset()
    stops: dict[str, frozenset[int]] = field(default_factory=dict)
    raises: dict[Task, int] = field(default_factory=dict)

    @property
    def end(self) -> int:
        """The last round."""
        said = [round for role, rounds in self.stops.items() for round in rounds if self.plan.newest(role, round) == round]
        return min([self.plan.rounds - 1, *said])

    def run(self, task: Task, inbox: Iterable[object], state: Iterable[int], chain: tuple[int, ...]) -> Receipt:
        """What a task puts out; chain: where the state lies from which it goes on."""
        whole, delta = self.keeps.get(task.role, (0.0, 0.0))
        drawn = digest_of("state", task) / 2**64
        if drawn < whole:
            chain = (task.round,)
        elif drawn < whole + delta:
            chain = (*chain, task.round)
        stop = task.round in self.stops.get(task.role, ())
        return Receipt(
            f"{digest_of(task, tuple(inbox), tuple(state)):016x}",
            chain,
            task.role in self.holds,
            stop,
            {"tasks": 1, "sum": digest_of(task) % 97},
        )

    def expected(self) -> dict[Task, Receipt]:
        """What every task puts out, rounds after the last one left out."""
        made: dict[Task, Receipt] = {}
        sums: dict[PhaseKey, tuple[int, int]] = {}
        waiting = [key for round in range(self.end + 1) for key in _in_order(self.plan, self.plan.phases(round))]
        for key in waiting + _in_order(self.plan, [PhaseKey(role, self.end) for role in self.plan.last]):
            inbox: list[object] = [sums[read] for read in self.plan.inputs(key)]
            inbox += [self._state_of(made, owner) for owner in _owners(self.plan, key)]
            before = self.plan.previous(key)
            for task in self.plan.tasks(key):
                chain = made[Task(before.role, before.round, task.partition)].chain if before else ()
                state = [int(made[Task(task.role, round, task.partition)].digest, 16) for round in chain]
                made[task] = self.run(task, inbox, state, chain)
            digests = [int(made[task].digest, 16) for task in self.plan.tasks(key)]
            sums[key] = (len(digests), sum(digests))
        return made

    @staticmethod
    def _state_of(made: dict[Task, Receipt], owner: Task) -> tuple[int, ...]:
        return tuple(int(made[Task(owner.role, round, owner.partition)].digest, 16) for round in made[owner].chain)


def _owners(plan: Plan, key: PhaseKey) -> list[Task]:
    """The tasks after which a phase reads the states."""
    return [owner for role in plan.roles[key.role].states for owner in plan.tasks(PhaseKey(role, plan.newest(role, key.round)))]


def _in_order(plan: Plan, keys: list[PhaseKey]) -> list[PhaseKey]:
    """Phases of one round, each after those that it reads."""
    done: list[PhaseKey] = []
    left = list(keys)
    while left:
        free = [key for key in left if not set(plan.inputs(key)) & set(left)]
        owned = [
            key
            for key in free
            if not {plan.newest(role, key.round) for role in plan.roles[key.role].states if PhaseKey(role, key.round) in left}
        ]
        done += owned
        left = [key for key in left if key not in owned]
    return done


def random_meaning(rng: random.Random, *, partitions_max: int = 6, rounds_max: int = 14) -> Meaning:
    """A program of one to four roles and up to two that run last, which read each other in every way that is allowed."""
    rounds = rng.randint(1, rounds_max)
    names = [f"role{i}" for i in range(rng.randint(1, 4))]
    roles: dict[str, Role] = {}
    for place, name in enumerate(names):
        reads: dict[str, int | tuple[int, ...]] = {}
        for other_place, other in enumerate(names):
            if rng.random() < 0.45:
                offset = rng.randrange(3) if other_place < place else 0
                reads[other] = (-1, 0, (0, -1))[offset]
        every = rng.choice([1, 1, 1, 1, 2, 3, 4])
        roles[name] = Role(rng.choice([1, rng.randint(1, partitions_max)]), reads=reads, every=every)
    for place in range(rng.choice([0, 0, 1, 2])):
        others = [*names, *(f"last{i}" for i in range(place))]
        roles[f"last{place}"] = Role(
            rng.randint(1, 3),
            when=LAST,
            reads=dict.fromkeys((other for other in others if rng.random() < 0.4), 0),
            states=tuple(other for other in names if rng.random() < 0.4),
        )
    plan = Plan(Roles(rounds, **roles))
    keeps = {name: rng.choice([(1.0, 0.0), (0.0, 0.0), (0.3, 0.3), (0.1, 0.8), (0.2, 0.0)]) for name in names}
    holds = frozenset(name for name in roles if roles[name].when == LAST or rng.random() < 0.4)
    stops = {}
    if plan.stoppers and rng.random() < 0.5:
        stops[rng.choice(plan.stoppers)] = frozenset(rng.sample(range(rounds), k=min(rounds, rng.randint(1, 3))))
    return Meaning(plan, keeps, holds, stops)
