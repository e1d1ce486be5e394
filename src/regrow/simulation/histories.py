"""Histories from seeds: what the program is, how many workers there are, and how much goes wrong."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from regrow.coordinator.machine import Machine
from regrow.coordinator.policy import Limits
from regrow.simulation.broken import Broken
from regrow.simulation.luck import Luck
from regrow.simulation.meaning import random_meaning
from regrow.simulation.world import World

__all__ = ["history", "run_seed"]


def history(seed: int, *, machine: Callable[..., Machine] = Machine, trace: Callable[[str], None] | None = None) -> World:
    """The world of a seed."""
    rng = random.Random(seed)
    meaning = random_meaning(rng, partitions_max=rng.choice([4, 6, 6, 40]), rounds_max=rng.choice([4, 14, 40]))
    tasks = sorted(meaning.expected())
    if rng.random() < 0.3:
        meaning.raises.update((task, 1) for task in rng.sample(tasks, k=min(len(tasks), 3)))
    if rng.random() < 0.1:
        role = rng.choice(meaning.plan.always)
        rounds = [round for round in range(meaning.plan.rounds) if meaning.plan.newest(role, round) == round]
        meaning.raises[rng.choice(meaning.plan.tasks(type(meaning.plan.phases(0)[0])(role, rng.choice(rounds))))] = 2
    quiet = rng.random() < 0.15
    kinds = Luck().kinds
    if rng.random() < 0.3:
        kinds = ("worker", "drain", "all workers", "coordinator", "stop")
    luck = Luck(
        accidents=0 if quiet else rng.randint(1, 40),
        accident_seconds=rng.choice([0.7, 2.0, 6.0]),
        slow=rng.choice([0.0, 0.1]),
        frozen=0.0 if quiet else rng.choice([0.0, 0.05]),
        spoilt_commit=0.0 if quiet or "artifacts" not in kinds else rng.choice([0.0, 0.01]),
        cut_fails=0.0 if quiet else rng.choice([0.0, 0.3]),
        cut_seconds=rng.choice([0.05, 1.0, 6.0]),
        power=0.0 if "artifacts" not in kinds else rng.choice([0.0, 0.5]),
        kinds=kinds,
        verify=rng.random() < 0.7,
        checkers=rng.choice([0, 1, 1, 1]),
    )
    limits = Limits(cut_every_seconds=rng.choice([0.0, 0.5, 2.0, 6.0]), run_ahead_rounds=rng.choice([1, 2, 2, 4]))
    workers = rng.choice([1, 2, 3, 5, 8, 100])
    luck = replace(luck, machines=rng.choice([0, 2, 3]))  # drawn last: what else is in the history of a seed stays
    return World(seed, meaning, luck, workers=workers, limits=limits, machine=machine, trace=trace)


def run_seed(seed: int, *, machine: Callable[..., Machine] = Machine) -> World:
    """Run one history to its end. What goes wrong names the seed and how to repeat it."""
    world = history(seed, machine=machine)
    try:
        world.run()
    except Exception as why:
        raise Broken(f"{type(why).__name__}: {why}\nrepeat it with: python -m regrow.simulation {seed}") from why
    return world
