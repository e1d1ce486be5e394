"""Trains topics, serves them by four processes, and kills and freezes some of these while requests come: with hedging and without.

    python examples/serve_demo.py [--folder DIR] [--rate 60] [--seconds 20]

The last lines are a table. Both services meet the same requests and the same accidents, at the same moments.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from regrow.serving.load import Load, Report

REPLICAS = 4
KILL_EVERY, FREEZE_EVERY = 5.0, 7.0
"""Seconds between two kills, and between two that are frozen."""


def regrow(*words: object) -> list[str]:
    """A command line."""
    return [sys.executable, "-m", "regrow.cli.main", *map(str, words)]


def train(folder: Path) -> Path:
    """Topics of the docstrings on this machine."""
    docs, run = folder / "docs.txt", folder / "run"
    subprocess.run([sys.executable, Path(__file__).with_name("docstrings.py"), docs], check=True)
    told = ("lda", "train", docs, "--topics", 50, "--rounds", 50, "--stop-words", "english", "--run", run, "--overwrite", "--json")
    print("training 50 topics ...", flush=True)
    ended = subprocess.run(regrow(*told), check=True, capture_output=True, text=True)
    print(f"model {json.loads(ended.stdout)['digest'][:16]}", flush=True)
    return run


class Service:
    """One service, and its replicas."""

    def __init__(self, run: Path, mode: str) -> None:
        words = ("serve", run, "--replicas", REPLICAS, "--port", 0, "--mode", mode, "--json")
        self.process = subprocess.Popen(regrow(*words), stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            sys.exit("the service did not start")
        self.url = str(json.loads(line)["url"])
        self.turn = 0

    def replicas(self) -> list[int]:
        """Its processes, oldest first."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return sorted(int(pid) for pid in children if Path(f"/proc/{pid}/comm").read_text().startswith("replica-"))

    def strike(self, number: int) -> None:
        """Send a signal to one of the replicas, in turn."""
        pids = self.replicas()
        if pids:
            self.turn += 1
            try:
                os.kill(pids[self.turn % len(pids)], number)
            except ProcessLookupError:
                return

    def metric(self, name: str) -> float:
        """The sum of a metric."""
        with urllib.request.urlopen(f"{self.url}/metrics") as response:
            lines = response.read().decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.split("{")[0].split()[0] == name)

    def end(self) -> None:
        """Let it end."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def accidents(service: Service, rate: float) -> Callable[[int], None]:
    """What happens to the service at the moment of each request."""
    every = {signal.SIGKILL: int(rate * KILL_EVERY), signal.SIGSTOP: int(rate * FREEZE_EVERY)}

    def happen(number: int) -> None:
        for what, after in every.items():
            if number % after == after // 2:
                service.strike(what)

    return happen


def measured(run: Path, mode: str, texts: list[str], rate: float, seconds: float) -> tuple[Report, float, float]:
    """What became of the requests, extra attempts in per cent, replicas that were lost."""
    service = Service(run, mode)
    try:
        bodies = [json.dumps({"texts": [text]}).encode() for text in texts]
        load = Load(service.url, "/v1/topics", bodies, deadline=2.0)
        asyncio.run(load.run(rate, 200, seed=2))  # so that it is known how long answers take
        before = service.metric("regrow_attempts_total")
        report = asyncio.run(load.run(rate, int(rate * seconds), meanwhile=accidents(service, rate)))
        extra = max(0.0, (service.metric("regrow_attempts_total") - before) / len(report.seconds) - 1)
        return report, 100 * extra, service.metric("regrow_replica_restarts_total")
    finally:
        service.end()


def table(columns: dict[str, tuple[Report, float, float]]) -> str:
    """Rows of figures, a column for each service."""
    rows: list[tuple[str, Callable[[tuple[Report, float, float]], str]]] = [
        ("p50 ms", lambda found: f"{found[0].at(0.5):.1f}"),
        ("p99 ms", lambda found: f"{found[0].at(0.99):.1f}"),
        ("p99.9 ms", lambda found: f"{found[0].at(0.999):.1f}"),
        ("failed %", lambda found: f"{100 * found[0].failed_share:.2f}"),
        ("extra %", lambda found: f"{found[1]:.1f}"),
    ]
    head = f"{'':12}" + "".join(f"{name:>18}" for name in columns)
    return "\n".join([head, *(f"{name:12}" + "".join(f"{tell(found):>18}" for found in columns.values()) for name, tell in rows)])


def main() -> None:
    """Train, serve, strike, tell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--folder", type=Path, help="where to train [a temporary folder]")
    parser.add_argument("--rate", type=float, default=60.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=20.0)
    asked: Any = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="regrow-serve-demo-") as temporary:
        folder = asked.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        run = train(folder)
        texts = (folder / "docs.txt").read_text().splitlines()[:500]
        columns = {}
        for name, mode in (("without hedging", "off"), ("with hedging", "hedge")):
            print(f"{name}: {int(asked.rate * asked.seconds)} requests, replicas killed and frozen", flush=True)
            columns[name] = measured(run, mode, texts, asked.rate, asked.seconds)
            print(f"{name}: {columns[name][2]:.0f} replicas were lost and replaced", flush=True)
    print(f"\n{table(columns)}")


if __name__ == "__main__":
    main()
