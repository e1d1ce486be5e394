"""Models and services for tests: small models, trained once for each test session and process; services as a shell starts them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import regrow
from regrow.engines.ending import die_with
from shell import themes

__all__ = ["Service", "topics_run"]

TEXTS = themes(40, seed=5).splitlines()


def topics_run(folder: Path, name: str, seed: int) -> Path:
    """A run of five topics."""
    (folder / f"{name}.txt").write_text(themes(150, seed=seed))
    regrow.LDA(5, rounds=10).fit(folder / f"{name}.txt", engine="inline", run=folder / name)
    return folder / name


class Service:
    """`regrow serve` in a process of its own."""

    def __init__(self, *words: object, cache: Path, wait: bool = True) -> None:
        self.errors = cache.parent / f"serve-{time.monotonic_ns()}.err"
        with open(self.errors, "w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "regrow.cli.main", "serve", *map(str, words), "--port", "0", "--json"],
                env={**os.environ, "XDG_CACHE_HOME": str(cache)},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
                preexec_fn=partial(die_with, os.getpid()),  # also where the tests are killed
            )
        self.url = ""
        if wait:
            assert self.process.stdout is not None
            line = self.process.stdout.readline()
            assert line, self.errors.read_text()
            self.facts: dict[str, Any] = json.loads(line)
            self.url = self.facts["url"]

    def replicas(self) -> list[int]:
        """The processes that answer, oldest first."""
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    name = Path(f"/proc/{entry}/comm").read_text()
                    state, parent = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[:2]
                except OSError:
                    continue
                if name.startswith("replica-") and state != "Z" and int(parent) == self.process.pid:
                    found.append(int(entry))
        return sorted(found)

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        """(status, body)."""
        return self._opened(urllib.request.Request(self.url + path, headers=headers))

    def post(self, path: str, value: Any, **headers: str) -> tuple[int, bytes]:
        """(status, body) of JSON, or of bytes as they are."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        sent = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self._opened(urllib.request.Request(self.url + path, body, sent))

    def _opened(self, request: urllib.request.Request) -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(request, timeout=240) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def ready(self) -> dict[str, Any]:
        """What /readyz says."""
        found: dict[str, Any] = json.loads(self.get("/readyz")[1])
        return found

    def metric(self, name: str) -> float:
        """The sum of a metric."""
        lines = self.get("/metrics")[1].decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.split("{")[0].split()[0] == name)

    def until(self, what: Callable[[], Any], seconds: float = 180.0) -> None:
        """Wait until something is true."""
        deadline = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < deadline, self.errors.read_text()
            time.sleep(0.05)

    def end(self, number: int = signal.SIGTERM) -> int:
        """End it; returns its exit code."""
        self.process.send_signal(number)
        code = self.process.wait(240)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code
