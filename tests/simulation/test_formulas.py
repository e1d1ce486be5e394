"""Each published formula against a simulation of what it assumes, at three sizes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from regrow.simulation.formulas import RATES, SYSTEMS, Assumptions, checkpointed, daly_interval, restart_all, stretched_wave

HOUR = 3600.0
GIVEN = Assumptions()
SIZES = [100, 1_000, 10_000]
BY_NAME = {system.name: system for system in SYSTEMS}


def segments(rng: np.random.Generator, losses: float, length: float, restart: float, count: int) -> float:
    """The mean time to get through so many uninterrupted seconds; after a loss everybody restarts first."""
    total = 0.0
    for _ in range(count):
        need = length
        while (life := rng.exponential(1 / losses)) < need:
            total += life
            need = restart + length
        total += need
    return total / count


def waves(
    rng: np.random.Generator, processes: int, per_second: float, seconds: float, extra: Callable[[float], float], count: int
) -> float:
    """The mean time until all processes have done their task; what the loss at a moment adds is for `extra` to say."""
    total = 0.0
    for _ in range(count):
        lives = rng.exponential(1 / per_second, size=processes)
        total += seconds + max((extra(life) for life in lives[lives < seconds]), default=0.0)
    return total / count


@pytest.mark.parametrize("processes", [30, 100, 200])
def test_beginning_anew_after_each_loss(processes: int) -> None:
    losses = processes * RATES["lecture"] / HOUR
    found = segments(np.random.default_rng(1), losses, GIVEN.job_seconds, GIVEN.restart_seconds, 4_000)
    assert restart_all(losses, GIVEN.job_seconds, GIVEN.restart_seconds) == pytest.approx(found, rel=0.06)
    assert BY_NAME["MPI"].goodput(losses, GIVEN) == pytest.approx(GIVEN.job_seconds / found, rel=0.06)


@pytest.mark.parametrize("processes", SIZES)
@pytest.mark.parametrize("system", ["MPI + checkpoints", "Pregel"])
def test_checkpoints_at_the_best_interval(system: str, processes: int) -> None:
    losses = processes * RATES["lecture"] / HOUR
    checkpoint = GIVEN.checkpoint_seconds if system != "Pregel" else GIVEN.message_checkpoint_seconds
    interval = daly_interval(losses, checkpoint)
    found = interval / segments(np.random.default_rng(2), losses, interval + checkpoint, GIVEN.restart_seconds, 3_000)
    assert BY_NAME[system].goodput(losses, GIVEN) == pytest.approx(found, rel=0.06)
    for other in (0.5 * interval, 2 * interval):
        there = other / segments(np.random.default_rng(2), losses, other + checkpoint, GIVEN.restart_seconds, 3_000)
        assert there <= 1.06 * found, "another interval is better than the best one"


@pytest.mark.parametrize("processes", SIZES)
def test_a_wave_of_tasks_of_which_some_are_lost(processes: int) -> None:
    per_second, pause = RATES["lecture"] / HOUR, GIVEN.detect_seconds + GIVEN.fetch_seconds
    seconds = GIVEN.superstep_seconds
    found = waves(np.random.default_rng(3), processes, per_second, seconds, lambda life: life + pause, 1_500)
    assert stretched_wave(processes * per_second, seconds, pause) == pytest.approx(found, rel=0.02)
    through_storage = 2 * GIVEN.checkpoint_seconds
    assert BY_NAME["MapReduce"].goodput(processes * per_second, GIVEN) == pytest.approx(seconds / (found + through_storage), rel=0.02)


@pytest.mark.parametrize("processes", SIZES)
def test_a_barrier_at_which_all_wait_for_what_was_lost(processes: int) -> None:
    per_second, seconds = RATES["lecture"] / HOUR, GIVEN.superstep_seconds
    pause = GIVEN.detect_seconds + GIVEN.fetch_seconds + GIVEN.redo_seconds
    found = waves(np.random.default_rng(4), processes, per_second, seconds, lambda life: pause, 1_500)
    assert BY_NAME["Spark"].goodput(processes * per_second, GIVEN) == pytest.approx(seconds / found, rel=0.02)


def test_the_figures_of_the_lecture() -> None:
    losses = 10_000 * RATES["lecture"] / HOUR
    assert BY_NAME["MPI + checkpoints"].goodput(losses, GIVEN) == pytest.approx(0.18, abs=0.005)
    assert BY_NAME["Pregel"].goodput(losses, GIVEN) == pytest.approx(0.058, abs=0.005)
    assert BY_NAME["Spark"].goodput(losses, GIVEN) == pytest.approx(0.93, abs=0.005)
    assert BY_NAME["MPI"].goodput(losses, GIVEN) < 1e-50


def test_pregel_fails_where_messages_do_not_fit() -> None:
    assert BY_NAME["Pregel"].goodput(1e-9, Assumptions(message_bytes=31e9)) == 0.0
    assert BY_NAME["Pregel"].goodput(1e-9, Assumptions(message_bytes=29e9)) > 0.9


def test_a_checkpoint_that_takes_longer_than_lives_ends_nowhere() -> None:
    assert daly_interval(1 / 100, 300.0) == 100.0
    assert checkpointed(1.0, 300.0, 300.0) == 0.0
