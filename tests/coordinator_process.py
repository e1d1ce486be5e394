"""A coordinator in a process of its own: python coordinator_process.py JSON. Prints the summary; exits as the shell would see it.

Most are forked from a process that has imported everything already (`Forked`), which saves a second each.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from power import note_fsyncs
from regrow import crash
from regrow.data import TextOptions, describe
from regrow.errors import RegrowError
from regrow.job import ProgramName
from regrow.running import begin, resume
from regrow.spec import How, Spec

__all__ = ["Forked"]

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["regrow.running", "regrow.data", "regrow.engines.inline", "regrow.engines.local"])


def main(asked: Mapping[str, Any]) -> int:
    """Do what was asked."""
    note_fsyncs()
    try:
        if asked["verb"] == "resume":
            summary = resume(Path(asked["run"]), **asked["changes"])
        else:
            program = ProgramName(str(Path(__file__).with_name("programs.py")), asked["name"])
            options = TextOptions()
            spec = Spec("run", program, asked["parameters"], 1, describe([asked["text"]], options), options, "text")
            summary = begin(spec, Path(asked["run"]), How(**asked["how"]))
    except RegrowError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps(summary))
    return 0


def forked(asked: Mapping[str, Any], environment: Mapping[str, str], out: str, err: str) -> None:
    """In a fork: be as if one had been started by a shell, with these files for what is printed."""
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    importlib.reload(crash)  # it has read its variable
    for number, file in ((1, out), (2, err)):
        os.dup2(os.open(file, os.O_WRONLY), number)
    sys.exit(main(asked))


class Forked:
    """A coordinator, with the manners of subprocess.Popen."""

    def __init__(self, asked: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self._files = [tempfile.NamedTemporaryFile() for _ in range(2)]  # noqa: SIM115 - until it was waited for
        self._process = _SERVER.Process(target=forked, args=(asked, environment, *(file.name for file in self._files)))
        self._process.start()
        self.pid: int = self._process.pid or 0
        self._said: tuple[bytes, bytes] | None = None

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        """The exit code, if it has ended."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """To this process, if it is there."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def communicate(self, timeout: float | None = None) -> tuple[bytes, bytes]:
        """Wait for its end; returns what it printed."""
        if self._said is None:
            self._process.join(timeout)
            if self._process.exitcode is None:
                raise subprocess.TimeoutExpired(["a coordinator"], timeout or 0.0)
            said = []
            for file in self._files:
                said.append(file.read())
                file.close()
            self._said = said[0], said[1]
        return self._said


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
