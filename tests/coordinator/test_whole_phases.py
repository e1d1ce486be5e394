"""What is decided for a whole phase at once is what would be decided task by task."""

from __future__ import annotations

import heapq

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regrow.coordinator import opening
from regrow.coordinator.chains import Chains
from regrow.coordinator.ledger import Ledger
from regrow.coordinator.losses import want
from regrow.coordinator.plan import PhaseKey, Plan, Task
from regrow.coordinator.queue import Queue
from regrow.coordinator.retention import Retention
from regrow.program import Role, Roles
from regrow.simulation.histories import history


@pytest.mark.parametrize("seed", range(12))
def test_a_history_is_the_same_task_by_task(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[list[str]] = [[], []]
    history(seed, trace=told[0].append).run()
    monkeypatch.setattr(Ledger, "all_can_start", lambda self, phase: False)
    monkeypatch.setattr(Retention, "_alone", lambda self, key: False)
    monkeypatch.setattr(opening, "want_phase", lambda ledger, key: want(ledger, ledger.plan.tasks(key)))
    history(seed, trace=told[1].append).run()
    assert told[0] == told[1]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), max_size=30))
def test_the_smallest_ready_partition_comes_first(asked: list[tuple[bool, int]]) -> None:
    ledger = Ledger(Plan(Roles(1, docs=Role(10))))
    ledger.open_phase(PhaseKey("docs", 0), standing=1)
    queue, twin = Queue(ledger, {}), list(range(10))
    queue.push_all(PhaseKey("docs", 0))
    for pushes, partition in asked:
        if pushes:
            queue.push(Task("docs", 0, partition))
            heapq.heappush(twin, partition)
        elif twin:
            found = queue.pop("anybody")
            assert found is not None
            assert found[1:] == (Task("docs", 0, heapq.heappop(twin)), ())
        assert queue.waiting == bool(twin)


def test_chains_are_shared_and_known_by_kind() -> None:
    chains = Chains(4)
    assert (chains[2], chains.complete, list(chains.known())) == (None, False, [])
    chains[2], chains[1] = (0, 3), (3,)
    assert list(chains.known()) == [(1, (3,)), (2, (0, 3))]
    assert (chains.beyond(3), chains.reach(0), chains.reach(1)) == (True, True, False)
    chains.fill(())
    assert (chains.complete, chains[0]) == (True, ())
