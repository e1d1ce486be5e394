"""How fast the coordinator thinks, and how much it remembers, with 10^2 to 10^5 workers: `python benchmarks/coordinator.py`.

Two roles read each other (docs the words of the last round, words the docs of this one) and keep states; together they have four
partitions for each worker. One worker is lost and replaced in a thousand events, and cuts are made. Nothing but the coordinator is timed:
events are made beforehand, in batches, and actions are looked at afterwards. Each size runs in a process of its own, so that its memory
can be told. Python's collector of circles is on, as calm as a run has it (`regrow.collector`); --collector says otherwise.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

from regrow.collector import calm
from regrow.coordinator.actions import Action, Finish, MakeCut, Start
from regrow.coordinator.events import AttemptDone, CutMade, Event, Receipt, Tick, WorkerJoined, WorkerLost
from regrow.coordinator.machine import Machine
from regrow.coordinator.plan import Attempt, Plan
from regrow.coordinator.policy import Limits
from regrow.program import Role, Roles

BATCH = 400
TASK_SECONDS = 10.0
TOGETHER = 8
"""Workers on a machine."""


class Drive:
    """Workers that are always done, in the order in which they began; and a coordinator that is timed."""

    def __init__(self, workers: int, rounds: int) -> None:
        half = 2 * workers
        roles = Roles(rounds, docs=Role(half, reads={"words": -1}), words=Role(half, reads={"docs": 0}))
        self.machine = Machine(Plan(roles), Limits(cut_every_seconds=60.0), verify=False)
        self.workers = workers
        self.busy: deque[tuple[str, Attempt]] = deque()
        self.answers: list[Event] = []
        self.machines: dict[str, str] = {}
        self.names, self.events, self.seconds, self.longest, self.actions, self.now = 0, 0, 0.0, 0.0, 0, 0.0
        self.finished = False

    def run(self) -> None:
        """From the first worker to the last commit."""
        self.look([self.machine.begin(0.0)])
        left = self.workers
        while left:
            batch = [self.join() for _ in range(min(left, BATCH))]
            left -= len(batch)
            self.tell(batch)
        while not self.finished:
            self.now += TASK_SECONDS * BATCH / self.workers
            self.tell(self.batch())

    def batch(self) -> list[Event]:
        """What happens next: answers, sometimes a loss, a tick."""
        events, self.answers = self.answers, []
        for _ in range(min(BATCH, max(1, self.workers // 4), len(self.busy))):
            worker, attempt = self.busy.popleft()
            lost = (self.events + len(events)) % 1000 == 999
            if lost:
                events += [WorkerLost(worker, "taken away"), self.join(self.machines.pop(worker))]
            else:
                task = attempt.task
                events.append(AttemptDone(worker, attempt, Receipt(f"{task}", (task.round,), metrics={"items": 1})))
        return [*events, Tick()]

    def join(self, machine: str = "") -> WorkerJoined:
        """A new worker, on the machine of another, or on the next where there is room."""
        self.names += 1
        worker = f"worker-{self.names}"
        self.machines[worker] = machine or f"machine-{self.names // TOGETHER}"
        return WorkerJoined(worker, machine=self.machines[worker])

    def tell(self, batch: list[Event]) -> None:
        """Let the coordinator hear of these events, and time it."""
        handle, now, found = self.machine.handle, self.now, []
        clock, longest = time.perf_counter, self.longest
        began = time.process_time()
        last = clock()
        for event in batch:
            found.append(handle(event, now))
            after = clock()
            if after - last > longest:
                longest, self.actions = after - last, len(found[-1])
            last = after
        self.seconds += time.process_time() - began
        self.longest = longest
        self.events += len(batch)
        self.look(found)

    def look(self, found: list[list[Action]]) -> None:
        """What an engine would do with actions."""
        for actions in found:
            for action in actions:
                if type(action) is Start:
                    self.busy.append((action.worker, action.attempt))
                elif type(action) is MakeCut:
                    self.answers.append(CutMade(action.round))
                elif type(action) is Finish:
                    self.finished = True


def memory_bytes() -> int:
    """Resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def peak_bytes() -> int:
    """The highest resident memory of this process so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def measure(workers: int, rounds: int) -> dict[str, float]:
    """One size, in this process."""
    before = memory_bytes()
    drive = Drive(workers, rounds)
    drive.run()
    return {
        "workers": workers,
        "partitions": 4 * workers,
        "rounds": rounds,
        "events": drive.events,
        "events_per_second": round(drive.events / drive.seconds),
        "microseconds_per_event": round(1e6 * drive.seconds / drive.events, 2),
        "longest_milliseconds": round(1e3 * drive.longest, 2),
        "longest_actions": drive.actions,
        "memory_bytes": peak_bytes() - before,
        "bytes_per_worker_and_task": round((peak_bytes() - before) / (5 * workers)),
    }


def rounds_for(workers: int) -> int:
    """So many that a size takes some seconds, and so few that the largest does not take minutes."""
    return max(3, min(200, 1_000_000 // (4 * workers)))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", default="100,1000,10000,100000", help="sizes, with commas between")
    parser.add_argument("--rounds", type=int, help="instead of about a million events for each size, at least 3 rounds")
    parser.add_argument("--json", action="store_true", help="a line of JSON for each size")
    parser.add_argument("--collector", choices=["calm", "python", "off"], default="calm", help="as a run has it, as Python has it, or off")
    parser.add_argument("--here", action="store_true", help="in this process (for a profiler): one size")
    asked = parser.parse_args()
    sizes = [int(size) for size in asked.workers.split(",")]
    if asked.here:
        if asked.collector == "off":
            gc.disable()
        with calm() if asked.collector == "calm" else contextlib.nullcontext():
            print(json.dumps(measure(sizes[0], asked.rounds or rounds_for(sizes[0]))))
        return
    if not asked.json:
        print(
            "  workers  partitions  rounds     events  events/s  us/event  longest ms  actions in it  memory MB  bytes per worker and task"
        )
    for size in sizes:
        words = [sys.executable, __file__, "--here", "--workers", str(size), "--rounds", str(asked.rounds or rounds_for(size))]
        words += ["--collector", asked.collector]
        row = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
        if asked.json:
            print(json.dumps(row), flush=True)
            continue
        print(
            f"{row['workers']:9,} {row['partitions']:11,} {row['rounds']:7} {row['events']:10,} {row['events_per_second']:9,} "
            f"{row['microseconds_per_event']:9.1f} {row['longest_milliseconds']:11.1f} {row['longest_actions']:13,} "
            f"{row['memory_bytes'] / 1e6:10.0f} {row['bytes_per_worker_and_task']:10,}",
            flush=True,
        )


if __name__ == "__main__":
    main()
