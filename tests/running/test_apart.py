"""Work in a child that is forked for it: a signal beside the fork leaves nobody behind, and no second one of us."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from regrow import apart as place
from regrow.apart import apart
from regrow.errors import Paused

pytestmark = pytest.mark.processes


def test_a_signal_beside_the_fork_ends_the_child_and_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fork, children = os.fork, list[int]()

    def forked() -> int:
        child = fork()
        os.kill(os.getpid(), signal.SIGINT)  # a Ctrl-C goes to both
        children.append(child)
        return child

    def work(told: Callable[[str], None]) -> None:
        signal.pause()

    monkeypatch.setattr(place.os, "fork", forked)
    with pytest.raises(Paused, match="interrupted by SIGINT"):
        apart(work)
    (tmp_path / f"told to {os.getpid()}").touch()
    assert [path.name for path in tmp_path.iterdir()] == [f"told to {os.getpid()}"], "the child never leaves its work"
    with pytest.raises(ProcessLookupError):
        os.kill(children[0], 0)
