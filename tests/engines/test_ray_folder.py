"""The folder of a Ray of our own: it goes with the run, stays where somebody is told of it, and never stays unnamed for good."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from regrow.engines.ray_folder import RayFolder, left_behind

HOLDS = """
import signal, sys
from pathlib import Path
from regrow.engines.ray_folder import RayFolder
from regrow.interrupts import Interrupts

folder = RayFolder(Path(sys.argv[1])).path
(folder / "session").mkdir()
(folder / "session" / "log").write_text("words")
with Interrupts(folder).caught():
    said = str(folder)
    while True:
        try:
            print(said, flush=True)
            while True:
                signal.pause()
        except Exception:
            said = "paused"
"""


def holder(above: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process that has such a folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(above)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_what_a_killed_process_left_is_removed_by_the_next_and_nothing_else(tmp_path: Path) -> None:
    process, folder = holder(tmp_path)
    kept = RayFolder(tmp_path)
    kept.keep()
    others = tmp_path / "regrow-ray-of-somebody-else"
    others.mkdir()
    (tmp_path / "regrow-ray-link").symlink_to(others)
    RayFolder(tmp_path).remove()
    assert (folder / "session" / "log").exists(), "its process lives"
    process.kill()
    process.communicate()
    mine = RayFolder(tmp_path)
    assert not folder.exists()
    assert left_behind() == [mine.path]
    assert kept.path.is_dir()
    assert others.is_dir()
    mine.remove()
    assert not mine.path.exists()
    assert left_behind() == []


def test_a_second_signal_names_what_it_leaves(tmp_path: Path) -> None:
    process, folder = holder(tmp_path)
    assert process.stdout is not None
    os.kill(process.pid, signal.SIGINT)
    assert process.stdout.readline() == "paused\n"
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert said == f"regrow: the logs of Ray are in {folder}, until regrow starts Ray here again\n"
    RayFolder(tmp_path).remove()
    assert not folder.exists()
