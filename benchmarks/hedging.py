"""Of several replicas, the first answer: regrow's hedging beside other ways, in one harness; simulated, and over real sockets.

    python benchmarks/hedging.py [simulated] [sockets] [--requests 100000] [--seconds 20] [--only NAME,...] [--state WORDS] [--json OUT]

Rows are ways to ask (see `hedging_rules`), columns milliseconds (the deadline for what failed), failures in per cent, attempts besides the
first ones in per cent, and the work of all replicas for each request, relative to one execution. Each table is one state of a hundred
replicas at one load (of what they could do if all were well). Simulated time: 5 ms a request, deadline 1 s. Sockets: 100 ms, deadline 10 s.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
from hedging_rules import RULES, machine
from hedging_world import MEAN, STALL, Outcome, World

from regrow.errors import NoAnswer
from regrow.serving.first import Hedge
from regrow.serving.moves import Joined

REPLICAS = 100
STATES: dict[str, tuple[float, dict[str, int]]] = {
    "5 hang, 30 % load": (0.3, {"hangs": 5}),
    "5 hang, 5 are ten times slower, 30 % load": (0.3, {"hangs": 5, "slow": 5}),
    "5 hang, 5 are ten times slower, 60 % load": (0.6, {"hangs": 5, "slow": 5}),
    "5 refuse, 30 % load": (0.3, {"refuses": 5}),
    "all well, 30 % load": (0.3, {}),
    "all well, 95 % load": (0.95, {}),
    "all well, 0.1 % load": (0.001, {}),
}
ON_SOCKETS = ("all well, 30 % load", "5 hang, 30 % load", "5 hang, 5 are ten times slower, 30 % load", "all well, 95 % load")
DELAY = 4.0
"""The fixed delay of the gRPC rule, in mean durations: 20 ms for 5 ms, which is about right here. Somebody must know it."""
SOCKET_MEAN = 0.1
COLUMNS = ("p50", "p99", "p99.9", "failed", "extra", "work")
HEAD = f"{'':16}" + "".join(f"{name:>10}" for name in ("p50 ms", "p99 ms", "p99.9 ms", "failed %", "extra %", "work"))


def line(name: str, row: dict[str, float]) -> str:
    """A row of a table."""
    return f"{name:16}" + "".join(f"{row[column]:10.2f}" if column in row else f"{'-':>10}" for column in COLUMNS)


def simulated(names: list[str], requests: int, seed: int) -> dict[str, dict[str, dict[str, float]]]:
    """All states, all ways."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for state, (load, sick) in STATES.items():
        print(f"\nsimulated, {state}, {requests:,} requests\n{HEAD}", flush=True)
        found[state] = {}
        for name in names:
            if (name == "regrow all") != (load == 0.001) and name == "regrow all":
                continue  # it does a hundred times the work
            many = requests if name != "regrow all" else requests // 20
            if load == 0.001 and name not in ("regrow all", "regrow hedge", "regrow off"):
                continue
            world = World(machine(name, seed, DELAY * MEAN), REPLICAS, load, sick, seed)
            found[state][name] = world.run(many if load != 0.001 else requests // 20).row(MEAN + 0.01 * STALL)
            print(line(name, found[state][name]), flush=True)
    return found


class Sockets:
    """Replicas in a process of their own."""

    def __init__(self, sick: dict[str, int], seed: int) -> None:
        script = Path(__file__).with_name("hedging_sockets.py")
        command = [sys.executable, str(script), str(REPLICAS), str(SOCKET_MEAN), json.dumps(sick), str(seed)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.ports: list[int] = json.loads(self.process.stdout.readline())

    def end(self) -> None:
        """End them."""
        self.process.communicate()


async def over_sockets(name: str, load: float, ports: list[int], seconds: float, seed: int) -> Outcome:
    """One way, for so many seconds: requests come as they please."""
    hedge, outcome, chance = Hedge(), Outcome(), random.Random(seed)
    hedge.machine = machine(name, seed, DELAY * SOCKET_MEAN)  # type: ignore[assignment]
    for port in ports:
        hedge.machine.handle(Joined(str(port)), time.monotonic())
    deadline = 100 * SOCKET_MEAN
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None)) as session:

        async def ask(port: str) -> bytes:
            outcome.attempts += 1
            async with session.post(f"http://127.0.0.1:{port}/", data=b"{}") as response:
                return await response.read()

        async def one(moment: float) -> None:
            try:
                await hedge.ask(ask, None, deadline)
                outcome.seconds.append(time.monotonic() - moment)
            except NoAnswer:
                outcome.seconds.append(deadline)
                outcome.failed += 1

        moment, end, tasks = time.monotonic(), time.monotonic() + seconds, []
        while moment < end:
            moment += chance.expovariate(load * REPLICAS / (1.2 * SOCKET_MEAN))
            await asyncio.sleep(max(0.0, moment - time.monotonic()))
            tasks.append(asyncio.create_task(one(moment)))
        await asyncio.gather(*tasks)
    return outcome


def sockets(names: list[str], seconds: float, seed: int) -> dict[str, dict[str, dict[str, float]]]:
    """Some states, all ways but `all`."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for state in [state for state in ON_SOCKETS if state in STATES]:
        load, sick = STATES[state]
        print(
            f"\nreal sockets, {state}, {load * REPLICAS / (1.2 * SOCKET_MEAN):.0f} requests a second for {seconds:.0f} s\n{HEAD}",
            flush=True,
        )
        found[state] = {}
        for name in names:
            if name == "regrow all":
                continue
            replicas = Sockets(sick, seed)
            try:
                row = asyncio.run(over_sockets(name, load, replicas.ports, seconds, seed)).row(1.0)
            finally:
                replicas.end()
            del row["work"]  # it was slept
            found[state][name] = row
            print(line(name, row), flush=True)
    return found


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help="simulated, sockets [both]")
    parser.add_argument("--requests", type=int, default=100_000, help="simulated: in each state [100,000]")
    parser.add_argument(
        "--seconds", type=float, default=20.0, help="sockets: each way in each state [20]; the whole takes some twelve minutes"
    )
    parser.add_argument("--only", metavar="NAME,...", help=f"ways: {', '.join(RULES)}")
    parser.add_argument("--state", metavar="WORDS", help="only states with these words in their name")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path, metavar="OUT", help="keep all figures")
    asked: Any = parser.parse_args()
    if asked.state and not any(asked.state in state for state in STATES):
        sys.exit(f"there is no state {asked.state!r}: there are {'; '.join(STATES)}")
    for state in [state for state in STATES if asked.state and asked.state not in state]:
        del STATES[state]
    names = asked.only.split(",") if asked.only else list(RULES)
    unknown = [name for name in names if name not in RULES] + [part for part in asked.parts if part not in ("simulated", "sockets")]
    if unknown:
        sys.exit(f"there is no {', '.join(unknown)}: the ways are {', '.join(RULES)}; the parts simulated and sockets")
    parts = asked.parts or ["simulated", "sockets"]
    found: dict[str, Any] = {}
    print(
        f"{REPLICAS} replicas, one execution of a hundred takes {STALL / MEAN:.0f} mean durations more; seed {asked.seed}\n"
        f"regrow: 10 % extra, 3 attempts at most; gRPC: a fixed delay of {DELAY:.0f} mean durations"
    )
    if "simulated" in parts:
        found["simulated"] = simulated(names, asked.requests, asked.seed)
    if "sockets" in parts:
        found["sockets"] = sockets(names, asked.seconds, asked.seed)
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
