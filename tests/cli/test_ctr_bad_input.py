"""regrow ctr and what cannot be learned from: which file and line, what was expected, what to do; never a model that is no numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from shell import Shell, refuses

INLINE = ("--engine", "inline")
LINES = "".join(f"{i % 2} 1:{i % 3 + 1} 2:0.5\n" for i in range(60))


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Shell(tmp_path, capsys)


def written(shell: Shell, name: str, text: str | bytes) -> str:
    (shell.folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return name


def test_a_value_that_no_float32_can_hold_is_refused_with_its_line(shell: Shell) -> None:
    found = shell("ctr", "train", written(shell, "a.libsvm", f"{LINES}1 3:1e308\n"), *INLINE)
    refuses(found, 3, "a.libsvm, line 61", '"1e308"', "float32")


def test_a_weight_that_stops_being_finite_is_named_and_there_is_no_model(shell: Shell) -> None:
    written(shell, "a.libsvm", f"{LINES}1 3:1e25\n0 3:-1e25 4:1e25\n{LINES}")
    refuses(shell("ctr", "train", "a.libsvm", *INLINE, "--run", "run"), 3, "feature 3 (and of 1 more)", "no finite number")
    assert not (shell.folder / "run" / "model").exists()
