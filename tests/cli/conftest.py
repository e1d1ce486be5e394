"""A shell in a folder of each test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from shell import Shell, themes


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """A person at a terminal; docs.txt lies in the folder, and the user's own cache is never touched."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "docs.txt").write_text(themes(60))
    return Shell(tmp_path, capsys)
