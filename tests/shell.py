"""The command `regrow` in this process or in one of its own, small texts, and what came out."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from regrow.cli.main import main

EXAMPLES = Path(__file__).parent.parent / "examples"


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one line of JSON that it printed."""
        (line,) = self.out.splitlines()
        return json.loads(line)


class Shell:
    """A person at a terminal, in a folder of the test's own, with a cache of the test's own."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys

    def __call__(self, *words: object) -> Ended:
        """Run a command to its end, in this process."""
        self._capsys.readouterr()
        with patch.object(sys, "argv", ["regrow", *map(str, words)]):
            try:
                main()
                code: Any = 0
            except SystemExit as end:
                code = end.code or 0
        return Ended(code, *self._capsys.readouterr())

    def run(self, *words: object) -> dict[str, Any]:
        """Run a command that must end well, with --json; returns what it printed."""
        ended = self(*words, "--json")
        assert ended.code == 0, ended.err
        assert "Traceback" not in ended.err
        found: dict[str, Any] = ended.json
        return found

    def under_fire(self, *words: object) -> dict[str, Any]:
        """Run a command while workers are killed: more often the faster this machine is, until one is lost on the way."""
        for seconds in (0.1, 0.03, 0.01, 0.003):
            found = self.run(*words, "--preempt", seconds, "--run", f"every-{seconds}")
            if found["workers_lost"]:
                return found
        raise AssertionError("the run was over before anybody was killed")

    def start(self, *words: object, **environment: str) -> subprocess.Popen[str]:
        """Start a command in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "regrow.cli.main", *map(str, words)],
            cwd=self.folder,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def story(self, run: str) -> list[str]:
        """The events of a run."""
        return [json.loads(line)["event"] for line in (self.folder / run / "events.jsonl").read_text().splitlines()]


def await_records(process: subprocess.Popen[str], run: Path, lines: int) -> None:
    """Wait until the last program of a run has completed so many phases."""
    deadline = time.monotonic() + 240  # kernels may have to be compiled first
    while _lines(run / "records.jsonl") < lines:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.002)


def _lines(path: Path) -> int:
    try:
        return path.read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def refuses(ended: Ended, code: int, *said: str) -> None:
    """The command ended with this code, and told a person why and what to do, without a traceback."""
    assert ended.code == code, ended.err
    assert ended.out == ""
    assert "Traceback" not in ended.err
    for words in said:
        assert words in ended.err


def themes(documents: int, seed: int = 1, themes: int = 5, words: int = 100, length: int = 12) -> str:
    """Short documents, each about two of a few themes."""
    chance = random.Random(seed)
    lines = []
    for _ in range(documents):
        two = chance.sample(range(themes), 2)
        lines.append(" ".join(f"t{chance.choice(two)}w{int(words * chance.random() ** 2)}" for _ in range(chance.randint(4, 2 * length))))
    return "\n".join(lines) + "\n"


def until(what: Callable[[], Any], seconds: float = 120.0) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)
