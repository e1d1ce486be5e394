"""What tests of runs share: inputs, runs in this process, coordinators in processes of their own that may be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

import programs
from coordinator_process import Forked
from reference import Reference
from regrow.data import TextOptions, describe
from regrow.job import ProgramName, make
from regrow.running import begin, resume
from regrow.spec import How, Spec
from regrow.store.model import digest_of
from regrow.story import read_story

PROGRAMS = Path(programs.__file__)
LINES = "".join(f"line {i} of a tail that grows back\n" for i in range(40))

settings.register_profile("same", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("other", settings.get_profile("same"), derandomize=False)
settings.load_profile("same")  # --hypothesis-profile=other looks for new examples

for _number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        # Whoever starts tests in the background makes them deaf, and so what they start: `regrow` respects that, as nohup asks.
        signal.signal(_number, signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is marked `early` comes first, and so is one process's: the others take from the end of what it has to do."""

    def place(item: pytest.Item) -> int:
        mark = item.get_closest_marker("early")
        return int(mark.args[0]) if mark else 9

    items.sort(key=place)


def wait_until(what: Callable[[], Any], seconds: float = 240.0) -> Any:
    """Poll until something is true; returns it."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, f"{what} did not become true within {seconds} s"
        time.sleep(0.005)
    return found


def reference_digest(name: str, seed: int = 1, **parameters: Any) -> str:
    """The digest of the model that the slow twin makes; it need not be slow where the program is told to be."""
    program = make(getattr(programs, name), {key: value for key, value in parameters.items() if key not in ("seconds", "while_there")})
    return digest_of(program.model(Reference(program, {"text": [{}]}, seed=seed).run()))


def phases_recorded(run: Path) -> int:
    """How many phases of a run are complete."""
    try:
        return (run / "records.jsonl").read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


class Gate:
    """While it is shut, tasks take their seconds and those of the last round wait: no run is over before what is to befall it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.file.touch()
        self.shut = {"while_there": str(file)}
        """For the parameters of a program."""

    def open(self) -> None:
        """What was to happen has happened."""
        self.file.unlink(missing_ok=True)


