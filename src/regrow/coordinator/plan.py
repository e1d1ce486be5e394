"""Which task reads what, which comes next: arithmetic on roles and rounds, without any state.

A phase is all the tasks of one role in one round. Completeness is counted by phase, never by message, so that 10^5
partitions that all talk to each other cost 10^5 counts and not 10^10.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import repeat
from typing import NamedTuple, cast

from regrow.program import LAST, Roles

__all__ = ["Attempt", "PhaseKey", "Plan", "Task"]


class Task(NamedTuple):
    """One partition of a role in one round. Its artifact has this name too."""

    role: str
    round: int
    partition: int

    def __str__(self) -> str:
        return f"{self.role}.{self.round}.{self.partition}"

    @staticmethod
    def parse(text: str) -> Task:
        """The task of a name such as "docs.12.3"; raises ValueError for other texts."""
        role, round, partition = text.split(".")
        return Task(role, int(round), int(partition))


class Attempt(NamedTuple):
    """The n-th try of a task by this coordinator. Never reused, so a late answer needs no states of its own."""

    task: Task
    number: int

    def __str__(self) -> str:
        return f"{self.task}.{self.number}"


class PhaseKey(NamedTuple):
    """A role in a round."""

    role: str
    round: int


_new_task = cast(Callable[[tuple[str, int, int]], Task], partial(tuple.__new__, Task))
"""A Task of a tuple, as Task._make makes it, but at the pace of C: phases of 10^5 tasks are named in one go."""


class Plan:
    """What a program's roles say about the order of its tasks."""

    def __init__(self, roles: Roles) -> None:
        self.roles = roles
        self.rounds = roles.rounds
        self.sizes = {name: role.partitions for name, role in roles.items()}
        self.states = {name: role.states for name, role in roles.items()}
        self.always = tuple(name for name, role in roles.items() if role.when != LAST)
        self.last = tuple(name for name, role in roles.items() if role.when == LAST)
        self.order = {name: place for place, name in enumerate(roles)}
        self.stoppers = tuple(name for name in self.always if roles[name].partitions == 1)
        """Roles that may end the run: those of one partition."""
        self.readers = {name: tuple(reader for reader, role in roles.items() if name in role.reads) for name in roles}
        self.read_at_end = frozenset(name for role in self.last for name in (*roles[role].reads, *roles[role].states))
        """Roles whose newest artifacts the roles that run last read: messages, or the receipt that says where the state lies."""
        self.inputs = cache(self._inputs)
        self.read_by = cache(self._read_by)

    def tasks(self, phase: PhaseKey) -> list[Task]:
        """All tasks of a phase."""
        return list(self.each_task(phase))

    def each_task(self, phase: PhaseKey) -> Iterator[Task]:
        """All tasks of a phase, one after the other."""
        return map(_new_task, zip(repeat(phase.role), repeat(phase.round), range(self.sizes[phase.role])))

    def newest(self, role: str, round: int) -> int:
        """The newest round <= round in which the role runs; -1 if there is none. A role that runs last has run in the final round."""
        if round < 0 or self.roles[role].when == LAST:
            return round
        return round - round % self.roles[role].every

    def phases(self, round: int) -> list[PhaseKey]:
        """The phases that run in a round, those that run last left out."""
        return [PhaseKey(name, round) for name in self.always if self.newest(name, round) == round]

    def previous(self, phase: PhaseKey) -> PhaseKey | None:
        """The phase whose state this one goes on from."""
        if self.roles[phase.role].when == LAST or phase.round == 0:
            return None
        return PhaseKey(phase.role, phase.round - self.roles[phase.role].every)

    def following(self, phase: PhaseKey) -> PhaseKey | None:
        """The phase that goes on from this one's state, if the program has as many rounds."""
        after = phase.round + self.roles[phase.role].every
        return PhaseKey(phase.role, after) if self.roles[phase.role].when != LAST and after < self.rounds else None

    def _inputs(self, phase: PhaseKey) -> tuple[PhaseKey, ...]:
        """The phases whose messages a phase reads."""
        role = self.roles[phase.role]
        read = [(other, self.newest(other, phase.round + offset)) for other in role.reads for offset in role.offsets(other)]
        return tuple(dict.fromkeys(PhaseKey(other, round) for other, round in read if round >= 0))

    def _read_by(self, phase: PhaseKey) -> tuple[PhaseKey, ...]:
        """The phases of numbered rounds that read a phase's messages (those that run last are not among them)."""
        found: dict[PhaseKey, None] = {}
        for reader in self.readers[phase.role]:
            role = self.roles[reader]
            if role.when == LAST:
                continue
            for offset in role.offsets(phase.role):
                first = phase.round - offset
                for round in range(first, min(first + self.roles[phase.role].every, self.rounds)):
                    if self.newest(reader, round) == round:
                        found[PhaseKey(reader, round)] = None
        return tuple(found)
