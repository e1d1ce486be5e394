"""Workers, coordinators and artifacts are taken away while a run goes on: the same bytes come out, and the story says what was lost.

Nothing here sleeps for a fixed time: faults wait for a point in the run, and what must follow is polled for.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from conftest import Gate, Runs, reference_digest, wait_until
from regrow.engines.frozen import FROZEN_SECONDS
from regrow.errors import Paused
from regrow.interrupts import Interrupts
from regrow.spec import How
from regrow.summary import status_of

pytestmark = pytest.mark.processes
SLOW = {"rounds": 30, "seconds": 0.01, "kept": 9}


@pytest.fixture(scope="module")
def quiet() -> str:
    """The digest of an undisturbed run of SLOW."""
    return reference_digest("Ring", rounds=30, kept=9)


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal to a process that may be gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def nothing_left(runs: Runs, run: str = "run") -> bool:
    """Whether a finished run has left only what it is to leave."""
    return not {"committed", "attempts", "cuts", "stages"} & {path.name for path in (runs.folder / run).iterdir()}


def test_workers_killed_at_random_and_all_at_once(runs: Runs, gate: Gate, quiet: str) -> None:
    coordinator = runs.coordinator("Ring", how={"workers": 3, "durable_every": 0.2}, **SLOW, **gate.shut)
    dice = random.Random(5)
    for phases in (4, 10, 16, 22, 30, 38):
        coordinator.await_phases(phases, runs.folder / "run")
        workers = coordinator.until(coordinator.workers)
        for pid in workers if phases == 16 else [dice.choice(workers)]:
            kill(pid)
    while (lost := len(runs.told("worker lost"))) < 6:  # of one that has not joined yet nobody tells
        workers = set(coordinator.until(coordinator.workers))
        kill(min(workers))
        coordinator.until(lambda before=workers, lost=lost: len(runs.told("worker lost")) > lost or set(coordinator.workers()) - before)
    gate.open()
    summary = coordinator.end()
    assert summary["digest"] == quiet
    assert summary["workers_lost"] >= 6
    assert summary["recovery_seconds"][0] > 0
    assert all("SIGKILL" in line["cause"] or "connection" in line["cause"] for line in runs.told("worker lost"))
    assert coordinator.processes() == {}
    assert nothing_left(runs)


def test_a_frozen_worker_is_replaced_and_changes_nothing_when_it_wakes(runs: Runs, gate: Gate, quiet: str) -> None:
    coordinator = runs.coordinator("Ring", **SLOW | {"seconds": 0.1}, **gate.shut)
    coordinator.await_phases(4, runs.folder / "run")
    frozen = coordinator.until(coordinator.workers)[0]
    kill(frozen, signal.SIGSTOP)
    [lost] = coordinator.until(lambda: runs.told("worker lost"))
    assert FROZEN_SECONDS <= stopped_for(lost) < FROZEN_SECONDS + 60, "it looks a few times a second, if it gets to it"
    kill(frozen, signal.SIGCONT)
    gate.open()
    assert coordinator.end()["digest"] == quiet


def stopped_for(lost: dict[str, Any]) -> float:
    """Seconds, as the coordinator has counted them."""
    found = re.search(r"stopped for ([\d.]+) s", lost["cause"])
    assert found, lost
    return float(found[1])


def test_a_worker_with_notice_finishes_its_task_and_is_not_lost(runs: Runs, gate: Gate, quiet: str) -> None:
    coordinator = runs.coordinator("Ring", **SLOW, **gate.shut)
    for left, phases in enumerate((4, 12, 20)):
        coordinator.await_phases(phases, runs.folder / "run")
        kill(coordinator.until(coordinator.workers)[0], signal.SIGTERM)
        coordinator.until(lambda left=left: len(runs.told("worker left")) > left)
    gate.open()
    summary = coordinator.end()
    assert summary["digest"] == quiet
    assert summary["workers_lost"] == 0
    assert len(runs.told("worker left")) == 3


@pytest.mark.slow
def test_the_fork_server_is_replaced_with_its_workers(runs: Runs, gate: Gate, quiet: str) -> None:
    coordinator = runs.coordinator("Ring", **SLOW, **gate.shut)
    coordinator.await_phases(6, runs.folder / "run")
    kill(next(pid for pid, kind in coordinator.processes().items() if kind == "server"))
    coordinator.until(lambda: runs.told("worker lost"))
    gate.open()
    assert coordinator.end()["digest"] == quiet
    assert coordinator.processes() == {}


def test_a_frozen_fork_server_is_replaced_with_its_workers(runs: Runs, gate: Gate, quiet: str) -> None:
    coordinator = runs.coordinator("Ring", **SLOW | {"seconds": 0.1}, **gate.shut)
    coordinator.await_phases(1, runs.folder / "run")
    worker = coordinator.until(coordinator.workers)[0]
    kill(next(pid for pid, kind in coordinator.processes().items() if kind == "server"), signal.SIGSTOP)
    kill(worker)
    coordinator.until(lambda: any("fork server ended: stopped for" in line["cause"] for line in runs.told("worker lost")))
    gate.open()
    assert coordinator.end()["digest"] == quiet
    assert all("fork server" in line["cause"] or "connection" in line["cause"] for line in runs.told("worker lost"))
    assert coordinator.processes() == {}


def test_unfinished_attempts_that_are_removed_are_nobodys_fault(runs: Runs, gate: Gate, quiet: str) -> None:
    coordinator = runs.coordinator("Ring", **SLOW, **gate.shut)
    attempts = runs.folder / "run" / "attempts"
    for phases in (2, 6):
        coordinator.await_phases(phases, runs.folder / "run")
        for epoch in attempts.iterdir():
            shutil.rmtree(epoch, ignore_errors=True)
    kill(next(pid for pid, kind in coordinator.processes().items() if kind == "server"))  # its successor reads the job again
    coordinator.until(lambda: runs.told("worker lost"))
    gate.open()
    assert coordinator.end()["digest"] == quiet
    assert runs.told("attempt failed") == []


def test_a_folder_of_attempts_that_cannot_be_made_again_pauses_the_run(runs: Runs, gate: Gate, quiet: str) -> None:
    coordinator = runs.coordinator("Ring", **SLOW, **gate.shut)
    attempts = runs.folder / "run" / "attempts"
    coordinator.await_phases(4, runs.folder / "run")
    attempts.rename(attempts.with_name("moved"))
    assert coordinator.code() == 75
    gate.open()
    assert "No such file" in runs.told("paused")[0]["cause"]
    assert runs.resume(engine="inline")["digest"] == quiet


@pytest.mark.slow
def test_a_killed_coordinator_takes_its_workers_with_it_and_is_followed_by_another(runs: Runs, gate: Gate, quiet: str) -> None:
    coordinator = runs.coordinator("Ring", how={"verify": True, "durable_every": 0.2}, **SLOW, **gate.shut)
    coordinator.until(lambda: (runs.folder / "run" / "run.json").exists())
    for phases in (0, 5, 20):
        if phases:
            coordinator.await_phases(phases, runs.folder / "run")
        else:
            coordinator.until(coordinator.processes)  # while the fork server starts
        coordinator.kill()
        assert coordinator.code() == -signal.SIGKILL
        wait_until(coordinator.alone)
        assert status_of(runs.folder / "run")["state"] == "resumable"
        coordinator = runs.resumed()
    gate.open()
    summary = coordinator.end()
    assert summary["digest"] == quiet
    assert coordinator.processes() == {}
    assert nothing_left(runs)
    assert status_of(runs.folder / "run")["state"] == "finished"
    assert runs.resume()["digest"] == quiet  # says so, and does nothing


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_pauses_the_run(runs: Runs, gate: Gate, number: int) -> None:
    coordinator = runs.coordinator("Ring", **SLOW, **gate.shut)
    coordinator.await_phases(4, runs.folder / "run")
    coordinator.kill(number)
    assert coordinator.code() == 75
    assert coordinator.processes() == {}
    assert runs.told("paused")[0]["cause"] == f"interrupted by {signal.Signals(number).name}"
    assert status_of(runs.folder / "run")["state"] == "resumable"


def test_a_signal_while_the_fork_server_starts_pauses_too(runs: Runs) -> None:
    coordinator = runs.coordinator("ColdFeet", way="sleep")
    coordinator.until(coordinator.processes)
    coordinator.kill(signal.SIGINT)
    coordinator.says(75, "interrupted by SIGINT", f"regrow resume {runs.folder / 'run'}")
    assert coordinator.processes() == {}


def test_a_run_is_worked_on_by_one_coordinator(runs: Runs, gate: Gate) -> None:
    coordinator = runs.coordinator("Ring", **SLOW, **gate.shut)
    coordinator.await_phases(2, runs.folder / "run")
    second = runs.resumed()
    assert second.code() == 2
    assert status_of(runs.folder / "run")["state"] == "running"
    again = runs.coordinator("Ring", **SLOW, **gate.shut)
    assert again.code() == 2
    coordinator.kill(signal.SIGTERM)
    assert coordinator.code() == 75


@pytest.mark.slow
def test_removed_cut_and_flipped_artifacts_are_made_again_and_named(runs: Runs, gate: Gate, quiet: str) -> None:
    coordinator = runs.coordinator("Ring", how={"durable_every": 0.3}, **SLOW | {"seconds": 0.02}, **gate.shut)
    dice, harmed = random.Random(3), set()
    for step, phases in enumerate((6, 12, 20, 28)):
        coordinator.await_phases(phases, runs.folder / "run")
        coordinator.kill(signal.SIGSTOP)  # so that what is harmed is not forgotten at the same moment
        paths = runs.artifacts()
        for path in dice.sample(paths, min(3, len(paths))):
            harm(path, step)
            harmed.add(path.name)
        coordinator.kill(signal.SIGCONT)
    gate.open()
    assert coordinator.end()["digest"] == quiet
    lost = {name for line in runs.told("artifacts lost") for name in line["artifacts"]}
    assert lost
    assert lost <= harmed | {name for line in runs.told("artifacts lost") for name in line["artifacts"] if "gone" in line["cause"]}
    assert all(line["cause"] for line in runs.told("artifacts lost"))


def harm(path: Path, way: int) -> None:
    """Remove an artifact, cut it short, or flip a bit of it."""
    data = path.read_bytes()
    path.unlink()
    if way == 1:
        path.write_bytes(data[: len(data) // 2])
    elif way == 2:
        path.write_bytes(data[:-9] + bytes([data[-9] ^ 4]) + data[-8:])


@pytest.mark.slow
@pytest.mark.parametrize("way", ["ten removed", "all removed", "one of a cut flipped", "after another boot"])
def test_artifacts_harmed_between_pause_and_resume(runs: Runs, gate: Gate, quiet: str, way: str) -> None:
    coordinator = runs.coordinator("Ring", how={"durable_every": 0.2}, **SLOW, **gate.shut)
    cuts = runs.folder / "run" / "cuts"
    coordinator.until(lambda: len(list(cuts.glob("*.json"))) == 2)
    coordinator.kill()
    coordinator.code()
    gate.open()
    paths = runs.artifacts()
    if way == "after another boot":
        (runs.folder / "run" / "boot").write_text("another")
        for step, path in enumerate(paths):
            if step % 3:
                harm(path, step % 3)
    elif way == "one of a cut flipped":
        harm(paths[len(paths) // 2], 2)
    else:
        for path in random.Random(1).sample(paths, min(10, len(paths))) if way == "ten removed" else paths:
            path.unlink()
    assert runs.resume(engine="inline")["digest"] == quiet


def test_preempted_workers_have_begun_a_task(runs: Runs, gate: Gate, quiet: str) -> None:
    coordinator = runs.coordinator("Ring", how={"preempt": 0.1, "workers": 2}, **SLOW, **gate.shut)
    coordinator.until(lambda: len(runs.told("worker lost")) >= 3)
    gate.open()
    summary = coordinator.end()
    assert summary["digest"] == quiet
    lost = runs.told("worker lost")
    assert len(lost) == summary["workers_lost"] >= 3
    assert {line["cause"] for line in lost} == {"preempted"}


def test_a_signal_when_the_last_task_is_done_leaves_no_process(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, signals = Interrupts.shielded, [signal.SIGINT]

    def shielded(interrupts: Interrupts) -> contextlib.AbstractContextManager[None]:
        if signals:
            os.kill(os.getpid(), signals.pop())  # nobody steers the engine any more, and it is not yet ended
        return whole(interrupts)

    monkeypatch.setattr(Interrupts, "shielded", shielded)
    with pytest.raises(Paused, match="interrupted by SIGINT"):
        runs.begin("Ring", how=How("local", 1, verify=False), rounds=2)
    assert not [pid for pid in children() if b"regrow.engines.forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert runs.resume()["digest"] == reference_digest("Ring", rounds=2)


def children() -> list[int]:
    """The processes that this one has started, and that nobody has waited for."""
    return [int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]
