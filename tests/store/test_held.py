"""States that are held in memory: nobody can tell them from those that lie in artifacts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from regrow.coordinator.events import Receipt
from regrow.coordinator.plan import Attempt, Task
from regrow.packed import strings
from regrow.program import Outputs
from regrow.store import held
from regrow.store.artifact import BrokenArtifact, State, fold, write_artifact
from regrow.store.directory import Directory
from regrow.store.held import HeldStates

ROWS = 6


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    made = Directory(tmp_path)
    made.begin_epoch()
    return made


class Worker:
    """Runs rounds of one partition: round 0 keeps a state, each later one changes two rows of one of its arrays."""

    def __init__(self, directory: Directory) -> None:
        self.directory, self.held = directory, HeldStates()

    def run(self, round: int, chain: tuple[int, ...], number: int = 1, *, commit: bool = True) -> Receipt:
        task = Task("work", round, 0)
        made = Attempt(task, number)
        if round == 0:
            state = {"a": np.zeros((ROWS, 2)), "b": np.arange(3), "words": strings(["x", "yz"])}
            outputs = Outputs(state=dict(state))
        else:
            rows = np.array([round % ROWS, (round + 2) % ROWS])
            before = self.held.take(self.directory.open, "work", 0, chain)
            outputs = Outputs(state={"a": before.view()["a"][rows] + round}, rows=rows)
            outputs.messages["work", 0] = {"seen": before.view()["a"]}  # a view of the state: what it was before the task
        receipt, after = write_artifact(self.directory.attempt_path(made), task, outputs, chain, lambda: before if round else State())
        if after is not None:
            self.held.put(task, receipt, after)
        if commit:
            assert self.directory.commit(made, receipt.digest)
        return receipt


def test_a_state_that_is_held_makes_the_same_artifacts_as_one_that_is_read(tmp_path: Path) -> None:
    digests = []
    for place, fresh in (("held", False), ("read", True)):
        directory = Directory(tmp_path / place)
        directory.begin_epoch()
        worker, chain, own = Worker(directory), (), []
        for round in range(40):
            receipt = (Worker(directory) if fresh else worker).run(round, chain)
            chain = receipt.chain
            own.append(receipt)
        digests.append([receipt.digest for receipt in own])
        assert len(worker.held._held) == (0 if fresh else 1)
    assert digests[0] == digests[1]


def test_what_others_did_meanwhile_is_added(directory: Directory) -> None:
    one, other, chain = Worker(directory), Worker(directory), ()
    for round in range(12):
        chain = (one if round < 3 or round > 8 else other).run(round, chain).chain
    state = one.held.take(directory.open, "work", 0, chain)
    assert np.array_equal(state.arrays["a"], fold(directory.open, "work", 0, chain).arrays["a"])


def test_a_state_is_not_used_where_another_artifact_was_committed(directory: Directory) -> None:
    worker, chain = Worker(directory), ()
    for round in range(3):
        chain = worker.run(round, chain).chain
    state = worker.held.take(directory.open, "work", 0, chain)
    state.change(np.array([0]), {"a": np.full((1, 2), 99.0)})
    worker.held.put(Task("work", 2, 0), Receipt("0" * 32, chain, False, False, {}), state)
    assert not (worker.held.take(directory.open, "work", 0, chain).arrays["a"] == 99).any()


def test_an_attempt_that_fails_leaves_nothing_behind(directory: Directory) -> None:
    worker, chain = Worker(directory), ()
    for round in range(3):
        chain = worker.run(round, chain).chain
    expected = fold(directory.open, "work", 0, chain).arrays["a"].copy()  # type: ignore[union-attr]
    worker.held.take(directory.open, "work", 0, chain)  # and then it fails
    assert np.array_equal(worker.held.take(directory.open, "work", 0, chain).arrays["a"], expected)


def test_a_discarded_attempt_is_not_gone_on_from_before_it_is_committed(directory: Directory) -> None:
    worker, chain = Worker(directory), ()
    for round in range(3):
        chain = worker.run(round, chain).chain
    after = worker.run(3, chain, commit=False).chain
    with pytest.raises(BrokenArtifact):
        worker.held.take(directory.open, "work", 0, after)
    other = Worker(directory)
    assert other.run(3, chain, 2).chain == after
    assert np.array_equal(
        worker.held.take(directory.open, "work", 0, after).arrays["a"], fold(directory.open, "work", 0, after).arrays["a"]
    )


def test_a_program_cannot_write_into_what_is_held(directory: Directory) -> None:
    worker, chain = Worker(directory), ()
    for round in range(3):
        chain = worker.run(round, chain).chain
    seen = worker.held.take(directory.open, "work", 0, chain).view()
    with pytest.raises(ValueError, match="read-only"):
        seen["a"][0] = 1


def test_no_more_is_held_than_there_is_room_for(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "HELD_BYTES_MAX", 10)
    worker, chain = Worker(directory), ()
    for round in range(3):
        chain = worker.run(round, chain).chain
    assert not worker.held._held


@pytest.mark.parametrize("shape", [(), (1,), (2, 1), (1, 2, 2), (3,), (0,)])
@pytest.mark.parametrize("kind", [np.uint8, np.float16, np.float32, np.float64])
def test_changed_rows_are_those_and_no_others(shape: tuple[int, ...], kind: Any) -> None:
    chance = np.random.default_rng(1)
    before = chance.integers(0, 255, (7, *shape)).astype(kind)
    for rows in (np.array([1, 4, 6]), np.array([0], np.int32), np.empty(0, np.int64)):
        state, value = State({"a": before}), chance.integers(0, 255, (len(rows), *shape)).astype(kind)
        state.change(rows, {"a": value})
        expected = before.copy()
        expected[rows] = value
        assert np.array_equal(state.arrays["a"], expected)
