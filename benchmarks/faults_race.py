"""The same algorithm by one contestant, while one of its workers is killed every so many seconds."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from faults_algorithm import digest

HERE = Path(__file__).parent
CONTESTANTS = ("regrow", "pool", "joblib", "ray", "mpi")


@dataclass(frozen=True)
class Size:
    """How much there is to do."""

    rounds: int
    partitions: int
    points: int
    workers: int

    def words(self) -> list[str]:
        """As the peers take it."""
        return [str(number) for number in (self.rounds, self.partitions, self.points, self.workers)]


@dataclass(frozen=True)
class Outcome:
    """How a contestant fared; digest "" if it came to no end."""

    seconds: float
    kills: int
    digest: str
    starts: int


def race(name: str, size: Size, kill_every: float | None, seconds_max: float) -> Outcome:
    """Let one contestant do it."""
    folder = Path(tempfile.mkdtemp(prefix="regrow-faults-"))
    mark = f"REGROW_FAULTS={uuid.uuid4().hex}"
    runner = _Runner(name, size, folder, mark)
    dice, kills = random.Random(1), 0
    try:
        runner.start()
        due = None
        began = time.monotonic()
        while not runner.ended():
            time.sleep(0.005)
            now = time.monotonic()
            if due is None and runner.begun():
                began, due = now, now + (kill_every or 0.0)
            if now - began > seconds_max:
                return Outcome(now - began, kills, "", runner.starts)
            if kill_every is not None and due is not None and now >= due and (victims := runner.victims()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(dice.choice(victims), signal.SIGKILL)
                    kills += 1
                due = max(due + kill_every, now)
        return Outcome(runner.seconds(), kills, runner.digest(), runner.starts)
    finally:
        runner.end()
        shutil.rmtree(folder, ignore_errors=True)


class _Runner:
    """One contestant and its processes."""

    def __init__(self, name: str, size: Size, folder: Path, mark: str) -> None:
        self.name, self.size, self.folder, self.mark = name, size, folder, mark
        self.starts = 0

    def start(self) -> None:
        """Start it, or start it again."""
        self.starts += 1
        key, _, value = self.mark.partition("=")
        environment = {**os.environ, key: value, "OMP_NUM_THREADS": "1", "RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
        log = open(self.folder / "log", "ab")  # noqa: SIM115 - the process has it
        self.process = subprocess.Popen(self._command(), env=environment, stdout=log, stderr=log, cwd=HERE, start_new_session=True)
        log.close()

    def _command(self) -> list[str]:
        if self.name == "regrow":
            rounds, partitions, points, workers = self.size.words()
            data = self.folder / "data.txt"
            data.write_text("nothing\n")
            sets = ["--set", f"rounds={rounds}", "--set", f"partitions={partitions}", "--set", f"size={points}"]
            words = ["run", str(HERE / "faults_algorithm.py:Lloyd"), str(data), *sets, "--workers", workers]
            return [sys.executable, "-m", "regrow.cli.main", *words, "--run", str(self.folder / "run"), "--json"]
        words = [sys.executable, str(HERE / "faults_peers.py"), self.name, *self.size.words(), str(self.folder)]
        if self.name == "mpi":
            return ["mpirun", "--allow-run-as-root", "--oversubscribe", "-n", str(self.size.workers), *words]
        return words

    def begun(self) -> bool:
        """Whether the first round has begun."""
        return (self.folder / ("run/records.jsonl" if self.name == "regrow" else "begun")).exists()

    def ended(self) -> bool:
        """Whether it has ended; a job of MPI that died is started again."""
        code = self.process.poll()
        if code is None:
            return False
        if self.name == "mpi" and not (self.folder / "ended").exists():
            self.start()
            return False
        if code:
            raise RuntimeError(f"{self.name} ended with {code}: {(self.folder / 'log').read_text()[-2000:]}")
        return True

    def seconds(self) -> float:
        """From the first round's begin to the last one's end."""
        if self.name == "regrow":
            return float(self._summary()["train_seconds"])
        return float((self.folder / "ended").read_text().split()[0]) - float((self.folder / "begun").read_text().split()[0])

    def digest(self) -> str:
        """Of the centers."""
        if self.name != "regrow":
            return (self.folder / "ended").read_text().split()[1]
        from regrow.store.model import read_model

        return digest(read_model(self.folder / "run").arrays["centers.centers"].reshape(-1, 8))  # type: ignore[union-attr]

    def _summary(self) -> dict[str, float]:
        lines = (self.folder / "log").read_text().splitlines()
        found: dict[str, float] = json.loads(next(line for line in lines if line.startswith("{")))
        return found

    def victims(self) -> list[int]:
        """The processes that do the work."""
        return [pid for pid, words, parent in self._all() if self._works(words, parent)]

    def _works(self, words: list[bytes], parent: int) -> bool:
        if self.name == "regrow":
            return b"regrow.engines.forkserver" in words and b"server" in words and parent != self.process.pid
        if self.name == "ray":
            return words[0].startswith(b"ray::")
        if self.name == "mpi":
            return words[0].endswith(b"python") and parent == self.process.pid
        return parent == self.process.pid and not any(b"resource_tracker" in word for word in words)

    def _all(self) -> list[tuple[int, list[bytes], int]]:
        """Every process that stems from it."""
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            with contextlib.suppress(OSError):
                if self.mark.encode() in Path(f"/proc/{entry}/environ").read_bytes():
                    words = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
                    state = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
                    if state[0] != "Z":
                        found.append((int(entry), words, int(state[1])))
        return found

    def end(self) -> None:
        """Leave nothing running."""
        for pid, _, _ in self._all():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
