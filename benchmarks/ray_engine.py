"""The engine `ray` beside plain Ray tasks, on a cluster of several nodes on this machine.

Everybody runs the same k-means (faults_algorithm).

    python benchmarks/ray_engine.py [--nodes 3] [--rounds 200] [--size 60000] [--lose-every 30] [--seconds 45]

overhead    milliseconds for each task beyond its own work: rounds of tasks that do next to nothing
loss        a node killed every so many seconds, and another added in its place: seconds undisturbed and disturbed, goodput (the first
            divided by the second), and how long until somebody is at lost work again
bytes       what regrow sends from one machine to another, and the least that a second copy and the readers elsewhere need

Peers: plain Ray tasks with max_retries=-1, centers by ray.put, default health checks; all on the same cluster, one CPU a node.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ray_nodes import Nodes

HERE = Path(__file__).parent
WHO = ("regrow", "ray tasks")


def peer(address: str, rounds: int, partitions: int, size: int) -> None:
    """Plain Ray tasks: in a process of its own. Prints the digest and the seconds of the rounds."""
    sys.path.insert(0, str(HERE))
    from faults_algorithm import digest, first_centers, moved, partial

    import ray

    ray.init(address=address, log_to_driver=False, logging_level="ERROR", runtime_env={"env_vars": {"PYTHONPATH": str(HERE)}})
    task = ray.remote(max_retries=-1, num_cpus=1)(partial)
    centers = first_centers()
    ray.get([task.remote(index, size, ray.put(centers)) for index in range(partitions)])  # everybody has imported and made points
    began = time.monotonic()
    for _ in range(rounds):
        shared = ray.put(centers)
        centers = moved(ray.get([task.remote(index, size, shared) for index in range(partitions)]), centers)
    print(json.dumps({"digest": digest(centers), "seconds": time.monotonic() - began}), flush=True)


class Contest:
    """One contestant at work."""

    def __init__(self, who: str, nodes: Nodes, rounds: int, partitions: int, size: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="regrow-ray-"))
        self.run = self.folder / "run"
        (self.folder / "data.txt").write_text("nothing\n")
        numbers = [f"{rounds}", f"{partitions}", f"{size}"]
        if who == "regrow":
            sets = [
                word
                for name, number in zip(("rounds", "partitions", "size"), numbers, strict=True)
                for word in ("--set", f"{name}={number}")
            ]
            program = [f"{HERE / 'faults_algorithm.py'}:Lloyd", f"{self.folder / 'data.txt'}", *sets]
            where = ["--run", f"{self.run}", "--engine", "ray", "--address", nodes.address, "--verify", "off", "--json"]
            command = [sys.executable, "-m", "regrow.cli.main", "run", *program, *where]
        else:
            command = [sys.executable, __file__, "--peer", nodes.address, *numbers]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def end(self, seconds: float) -> dict[str, Any]:
        """What came out; {} if nothing did in that time."""
        try:
            out, err = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            return {}
        if self.process.returncode:
            raise RuntimeError(err[-2000:])
        found: dict[str, Any] = json.loads(out.splitlines()[-1])
        return {**found, "seconds": found.get("seconds", found.get("train_seconds"))}

    def close(self) -> None:
        """Leave nothing."""
        shutil.rmtree(self.folder, ignore_errors=True)


def undisturbed(who: str, nodes: Nodes, rounds: int, partitions: int, size: int, seconds: float) -> dict[str, Any]:
    """A run without losses."""
    contest = Contest(who, nodes, rounds, partitions, size)
    try:
        return contest.end(seconds)
    finally:
        contest.close()


def disturbed(who: str, nodes: Nodes, rounds: int, partitions: int, size: int, every: float, seconds: float) -> dict[str, Any]:
    """A run that loses a node every so many seconds, and gets another."""
    count = len(nodes.ids())
    contest = Contest(who, nodes, rounds, partitions, size)
    deadline, killed = time.monotonic() + seconds, 0
    try:
        wait = every / 2
        while contest.process.poll() is None and time.monotonic() < deadline:
            time.sleep(min(wait, max(0.0, deadline - time.monotonic())))
            if contest.process.poll() is None and time.monotonic() < deadline:
                nodes.kill(nodes.ids()[0])
                nodes.add()
                killed, wait = killed + 1, every
        return {**contest.end(1.0), "killed": killed}
    finally:
        contest.close()
        nodes.have(count)


def main() -> None:
    """All tables."""
    if sys.argv[1:2] == ["--peer"]:
        peer(sys.argv[2], *map(int, sys.argv[3:]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("nodes", 3), ("rounds", 200), ("partitions", 6), ("size", 60_000)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--lose-every", type=float, default=30.0)
    parser.add_argument("--seconds", type=float, default=240.0, help="at most, for each run")
    asked = parser.parse_args()
    nodes = Nodes()
    try:
        nodes.have(asked.nodes)
        table(nodes, asked)
    finally:
        nodes.close()


def table(nodes: Nodes, asked: argparse.Namespace) -> None:
    """Print what was measured, as it is measured."""
    print(f"{asked.nodes} nodes of one CPU on this machine, {asked.partitions} partitions\n")
    print("overhead: tasks that do next to nothing\n  who           ms a task")
    for who in WHO:
        found = undisturbed(who, nodes, 40, asked.partitions, 200, asked.seconds)
        tasks = 40 * (asked.partitions + (who == "regrow"))
        print(f"  {who:12} {1000 * found['seconds'] / tasks if found else float('nan'):10.2f}", flush=True)
    print(f"\nloss: {asked.rounds} rounds of {asked.partitions} x {asked.size:,} points, a node killed every {asked.lose_every:.0f} s")
    print("  who           quiet s  disturbed s  killed  goodput  digest            back at work after s")
    digests = {}
    for who in WHO:
        quiet = undisturbed(who, nodes, asked.rounds, asked.partitions, asked.size, asked.seconds)
        lossy = disturbed(who, nodes, asked.rounds, asked.partitions, asked.size, asked.lose_every, asked.seconds)
        digests[who] = {quiet.get("digest"), lossy.get("digest")}
        calm, seconds = quiet.get("seconds", float("nan")), lossy.get("seconds", float("nan"))
        back = statistics.median(lossy["recovery_seconds"]) if lossy.get("recovery_seconds") else float("nan")
        same = "same" if len(digests[who]) == 1 else "not ended" if not lossy.get("digest") else "DIFFERS"
        row = f"{calm:8.1f} {seconds:12.1f} {lossy['killed']:7} {calm / seconds:8.2f}"
        print(f"  {who:12} {row}  {same:16} {back:8.2f}", flush=True)
        if who == "regrow":
            moved, least = quiet.get("moved_bytes", 0) / asked.rounds, least_bytes(asked.partitions, asked.nodes)
            print(f"  {'':12} {moved / 1000:.1f} KB moved a round, {least / 1000:.1f} KB at least: {moved / least:.2f} x", flush=True)


def least_bytes(partitions: int, nodes: int) -> float:
    """What must move in a round: one more copy of each artifact, and messages to readers on other nodes. Arrays only, no headers."""
    sums, centers = 16 * 8 * 8 + 16 * 8, 16 * 8 * 8
    copies = partitions * sums + 3 * centers  # state, message and result of the role of one partition
    elsewhere = (nodes - 1) / nodes
    return copies + elsewhere * (partitions * sums + centers) + (nodes - 1) * centers


if __name__ == "__main__":
    main()
