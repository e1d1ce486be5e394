from collections import Counter
from pathlib import Path

import pytest

from coordinator.rewrite import agree
from coordinator.stage import Stage
from regrow.coordinator.diagram import page
from regrow.coordinator.ledger import NAMES, PRESENT, TRANSITIONS, Ledger, Phase
from regrow.coordinator.plan import PhaseKey, Plan, Task
from regrow.program import Role, Roles
from regrow.simulation.histories import run_seed

TASK = Task("docs", 0, 0)
WHYS = sorted({why for _, why in TRANSITIONS})


def ledger_with(standing: int) -> Ledger:
    ledger = Ledger(Plan(Roles(1, docs=Role(1))))
    ledger.open_phase(PhaseKey("docs", 0), standing)
    return ledger


@pytest.mark.parametrize("why", WHYS)
@pytest.mark.parametrize("standing", range(len(NAMES)), ids=NAMES)
def test_a_task_moves_along_the_table_and_not_otherwise(standing: int, why: str) -> None:
    ledger = ledger_with(standing)
    if (standing, why) in TRANSITIONS:
        ledger.move(TASK, why)
        assert ledger.standing(TASK) == TRANSITIONS[standing, why]
    else:
        with pytest.raises(ValueError, match=f"docs.0.0 is {NAMES[standing]}: {why}"):
            ledger.move(TASK, why)
        assert ledger.standing(TASK) == standing


def test_every_row_of_the_table_is_used_in_the_histories_and_plays(monkeypatch: pytest.MonkeyPatch) -> None:
    fired: Counter[tuple[int, str]] = Counter()
    move_in = Ledger.move_in

    def watched(self: Ledger, phase: Phase, partition: int, why: str) -> None:
        fired[phase.standing[partition], why] += 1
        move_in(self, phase, partition, why)

    monkeypatch.setattr(Ledger, "move_in", watched)
    for seed in range(100):
        run_seed(seed)
    for play in ("lost_in_vain", "lost_in_vain_ready"):  # seldom in the histories
        Stage((Path(__file__).parent / "plays" / f"{play}.txt").read_text()).play()
    assert set(fired) == set(TRANSITIONS)


def test_an_artifact_that_exists_is_never_done_again_by_itself() -> None:
    assert {why for before, why in TRANSITIONS if before == PRESENT} == {"no longer needed", "artifact lost"}


def test_the_page_is_drawn_from_the_table() -> None:
    agree(Path(__file__).parents[2] / "docs" / "coordinator.md", page())
