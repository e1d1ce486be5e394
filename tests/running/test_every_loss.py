"""Every row of the table in ASSUMPTIONS on real processes: what happens, what the run does about it, and that the story says why.

Faults wait for a point in the run, never for a time; what must follow is polled for. Seconds are for benchmarks/faults.py to print.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Coordinator, Gate, Runs, phases_recorded, reference_digest, wait_until
from power import VARIABLE, lose_power
from regrow import environment
from regrow.control import ask
from regrow.engines.servers import check_versions
from regrow.errors import DataError
from regrow.summary import status_of

pytestmark = [pytest.mark.processes, pytest.mark.slow]

SLOW = {"rounds": 30, "seconds": 0.01, "kept": 9}
SIZES = {"node": 3, "total": 1, "echo": 2, "closing": 2, "final": 1}
TASKS = 30 * 3 + 10 * 1 + 30 * 2 + 2 + 1
"""Of an undisturbed run of SLOW."""


@pytest.fixture(scope="module")
def quiet() -> str:
    """The digest of an undisturbed run of SLOW."""
    return reference_digest("Ring", rounds=30, kept=9)


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal to a process that may be gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def kill_everything(coordinator: Coordinator) -> None:
    """Coordinator, fork server, workers: all at the same moment, as good as."""
    for pid in (*coordinator.processes(), coordinator.process.pid):
        kill(pid)
    coordinator.code()
    wait_until(coordinator.alone)


def attempts_of_the_last_session(runs: Runs) -> int:
    """How many attempts the coordinator that was there last has started, second ones of slow tasks left out."""
    attempts = int(json.loads(sorted((runs.folder / "run" / "sessions").glob("*.json"))[-1].read_text())["attempts"])
    events = [line["event"] for line in runs.story()]
    last = len(events) - 1 - events[::-1].index("coordinator started")
    return attempts - events[last:].count("backup attempt")


def tasks_done(run: Path) -> int:
    """Tasks whose phase is recorded, or whose artifact is there."""
    records = [json.loads(line) for line in (run / "records.jsonl").read_text().splitlines() if line.endswith("}")]
    recorded = {(record["role"], record["round"]) for record in records}
    artifacts = [path.name.split(".") for path in (run / "committed").iterdir()]
    return sum(SIZES[role] for role, _ in recorded) + sum((role, int(round)) not in recorded for role, round, _ in artifacts)


# SIGKILL of a worker at any instant


def nobody_is_blamed(runs: Runs, run: str = "run") -> bool:
    """Whether tasks were redone because their worker was killed, and for no other reason."""
    return all("SIGKILL" in line["cause"] or "connection" in line["cause"] for line in runs.told("task redone", run))


def test_a_worker_killed_while_it_starts_costs_its_attempt(runs: Runs, gate: Gate) -> None:
    wide = {"rounds": 60, "kilobytes": 64}
    coordinator = runs.coordinator("Wide", how={"workers": 2, "durable_every": 0.3}, **wide, **gate.shut)
    for _ in range(4):
        before = set(coordinator.until(coordinator.workers))
        kill(next(iter(before)))
        kill(coordinator.until(lambda before=before: set(coordinator.workers()) - before).pop())
    gate.open()
    summary = coordinator.end()
    assert summary["digest"] == reference_digest("Wide", **wide)
    assert summary["workers_lost"] >= 4
    assert nobody_is_blamed(runs)


def test_a_worker_killed_while_it_writes_costs_its_attempt(runs: Runs) -> None:
    big = {"rounds": 12, "kilobytes": 2048}
    quiet = reference_digest("Wide", **big)
    killed = 0
    for run in map(str, range(20)):  # one is enough, unless we are too slow to catch four of them at it
        coordinator = runs.coordinator("Wide", run=run, how={"workers": 2, "durable_every": 0.3}, **big)
        attempts = runs.folder / run / "attempts"
        while killed < 4 and coordinator.process.poll() is None:
            if writer := _writer(coordinator, attempts):
                kill(writer)
                wait_until(lambda writer=writer, workers=coordinator.workers: writer not in workers())
                killed += 1
        assert coordinator.end()["digest"] == quiet
        assert nobody_is_blamed(runs, run)
        if killed == 4:
            return
    raise AssertionError("no worker was seen to write")


def _writer(coordinator: Coordinator, attempts: Path) -> int | None:
    """A worker that has an attempt's file open for writing."""
    for pid in coordinator.workers():
        with contextlib.suppress(OSError):
            for link in Path(f"/proc/{pid}/fd").iterdir():
                if os.readlink(link).startswith(f"{attempts}/"):
                    return pid
    return None


