"""The torture itself: a seed is a history, one that goes well ends with the same bytes, one that fails says how to repeat it."""

from __future__ import annotations

from pathlib import Path

import pytest

from torture.__main__ import one
from torture.faults import ENDS, KINDS, LIVE, STEPS, draw
from torture.history import History

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_a_seed_is_a_history() -> None:
    assert draw(7) == draw(7)
    assert draw(7) != draw(8)
    drawn = [fault for seed in range(200) for fault in draw(seed).faults]
    assert {fault.kind for fault in drawn} == set(KINDS)
    assert {fault.crash.partition(":")[0] for fault in drawn} >= set(STEPS)
    assert any(fault.full_at for fault in drawn)


@pytest.mark.parametrize("kind", [*LIVE, *ENDS])
def test_every_fault_has_somebody_who_does_it(kind: str) -> None:
    assert callable(getattr(History, "_" + kind.replace(" ", "_")))


@pytest.mark.slow
@pytest.mark.processes
def test_a_history_that_fails_says_how_to_repeat_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data.csv").write_text("".join(f"{i % 7},{i % 11}\n" for i in range(20_000)))
    words = ["run", f"{EXAMPLES}/kmeans.py:KMeans", str(tmp_path / "data.csv"), "--set", "k=3"]
    assert not one(3, "k-means", words, "another digest", tmp_path / "history")
    out = capsys.readouterr().out
    assert "the digest is" in out
    assert out.splitlines()[-1] == "repeat it with: make torture SEED=3 HISTORIES=1 PROGRAM=k-means"
