"""One suite for all engines: they make the same artifacts, byte for byte, and tell the same kinds of errors apart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from conftest import Runs, reference_digest
from regrow.engines.fleet import leave
from regrow.errors import DataError, Paused, ProgramError
from regrow.spec import How
from regrow.store.container import Container

RAY = [
    pytest.mark.early(1),
    pytest.mark.processes,
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("ray") is None, reason="the engine ray is an extra: pip install 'regrow[ray]'"),
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"),
]
ENGINES = [
    pytest.param(How("inline"), id="inline"),
    pytest.param(How("sim", 5, verify=False), id="sim"),
    pytest.param(How("local", 2, verify=False), id="local", marks=pytest.mark.processes),
    pytest.param(How("ray", 2, verify=False), id="ray", marks=RAY),
]
each_engine = pytest.mark.parametrize("how", ENGINES)


@pytest.fixture(scope="module", autouse=True)
def one_ray() -> Iterator[None]:
    """Ray starts once for all tests here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(How, "leave", lambda how, failed=False: None)
        patch.setenv("RAY_AUTH_MODE", "disabled")
        yield
    if find_spec("ray") is not None:
        leave()


SHAPES: list[dict[str, Any]] = [{"rounds": 45, "kept": 21}, {"stop_after": 7}, {"rounds": 1, "partitions": 1}]


@each_engine
@pytest.mark.parametrize("shape", SHAPES, ids=["45-rounds", "stopped", "one-round"])
def test_a_run_ends_as_its_slow_twin_does(runs: Runs, how: How, shape: dict[str, Any]) -> None:
    summary = runs.begin("Ring", how=how, **shape)
    assert summary["digest"] == reference_digest("Ring", **shape)
    assert summary["rounds"] == (10 if "stop_after" in shape else shape["rounds"])
    assert all(round < summary["rounds"] for values in summary["history"].values() for round, _ in values)


def test_another_seed_is_another_model(runs: Runs) -> None:
    assert runs.begin("Ring", seed=2, rounds=3)["digest"] == reference_digest("Ring", seed=2, rounds=3)
    assert reference_digest("Ring", seed=2, rounds=3) != reference_digest("Ring", rounds=3)


@pytest.mark.processes
def test_inline_and_local_commit_the_same_bytes(runs: Runs) -> None:
    kept: dict[str, dict[str, bytes]] = {}
    for name, how in {"inline": How("inline"), "local": How("local", 2, verify=False)}.items():
        with pytest.raises(ProgramError):
            runs.begin("Faulty", run=name, how=how, way="raise")
        kept[name] = {path.name: path.read_bytes() for path in runs.artifacts(name)}
    assert "work.1.0" in kept["inline"]
    common = kept["inline"].keys() & kept["local"].keys()
    assert len(common) >= 3
    assert all(kept["inline"][name] == kept["local"][name] for name in common)


@each_engine
def test_a_task_that_raises_once_is_run_again_in_another_process(runs: Runs, how: How, tmp_path: Path) -> None:
    quiet = runs.begin("Faulty", run="quiet", way="none")
    summary = runs.begin("Faulty", how=how, marker=str(tmp_path / "seen"))
    assert summary["digest"] == quiet["digest"]
    [failed] = runs.told("attempt failed")
    [redone] = runs.told("task redone")
    assert failed["task"] == redone["task"] == "work.2.1"
    assert failed["worker"] != redone["worker"]


@each_engine
def test_a_task_that_raises_twice_fails_the_run_with_its_place_and_traceback(runs: Runs, how: How, tmp_path: Path) -> None:
    with pytest.raises(ProgramError) as caught:
        runs.begin("Faulty", how=how)
    for words in ('role "work", partition 1, round 2', "ArithmeticError: seven is not eight", 'programs.py"', "self.go_wrong()", "resume"):
        assert words in str(caught.value)
    assert "worker.py" not in caught.value.message
    assert runs.told("failed")
    with pytest.raises(ProgramError, match="seven"):
        runs.resume()


@each_engine
@pytest.mark.parametrize("way", ["exit", "segv", "leave"])
def test_a_process_that_ends_in_a_task_is_tried_again_once(runs: Runs, how: How, way: str, tmp_path: Path) -> None:
    if how.engine != "local" and way != "exit":
        pytest.skip("there is only one process")
    assert runs.begin("Faulty", run="once", how=how, way=way, marker=str(tmp_path / "seen"))["rounds"] == 4
    assert len(runs.told("attempt failed", "once")) == 1
    if way == "leave":
        with pytest.raises(ProgramError, match='role "work", partition 1, round 2'):
            runs.begin("Faulty", how=how, way=way)


