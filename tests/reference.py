"""The computing model, run in memory in the plainest way: the slow twin of coordinator, store and engines.

Round by round, role by role in an order that respects same-round reads, partition by partition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from regrow import rng
from regrow.program import Data, Inputs, Message, Outputs, Partition, Program, Results, Role, Roles

Layouts = Mapping[str, Sequence[Mapping[str, Any]]]


class Reference:
    """A run of a program in memory. `run()` gives its results; `history` holds the outputs of every task."""

    def __init__(self, program: Program, layouts: Layouts, facts: Mapping[str, float] | None = None, seed: int = 1) -> None:
        self.program, self.layouts, self.seed = program, layouts, seed
        self.data = Data({name: len(parts) for name, parts in layouts.items()}, facts)
        self.roles: Roles = program.roles(self.data)
        self.history: dict[tuple[str, int, int], Outputs] = {}
        self.states: dict[tuple[str, int], dict[str, Any]] = {}

    def run(self) -> Results:
        end = self.roles.rounds - 1
        for round in range(self.roles.rounds):
            for name in self._order("always"):
                if round % self.roles[name].every == 0:
                    self._run_role(name, round)
            if any(out.stop for (_, at, _), out in self.history.items() if at == round):
                end = round
                break
        for name in self._order("last"):
            self._run_role(name, end)
        results = {
            name: [self.history[name, self._newest(name, end), i].results for i in range(role.partitions)]
            for name, role in self.roles.items()
        }
        return Results(results, self._metrics(end), end + 1)

    def metrics_of(self, round: int) -> dict[str, float]:
        """The metrics of the tasks of one round, added up in partition order."""
        return self._add_up([(name, round) for name, role in self.roles.items() if (name, round, 0) in self.history])

    def _metrics(self, end: int) -> dict[str, float]:
        return self._add_up([(name, self._newest(name, end)) for name in self.roles])

    def _add_up(self, phases: list[tuple[str, int]]) -> dict[str, float]:
        total: dict[str, float] = {}
        for name, round in phases:
            for i in range(self.roles[name].partitions):
                for key, value in self.history[name, round, i].metrics.items():
                    total[key] = total.get(key, 0) + value
        return total

    def _order(self, when: str) -> list[str]:
        left = [name for name, role in self.roles.items() if role.when == when]
        done: list[str] = []
        while left:
            name = next(n for n in left if not any(o in left for o in self.roles[n].reads if 0 in self.roles[n].offsets(o)))
            left.remove(name)
            done.append(name)
        return done

    def _newest(self, name: str, round: int) -> int:
        """The newest round <= round in which the role ran; -1 if there is none."""
        return round if self.roles[name].when == "last" else round - round % self.roles[name].every if round >= 0 else -1

    def _run_role(self, name: str, round: int) -> None:
        for index in range(self.roles[name].partitions):
            self._run_task(name, self.roles[name], round, index)

    def _run_task(self, name: str, role: Role, round: int, index: int) -> None:
        inputs = Inputs(
            fixed=lambda: self.layouts[role.data][role.part_of(index, round, len(self.layouts[role.data]))] if role.data else {},
            state=lambda: self.states.get((name, index), {}),
            messages=lambda other, offset: self._inbox(name, index, other, self._newest(other, round + offset)),
            states=lambda other: [self.states.get((other, i), {}) for i in range(self.roles[other].partitions)],
        )
        part = Partition(self.roles, name, index, round, lambda stream, later=0: rng.key_of(self.seed, name, stream, round + later), inputs)
        getattr(self.program, name)(part)
        self.history[name, round, index] = part.outputs
        self._apply_state(name, index, part.outputs)

    def _apply_state(self, name: str, index: int, out: Outputs) -> None:
        if out.state is None:
            return
        if out.rows is None:
            self.states[name, index] = dict(out.state)
            return
        state = {key: np.array(value) for key, value in self.states.get((name, index), {}).items()}
        for key, value in out.state.items():
            state[key][out.rows] = value
        self.states[name, index] = state

    def _inbox(self, reader: str, index: int, sender: str, round: int) -> list[Message]:
        if round < 0:
            return []
        messages = []
        for i in range(self.roles[sender].partitions):
            sent = self.history[sender, round, i].messages
            arrays = {**sent.get((reader, None), {}), **sent.get((reader, index), {})}
            if arrays:
                messages.append(Message(i, arrays))
        return messages
