"""States that a process still has in memory since it ran the last tasks of their partitions.

A state that changes by rows lies in a chain of artifacts, and folding them again for every task costs more than most tasks. Whoever made
the last of them has what comes of it. Nobody may notice: what is held is a state after an artifact, known by its digest, and it is used
only where the committed artifact of that task has the same digest; if others have been made on top of it since, their changes are added. It
is taken out for a task and put back as the state after it, when all is written: an attempt that fails leaves nothing behind.
"""

from __future__ import annotations

from dataclasses import dataclass

from regrow.coordinator.events import Receipt
from regrow.coordinator.plan import Task
from regrow.store.artifact import CHAIN_MAX, BrokenArtifact, Open, State, fold
from regrow.store.container import Broken

__all__ = ["HELD_BYTES_MAX", "HeldStates"]

HELD_BYTES_MAX = 1 << 28
"""A process holds no more than this; partitions for which there is no room are folded from artifacts."""


@dataclass(frozen=True, slots=True)
class _Held:
    chain: tuple[int, ...]
    digest: str
    state: State


class HeldStates:
    """The states of partitions, by role and index."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, int], _Held] = {}

    def take(self, open_artifact: Open, role: str, partition: int, chain: tuple[int, ...]) -> State:
        """The state that lies in a chain of artifacts. Of what is held nothing stays here. Raises BrokenArtifact."""
        held = self._held.pop((role, partition), None)
        if held is None or chain[: len(held.chain)] != held.chain or not _same(open_artifact, Task(role, held.chain[-1], partition), held):
            return fold(open_artifact, role, partition, chain)
        return fold(open_artifact, role, partition, chain[len(held.chain) :], held.state)

    def put(self, task: Task, receipt: Receipt, state: State) -> None:
        """Hold the state after a task, if there is room."""
        for key in [key for key, held in self._held.items() if key[0] == task.role and held.chain[-1] < task.round - CHAIN_MAX]:
            del self._held[key]  # by now it has been written whole again: nobody goes on from this
        if sum(held.state.bytes for held in self._held.values()) + state.bytes <= HELD_BYTES_MAX:
            state.let_go()
            self._held[task.role, task.partition] = _Held(receipt.chain, receipt.digest, state)


def _same(open_artifact: Open, last: Task, held: _Held) -> bool:
    """Whether what was committed as the last task of a chain is what the state was held after."""
    try:
        return open_artifact(last).digest == held.digest
    except Broken as broken:
        raise BrokenArtifact(last, str(broken)) from None
