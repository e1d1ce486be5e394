"""Golden transcripts: each play is a story of events and of what the coordinator answers."""

from pathlib import Path

import pytest

from coordinator.rewrite import agree
from coordinator.stage import Stage

PLAYS = sorted((Path(__file__).parent / "plays").glob("*.txt"))


@pytest.mark.parametrize("path", PLAYS, ids=lambda path: path.stem)
def test_the_play_goes_as_written(path: Path) -> None:
    agree(path, Stage(path.read_text()).play())
