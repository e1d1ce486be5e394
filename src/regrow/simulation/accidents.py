"""Accidents: workers, artifacts, coordinators and power are taken away, one after the other or all at once."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Protocol

from regrow.coordinator.events import ArtifactsLost, AttemptFailed, Event, StopAsked, WorkerDraining, WorkerLost
from regrow.coordinator.machine import Machine
from regrow.simulation.disk import Disk
from regrow.simulation.luck import Counts, Luck

__all__ = ["happen", "take_drained"]


class World(Protocol):
    """What accidents hit."""

    rng: random.Random
    luck: Luck
    counts: Counts
    disk: Disk
    machine: Machine
    now: float
    epoch: int
    alive: dict[str, bool]
    drained: set[str]
    detect_seconds: float
    trace: Callable[[str], None] | None

    def send(self, seconds: float, event: Event) -> None:
        """Let the coordinator hear of something, later."""

    def later(self, seconds: float, kind: str, what: object) -> None:
        """Let something happen later."""

    def deliver(self, event: Event) -> None:
        """Let the coordinator hear of something now."""

    def lose_coordinator(self, *, power: bool) -> None:
        """The coordinator is lost, and with the power what was not durable."""


def _take(world: World, worker: str, cause: str) -> None:
    del world.alive[worker]
    world.send(world.rng.choice([0.0, 0.0, world.detect_seconds]), WorkerLost(worker, cause))


def take_drained(world: World, epoch: int, worker: str) -> None:
    """A drained worker is taken away, unless it is gone already."""
    if epoch == world.epoch and worker in world.alive:
        _take(world, worker, "taken away after its notice")


def happen(world: World, kind: str) -> None:
    """An accident of this kind, if there is anything that it can hit."""
    if world.trace:
        world.trace(f"{world.now:8.2f}  accident: {kind}")
    workers = sorted(world.alive)
    if kind == "worker" and workers:
        _take(world, world.rng.choice(workers), "killed")
    elif kind == "all workers":
        for worker in workers:
            _take(world, worker, "power of a rack")
    elif kind == "drain" and workers:
        worker = world.rng.choice(workers)
        world.deliver(WorkerDraining(worker))
        world.drained.add(worker)
        if world.rng.random() < 0.7:
            world.later(world.rng.uniform(0.2, 3), "taken", (world.epoch, worker))
    elif kind == "artifacts":
        _lose_artifacts(world)
    elif kind == "everything":
        _lose_all_but_cuts(world)
    elif kind == "coordinator":
        world.lose_coordinator(power=world.rng.random() < world.luck.power)
    elif kind == "stop":
        world.deliver(StopAsked("a signal"))
    elif kind == "environment" and world.machine.running:
        worker, run = world.rng.choice(list(world.machine.running.items()))
        if worker in world.alive:
            world.deliver(AttemptFailed(worker, run.attempt, "environment", "no space"))


def _lose_all_but_cuts(world: World) -> None:
    """All artifacts that no cut holds are deleted at once."""
    held = set().union(*(cut.tasks for cut in world.disk.cuts()))
    world.counts.losses += 1
    gone = world.disk.damage([task for task in sorted(world.disk.artifacts) if task not in held])
    world.send(0.0, ArtifactsLost(tuple(gone), "removed"))


def _lose_artifacts(world: World) -> None:
    there = sorted(world.disk.artifacts)
    if not there:
        return
    world.counts.losses += 1
    pinned = sorted(task for cut in world.disk.cuts() for task in cut.tasks if task in world.disk.artifacts)
    source = pinned if pinned and world.rng.random() < 0.3 else there
    gone = world.disk.damage(world.rng.sample(source, k=min(len(source), world.rng.choice([1, 1, 2, 5, len(source)]))))
    if world.rng.random() < 0.5:
        world.send(world.rng.choice([0.0, 1.0]), ArtifactsLost(tuple(gone), "removed"))
