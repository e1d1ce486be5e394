"""Speaking to a run while it goes on, from the shell: workers come and go and come back, and no byte changes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from regrow.control import SOCKET, ask
from shell import EXAMPLES, Shell, await_records, refuses, until

pytestmark = pytest.mark.processes

SLOW = """
import time
from dataclasses import dataclass
from pathlib import Path
import numpy as np
from regrow import Program, Role, Roles

@dataclass(frozen=True)
class Slow(Program):
    rounds: int = 400
    while_there: str = ""
    def roles(self, data):
        return Roles(self.rounds, cell=Role(4, reads={"cell": -1}))
    def cell(self, part):
        end = time.process_time() + 0.02
        while self.while_there and Path(self.while_there).exists() and (part.round == self.rounds - 1 or time.process_time() < end):
            time.sleep(0.02 if part.round == self.rounds - 1 else 0)
        n = part.round + sum(int(message["n"]) for message in part.inbox("cell")) % 97
        part.send("cell", (part.index + 1) % 4, n=np.int64(n))
        part.result(n=np.int64(n))
"""


@pytest.fixture
def running(shell: Shell) -> Iterator[subprocess.Popen[str]]:
    """A run "run" with two workers that has got somewhere, and is slow and comes to no end while the file `gate` is there."""
    (shell.folder / "slow.py").write_text(SLOW)
    process = shell.start("run", "slow.py:Slow", "docs.txt", "--run", "run", "--workers", 2, *shut(shell))
    await_records(process, shell.folder / "run", 2)
    yield process
    process.kill()
    process.communicate()


def shut(shell: Shell) -> tuple[str, str]:
    """The words by which a run is slow, and waits in its last round."""
    gate = shell.folder / "gate"
    gate.touch()
    return "--set", f"while_there={gate}"


def crew(run: str = "run") -> list[str]:
    """The workers that are there now and run tasks."""
    found = ask(Path(run), "look")
    return [worker["worker"] for worker in found["crew"] if not worker["checks"] and not worker["draining"]] if found else []


def test_workers_come_leave_go_to_none_and_come_back(shell: Shell, running: subprocess.Popen[str]) -> None:
    assert shell("scale", "run", 4).out == "4 workers, 2 before\n"
    until(lambda: len(crew()) == 4)
    assert shell("scale", "run", 0).out == "0 workers, 4 before\n"
    until(lambda: "waiting for workers" in shell.story("run"))
    assert shell.run("status", "run")["state"] == "running"
    assert shell("scale", "run", 2).code == 0
    assert shell("join", "run").out == "3 workers, 2 before\n"
    until(lambda: len(crew()) == 3)
    name = crew()[0]
    assert shell("drain", "run", name).out == f"{name} leaves, 2 workers stay\n"
    until(lambda: len(crew()) == 2 and name not in crew())
    (shell.folder / "gate").unlink()
    _, err = running.communicate(timeout=180)
    assert running.returncode == 0, err
    assert shell.run("run", "slow.py:Slow", "docs.txt", "--run", "quiet", "--engine", "inline")["digest"] in err
    assert "no workers: the run waits" in err
    story = [json.loads(line) for line in (shell.folder / "run" / "events.jsonl").read_text().splitlines()]
    assert not [line for line in story if line["event"] == "worker lost"]
    left = [line["worker"] for line in story if line["event"] == "worker left"]
    assert name in left
    assert [line["workers"] for line in story if line["event"] == "workers wanted"] == [4, 0, 2, 3, 2]
    assert not (shell.folder / "run" / SOCKET).exists()


def test_stop_pauses_and_comes_back_when_it_has(shell: Shell, running: subprocess.Popen[str]) -> None:
    shell("scale", "run", 3)
    ended = shell("stop", "run")
    assert ended.out == "run is paused: go on with it: regrow resume run\n"
    running.communicate(timeout=120)
    assert running.returncode == 75
    assert shell.run("status", "run")["state"] == "resumable"
    assert shell("stop", "run").out == "run is resumable: go on with it: regrow resume run\n"
    assert json.loads((shell.folder / "run" / "how.json").read_text())["workers"] == 3, "it goes on with as many as it had"
    refuses(shell("scale", "run", 2), 2, "is not running", "regrow resume run --workers N")


def test_what_cannot_be_is_refused_with_a_word(shell: Shell, running: subprocess.Popen[str]) -> None:
    refuses(shell("drain", "run", "worker-99"), 2, "there is no worker worker-99", "there are: worker-")
    refuses(shell("scale", "run", -1), 2)
    refuses(shell("scale", "run", 5000), 2, "4096")
    refuses(shell("scale", "docs.txt", 2), 3, "is no run")
    assert running.poll() is None


def test_top_shows_workers_while_it_runs_and_the_story_afterwards(shell: Shell, running: subprocess.Popen[str]) -> None:
    out = shell("top", "run").out
    assert "run: running, training, round" in out
    assert "worker-" in out
    assert "cell." in out or "idle" in out
    found = shell("top", "run", "--json").json
    assert found["answers"]
    assert {worker["checks"] for worker in found["crew"]} <= {True, False}
    assert all(worker["pid"] > 0 for worker in found["crew"])
    running.kill()
    running.communicate()
    out = shell("top", "run").out
    assert "run: resumable" in out
    assert "was here at the end" in out
    assert "coordinator started" in out


def test_only_the_owner_may_speak_and_nonsense_is_answered(shell: Shell, running: subprocess.Popen[str]) -> None:
    path = shell.folder / "run" / SOCKET
    assert path.stat().st_mode & 0o777 == 0o600
    with socket.socket(socket.AF_UNIX) as connection:
        os.chdir(path.parent)
        connection.connect(SOCKET)
        lines = connection.makefile("rb")
        for sent in (b"nonsense\n", b"[1]\n", b'{"do": "fly"}\n', b'{"do": "scale", "workers": "many"}\n'):
            connection.sendall(sent)
            assert "error" in json.loads(lines.readline())
        connection.sendall(b'{"do": "look"}\n')
        assert json.loads(lines.readline())["done"]["workers"] == 2


def test_a_run_inline_can_be_stopped_and_not_scaled(shell: Shell) -> None:
    (shell.folder / "slow.py").write_text(SLOW)
    process = shell.start("run", "slow.py:Slow", "docs.txt", "--run", "run", "--engine", "inline", *shut(shell))
    await_records(process, shell.folder / "run", 2)
    refuses(shell("scale", "run", 2), 2, "inline has one worker")
    refuses(shell("join", "run"), 2, "inline has one worker")
    assert "run: running" in shell("top", "run").out
    assert shell("stop", "run").code == 0
    process.communicate(timeout=120)
    assert process.returncode == 75


def test_a_run_that_lies_deep_is_spoken_to_as_well(shell: Shell) -> None:
    deep = Path(*["a" * 50] * 4, "run")
    process = shell.start("run", f"{EXAMPLES}/wordcount.py:WordCount", "docs.txt", "--run", str(deep), "--workers", 1)
    until(lambda: (deep / SOCKET).exists() or process.poll() is not None)
    process.communicate(timeout=120)
    assert process.returncode == 0
