"""`regrow simulate`, as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conftest import Runs
from regrow.spec import How
from shell import Shell, refuses

SMALL = """
what = "a small world"
[program]
rounds = 2
[program.roles.docs]
partitions = 40
reads = { docs = -1 }
seconds = 5
state_bytes = 1e6
[machines]
count = 5
workers = 2
[faults]
worker_per_hour = 50
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path


def test_a_scenario_is_run_and_told(shell: Shell, small: Path) -> None:
    told = shell("simulate", "run", str(small))
    assert told.code == 0
    assert "a small world" in told.out
    assert "10 workers, 2 rounds, 80 tasks" in told.out
    first, second = (json.loads(shell("simulate", "run", str(small), "--json", "--seed", "7").out) for _ in range(2))
    assert first["workers_lost"] > 0
    for name in ("digest", "hours", "events", "goodput", "workers_lost"):
        assert first[name] == second[name]


def test_what_does_not_hold_is_told_with_the_command_that_repeats_it(shell: Shell, small: Path) -> None:
    small.write_text(SMALL + "[holds]\ngoodput_min = 0.999\n")
    failed = shell("simulate", "run", str(small), "--seed", "3", "--rounds", "1")
    assert failed.code == 1
    assert f"repeat it: regrow simulate run {small} --seed 3 --rounds 1" in failed.err
    assert "Traceback" not in failed.err


def test_wrong_words_are_answered(shell: Shell, small: Path, tmp_path: Path) -> None:
    small.write_text(SMALL.replace("count", "cuont"))
    for words, code, said in [
        (["run", str(small)], 3, 'did you mean "count"?'),
        (["run", str(tmp_path / "none.toml")], 3, "cannot be read"),
        (["run"], 2, "nothing to simulate"),
        (["run", "--like", str(tmp_path), "--workers", "10"], 3, "is no run"),
        (["run", "--like", str(tmp_path)], 2, "--like needs --workers"),
        (["run", str(small), "--rounds", "1000000001"], 2, "from 1 to 1,000,000"),
        (["compare", "--processes", "ten"], 2, "--processes ten"),
        (["compare", "--rates", "moon"], 2, "some of: h100, lecture, google, spot"),
    ]:
        refuses(shell("simulate", *words), code, said)


def test_systems_are_compared_and_drawn(shell: Shell, tmp_path: Path) -> None:
    picture = tmp_path / "c.png"
    told = shell("simulate", "compare", "--processes", "10,30", "--rates", "spot", "--json", "--plot", str(picture))
    rows = json.loads(told.out)
    assert {row["system"] for row in rows} == {"MPI", "MPI + checkpoints", "MapReduce", "Pregel", "Spark", "regrow"}
    assert set(rows[0]) == {"system", "processes", "loss_rate_per_process_hour", "goodput"}
    assert all(0 <= row["goodput"] <= 1 for row in rows)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_table_names_what_was_assumed(shell: Shell) -> None:
    told = shell("simulate", "compare", "--processes", "20", "--rates", "lecture").out
    for words in ("Daly 2006", "Pregel", "assumed:", "the coordinator that ships"):
        assert words in told


def test_a_job_is_planned_like_one_that_has_been(shell: Shell, runs: Runs) -> None:
    runs.begin("Ring", how=How("inline"), rounds=6)
    told = shell("simulate", "run", "--like", str(runs.folder / "run"), "--workers", "4", "--json")
    assert told.code == 0, told.err
    outcome = json.loads(told.out)
    assert (outcome["workers"], outcome["rounds"]) == (4, 6)
    assert outcome["hours"] > 0
    assert "tasks a round" not in told.err
    assert "have nothing to do" in shell("simulate", "run", "--like", str(runs.folder / "run"), "--workers", "400").err
