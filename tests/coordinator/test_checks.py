"""Who only checks stays until there is nothing left to check, and leaves then."""

from __future__ import annotations

import pytest

from regrow.coordinator.actions import Action, Finish, Forget, Release, Start
from regrow.coordinator.events import AttemptDone, Receipt, WorkerJoined
from regrow.coordinator.machine import Machine
from regrow.coordinator.plan import Plan
from regrow.program import Role, Roles


def played(rounds: int) -> list[Action]:
    """All actions of a run in which every attempt is answered at once, in order."""
    machine = Machine(Plan(Roles(rounds, work=Role(2), end=Role(1, when="last", reads={"work": 0}))))
    todo = [*machine.begin(0.0), *machine.handle(WorkerJoined("worker"), 0.0), *machine.handle(WorkerJoined("check", checks=True), 0.0)]
    seen = []
    while todo:
        action = todo.pop(0)
        seen.append(action)
        if isinstance(action, Start):
            todo += machine.handle(AttemptDone(action.worker, action.attempt, Receipt(str(action.attempt.task), holds=True)), 1.0)
    return seen


@pytest.mark.parametrize("rounds", [1, 2])
def test_a_run_that_ends_early_has_its_last_roles_checked_too(rounds: int) -> None:
    actions = played(rounds)
    checked = [action.attempt.task.role for action in actions if isinstance(action, Start) and action.worker == "check"]
    assert "end" in checked
    assert isinstance(actions[-1], Finish)
    assert not any(isinstance(action, Release) for action in actions)


def test_a_checker_leaves_when_nothing_is_left_to_check() -> None:
    actions = played(5)
    [released] = [place for place, action in enumerate(actions) if isinstance(action, Release)]
    assert not any(isinstance(action, Start) and action.worker == "check" for action in actions[released:])
    assert isinstance(actions[-1], Finish)


def test_what_is_yet_to_be_repeated_is_not_forgotten() -> None:
    """Workers run far ahead of a checker that is slow: what attempts that differ put out can still be compared."""
    machine = Machine(Plan(Roles(6, work=Role(3, reads={"work": -1}))))
    todo = [*machine.begin(0.0), *machine.handle(WorkerJoined("worker"), 0.0), *machine.handle(WorkerJoined("check", checks=True), 0.0)]
    forgotten, late = set[str](), list[Start]()
    while todo or late:
        if not todo:
            assert not {f"work.{round}.1" for round in (0, 1)} & forgotten
            return
        action = todo.pop(0)
        if isinstance(action, Forget):
            forgotten |= {str(task) for task in action.tasks}
        if isinstance(action, Start) and action.worker == "check":
            late.append(action)
        elif isinstance(action, Start):
            todo += machine.handle(AttemptDone(action.worker, action.attempt, Receipt(str(action.attempt.task), holds=True)), 1.0)
    raise AssertionError("nothing was repeated")
