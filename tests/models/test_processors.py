"""Every model is the same bytes on a processor that knows nothing but the basic instructions.

One process trains all of them with kernels that were compiled for such a processor, from the input on: what models share is compiled once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from models import trainings
from models.trainings import COMMANDS, write_inputs
from shell import Shell


@pytest.mark.early(2)
@pytest.mark.slow
@pytest.mark.processes
def test_the_same_bytes_on_a_generic_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_inputs()
    environment = {
        **os.environ,
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CACHE_DIR": str(tmp_path / "kernels"),
        "XDG_CACHE_HOME": str(tmp_path / "generic"),
    }
    words = [sys.executable, str(Path(trainings.__file__)), json.dumps(COMMANDS)]
    process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    shell = Shell(tmp_path, capsys)
    here = {name: shell.run(*words, "--engine", "inline", "--run", name) for name, words in COMMANDS.items()}
    out, err = process.communicate(timeout=1200)
    assert process.returncode == 0, err
    assert list((tmp_path / "kernels").rglob("*.nbc")), "the kernels were not compiled anew"
    there = dict(zip(COMMANDS, map(json.loads, out.splitlines()), strict=True))
    for name in COMMANDS:
        assert there[name]["digest"] == here[name]["digest"], name
        assert there[name]["history"] == here[name]["history"], name
    learned = here["learned"]["metrics"]
    assert learned["merged_topics"] > 0
    assert learned["beta"] != 0.01, "no round learned the priors"
