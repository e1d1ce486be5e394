"""The contract of a model on real engines: whoever works, whoever is killed, the same bytes."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from models.logistic.clicks import csv_text
from shell import Shell

TRAIN = ("ctr", "train", "rows.csv", "--label", "click", "--backoff", "item:category", "--features", "user,item")
ROWS = 15_000
"""Rounds grow from 12,800 on."""


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest that all the others must have: inline."""
    from regrow.data.clicks import ClickOptions
    from regrow.launch import launch
    from regrow.models.logistic import FTRL
    from regrow.models.logistic.specs import clicks_spec
    from regrow.spec import How

    folder = tmp_path_factory.mktemp("quiet")
    (folder / "rows.csv").write_text(csv_text(ROWS))
    options = ClickOptions(label="click", features=["user", "item"], backoff=["item:category"])
    return launch(clicks_spec([str(folder / "rows.csv")], FTRL(), options=options), How("inline"), folder / "run").digest


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "rows.csv").write_text(csv_text(ROWS))
    return Shell(tmp_path, capsys)


@pytest.mark.processes
@pytest.mark.parametrize(
    "how",
    [
        ("--workers", 1, "--verify", "off"),
        ("--workers", 3),
        ("--workers", 2, "--durable-every", 0.1),
    ],
    ids=lambda how: " ".join(map(str, how)),
)
def test_the_same_digest_whoever_works(shell: Shell, quiet: str, how: tuple[object, ...]) -> None:
    assert shell.run(*TRAIN, *how, "--run", "run")["digest"] == quiet
    assert "worker lost" not in shell.story("run")


@pytest.mark.processes
def test_the_same_digest_while_workers_are_killed(shell: Shell, quiet: str) -> None:
    assert shell.under_fire(*TRAIN, "--workers", 3)["digest"] == quiet


@pytest.mark.processes
def test_the_same_digest_after_the_coordinator_was_killed(shell: Shell, quiet: str) -> None:
    process = shell.start(*TRAIN, "--workers", 1, "--verify", "off", "--run", "run", REGROW_CRASH="record-written:20")
    _, err = process.communicate()
    assert process.returncode == -signal.SIGKILL, err
    assert shell.run("status", "run")["state"] == "resumable"
    assert shell.run("resume", "run", "--workers", 2)["digest"] == quiet
    assert "going on" in shell.story("run")


def test_other_partitions_of_examples_make_another_model(shell: Shell, quiet: str) -> None:
    found = shell.run(*TRAIN, "--engine", "inline", "--partitions", "3x1")
    assert found["digest"] != quiet
