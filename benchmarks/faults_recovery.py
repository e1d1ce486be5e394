"""How long regrow takes to be at work again after each kind of loss; what cuts cost; what backup attempts gain."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from regrow.control import ask
from regrow.summary import summary_of

HERE = Path(__file__).parent
Seconds = list[float]
AGAIN = ("task redone", "backup attempt")
Choice = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]


class Run:
    """A run of the small algorithm, to be harmed."""

    def __init__(self, *options: str, rounds: int = 4000, size: int = 20_000, workers: int = 4) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="regrow-faults-"))
        self.path = self.folder / "run"
        (self.folder / "data.txt").write_text("nothing\n")
        sets = ["--set", f"rounds={rounds}", "--set", "partitions=8", "--set", f"size={size}"]
        words = ["run", str(HERE / "faults_algorithm.py:Lloyd"), str(self.folder / "data.txt"), *sets, "--workers", str(workers)]
        self.process = self.start(*words, "--run", str(self.path), *options)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """A command of regrow."""
        with open(self.folder / "log", "ab") as log:
            return subprocess.Popen([sys.executable, "-m", "regrow.cli.main", *words], stdout=log, stderr=log)

    def begun(self) -> None:
        """Wait until it is well under way."""
        self.until(lambda: (self.path / "records.jsonl").exists() and (self.path / "records.jsonl").read_bytes().count(b"\n") > 6)

    def until(self, what: Callable[[], Any], seconds: float = 60.0) -> Any:
        """Poll, 2,000 times a second."""
        deadline = time.monotonic() + seconds
        while not (found := what()):
            if time.monotonic() > deadline:
                raise TimeoutError((self.folder / "log").read_text()[-2000:])
            time.sleep(0.0005)
        return found

    def busy(self) -> list[dict[str, Any]]:
        """Workers that are at a task."""
        found = self.until(lambda: ask(self.path, "look"))
        return [worker for worker in found["crew"] if worker["task"] and worker["pid"] and not worker["checks"]]

    def told(self) -> int:
        """How long the story is by now."""
        return (self.path / "events.jsonl").stat().st_size

    def story(self, offset: int) -> list[dict[str, Any]]:
        """What was told since it was so long."""
        with open(self.path / "events.jsonl", "rb") as file:
            file.seek(offset)
            return [json.loads(line) for line in file.read().splitlines(keepends=True) if line.endswith(b"\n")]

    def end(self) -> None:
        """Leave nothing."""
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def hit(run: Run, number: int, choose: Choice) -> float:
    """Send a signal to some busy workers; seconds until one of the tasks that were lost is begun again (for SIGTERM: until it has left)."""
    while (seconds := _hit(run, number, choose(run.until(run.busy)))) is None:
        pass
    return seconds


def _hit(run: Run, number: int, workers: list[dict[str, Any]]) -> float | None:
    """Seconds; None if they had just finished what they were at."""
    names = {worker["worker"] for worker in workers}
    offset, began = run.told(), time.time()
    for worker in workers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker["pid"], number)
    event = "worker left" if number == signal.SIGTERM else "worker lost"
    try:
        gone = run.until(lambda: _lines(run, offset, event, names, len(names)), 5.0)
    except TimeoutError:  # one of them was gone before
        return None
    if number == signal.SIGTERM:
        return max(0.0, float(gone[0]["time"]) - began)
    tasks = {line["attempt"].rpartition(".")[0] for line in gone if "attempt" in line}
    if not tasks:
        return None
    try:
        again = run.until(lambda: [line for line in run.story(offset) if line["event"] in AGAIN and line["task"] in tasks], 5.0)
    except TimeoutError:  # another attempt had done it already
        return None
    return max(0.0, float(again[0]["time"]) - began)


def _lines(run: Run, offset: int, event: str, workers: set[str], number: int) -> list[dict[str, Any]]:
    """The lines of this event about these workers, once there are so many."""
    found = [line for line in run.story(offset) if line["event"] == event and line["worker"] in workers]
    return found if len(found) >= number else []


def recovery(times: int) -> dict[str, Seconds]:
    """Kind of loss -> seconds until the work that was lost is begun again (for notice: until the worker has left)."""
    dice = random.Random(1)
    found: dict[str, Seconds] = {}
    run = Run("--durable-every", "5")
    try:
        run.begun()
        one: Choice = lambda crew: [dice.choice(crew)]  # noqa: E731 - one of them
        found["a worker is killed"] = [hit(run, signal.SIGKILL, one) for _ in range(times)]
        found["all workers are killed"] = [hit(run, signal.SIGKILL, lambda crew: crew) for _ in range(times)]
        found["a worker has notice"] = [hit(run, signal.SIGTERM, one) for _ in range(times)]
        found["a worker is frozen"] = [hit(run, signal.SIGSTOP, one) for _ in range(max(2, times // 4))]
        found["the fork server is killed"] = [_kill_server(run) for _ in range(max(2, times // 4))]
        found["the coordinator is killed"] = [_kill_coordinator(run) for _ in range(max(2, times // 4))]
    finally:
        run.end()
    return found


def _kill_server(run: Run) -> float:
    worker = run.until(run.busy)[0]
    parent = int(Path(f"/proc/{worker['pid']}/stat").read_text().rpartition(")")[2].split()[1])
    offset, began = run.told(), time.time()
    os.kill(parent, signal.SIGKILL)
    again = run.until(lambda: [line for line in run.story(offset) if line["event"] in ("task redone", "worker joined")])
    return max(0.0, float(again[0]["time"]) - began)


def _kill_coordinator(run: Run) -> float:
    """From its SIGKILL, over `regrow resume` at once, to the first phase that is recorded."""
    run.until(run.busy)
    began = time.time()
    run.process.kill()
    run.process.wait()
    lines = (run.path / "records.jsonl").read_bytes().count(b"\n")
    run.process = run.start("resume", str(run.path))
    run.until(lambda: (run.path / "records.jsonl").read_bytes().count(b"\n") > lines)
    return time.time() - began


def cuts(repeat: int, rounds: int) -> dict[str, tuple[float, float]]:
    """Median seconds and CPU seconds of the same quiet run of topics with a durable cut every so many seconds; 0: none."""
    found: dict[str, list[tuple[float, float]]] = {"0": [], "10": [], "1": []}
    with tempfile.TemporaryDirectory(prefix="regrow-faults-") as folder:
        dice = random.Random(1)
        lines = (" ".join(f"w{int(20_000 * dice.random() ** 3)}" for _ in range(60)) for _ in range(20_000))
        (Path(folder) / "docs.txt").write_text("\n".join(lines) + "\n")
        options = ["--topics", "200", "--rounds", str(rounds), "--workers", "2", "--likelihood-every", "0"]
        environment = {**os.environ, "XDG_CACHE_HOME": f"{folder}/cache"}
        for turn in range(repeat + 1):
            for every in found:
                words = ["lda", "train", f"{folder}/docs.txt", "--run", f"{folder}/run", "--overwrite", "--durable-every", every, *options]
                ended = subprocess.run([sys.executable, "-m", "regrow.cli.main", *words], capture_output=True, env=environment, check=True)
                assert ended.returncode == 0
                if turn:  # the first one prepares the data
                    summary = summary_of(Path(folder) / "run")
                    found[every].append((summary["train_seconds"], summary["cpu_seconds"]))
    return {every: (statistics.median(row[0] for row in rows), statistics.median(row[1] for row in rows)) for every, rows in found.items()}


NO_BACKUPS = "import regrow.coordinator.assigning as a; a.backup_due = lambda *_: (False, ''); from regrow.cli.main import main; main()"


def slow_machine(rounds: int) -> dict[str, float]:
    """Seconds of a run in which one of four workers gets a tenth of its time, with backup attempts and without."""
    return {name: _braked(rounds, backups=backups) for name, backups in (("with backup attempts", True), ("without", False))}


def _braked(rounds: int, *, backups: bool) -> float:
    with tempfile.TemporaryDirectory(prefix="regrow-faults-") as folder:
        run = Path(folder) / "run"
        (Path(folder) / "data.txt").write_text("nothing\n")
        sets = ["--set", f"rounds={rounds}", "--set", "partitions=8", "--set", "size=200000"]
        words = ["run", str(HERE / "faults_algorithm.py:Lloyd"), f"{folder}/data.txt", *sets, "--workers", "4", "--run", str(run)]
        start = [sys.executable, "-m", "regrow.cli.main"] if backups else [sys.executable, "-c", NO_BACKUPS]
        process = subprocess.Popen([*start, *words, "--verify", "off"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ended = threading.Event()
        while not (run / "records.jsonl").exists():
            time.sleep(0.01)
        crew = (ask(run, "look") or {"crew": []})["crew"]
        thread = threading.Thread(target=_brake, args=(crew[0]["pid"], ended))
        thread.start()
        process.wait()
        ended.set()
        thread.join()
        return float(summary_of(run)["train_seconds"])


def _brake(pid: int, ended: threading.Event) -> None:
    """A process that gets a tenth of its time."""
    with contextlib.suppress(ProcessLookupError):
        while not ended.is_set():
            os.kill(pid, signal.SIGSTOP)
            time.sleep(0.27)
            os.kill(pid, signal.SIGCONT)
            time.sleep(0.03)
