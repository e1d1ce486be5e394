"""`regrow serve` on one machine: requests a second and milliseconds beside plain FastAPI with the same model; swaps; equal bytes.

python benchmarks/serving.py --model RUN --texts FILE [speed] [healthy] [swaps --other RUN2] [equal] [memory] [--seconds 8]

speed   most requests a second (16 clients, each asks again when it is answered), and milliseconds at a fixed rate of requests that come
        as they please (both need the model of topics; FastAPI needs `pip install 'regrow[serving-peers]'`)
healthy what hedging costs when all is well: two services, with hedging and without, asked in turns for a second each
swaps   100 swaps between two models under load: failed requests
equal   100,000 requests of 1,000 texts, hedged, while replicas are killed and frozen: answers that differ by a byte
memory  PSS of the replicas, for 1 and for 4
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import aiohttp

from regrow.serving.load import Load, Report

CLIENTS = 16
STRIKE_EVERY = 10_000
"""After so many requests the oldest replica is killed, or frozen, in turn: one that never lives long is replaced later each time."""
HERE = Path(__file__).parent


class Process:
    """A server in a process of its own."""

    def __init__(self, command: list[str], **environment: str) -> None:
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, **environment}
        )

    def end(self) -> None:
        """End it."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def regrow(run: Path, *words: object) -> tuple[Process, str]:
    """`regrow serve`; its URL."""
    server = Process([sys.executable, "-m", "regrow.cli.main", "serve", str(run), "--port", "0", "--json", *map(str, words)])
    assert server.process.stdout is not None
    return server, str(json.loads(server.process.stdout.readline())["url"])


def fastapi(run: Path, workers: int, port: int) -> tuple[Process, str]:
    """The peer; its URL."""
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "--app-dir",
        str(HERE),
        "serving_fastapi:app",
        "--port",
        str(port),
        "--workers",
        str(workers),
    ]
    return Process([*command, "--log-level", "warning", "--no-access-log"], MODEL=str(run)), f"http://127.0.0.1:{port}"


async def until_ready(url: str, body: bytes) -> None:
    """Ask until it answers."""
    async with aiohttp.ClientSession() as session:
        for _ in range(600):
            try:
                async with session.post(f"{url}/v1/topics", data=body, headers={"Content-Type": "application/json"}) as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
    sys.exit(f"{url} does not answer")


async def most(url: str, bodies: list[bytes], seconds: float) -> float:
    """Requests a second of clients that ask again as soon as they are answered."""
    done, end = 0, time.monotonic() + seconds

    async def client(session: aiohttp.ClientSession, number: int) -> None:
        nonlocal done
        while time.monotonic() < end:
            async with session.post(
                f"{url}/v1/topics", data=bodies[number % len(bodies)], headers={"Content-Type": "application/json"}
            ) as response:
                await response.read()
                done += response.status == 200
            number += CLIENTS

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(client(session, number) for number in range(CLIENTS)))
    return done / seconds


def speed(run: Path, bodies: list[bytes], seconds: float, rate: float) -> list[dict[str, Any]]:
    """All contestants."""
    rows = []
    print(f"{'':32}{'requests/s':>12}{'p50 ms':>10}{'p99 ms':>10}{'p99.9 ms':>10}   at {rate:.0f} a second")
    for name, start in (
        ("regrow, 2 replicas, hedging", lambda: regrow(run, "--replicas", 2)),
        ("regrow, 2 replicas, --mode off", lambda: regrow(run, "--replicas", 2, "--mode", "off")),
        ("FastAPI, uvicorn, 1 worker", lambda: fastapi(run, 1, 8731)),
        ("FastAPI, uvicorn, 2 workers", lambda: fastapi(run, 2, 8732)),
    ):
        if name.startswith("FastAPI") and find_spec("fastapi") is None:
            print(f"{name} is left out: pip install 'regrow[serving-peers]'")
            continue
        server, url = start()
        try:
            asyncio.run(until_ready(url, bodies[0]))
            load = Load(url, "/v1/topics", bodies)
            asyncio.run(load.run(rate, int(rate)))
            report = asyncio.run(load.run(rate, int(rate * seconds)))
            per_second = asyncio.run(most(url, bodies, seconds))
        finally:
            server.end()
        rows.append({"name": name, "per_second": per_second, **figures(report)})
        print(f"{name:32}{per_second:12.0f}" + "".join(f"{report.at(share):10.2f}" for share in (0.5, 0.99, 0.999)), flush=True)
    return rows