@each_engine
def test_refused_data_is_told_as_it_was_said(runs: Runs, how: How) -> None:
    with pytest.raises(DataError, match="line 7 has no words") as caught:
        runs.begin("Faulty", how=how, way="data")
    assert "mend line 7" in str(caught.value)
    assert runs.told("attempt failed")[0]["then"] == "refused the data"


@each_engine
def test_no_room_pauses_the_run_which_can_go_on(runs: Runs, how: How, tmp_path: Path) -> None:
    marker = tmp_path / "seen"
    with pytest.raises(Paused, match="No space left on device") as caught:
        runs.begin("Faulty", how=how, way="full", marker=str(marker))
    assert caught.value.exit_code == 75
    assert "resume" in caught.value.advice
    assert runs.resume()["digest"] == runs.begin("Faulty", run="quiet", way="none")["digest"]


@pytest.mark.parametrize(
    "how", [pytest.param(How("inline"), id="inline"), pytest.param(How("local", 1), id="local", marks=pytest.mark.processes)]
)
def test_a_clock_in_a_task_is_found(runs: Runs, how: How) -> None:
    with pytest.raises(ProgramError, match="differ") as caught:
        runs.begin("Impure", how=how, way="clock")
    assert caught.value.exit_code == 4
    assert 'role "work", partition 1, round 0' in caught.value.message


@pytest.mark.parametrize("how", [pytest.param(How("ray", 1), id="ray", marks=RAY)])
def test_the_order_of_a_set_is_found_on_a_cluster_too(runs: Runs, how: How) -> None:
    with pytest.raises(ProgramError, match="the order of a set"):
        runs.begin("Impure", how=how, way="set")


@pytest.mark.processes
def test_the_order_of_a_set_is_found_under_another_hash_seed(runs: Runs) -> None:
    with pytest.raises(ProgramError, match="the order of a set"):
        runs.begin("Impure", how=How("local", 1), way="set")


@pytest.mark.processes
def test_without_the_check_nothing_is_repeated(runs: Runs) -> None:
    runs.begin("Impure", how=How("local", 1, verify=False), way="clock")
    assert not runs.told("task repeated")


def test_an_array_that_changes_after_it_was_sent_is_found_inline(runs: Runs) -> None:
    with pytest.raises(ProgramError, match='changed "value" after it was sent'):
        runs.begin("Impure", way="late")


@each_engine
def test_what_a_program_prints_is_no_result(runs: Runs, how: How, capfd: pytest.CaptureFixture[str]) -> None:
    runs.begin("Speaks", how=how)
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("NOISE in a task") >= 2
    assert "NOISE in warm" in err


@each_engine
@pytest.mark.parametrize("way", ["raise", "die"])
def test_a_program_that_cannot_be_made_ready_is_refused(runs: Runs, how: How, way: str) -> None:
    if how.engine != "local" and way == "die":
        pytest.skip("there is only one process")
    with pytest.raises(ProgramError, match="ready") as caught:
        runs.begin("ColdFeet", how=how, way=way)
    assert ("no warmth" if way == "raise" else "SIGKILL") in str(caught.value)


@pytest.mark.parametrize("how", ENGINES[2:])
def test_who_makes_a_program_ready_may_be_taken_away(runs: Runs, how: How, tmp_path: Path) -> None:
    assert runs.begin("ColdFeet", how=how, way="die", marker=str(tmp_path / "seen"))["rounds"] == 1


@pytest.mark.parametrize("interval", [1, 16])
def test_state_that_was_changed_for_long_is_written_whole_now_and_then(runs: Runs, interval: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from regrow.store import artifact

    monkeypatch.setattr(artifact, "CHAIN_MAX", interval)
    assert runs.begin("Ring", rounds=40)["digest"] == reference_digest("Ring", rounds=40)


def test_an_artifact_holds_what_a_task_put_out_and_nothing_of_where(runs: Runs) -> None:
    with pytest.raises(ProgramError):
        runs.begin("Faulty")
    for path in runs.artifacts():
        text = json.dumps(Container(path).note)
        assert not any(word in text for word in (str(runs.folder), "second", "worker", "time"))