class Runs:
    """Runs of the test programs, in a folder of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.text = folder / "input.txt"
        self.text.write_text(LINES)
        self._coordinators: list[Coordinator] = []

    def spec(self, name: str, seed: int = 1, file: Path = PROGRAMS, **parameters: Any) -> Spec:
        """A run of a test program."""
        options = TextOptions()
        return Spec("run", ProgramName(str(file), name), parameters, seed, describe([str(self.text)], options), options, "text")

    def begin(self, name: str, run: str = "run", how: How | None = None, **parameters: Any) -> dict[str, Any]:
        """Run a program here, to its end."""
        return begin(self.spec(name, **parameters), self.folder / run, how or How("inline"))

    def resume(self, run: str = "run", **changes: Any) -> dict[str, Any]:
        """Go on with a run here, to its end."""
        return resume(self.folder / run, **changes)

    def coordinator(
        self, name: str, run: str = "run", how: dict[str, Any] | None = None, within: Sequence[str] = (), **parameters: Any
    ) -> Coordinator:
        """Begin a run in a process of its own; `within`: a command that starts it."""
        asked = {"verb": "begin", "run": str(self.folder / run), "name": name, "parameters": parameters, "text": str(self.text)}
        return self._start(asked | {"how": {"engine": "local", "workers": 2, "verify": False} | (how or {})}, within)

    def resumed(self, run: str = "run", **changes: Any) -> Coordinator:
        """Go on with a run in a process of its own."""
        return self._start({"verb": "resume", "run": str(self.folder / run), "changes": changes})

    def _start(self, asked: dict[str, Any], within: Sequence[str] = ()) -> Coordinator:
        self._coordinators.append(Coordinator(asked, within))
        return self._coordinators[-1]

    def story(self, run: str = "run") -> list[dict[str, Any]]:
        """What happened."""
        return read_story(self.folder / run)

    def told(self, event: str, run: str = "run") -> list[dict[str, Any]]:
        """The lines of the story about one kind of event."""
        return [line for line in self.story(run) if line["event"] == event]

    def artifacts(self, run: str = "run") -> list[Path]:
        """The committed artifacts that are there now."""
        try:
            return sorted((self.folder / run / "committed").iterdir())
        except FileNotFoundError:
            return []

    def close(self) -> None:
        """End what a failed test has left."""
        for coordinator in self._coordinators:
            coordinator.close()


class Coordinator:
    """A coordinator in a process of its own, and all processes that stem from it."""

    def __init__(self, asked: dict[str, Any], within: Sequence[str] = ()) -> None:
        self._mark = f"REGROW_TEST_MARK={uuid.uuid4().hex}"
        name, _, value = self._mark.partition("=")
        environment = {**os.environ, name: value}
        self.process: Forked | subprocess.Popen[bytes]
        if not within and asked.get("how", {}).get("engine") != "ray":  # which wants a process that has not been forked
            self.process = Forked(asked, environment)
            return
        script = Path(__file__).with_name("coordinator_process.py")
        self.process = subprocess.Popen(
            [*within, sys.executable, str(script), json.dumps(asked)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def end(self, seconds: float = 300.0) -> dict[str, Any]:
        """Wait for the end; returns the summary. Fails if there is none."""
        out, err = self.process.communicate(timeout=seconds)
        assert self.process.returncode == 0, err.decode()
        summary: dict[str, Any] = json.loads(out)
        return summary

    def code(self, seconds: float = 300.0) -> int:
        """Wait for the end; returns the exit code."""
        self.errors = self.process.communicate(timeout=seconds)[1].decode()
        return self.process.returncode

    def says(self, code: int, *words: str, seconds: float = 300.0) -> None:
        """It ends with this code and says these words."""
        assert self.code(seconds) == code, self.errors
        assert "Traceback" not in self.errors
        for word in words:
            assert word in self.errors, self.errors

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to the coordinator."""
        self.process.send_signal(number)

    def processes(self) -> dict[int, str]:
        """Living processes that stem from this coordinator, itself left out -> "server", "check" or "worker"."""
        found = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit() and int(entry) not in (self.process.pid, os.getpid()):
                kind = self._kind(int(entry))
                if kind:
                    found[int(entry)] = kind
        return found

    def _kind(self, pid: int) -> str:
        try:
            if self._mark.encode() not in Path(f"/proc/{pid}/environ").read_bytes():
                return ""
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return ""
        if state[0] == "Z" or b"regrow.engines.forkserver" not in words:
            return ""
        if b"server" not in words:
            return "check"
        return "server" if int(state[1]) == self.process.pid or state[1] == "1" else "worker"

    def alone(self) -> bool:
        """Whether no process that stems from this coordinator is left."""
        return not self.processes()

    def workers(self) -> list[int]:
        """The living workers."""
        return [pid for pid, kind in self.processes().items() if kind == "worker"]

    def until(self, what: Callable[[], Any], seconds: float = 240.0) -> Any:
        """Poll until something is true of a coordinator that goes on; returns it."""
        found = wait_until(lambda: what() or self.process.poll() is not None, seconds)
        assert self.process.poll() is None, self.process.communicate()[1].decode() or "it ended before that"
        return found

    def await_phases(self, phases: int, run: Path) -> None:
        """Wait until so many phases are recorded."""
        self.until(lambda: phases_recorded(run) >= phases)

    def close(self) -> None:
        """End it."""
        for pid in (self.process.pid, *self.processes()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.communicate()


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """A gate that is shut."""
    return Gate(tmp_path / "gate")


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    """Runs in the test's folder; whatever they leave running is ended."""
    made = Runs(tmp_path)
    yield made
    made.close()