def test_a_worker_killed_every_moment_of_the_whole_run(runs: Runs, gate: Gate, quiet: str) -> None:
    coordinator = runs.coordinator("Ring", how={"workers": 3, "durable_every": 0.2}, **SLOW, **gate.shut)
    dice, ended = random.Random(11), threading.Event()

    def killer() -> None:
        before: object = None
        while not ended.wait(0.1):
            workers, there = coordinator.workers(), (phases_recorded(runs.folder / "run"), runs.artifacts())
            if workers and there != before:  # on a machine that is too slow to do anything in that time, it waits for something
                kill(dice.choice(workers))
                before = there

    thread = threading.Thread(target=killer)
    thread.start()
    try:
        coordinator.await_phases(66, runs.folder / "run")  # of the last but one round
        coordinator.until(lambda: len(runs.told("worker lost")) >= 3)
        gate.open()
        summary = coordinator.end()
    finally:
        ended.set()
        thread.join()
    assert summary["digest"] == quiet
    assert summary["workers_lost"] >= 3
    assert {line["kind"] for line in runs.told("worker lost")} <= {"killed", "loss"}
    assert runs.told("attempt failed") == []


def test_whoever_kills_only_those_who_work_holds_nobody_up(runs: Runs, gate: Gate, quiet: str) -> None:
    coordinator = runs.coordinator("Ring", how={"workers": 3}, **SLOW, **gate.shut)
    coordinator.await_phases(2, runs.folder / "run")
    for _ in range(12):
        found = coordinator.until(lambda: ask(runs.folder / "run", "look"))
        for worker in [one for one in found["crew"] if one["task"]][:1]:
            kill(worker["pid"])
    gate.open()
    assert coordinator.end()["digest"] == quiet
    assert not runs.told("fewer at a time")


# Coordinator, everything, power


@pytest.mark.parametrize("what", ["coordinator", "everything"])
def test_what_was_committed_is_never_done_again(runs: Runs, gate: Gate, quiet: str, what: str) -> None:
    coordinator = runs.coordinator("Ring", **SLOW, **gate.shut)
    coordinator.await_phases(17, runs.folder / "run")
    if what == "everything":
        kill_everything(coordinator)
    else:
        coordinator.kill()
        coordinator.code()
        wait_until(coordinator.alone)
    gate.open()
    done = tasks_done(runs.folder / "run")
    assert runs.resumed().end()["digest"] == quiet
    assert attempts_of_the_last_session(runs) == TASKS - done


@pytest.mark.parametrize("phases", [0, 1, 30])
def test_after_a_loss_of_power_it_goes_on_from_what_was_durable(
    runs: Runs, gate: Gate, quiet: str, monkeypatch: pytest.MonkeyPatch, phases: int
) -> None:
    log, run = runs.folder / "fsyncs", runs.folder / "run"
    monkeypatch.setenv(VARIABLE, str(log))
    coordinator = runs.coordinator("Ring", how={"durable_every": 0.1}, **SLOW, **gate.shut)
    if phases == 0:
        coordinator.until(lambda: (run / "how.json").exists() and log.exists() and f'"folder": "{run.parent}"' in log.read_text())
    else:
        coordinator.await_phases(phases, run)
    if phases == 30:
        coordinator.until(lambda: runs.told("cut made"))
    kill_everything(coordinator)
    gate.open()
    monkeypatch.delenv(VARIABLE)
    cuts = [int(path.stem) for path in (run / "cuts").glob("*.json")] if phases == 30 else []
    assert lose_power(run, log), "something was not durable yet"
    assert runs.resumed().end()["digest"] == quiet
    if cuts:
        going_on = runs.told("going on")[-1]
        assert going_on["cuts"], "there is a durable cut to go on from"
        assert max(going_on["cuts"]) >= min(cuts)
        left = [(role, round) for round in range(max(going_on["cuts"]) + 1, 30) for role in ("node", "echo", "total")]
        most = sum(SIZES[role] for role, round in left if role != "total" or round % 3 == 0) + 3
        assert attempts_of_the_last_session(runs) <= most


