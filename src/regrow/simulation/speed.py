"""How long the coordinator thinks about an event, in CPU time: who else is on the machine does not count."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from regrow.coordinator.actions import Action
from regrow.coordinator.events import Event
from regrow.coordinator.machine import Machine
from regrow.coordinator.plan import Plan
from regrow.program import Role, Roles
from regrow.simulation.luck import Luck
from regrow.simulation.meaning import Meaning
from regrow.simulation.world import World

__all__ = ["Timed", "measure"]


class Timed(Machine):
    """A coordinator that is watched while it thinks."""

    seconds = 0.0
    events = 0
    longest = 0.0

    def handle(self, event: Event, now: float) -> list[Action]:
        """As the coordinator does."""
        began = time.process_time()
        actions = super().handle(event, now)
        spent = time.process_time() - began
        self.seconds += spent
        self.events += 1
        self.longest = max(self.longest, spent)
        return actions


def measure(*, workers: int, partitions: int, rounds: int, accidents: int = 20) -> str:
    """Two roles that read each other, with states, while workers are lost."""
    roles: Mapping[str, Any] = {
        "docs": Role(partitions, reads={"words": -1}),
        "words": Role(partitions, reads={"docs": 0}),
    }
    meaning = Meaning(Plan(Roles(rounds, **roles)), {"docs": (1.0, 0.0), "words": (0.2, 0.5)}, frozenset({"words"}))
    luck = Luck(accidents=accidents, kinds=("worker",), verify=True, slow=0.001, machines=-(-workers // 8))
    world = World(1, meaning, luck, workers=workers, machine=Timed)
    world.run()
    machine = world.machine
    assert isinstance(machine, Timed)
    each = 1e6 * machine.seconds / machine.events
    return (
        f"{workers:,} workers, {2 * partitions:,} partitions x {rounds} rounds: {machine.events:,} events, "
        f"{each:.1f} microseconds per event, the longest {1e3 * machine.longest:.1f} milliseconds"
    )
