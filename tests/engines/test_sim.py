"""A real program in virtual time: whatever happens to the workers, the bytes are those of a quiet run."""

from __future__ import annotations

import pytest

from conftest import Runs, reference_digest
from regrow.coordinator.crew import Crew
from regrow.errors import UsageError
from regrow.spec import How


@pytest.mark.parametrize("lose_seconds", [2.0, 0.4])
@pytest.mark.parametrize("workers", [1, 7])
def test_a_real_program_in_a_simulated_world_ends_with_the_same_bytes(runs: Runs, workers: int, lose_seconds: float) -> None:
    summary = runs.begin("Ring", how=How("sim", workers, preempt=lose_seconds, durable_every=3.0), rounds=12, kept=5)
    assert summary["digest"] == reference_digest("Ring", rounds=12, kept=5)
    assert summary["workers_lost"] > 3
    assert runs.told("task redone")


def test_one_history_is_one_history(runs: Runs) -> None:
    stories = []
    for name in ("first", "second"):
        runs.begin("Ring", run=name, how=How("sim", 4, preempt=1.0, durable_every=0), rounds=6)
        stories.append([(line["task"], line["worker"]) for line in runs.told("task redone", name)])
    assert stories[0] == stories[1] != []


def test_the_workers_are_on_several_machines(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    found: set[str] = set()
    join = Crew.join

    def watched(crew: Crew, worker: str, now: float, *, checks: bool, machine: str = "") -> None:
        found.add(machine)
        join(crew, worker, now, checks=checks, machine=machine)

    monkeypatch.setattr(Crew, "join", watched)
    runs.begin("Ring", how=How("sim", 6), rounds=2)
    assert len(found) == 3
    assert "" not in found


def test_the_crew_of_a_history_is_not_to_be_changed() -> None:
    engine = How("sim", 3).make_engine()
    for what in (lambda: engine.scale(4), lambda: engine.drain("sim-1")):
        with pytest.raises(UsageError, match=r"history|began with"):
            what()