def healthy(run: Path, bodies: list[bytes], seconds: float, rate: float) -> dict[str, Any]:
    """With hedging and without, in turns, so that whatever else the machine does befalls both."""
    modes = ("hedge", "off")
    servers = {mode: regrow(run, "--replicas", 2, "--mode", mode) for mode in modes}
    reports = {mode: Report() for mode in modes}
    try:
        for turn in range(-3, int(seconds)):
            for mode in modes[:: -1 if turn % 2 else 1]:
                report = asyncio.run(Load(servers[mode][1], "/v1/topics", bodies).run(rate, int(rate), seed=turn + 10))
                if turn >= 0:
                    reports[mode].seconds += report.seconds
                    reports[mode].failed += report.failed
        hedges, requests = (metric(servers["hedge"][1], f"regrow_{name}_total") for name in ("attempts", "requests"))
    finally:
        for server, _ in servers.values():
            server.end()
    for mode in modes:
        print(f"--mode {mode:6} at {rate:.0f} a second: {reports[mode]}")
    cost = {"p50 %": 100 * (reports["hedge"].at(0.5) / reports["off"].at(0.5) - 1), "extra %": 100 * (hedges / max(1.0, requests) - 1)}
    print(f"hedging: p50 {cost['p50 %']:+.1f} %, {cost['extra %']:.1f} % more attempts")
    return {mode: figures(reports[mode]) for mode in modes} | cost


def figures(report: Report) -> dict[str, Any]:
    """A report as JSON values."""
    return {
        "requests": len(report.seconds),
        "p50": report.at(0.5),
        "p99": report.at(0.99),
        "p99.9": report.at(0.999),
        "failed": report.failed.total(),
    }