def test_after_a_loss_of_power_at_the_end_the_model_is_whole(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    log, run = runs.folder / "fsyncs", runs.folder / "run"
    monkeypatch.setenv(VARIABLE, str(log))
    monkeypatch.setenv("REGROW_CRASH", "finish-cuts-gone")
    coordinator = runs.coordinator("Keeps", how={"durable_every": 0.1})
    assert coordinator.code() == -signal.SIGKILL
    monkeypatch.delenv(VARIABLE)
    monkeypatch.delenv("REGROW_CRASH")
    lose_power(run, log)
    digest = runs.begin("Keeps", run="quiet")["digest"]
    assert runs.resume()["digest"] == digest
    assert (run / "kept" / "work.1").read_bytes() == (runs.folder / "quiet" / "kept" / "work.1").read_bytes()


def test_frozen_processes_of_a_dead_coordinator_die_with_it_and_old_epochs_write_into_nothing(runs: Runs, gate: Gate, quiet: str) -> None:
    run = runs.folder / "run"
    coordinator = runs.coordinator("Ring", **SLOW, **gate.shut)
    coordinator.await_phases(6, run)
    for pid in coordinator.processes():
        kill(pid, signal.SIGSTOP)
    [old] = (run / "attempts").iterdir()
    coordinator.kill()
    coordinator.code()
    wait_until(coordinator.alone)  # SIGKILL reaches those who are stopped
    second = runs.resumed()
    second.await_phases(12, run)
    old.mkdir(exist_ok=True)
    for name in ("node.12.0.1", "node.13.1.2", "total.12.0.1"):  # as a worker of another machine would, back from the dead
        (old / name).write_bytes(b"late")
    gate.open()
    assert second.end()["digest"] == quiet
    assert not (run / "attempts").exists()


# Artifacts, prepared data, fork server, packages


def test_a_result_that_is_damaged_after_the_last_round_is_made_again_at_once(
    runs: Runs, quiet: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGROW_CRASH", "model-aside")
    assert runs.coordinator("Ring", **SLOW).code() == -signal.SIGKILL
    monkeypatch.delenv("REGROW_CRASH")
    path = runs.folder / "run" / "committed" / "final.29.0"
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[:-9] + bytes([data[-9] ^ 4]) + data[-8:])
    assert runs.resume(engine="inline")["digest"] == quiet
    [lost] = runs.told("artifacts lost")
    assert lost["artifacts"] == ["final.29.0"]
    assert "does not check" in lost["cause"]


def test_prepared_data_lost_while_running_is_made_again_and_the_run_goes_on(runs: Runs, gate: Gate) -> None:
    laps = {"seconds": 0.05, **gate.shut}
    coordinator = runs.coordinator("Laps", **laps)
    coordinator.await_phases(3, runs.folder / "run")
    shutil.rmtree(runs.folder / "run" / "data")
    coordinator.until(lambda: runs.told("prepared data lost"))
    gate.open()
    assert coordinator.end()["digest"] == runs.begin("Laps", run="quiet", **laps)["digest"]
    assert "prepared data" in runs.told("prepared data lost")[0]["cause"]


def test_a_fork_server_that_is_stopped_while_it_imports_is_replaced(runs: Runs, quiet: str) -> None:
    coordinator = runs.coordinator("Ring", **SLOW)
    kill(coordinator.until(lambda: [pid for pid, kind in coordinator.processes().items() if kind == "server"])[0], signal.SIGSTOP)
    assert coordinator.end()["digest"] == quiet


def test_packages_that_changed_meanwhile_are_noticed_before_a_worker_joins() -> None:
    mine = environment.environment()
    with pytest.raises(DataError, match=r"numpy: was .*, is 0\.9") as caught:
        check_versions(mine | {"numpy": "0.9"})
    assert "--accept-changes" in caught.value.advice
    check_versions(mine | {"CPU": "another"})  # what it makes is compared instead


# Two coordinators, moved and copied runs


def test_a_copied_run_goes_its_own_way(runs: Runs, gate: Gate, quiet: str) -> None:
    coordinator = runs.coordinator("Ring", **SLOW, **gate.shut)
    coordinator.await_phases(9, runs.folder / "run")
    coordinator.kill(signal.SIGTERM)
    assert coordinator.code() == 75
    gate.open()
    shutil.copytree(runs.folder / "run", runs.folder / "copy")
    assert runs.resume("copy", engine="inline")["digest"] == quiet
    assert runs.resume(engine="inline")["digest"] == quiet


# Disks and limits


@pytest.fixture
def disk(runs: Runs) -> Iterator[Path]:
    """A small disk of its own."""
    folder = runs.folder / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)], capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    yield folder
    runs.close()
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_is_full_in_the_middle_of_a_run_pauses_it(runs: Runs, gate: Gate, disk: Path) -> None:
    wide = {"rounds": 150, "kilobytes": 256}
    coordinator = runs.coordinator("Wide", run="disk/run", how={"durable_every": 0.05}, **wide, **gate.shut)
    coordinator.await_phases(4, disk / "run")
    coordinator.until(lambda: list((disk / "run" / "cuts").glob("*.json")))
    with contextlib.suppress(OSError), open(disk / "filler", "wb") as filler:
        while True:
            filler.write(bytes(1 << 16))
            filler.flush()
    coordinator.says(75, "No space left on device", "regrow resume")
    assert status_of(disk / "run")["state"] == "resumable"
    assert list((disk / "run" / "cuts").glob("*.json")), "the older cuts are still there"
    (disk / "filler").unlink()
    gate.open()
    assert runs.resumed("disk/run").end()["digest"] == reference_digest("Wide", **wide)


