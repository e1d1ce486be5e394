"""One history on real processes: a command is started, its faults happen, it is resumed as often as need be, and judged at the end."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from power import VARIABLE as FSYNCS
from power import lose_power
from regrow.control import ask
from regrow.crash import VARIABLE as CRASH
from regrow.errors import UsageError
from regrow.story import read_story
from regrow.summary import status_of
from torture.faults import Fault, Plan
from torture.process import FULL

__all__ = ["Failure", "History"]

POLL_SECONDS = 0.005
PATIENCE_SECONDS = 240.0
NO_SOCKET = shutil.ignore_patterns("control")  # a killed coordinator leaves it, and no socket can be copied
PROCESS = str(Path(__file__).with_name("process.py"))


class Failure(Exception):
    """The run did not end as it should."""


class History:
    """One run, from its command to its model, through everything that the plan says."""

    def __init__(self, plan: Plan, command: Sequence[str], folder: Path) -> None:
        self.plan, self.command, self.folder = plan, command, folder
        self.run = folder / "run"
        self.log = folder / "fsyncs"
        self.mark = f"REGROW_TORTURE={uuid.uuid4().hex}"
        self.told: list[str] = []
        self.starts = 0
        self.process: subprocess.Popen[bytes]
        self._copies = 0

    # The course of things

    def take_its_course(self) -> str:
        """To the end; returns the digest. Raises Failure."""
        workers = ["--workers", str(self.plan.workers), "--durable-every", str(self.plan.durable_every)]
        self._start([*self.command, "--run", str(self.run), *workers])
        try:
            for fault in self.plan.faults:
                if not self._await(fault.phases):
                    break
                self._happen(fault)
            self._to_the_end()
            return self._judge()
        finally:
            self._end_all()

    def _start(self, words: Sequence[str], **environment: str) -> None:
        name, _, value = self.mark.partition("=")
        environment = {**os.environ, name: value, FSYNCS: str(self.log), "TMPDIR": str(self._temporary()), **environment}
        with open(self.folder / f"output.{self.starts}", "wb") as output:
            self.process = subprocess.Popen([sys.executable, PROCESS, *words], env=environment, stdout=output, stderr=output)
        self.starts += 1

    def _temporary(self) -> Path:
        folder = self.folder / "tmp"
        folder.mkdir(exist_ok=True)
        return folder

    def _await(self, phases: int) -> bool:
        """Until so many more phases of the last program are recorded; False if it has ended before."""
        goal = self._recorded() + phases
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._recorded() < goal or not (self.run / "how.json").exists():
            if self.process.poll() is not None:
                return False
            if time.monotonic() > deadline:
                raise Failure(f"no {phases} more phases within {PATIENCE_SECONDS:.0f} s")
            time.sleep(POLL_SECONDS)
        return True

    def _recorded(self) -> int:
        try:
            return (self.run / "records.jsonl").read_bytes().count(b"\n")
        except OSError:
            return 0

    def _to_the_end(self) -> None:
        for _ in range(20):
            code = self.process.wait(PATIENCE_SECONDS)
            if code == 0:
                return
            if code not in (75, -signal.SIGKILL):
                raise Failure(f"exit {code}: {self._output()}")
            self._start(self._again())
        raise Failure(f"no end after {self.starts} starts")

    def _again(self) -> list[str]:
        """The command that goes on: resume, or anew where there was no run yet."""
        if not (self.run / "run.json").exists():
            return [*self.command, "--run", str(self.run), "--durable-every", str(self.plan.durable_every)]
        return ["resume", str(self.run), "--workers", str(self.plan.workers)]

    def _output(self) -> str:
        return (self.folder / f"output.{self.starts - 1}").read_text(errors="replace")[-2000:]

    # Faults

    def _happen(self, fault: Fault) -> None:
        self.told.append(f"{self._recorded():4} phases  {fault}")
        handler: Callable[[Fault], None] = getattr(self, "_" + fault.kind.replace(" ", "_"))
        handler(fault)

    def _workers(self) -> list[int]:
        return sorted(pid for pid, kind in self._processes().items() if kind == "worker")

    def _one(self, fault: Fault) -> int | None:
        workers = self._workers()
        return workers[int(fault.which * len(workers))] if workers else None

    def _kill_a_worker(self, fault: Fault, number: int = signal.SIGKILL) -> None:
        if (pid := self._one(fault)) is not None:
            _kill(pid, number)

    def _kill_all_workers(self, fault: Fault) -> None:
        for pid in self._workers():
            _kill(pid)

    def _freeze_a_worker(self, fault: Fault) -> None:
        self._kill_a_worker(fault, signal.SIGSTOP)

    def _freeze_a_worker_for_a_moment(self, fault: Fault) -> None:
        if (pid := self._one(fault)) is not None:
            _kill(pid, signal.SIGSTOP)
            time.sleep(0.3)
            _kill(pid, signal.SIGCONT)

    def _notice_to_a_worker(self, fault: Fault) -> None:
        self._kill_a_worker(fault, signal.SIGTERM)

    def _kill_the_fork_server(self, fault: Fault) -> None:
        for pid, kind in self._processes().items():
            if kind == "server":
                _kill(pid)

    def _freeze_the_coordinator_for_a_moment(self, fault: Fault) -> None:
        self.process.send_signal(signal.SIGSTOP)
        time.sleep(0.5)
        self.process.send_signal(signal.SIGCONT)

    def _scale_up(self, fault: Fault) -> None:
        self._ask("scale", workers=1 + int(fault.which * 5))

    def _scale_to_none_and_back(self, fault: Fault) -> None:
        self._ask("scale", workers=0)
        time.sleep(0.2)
        self._ask("scale", workers=1 + int(fault.which * 3))

    def _join(self, fault: Fault) -> None:
        self._ask("join")

    def _drain(self, fault: Fault) -> None:
        found = ask(self.run, "look") or {"crew": []}
        names = [worker["worker"] for worker in found["crew"] if not worker["checks"] and not worker["draining"]]
        if len(names) > 1:
            self._ask("drain", worker=names[int(fault.which * len(names))])

    def _ask(self, do: str, **values: object) -> None:
        with contextlib.suppress(UsageError):  # between two stages there is nobody to drain
            ask(self.run, do, **values)

    def _a_second_coordinator(self, fault: Fault) -> None:
        second = subprocess.run([sys.executable, PROCESS, "resume", str(self.run)], capture_output=True, text=True, check=False)
        if self.process.poll() is None and (second.returncode != 2 or "is running already" not in second.stderr):
            raise Failure(f"a second coordinator was not refused: exit {second.returncode}, {second.stderr}")

    def _remove_prepared_data(self, fault: Fault) -> None:
        shutil.rmtree(self.run / "data", ignore_errors=True)

    def _remove_artifacts(self, fault: Fault) -> None:
        self._harm(fault, lambda path, data: None)

    def _cut_artifacts_short(self, fault: Fault) -> None:
        self._harm(fault, lambda path, data: path.write_bytes(data[: len(data) // 2]))

    def _flip_bits_in_artifacts(self, fault: Fault) -> None:
        place = lambda data: int(fault.which * (len(data) - 1))  # noqa: E731 - a byte of each
        self._harm(fault, lambda path, data: path.write_bytes(_flipped(data, place(data))))

    def _harm(self, fault: Fault, harm: Callable[[Path, bytes], object]) -> None:
        """Harm a few artifacts, as a new file each: what is mapped stays as it was, as when a disk lies."""
        alive = self.process.poll() is None
        if alive:
            self.process.send_signal(signal.SIGSTOP)
        paths = sorted((self.run / "committed").glob("*")) if (self.run / "committed").is_dir() else []
        for path in paths[int(fault.which * len(paths)) :][:3]:
            with contextlib.suppress(FileNotFoundError):
                data = path.read_bytes()
                path.unlink()
                harm(path, data)
        if alive:
            self.process.send_signal(signal.SIGCONT)

    # Faults that end a coordinator

    def _kill_the_coordinator(self, fault: Fault) -> None:
        self.process.kill()
        self._rest(fault)

    def _kill_everything(self, fault: Fault) -> None:
        for pid in (*self._processes(), self.process.pid):
            _kill(pid)
        self._rest(fault)

    def _stop(self, fault: Fault) -> None:
        self._ask("stop")
        self._rest(fault)

    def _SIGTERM(self, fault: Fault) -> None:  # noqa: N802 - the fault's own name
        self.process.terminate()
        self._rest(fault)

    def _lose_power(self, fault: Fault) -> None:
        for pid in (*self._processes(), self.process.pid):
            _kill(pid)
        self.process.wait(PATIENCE_SECONDS)
        self._until_alone()
        if self.run.exists() and self.log.exists():
            lose_power(self.run, self.log)
        self._rest(fault)

    def _rest(self, fault: Fault) -> None:
        """The coordinator has ended; something happens to what it left; somebody resumes the run."""
        code = self.process.wait(PATIENCE_SECONDS)
        if code == 0:
            return
        if code not in (75, -signal.SIGKILL):
            raise Failure(f"exit {code}: {self._output()}")
        self._until_alone()
        if fault.rest in ("move", "copy") and self.run.exists():
            self._copies += 1
            elsewhere = self.folder / f"run-{self._copies}"
            shutil.move(self.run, elsewhere) if fault.rest == "move" else shutil.copytree(self.run, elsewhere, ignore=NO_SOCKET)
            self.run = elsewhere
            self.log.unlink(missing_ok=True)  # inodes and names are others now
        elif fault.rest == "another boot" and (self.run / "boot").exists():
            (self.run / "boot").write_text("another")
        elif fault.rest == "remove artifacts":
            self._remove_artifacts(fault)
        elif fault.rest == "flip bits in artifacts":
            self._flip_bits_in_artifacts(fault)
        self._resume(fault)

    def _resume(self, fault: Fault) -> None:
        if fault.crash or fault.full_at:
            armed = {CRASH: fault.crash} if fault.crash else {FULL: str(fault.full_at)}
            self._start(self._again(), **armed)
            code = self.process.wait(PATIENCE_SECONDS)
            if code == 0:
                return
            if code not in (75, -signal.SIGKILL):
                raise Failure(f"exit {code}: {self._output()}")
            self._until_alone()
        if self.log.exists() and fault.rest in ("move", "copy"):
            self.log.unlink()
        self._start(self._again())

    # Judging

    def _judge(self) -> str:
        """Nothing is left over, the story has a cause for everything, and the run says that it is finished. Returns the digest."""
        self._until_alone()
        left = {"committed", "attempts", "cuts", "stages", "disputed", "control"} & {path.name for path in self.run.iterdir()}
        if left:
            raise Failure(f"a finished run has left {', '.join(sorted(left))}")
        if leaked := list(self._temporary().iterdir()):
            raise Failure(f"temporary files are left: {leaked}")
        status = status_of(self.run)
        if status["state"] != "finished":
            raise Failure(f"the run is {status['state']}")
        for line in read_story(self.run):
            if line["event"] in ("worker lost", "artifacts lost", "task redone", "worker draining", "paused") and not line["cause"]:
                raise Failure(f"no cause: {line}")
            if line["event"] in ("failed", "attempt failed", "attempts differ"):
                raise Failure(f"the program is blamed: {line}")
        return (self.run / "done").read_text().strip()

    def _until_alone(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while left := self._processes():
            if time.monotonic() > deadline:
                raise Failure(f"processes are left: {left}")
            time.sleep(POLL_SECONDS)

    def _processes(self) -> dict[int, str]:
        """Living processes that stem from this history, coordinators left out -> "server", "check" or "worker"."""
        found = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit() and (kind := self._kind(int(entry))):
                found[int(entry)] = kind
        return found

    def _kind(self, pid: int) -> str:
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if b"regrow.engines.forkserver" not in words or self.mark.encode() not in Path(f"/proc/{pid}/environ").read_bytes():
                return ""
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (OSError, ValueError):
            return ""
        if state[0] == "Z":
            return ""
        if b"server" not in words:
            return "check"
        return "server" if state[1] in (str(self.process.pid), "1") else "worker"

    def _end_all(self) -> None:
        for pid in (self.process.pid, *self._processes()):
            _kill(pid)
        self.process.wait()

    def summary(self) -> str:
        """What it went through."""
        status = status_of(self.run)
        return f"{len(self.told)} faults, {self.starts} starts, {status['workers_lost']} workers lost, {status['attempts']} attempts"

    def story(self) -> str:
        """The end of the story, for whoever looks for a fault."""
        return "\n".join(json.dumps(line)[:300] for line in read_story(self.run)[-25:])


def _flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 16]) + data[place + 1 :]


def _kill(pid: int, number: int = signal.SIGKILL) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
