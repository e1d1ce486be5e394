import random

import pytest

from regrow.coordinator.plan import Attempt, PhaseKey, Plan, Task
from regrow.program import Role, Roles
from regrow.simulation.meaning import random_meaning


def test_names_of_tasks_come_back() -> None:
    task = Task("docs", 12, 3)
    assert str(task) == "docs.12.3"
    assert Task.parse("docs.12.3") == task
    assert str(Attempt(task, 2)) == "docs.12.3.2"
    with pytest.raises(ValueError, match="unpack"):
        Task.parse("docs.12")


@pytest.mark.parametrize("seed", range(40))
def test_who_is_read_by_whom_is_the_exact_inverse_of_who_reads_whom(seed: int) -> None:
    plan = random_meaning(random.Random(seed)).plan
    phases = [key for round in range(plan.rounds) for key in plan.phases(round)]
    forth = {(read, reader) for reader in phases for read in plan.inputs(reader)}
    back = {(read, reader) for read in phases for reader in plan.read_by(read)}
    assert forth == back
    assert all(len(set(plan.inputs(key))) == len(plan.inputs(key)) for key in phases)


def test_what_is_read_is_the_newest_round_in_which_the_role_ran() -> None:
    plan = Plan(Roles(10, slow=Role(1, every=4), now=Role(2, reads={"slow": 0}), then=Role(2, reads={"slow": (0, -1)})))
    assert plan.inputs(PhaseKey("now", 7)) == (PhaseKey("slow", 4),)
    assert plan.inputs(PhaseKey("then", 8)) == (PhaseKey("slow", 4), PhaseKey("slow", 8))
    assert plan.inputs(PhaseKey("then", 0)) == (PhaseKey("slow", 0),)


def test_states_go_from_run_to_run_of_a_role_and_not_beyond_the_program() -> None:
    plan = Plan(Roles(10, slow=Role(1, every=4)))
    assert plan.previous(PhaseKey("slow", 0)) is None
    assert plan.previous(PhaseKey("slow", 8)) == PhaseKey("slow", 4)
    assert plan.following(PhaseKey("slow", 4)) == PhaseKey("slow", 8)
    assert plan.following(PhaseKey("slow", 8)) is None


def test_a_role_that_runs_last_reads_the_last_round_whichever_that_is() -> None:
    plan = Plan(Roles(10, docs=Role(2, every=3), end=Role(1, when="last", reads={"docs": 0})))
    assert plan.inputs(PhaseKey("end", 5)) == (PhaseKey("docs", 3),)
    assert plan.read_by(PhaseKey("docs", 3)) == ()
    assert plan.phases(3) == [PhaseKey("docs", 3)]