def test_a_folder_that_becomes_read_only_pauses_the_run(runs: Runs, gate: Gate) -> None:
    wide = {"rounds": 150, "kilobytes": 64}
    coordinator = runs.coordinator("Wide", **wide, **gate.shut)
    attempts = runs.folder / "run" / "attempts"
    coordinator.await_phases(4, runs.folder / "run")
    [epoch] = attempts.iterdir()
    if subprocess.run(["chattr", "+i", str(epoch)], capture_output=True, check=False).returncode:
        pytest.skip("folders cannot be made read-only for root here")
    try:
        coordinator.says(75, "not permitted", "regrow resume")
    finally:
        subprocess.run(["chattr", "-i", str(epoch)], check=True)
    gate.open()
    assert runs.resumed().end()["digest"] == reference_digest("Wide", **wide)


def test_too_many_open_files_pauses_the_run(runs: Runs, gate: Gate) -> None:
    few = ["sh", "-c", 'ulimit -n 40 && exec "$@"', "sh"]
    tiny = {"rounds": 4, "partitions": 20}
    coordinator = runs.coordinator("Tiny", how={"workers": 60}, within=few, **tiny, **gate.shut)
    coordinator.says(75, "Too many open files", "regrow resume")
    gate.open()
    assert runs.resume(workers=2)["digest"] == reference_digest("Tiny", **tiny)


# Slow machines


def test_a_machine_that_is_much_slower_than_others_gets_help(runs: Runs, gate: Gate) -> None:
    coordinator = runs.coordinator("Tarries", how={"workers": 3}, **gate.shut)
    coordinator.await_phases(4, runs.folder / "run")  # the help has done what the slow one is still at
    gate.open()
    summary = coordinator.end()
    assert summary["digest"] == reference_digest("Tarries")
    assert summary["workers_lost"] == 0, "a slow worker is not a frozen one"
    assert "work.2.1" in {line["task"] for line in runs.told("backup attempt")}
    assert all("the usual time is" in line["why"] for line in runs.told("backup attempt"))


# Attempts that differ


def test_a_flipped_bit_is_told_from_a_program_that_is_not_deterministic(runs: Runs) -> None:
    marker = runs.folder / "marker"
    marker.touch()
    coordinator = runs.coordinator("FlipsOnce", how={"workers": 2, "verify": True}, marker=str(marker))
    coordinator.says(4, "three attempts", "is the odd one", '"value" [3]: ', "1 of 6 differ", "all ran with python")
    kept = sorted(path.name for path in (runs.folder / "run" / "disputed").iterdir())
    assert len(kept) >= 2
    assert all(name.startswith("work.1.1.by ") for name in kept)
    [differ] = runs.told("attempts differ")
    third = runs.told("third attempt")  # none is begun if one is under way anyway
    assert {line["task"] for line in (differ, *third)} == {"work.1.1"}
    assert runs.resume()["digest"] == runs.begin("FlipsOnce", run="quiet", marker=str(marker))["digest"]
    assert runs.told("going back")[0]["tasks"] == ["work.1.1"]


