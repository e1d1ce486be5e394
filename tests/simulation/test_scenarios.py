"""Scenario files: what can be said, and what is answered to what cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from regrow.errors import DataError
from regrow.simulation.scenario import read_scenario
from regrow.simulation.traces import read_trace

GOOD = """
seed = 3
[program]
rounds = 2
[program.roles.docs]
partitions = 4
reads = { docs = -1 }
seconds = 1
[machines]
count = 2
"""
SHIPPED = sorted((Path(__file__).parents[2] / "scenarios").glob("*.toml"))


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "s.toml"
    path.write_text(text)
    return path


def test_a_small_scenario_is_read(tmp_path: Path) -> None:
    scenario = read_scenario(written(tmp_path, GOOD))
    assert (scenario.seed, scenario.rounds, scenario.machines.count) == (3, 2, 2)
    assert scenario.roles["docs"].seconds == 1.0
    assert scenario.sections("docs") == 4


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_what_is_shipped_can_be_read(path: Path) -> None:
    assert read_scenario(path).what


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("count = 2", "cuont = 2", ['s.toml, line 10: [machines] has no key "cuont"', 'did you mean "count"?']),
        ("count = 2", '"cuont" = 2', ['s.toml, line 10: [machines] has no key "cuont"']),
        ("[machines]", "[machine]", ['s.toml, line 9: the file has no key "machine"', 'did you mean "machines"?']),
        ("seconds = 1", "second = 1", ["[program.roles.docs]", 'did you mean "seconds"?']),
        ("seconds = 1", "", ['[program.roles.docs] lacks "seconds"']),
        ("count = 2", "", ['[machines] lacks "count"']),
        ("count = 2", "count = 'two'", ["s.toml, line 10: [machines] count = 'two'", "a whole number"]),
        ("count = 2", "count = true", ["a whole number"]),
        ("count = 2", "count = 0", ["[machines] count = 0", "at least 1"]),
        ("count = 2", "count = 2\nvacant = 1", ["[machines] vacant = 1", "fewer than the 1 workers"]),
        ("rounds = 2", "", ['[program] lacks "rounds"']),
        ("rounds = 2", "rounds = 2.5", ["s.toml, line 4: [program] rounds = 2.5", "a whole number"]),
        ("docs = -1", "words = -1", ['s.toml, line 7: [program.roles.docs] reads "words", which is no role']),
        ("docs = -1", "docs = 0", ["wait for each other"]),
        ("docs = -1", "docs = 'x'", ["names and offsets"]),
        ("partitions = 4", "partitions = 400_000", ["160,000,000,000 messages", "fan_out"]),
        ("[machines]", "[faults]\nnotice = 2\n[machines]", ["[faults] notice = 2", "0 to 1"]),
        ("[machines]", "[costs]\nnetwork_bandwidth = 0\n[machines]", ["network_bandwidth = 0", "at least 1"]),
        ("[machines]", "[limits]\ncut_every_seconds = -1\n[machines]", ["cut_every_seconds = -1", "not below 0"]),
        ("[machines]", "[machines", ["is no TOML"]),
        ("[machines]", "[faults]\nmeteor_per_hour = 1\n[machines]", ['[faults] has no key "meteor_per_hour"']),
        ("[machines]", "[faults]\nworker_per_hour = 1e9\n[machines]", ["worker_per_hour = 1000000000.0", "at most 3,600"]),
        ("seed = 3", "seed = -3", ["s.toml, line 2: seed = -3", "not below 0"]),
        ("seconds = 1", "seconds = nan", ["[program.roles.docs] seconds = nan", "a finite number"]),
        ("[machines]", "[faults]\nnotice = nan\n[machines]", ["[faults] notice = nan", "a finite number"]),
        ("seconds = 1", "seconds = inf", ["seconds = inf", "at most 1,000,000,000"]),
        ("seconds = 1", f"seconds = 1{400 * '0'}", ["[program.roles.docs] seconds = 1000", "at most 1,000,000,000"]),
        ("seconds = 1", "seconds = 1\nstate_bytes = 1e308", ["state_bytes = 1e+308", "at most 1,000,000,000,000,000,000"]),
        ("seconds = 1", "seconds = -1", ["seconds = -1", "more than 0"]),
        ("seconds = 1", "seconds = 1\nspread = 1e6", ["spread = 1000000.0", "at most 3"]),
        ("seconds = 1", "seconds = 1\nfan_out = 0", ["fan_out = 0", "at least 1"]),
        ("count = 2", "count = 999_999\nworkers = 4", ["count x workers = 3,999,996", "at most 1,000,000"]),
    ],
)
def test_what_cannot_be_is_named_with_file_line_and_key(tmp_path: Path, old: str, new: str, words: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        read_scenario(written(tmp_path, GOOD.replace(old, new)))
    for word in words:
        assert word in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_scenario(tmp_path / "none.toml")


@pytest.mark.parametrize(
    "text",
    [
        "0,add,a\n0,add,b\n60000,add,c\n120000,remove,a\n",
        "1000,2\n61000,3\n121000,2\n",
        "2021-12-11, 11:11:30, 2\n2021-12-11, 11:12:30, 3\n2021-12-11, 11:13:30, 2\n",
    ],
    ids=["names", "counts", "dates"],
)
def test_traces_of_three_forms_tell_the_same(tmp_path: Path, text: str) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(text)
    steps = read_trace(path)
    assert sum(change for seconds, change in steps if seconds == 0) == 2
    assert [step for step in steps if step[0] > 0] == [(60.0, 1), (120.0, -1)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no machine comes first"),
        ("0,add,a\nnothing\n", "line 2"),
        ("0,-3\n", "line 1.*no more machines gone"),
        ("0,add,a\n0,remove,a\n", "no machine comes first"),
        ("0,add,a\n-5,add,b\n", "line 2.*from 0 on"),
        ("0,add,a\nnan,add,b\n", "line 2.*endless"),
        ("0,add,a\n1e400,add,b\n", "line 2.*endless"),
    ],
)
def test_what_is_no_trace_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=f"(?s){words}"):
        read_trace(path)
