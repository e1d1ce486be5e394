"""Going on with new rows: the state is exact, names and counts are kept, new features are added."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.logistic import naive
from models.logistic.clicks import csv_text, libsvm_text
from models.logistic.test_program import naive_rows
from regrow.data.clicks import ClickOptions
from regrow.launch import launch
from regrow.models.logistic import FTRL, ClickModel
from regrow.models.logistic.specs import clicks_spec, continued_clicks_spec, read_clicks
from regrow.spec import How
from shell import Shell, refuses


def two_days(folder: Path, first: str, second: str, monkeypatch: pytest.MonkeyPatch, buckets: int = 1, **options: int) -> ClickModel:
    """Train on one file, go on with another."""
    monkeypatch.setattr("regrow.preparing.buckets_for", lambda _: buckets)
    for name, text in (("first.libsvm", first), ("second.libsvm", second)):
        (folder / name).write_text(text)
    spec = clicks_spec([str(folder / "first.libsvm")], FTRL(l1=[0.1]), options=ClickOptions(**options), partitions=(4, 1))
    launch(spec, How("inline"), folder / "first")
    going_on = continued_clicks_spec(folder / "first", [str(folder / "second.libsvm")])
    return read_clicks(launch(going_on, How("inline"), folder / "second").path)[0]


@pytest.mark.parametrize("buckets", [1, 4])
def test_the_state_after_two_days_is_the_slow_twins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, buckets: int) -> None:
    first, second = libsvm_text(1_500, 1), libsvm_text(1_500, 2)
    model = two_days(tmp_path, first, second, monkeypatch, buckets)
    twin = naive.Ftrl(l1=0.1)
    twin.train(naive_rows(first), 4)
    twin.train(naive_rows(second), 4, seen=1_500)
    names = list(model.arrays["features.value"])
    states = zip(model.arrays["features.z"].tolist(), model.arrays["features.n"].tolist(), strict=True)
    assert dict(zip(names, states, strict=True)) == twin.state
    counts = dict(zip(names, model.arrays["features.count"].tolist(), strict=True))
    expected = {"(bias)": 3_000}
    for _, features, _ in naive_rows(first + second):
        for name, _ in features:
            expected[name] = expected.get(name, 0) + 1
    assert counts == expected


def test_hashed_weights_go_on_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = two_days(tmp_path, libsvm_text(500, 1), libsvm_text(500, 2), monkeypatch, 4, hash_bits=8)
    assert model.features == 257
    assert model.arrays["features.count"][0] == 1_000
    assert model.arrays["features.count"][1:].sum() == 3_000


def test_the_command_keeps_what_the_run_has_settled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shell = Shell(tmp_path, capsys)
    for day in (1, 2):
        (tmp_path / f"day{day}.csv").write_text(csv_text(1_000, day))
    inline = ("--engine", "inline")
    shell.run("ctr", "train", "day1.csv", "--label", "click", "--alpha", "0.3", "--backoff", "pair:user,item", *inline, "--run", "one")
    found = shell.run("ctr", "train", "day2.csv", "--continue", "one", *inline, "--run", "two")
    assert found["examples"] == 1_000
    told = shell.run("ctr", "explain", "two", "1,u3,i0,c1")
    assert {part["field"] for part in told["features"]} == {"", "user", "item", "category", "pair"}
    assert read_clicks("two")[0].arrays["models.alpha"].tolist() == [0.3]
    refuses(shell("ctr", "train", "day2.csv", "--continue", "one", "--alpha", "0.1"), 2, "--alpha with --continue")
    report = shell.run("ctr", "evaluate", "two", "day2.csv", *inline)
    assert report["log_loss"] < report["baseline_loss"]