def swaps(first: Path, second: Path, bodies: list[bytes], rate: float, number: int = 100) -> dict[str, Any]:
    """Publish the one model and the other in turn, under load."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        shutil.copytree(first, run)
        server, url = regrow(run, "--replicas", 2)
        try:
            load = Load(url, "/v1/topics", bodies)
            done: list[str] = []

            async def swapping() -> None:
                async with aiohttp.ClientSession() as session:
                    for turn in range(number):
                        source = (second, first)[turn % 2]
                        shutil.copytree(source / "model", run / "model.new")
                        shutil.rmtree(run / "model")
                        os.rename(run / "model.new", run / "model")
                        async with session.post(f"{url}/admin/reload", headers={"Content-Type": "application/json"}) as response:
                            done.append(json.loads(await response.read())["model"])

            async def both() -> tuple[int, int]:
                task, failed, asked = asyncio.create_task(swapping()), 0, 0
                while not task.done():
                    report = await load.run(rate, int(rate))
                    failed, asked = failed + report.failed.total(), asked + len(report.seconds)
                await task
                return failed, asked

            failed, asked = asyncio.run(both())
        finally:
            server.end()
    changes = sum(a != b for a, b in itertools.pairwise(done)) + 1
    print(f"{changes} swaps under {asked:,} requests: {failed} failed")
    return {"swaps": changes, "requests": asked, "failed": failed}


def equal(run: Path, bodies: list[bytes], number: int) -> dict[str, Any]:
    """Ask each text many times, hedged, while replicas are killed and frozen, and compare bytes."""
    server, url = regrow(run, "--replicas", 3)
    found: Counter[str] = Counter()
    try:
        asyncio.run(until_ready(url, bodies[0]))
        asyncio.run(compared(url, bodies, number, server.process.pid, found))
        for outcome in ("won", "lost"):
            found[f"hedges {outcome}"] = int(metric(url, f'regrow_hedges_total{{outcome="{outcome}"}}'))
        found["replicas lost"] = int(metric(url, "regrow_replica_restarts_total"))
    finally:
        server.end()
    print(f"{found['answers']:,} answers to {len(bodies):,} texts: {found['different']} differ, {found['failed']} requests failed")
    print(
        f"{found['hedges won'] + found['hedges lost']:,} were asked of a second replica, which was first {found['hedges won']:,} times; "
        f"{found['replicas lost']} replicas were killed or frozen"
    )
    return dict(found)


async def compared(url: str, bodies: list[bytes], number: int, router: int, found: Counter[str]) -> None:
    """Count answers, those that differ from the first one to the same text, and requests without one."""
    expected: dict[int, bytes] = {}
    strikes = itertools.cycle((signal.SIGKILL, signal.SIGSTOP))

    async def client(session: aiohttp.ClientSession, first: int) -> None:
        for which in range(first, number, CLIENTS):
            if which and which % STRIKE_EVERY == 0:
                with contextlib.suppress(OSError, IndexError):
                    os.kill(children(router)[0], next(strikes))
            body = bodies[which % len(bodies)]
            async with session.post(f"{url}/v1/topics", data=body, headers={"Content-Type": "application/json"}) as response:
                answer = await response.read()
                if response.status != 200:
                    found["failed"] += 1
                    continue
                found["answers"] += 1
                found["different"] += expected.setdefault(which % len(bodies), answer) != answer

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(client(session, first) for first in range(CLIENTS)))


def metric(url: str, name: str) -> float:
    """The sum of a metric."""
    with urllib.request.urlopen(f"{url}/metrics") as response:
        return sum(float(line.split()[-1]) for line in response.read().decode().splitlines() if line.startswith(name))


def children(pid: int) -> list[int]:
    """Replicas of a router."""
    found = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [child for child in found if Path(f"/proc/{child}/comm").read_text().startswith("replica-")]


def memory(run: Path) -> dict[str, int]:
    """PSS of replicas."""
    found = {}
    for replicas in (1, 4):
        server, _ = regrow(run, "--replicas", replicas)
        try:
            found[str(replicas)] = sum(pss(child) for child in children(server.process.pid))
        finally:
            server.end()
        print(f"{replicas} replicas: {found[str(replicas)] / 2**20:.0f} MiB (PSS)")
    return found


def pss(pid: int) -> int:
    """The proportional set size of a process in bytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith("Pss:")))


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("parts", nargs="*", help="speed, healthy, swaps, equal, memory [all but swaps]")
    parser.add_argument("--model", type=Path, required=True, help="a run of topics")
    parser.add_argument("--other", type=Path, help="another one, for swaps")
    parser.add_argument("--texts", type=Path, required=True, help="a file with a text on each line")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--json", type=Path)
    asked: Any = parser.parse_args()
    with open(asked.texts, encoding="utf-8") as file:
        bodies = [json.dumps({"texts": [line.rstrip("\n")]}).encode() for line, _ in zip(file, range(1000), strict=False)]
    parts = asked.parts or ["speed", "healthy", "equal", "memory"]
    found: dict[str, Any] = {}
    if "speed" in parts:
        found["speed"] = speed(asked.model, bodies, asked.seconds, asked.rate)
    if "healthy" in parts:
        found["healthy"] = healthy(asked.model, bodies, asked.seconds, asked.rate)
    if "swaps" in parts:
        if asked.other is None:
            sys.exit("swaps need --other RUN2")
        found["swaps"] = swaps(asked.model, asked.other, bodies, asked.rate)
    if "equal" in parts:
        found["equal"] = equal(asked.model, bodies, asked.requests)
    if "memory" in parts:
        found["memory"] = memory(asked.model)
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
