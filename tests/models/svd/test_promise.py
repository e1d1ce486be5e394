"""The contract of a model on real engines: whoever works, whoever is killed, the same bytes."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from models.svd import texts
from shell import Shell

TRAIN = ("svd", "train", "docs.txt", "--rank", 12, "--power", 6, "--grid", "3x3")


def text() -> str:
    return "\n".join(texts.documents(4_000, topics=30)) + "\n"


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest that all the others must have: inline."""
    from regrow.launch import launch
    from regrow.models.svd import SVD
    from regrow.models.svd.specs import factors_spec
    from regrow.spec import How

    folder = tmp_path_factory.mktemp("quiet")
    (folder / "docs.txt").write_text(text())
    spec = factors_spec([str(folder / "docs.txt")], SVD(12, power=6), blocks=(3, 3))
    return launch(spec, How("inline"), folder / "run").digest


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "docs.txt").write_text(text())
    return Shell(tmp_path, capsys)


@pytest.mark.processes
@pytest.mark.parametrize(
    "how",
    [
        ("--workers", 1, "--verify", "off"),
        ("--workers", 2, "--durable-every", 0.1),
    ],
    ids=lambda how: " ".join(map(str, how)),
)
def test_the_same_digest_whoever_works(shell: Shell, quiet: str, how: tuple[object, ...]) -> None:
    found = shell.run(*TRAIN, *how, "--run", "run")
    assert found["digest"] == quiet
    assert found["cells"] > 40_000
    assert "tokens" not in found
    assert "worker lost" not in shell.story("run")


@pytest.mark.processes
def test_the_same_digest_while_workers_are_killed(shell: Shell, quiet: str) -> None:
    assert shell.under_fire(*TRAIN, "--workers", 3)["digest"] == quiet


@pytest.mark.processes
def test_the_same_digest_after_the_coordinator_was_killed(shell: Shell, quiet: str) -> None:
    process = shell.start(*TRAIN, "--workers", 1, "--verify", "off", "--run", "run", REGROW_CRASH="record-written:3")
    _, err = process.communicate()
    assert process.returncode == -signal.SIGKILL, err
    assert shell.run("status", "run")["state"] == "resumable"
    assert shell.run("resume", "run", "--workers", 2)["digest"] == quiet
    assert "going on" in shell.story("run")
