"""What published formulas say of other systems: the share of the time that is progress, while processes are lost.

Each is checked against a Monte Carlo simulation of the same assumptions (`tests/simulation/test_formulas.py`). Symbols: N processes, each
lost at rate r; the job loses one at rate L = N r, and lives M = 1 / L between two losses. Losses are independent, replacements instant.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

__all__ = ["RATES", "SYSTEMS", "Assumptions", "System", "daly_interval"]

RATES: Mapping[str, float] = {
    "H100 cluster": 2.0e-5,
    "lecture": 1.2e-3,
    "Google 2004": 0.043,
    "spot": 0.24,
}
"""Losses per process-hour: Llama 3 on 16,384 GPUs, 419 interrupts in 54 days; one of 10,000 in five minutes; 1.2 worker deaths in a job of
157 machines and 634 s (MapReduce, OSDI 2004, table 1); AWS p3.2xlarge in us-west-2c, August 2023 (skypilot-org/spot-traces)."""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What every system is assumed to do and to cost. Seconds, and bytes of one process."""

    job_seconds: float = 36_000.0
    """How long the job takes when nothing is lost."""
    superstep_seconds: float = 60.0
    """Between two barriers; and what one task of regrow takes."""
    state_bytes: float = 4e9
    message_bytes: float = 16e9
    """In flight in one superstep."""
    memory_bytes: float = 64e9
    storage_bandwidth: float = 4e9 / 60
    """Of durable storage, for each process: state is written in a minute."""
    restart_seconds: float = 300.0
    """To get all processes going again, and to load."""
    detect_seconds: float = 5.0
    fetch_seconds: float = 10.0
    """For a replacement to be ready: program, inputs."""
    redo_seconds: float = 10.0
    """Of a lost task, split among many (lineage)."""
    regrow_detect_seconds: float = 1.0
    regrow_commit_seconds: float = 0.2
    """What a worker waits for a commit; the second copy is sent while it computes on."""

    @property
    def checkpoint_seconds(self) -> float:
        """To write the state of all."""
        return self.state_bytes / self.storage_bandwidth

    @property
    def message_checkpoint_seconds(self) -> float:
        """To write the state and all messages in flight."""
        return (self.state_bytes + self.message_bytes) / self.storage_bandwidth


def restart_all(losses: float, work: float, restart: float) -> float:
    """E[T] of a job that begins anew after each loss: e^(L R) (e^(L W) - 1) / L (Daly 2006, one segment, no checkpoint)."""
    exponent = losses * (work + restart)
    return math.inf if exponent > 600 else math.exp(losses * restart) * math.expm1(losses * work) / losses


def daly_interval(losses: float, checkpoint: float) -> float:
    """The time between two checkpoints that is best: Daly 2006, equation 37; M if a checkpoint takes longer than 2 M."""
    mean = 1 / losses
    if checkpoint >= 2 * mean:
        return mean
    part = math.sqrt(checkpoint / (2 * mean))
    return math.sqrt(2 * checkpoint * mean) * (1 + part / 3 + part * part / 9) - checkpoint


def checkpointed(losses: float, checkpoint: float, restart: float) -> float:
    """Goodput with checkpoints: W / E[T], E[T] = (W / t) e^(L R) (e^(L (t + d)) - 1) / L (Daly 2006, equation 20, at his best t)."""
    interval = daly_interval(losses, checkpoint)
    exponent = losses * (interval + checkpoint + restart)
    return 0.0 if exponent > 600 else interval * losses * math.exp(-losses * restart) / math.expm1(losses * (interval + checkpoint))


def stretched_wave(losses: float, seconds: float, pause: float) -> float:
    """E[T] of a wave of tasks of so many seconds at whose end all wait: the last loss in it, at u, ends it at u + pause + seconds.

    E[max u] = t - (1 - e^(-L t)) / L; a task that is lost again while it is redone is left out.
    """
    some = -math.expm1(-losses * seconds)
    return seconds + pause * some + seconds - some / losses


def _mpi(losses: float, given: Assumptions) -> float:
    return given.job_seconds / restart_all(losses, given.job_seconds, given.restart_seconds)


def _mpi_checkpoints(losses: float, given: Assumptions) -> float:
    return checkpointed(losses, given.checkpoint_seconds, given.restart_seconds)


def _mapreduce(losses: float, given: Assumptions) -> float:
    pause = given.detect_seconds + given.fetch_seconds
    through_storage = 2 * given.checkpoint_seconds
    return given.superstep_seconds / (stretched_wave(losses, given.superstep_seconds, pause) + through_storage)


def _pregel(losses: float, given: Assumptions) -> float:
    if given.state_bytes + 2 * given.message_bytes > given.memory_bytes:
        return 0.0
    return checkpointed(losses, given.message_checkpoint_seconds, given.restart_seconds)


def _spark(losses: float, given: Assumptions) -> float:
    some = -math.expm1(-losses * given.superstep_seconds)
    return 1 / (1 + some * (given.detect_seconds + given.fetch_seconds + given.redo_seconds) / given.superstep_seconds)


@dataclass(frozen=True, slots=True)
class System:
    """A way to survive losses: what it does, who has published the formula, and the formula: (losses a second, ...) -> goodput."""

    name: str
    does: str
    source: str
    goodput: Callable[[float, Assumptions], float]


SYSTEMS = (
    System("MPI", "everybody begins anew after each loss", "Daly 2006 with one segment", _mpi),
    System(
        "MPI + checkpoints",
        "everybody writes state at the best interval, and goes back to it",
        "Young 1974; Daly 2006, equations 20 and 37",
        _mpi_checkpoints,
    ),
    System(
        "MapReduce",
        "a lost task is redone while all wait; the state goes out to storage and back in every superstep",
        "Dean and Ghemawat 2004, sections 3.3 and 3.4; the last of the losses in a wave",
        _mapreduce,
    ),
    System(
        "Pregel",
        "as MPI with checkpoints, of state and messages; fails if state, incoming and outgoing messages exceed the memory",
        "Malewicz et al. 2010, section 4.2; Daly 2006",
        _pregel,
    ),
    System(
        "Spark",
        "a lost task is redone by many, from lineage, while all wait at the barrier",
        "Zaharia et al. 2012, section 5; one pause for each superstep with a loss",
        _spark,
    ),
)