# Memory


def test_tasks_that_take_more_than_they_may_run_fewer_at_a_time(runs: Runs, gate: Gate) -> None:
    coordinator = runs.coordinator("Hungry", how={"workers": 3, "memory_max": 250_000_000}, megabytes=150, **gate.shut)
    coordinator.until(lambda: runs.told("fewer at a time"))
    gate.open()
    assert coordinator.end()["digest"] == reference_digest("Hungry", megabytes=1)
    lost = runs.told("worker lost")
    assert lost
    assert {line["kind"] for line in lost} == {"memory"}
    assert "--memory-max is 250 MB" in lost[0]["cause"]
    assert all("killed for memory" in line["cause"] for line in runs.told("task redone"))


def test_a_task_that_takes_more_than_there_is_pauses_the_run_with_the_figures(runs: Runs, gate: Gate) -> None:
    coordinator = runs.coordinator("Hungry", how={"workers": 2, "memory_max": 100_000_000}, megabytes=300, **gate.shut)
    coordinator.says(75, 'role "work"', "was killed for memory 2 times while it ran alone", "--memory-max is 100 MB", "regrow resume")
    assert runs.told("attempt failed") == [], "memory is nobody's fault"


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """A control group in which memory is limited."""
    root = Path("/sys/fs/cgroup/memory") if Path("/sys/fs/cgroup/memory").is_dir() else Path("/sys/fs/cgroup")
    folder = root / f"regrow-test-{os.getpid()}"
    try:
        folder.mkdir()
        limit = next(name for name in ("memory.max", "memory.limit_in_bytes") if (folder / name).exists())
        (folder / limit).write_text("420000000")
    except (OSError, StopIteration):
        pytest.skip("no control group for memory can be made here")
    yield folder
    wait_until(lambda: not (folder / "cgroup.procs").read_text())
    folder.rmdir()


def test_a_worker_that_the_kernel_kills_for_memory_is_told_from_one_that_is_preempted(runs: Runs, gate: Gate, cgroup: Path) -> None:
    within = ["sh", "-c", f'echo $$ > {cgroup}/cgroup.procs && exec "$@"', "sh"]
    coordinator = runs.coordinator("Hungry", how={"workers": 3}, within=within, megabytes=130, **gate.shut)
    coordinator.until(lambda: runs.told("worker lost"))
    gate.open()
    assert coordinator.end()["digest"] == reference_digest("Hungry", megabytes=1)
    lost = runs.told("worker lost")
    assert lost
    assert "memory" in {line["kind"] for line in lost}
    assert "by the kernel; the machine has" in next(line["cause"] for line in lost if line["kind"] == "memory")


# Notice


def at_a_task(runs: Runs) -> set[int]:
    """The workers that are at something."""
    found = ask(runs.folder / "run", "look") or {"crew": []}
    return {one["pid"] for one in found["crew"] if one["task"]}


def test_a_drained_worker_hands_back_what_it_cannot_finish_in_time(runs: Runs, gate: Gate) -> None:
    ring = {"rounds": 6, "partitions": 8}
    coordinator = runs.coordinator("Ring", how={"workers": 1, "notice": 0.2}, **ring, seconds=0.5, **gate.shut)
    coordinator.until(lambda: len(runs.artifacts()) >= 6)  # now it is known how long they take
    told: set[int] = set()
    while not any("handed back" in line["why"] for line in runs.told("worker draining")):  # one that was almost done had better finish
        pid = coordinator.until(lambda: at_a_task(runs) - told).pop()
        kill(pid, signal.SIGTERM)
        told.add(pid)
        coordinator.until(lambda: len(runs.told("worker draining")) == len(told))
    gate.open()
    summary = coordinator.end()
    assert summary["digest"] == reference_digest("Ring", **ring)
    assert summary["workers_lost"] == 0
    draining = runs.told("worker draining")[-1]
    assert draining["cause"].startswith("notice of preemption")
    assert [line["cause"] for line in runs.told("task redone")] == [draining["why"]]
