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
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Coordinator, Runs, reference_digest, wait_until
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
    wait_until(coordinator.alone, 5)


def attempts_of_the_last_session(run: Path) -> int:
    """How many attempts the coordinator that was there last has started."""
    return int(json.loads(sorted((run / "sessions").glob("*.json"))[-1].read_text())["attempts"])


def tasks_done(run: Path) -> int:
    """Tasks whose phase is recorded, or whose artifact is there."""
    records = [json.loads(line) for line in (run / "records.jsonl").read_text().splitlines() if line.endswith("}")]
    recorded = {(record["role"], record["round"]) for record in records}
    artifacts = [path.name.split(".") for path in (run / "committed").iterdir()]
    return sum(SIZES[role] for role, _ in recorded) + sum((role, int(round)) not in recorded for role, round, _ in artifacts)


# SIGKILL of a worker at any instant


@pytest.mark.parametrize("instant", ["starting", "writing"])
def test_a_worker_killed_at_its_weakest_moment_costs_its_attempt(runs: Runs, instant: str) -> None:
    big = {"rounds": 12, "kilobytes": 2048} if instant == "writing" else {"rounds": 60, "kilobytes": 64}
    coordinator = runs.coordinator("Wide", how={"workers": 2, "durable_every": 0.3}, **big)
    attempts = runs.folder / "run" / "attempts"
    for _ in range(4):
        if instant == "starting":
            before = set(coordinator.until(coordinator.workers))
            kill(next(iter(before)))
            kill(coordinator.until(lambda before=before: set(coordinator.workers()) - before).pop())
        else:
            writer = coordinator.until(lambda: _writer(coordinator, attempts))
            kill(writer)
            wait_until(lambda writer=writer: writer not in coordinator.workers())
    summary = coordinator.end()
    assert summary["digest"] == reference_digest("Wide", **big)
    assert summary["workers_lost"] >= 4
    redone = runs.told("task redone")
    assert all("SIGKILL" in line["cause"] or "connection" in line["cause"] for line in redone)


def _writer(coordinator: Coordinator, attempts: Path) -> int | None:
    """A worker that has an attempt's file open for writing."""
    for pid in coordinator.workers():
        with contextlib.suppress(OSError):
            for link in Path(f"/proc/{pid}/fd").iterdir():
                if os.readlink(link).startswith(f"{attempts}/"):
                    return pid
    return None


def test_a_worker_killed_every_moment_of_the_whole_run(runs: Runs, quiet: str) -> None:
    coordinator = runs.coordinator("Ring", how={"workers": 3, "durable_every": 0.2}, **SLOW)
    dice, ended = random.Random(11), threading.Event()

    def killer() -> None:
        while not ended.wait(0.1):
            if workers := coordinator.workers():
                kill(dice.choice(workers))

    thread = threading.Thread(target=killer)
    thread.start()
    try:
        summary = coordinator.end()
    finally:
        ended.set()
        thread.join()
    assert summary["digest"] == quiet
    assert summary["workers_lost"] >= 3
    assert {line["kind"] for line in runs.told("worker lost")} <= {"killed", "loss"}
    assert runs.told("attempt failed") == []


def test_whoever_kills_only_those_who_work_holds_nobody_up(runs: Runs, quiet: str) -> None:
    coordinator = runs.coordinator("Ring", how={"workers": 3}, **SLOW)
    coordinator.await_phases(2, runs.folder / "run")
    for _ in range(12):
        found = coordinator.until(lambda: ask(runs.folder / "run", "look"))
        for worker in [one for one in found["crew"] if one["task"]][:1]:
            kill(worker["pid"])
    assert coordinator.end()["digest"] == quiet
    assert not runs.told("fewer at a time")


# Coordinator, everything, power


@pytest.mark.parametrize("what", ["coordinator", "everything"])
def test_what_was_committed_is_never_done_again(runs: Runs, quiet: str, what: str) -> None:
    coordinator = runs.coordinator("Ring", **SLOW)
    coordinator.await_phases(17, runs.folder / "run")
    if what == "everything":
        kill_everything(coordinator)
    else:
        coordinator.kill()
        coordinator.code()
        wait_until(coordinator.alone, 5)
    done = tasks_done(runs.folder / "run")
    assert runs.resumed().end()["digest"] == quiet
    assert attempts_of_the_last_session(runs.folder / "run") == TASKS - done


@pytest.mark.parametrize("phases", [0, 1, 30])
def test_after_a_loss_of_power_it_goes_on_from_what_was_durable(
    runs: Runs, quiet: str, monkeypatch: pytest.MonkeyPatch, phases: int
) -> None:
    log, run = runs.folder / "fsyncs", runs.folder / "run"
    monkeypatch.setenv(VARIABLE, str(log))
    coordinator = runs.coordinator("Ring", how={"durable_every": 0.1}, **SLOW)
    if phases == 0:
        coordinator.until(lambda: (run / "how.json").exists() and log.exists() and f'"folder": "{run.parent}"' in log.read_text())
    else:
        coordinator.await_phases(phases, run)
    if phases == 30:
        coordinator.until(lambda: runs.told("cut made"))
    kill_everything(coordinator)
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
        assert attempts_of_the_last_session(run) <= most


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


def test_frozen_processes_of_a_dead_coordinator_die_with_it_and_old_epochs_write_into_nothing(runs: Runs, quiet: str) -> None:
    run = runs.folder / "run"
    coordinator = runs.coordinator("Ring", **SLOW)
    coordinator.await_phases(6, run)
    for pid in coordinator.processes():
        kill(pid, signal.SIGSTOP)
    [old] = (run / "attempts").iterdir()
    coordinator.kill()
    coordinator.code()
    wait_until(coordinator.alone, 5)  # SIGKILL reaches those who are stopped
    second = runs.resumed()
    second.await_phases(12, run)
    old.mkdir(exist_ok=True)
    for name in ("node.12.0.1", "node.13.1.2", "total.12.0.1"):  # as a worker of another machine would, back from the dead
        (old / name).write_bytes(b"late")
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


def test_prepared_data_lost_while_running_is_made_again_and_the_run_goes_on(runs: Runs) -> None:
    marker = runs.folder / "marker"
    marker.touch()
    laps = {"seconds": 0.05, "while_there": str(marker)}
    coordinator = runs.coordinator("Laps", **laps)
    coordinator.await_phases(3, runs.folder / "run")
    shutil.rmtree(runs.folder / "run" / "data")
    coordinator.until(lambda: runs.told("prepared data lost"))
    marker.unlink()
    assert coordinator.end()["digest"] == runs.begin("Laps", run="quiet", **laps)["digest"]
    assert "prepared data" in runs.told("prepared data lost")[0]["cause"]


def test_a_fork_server_that_is_stopped_while_it_imports_is_replaced(runs: Runs, quiet: str) -> None:
    coordinator = runs.coordinator("Ring", **SLOW)
    [(server, _)] = coordinator.until(coordinator.processes).items()
    kill(server, signal.SIGSTOP)
    assert coordinator.end()["digest"] == quiet


def test_packages_that_changed_meanwhile_are_noticed_before_a_worker_joins() -> None:
    mine = environment.environment()
    with pytest.raises(DataError, match=r"numpy: was .*, is 0\.9") as caught:
        check_versions(mine | {"numpy": "0.9"})
    assert "--accept-changes" in caught.value.advice
    check_versions(mine | {"CPU": "another"})  # what it makes is compared instead


# Two coordinators, moved and copied runs


def test_a_copied_run_goes_its_own_way(runs: Runs, quiet: str) -> None:
    coordinator = runs.coordinator("Ring", **SLOW)
    coordinator.await_phases(9, runs.folder / "run")
    coordinator.kill(signal.SIGTERM)
    assert coordinator.code() == 75
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


def test_a_disk_that_is_full_in_the_middle_of_a_run_pauses_it(runs: Runs, disk: Path) -> None:
    wide = {"rounds": 150, "kilobytes": 256}
    coordinator = runs.coordinator("Wide", run="disk/run", how={"durable_every": 0.05}, **wide)
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
    assert runs.resumed("disk/run").end()["digest"] == reference_digest("Wide", **wide)


def test_a_folder_that_becomes_read_only_pauses_the_run(runs: Runs) -> None:
    wide = {"rounds": 150, "kilobytes": 64}
    coordinator = runs.coordinator("Wide", **wide)
    attempts = runs.folder / "run" / "attempts"
    coordinator.await_phases(4, runs.folder / "run")
    [epoch] = attempts.iterdir()
    if subprocess.run(["chattr", "+i", str(epoch)], capture_output=True, check=False).returncode:
        pytest.skip("folders cannot be made read-only for root here")
    try:
        coordinator.says(75, "not permitted", "regrow resume")
    finally:
        subprocess.run(["chattr", "-i", str(epoch)], check=True)
    assert runs.resumed().end()["digest"] == reference_digest("Wide", **wide)


def test_too_many_open_files_pauses_the_run(runs: Runs) -> None:
    few = ["sh", "-c", 'ulimit -n 40 && exec "$@"', "sh"]
    tiny = {"rounds": 4, "partitions": 20}
    coordinator = runs.coordinator("Tiny", how={"workers": 60}, within=few, **tiny)
    coordinator.says(75, "Too many open files", "regrow resume")
    assert runs.resume(workers=2)["digest"] == reference_digest("Tiny", **tiny)


# Slow machines


def test_a_machine_ten_times_slower_gets_help(runs: Runs) -> None:
    program = {"rounds": 5, "partitions": 6, "seconds": 0.1}
    coordinator = runs.coordinator("Ring", how={"workers": 3}, **program)
    coordinator.await_phases(2, runs.folder / "run")
    ended = threading.Event()
    slow = coordinator.until(coordinator.workers)[0]

    def brake() -> None:
        while not ended.is_set():
            kill(slow, signal.SIGSTOP)
            time.sleep(0.2)
            kill(slow, signal.SIGCONT)
            time.sleep(0.03)

    thread = threading.Thread(target=brake)
    thread.start()
    try:
        summary = coordinator.end()
    finally:
        ended.set()
        thread.join()
    assert summary["digest"] == reference_digest("Ring", rounds=5, partitions=6)
    assert summary["workers_lost"] == 0, "a slow worker is not a frozen one"
    assert runs.told("backup attempt")
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


def test_tasks_that_take_more_than_they_may_run_fewer_at_a_time(runs: Runs) -> None:
    coordinator = runs.coordinator("Hungry", how={"workers": 3, "memory_max": 250_000_000}, megabytes=150, seconds=0.8)
    assert coordinator.end()["digest"] == reference_digest("Hungry", megabytes=1, seconds=0.0)
    lost = runs.told("worker lost")
    assert lost
    assert {line["kind"] for line in lost} == {"memory"}
    assert "--memory-max is 250 MB" in lost[0]["cause"]
    assert runs.told("fewer at a time")
    assert all("killed for memory" in line["cause"] for line in runs.told("task redone"))


def test_a_task_that_takes_more_than_there_is_pauses_the_run_with_the_figures(runs: Runs) -> None:
    coordinator = runs.coordinator("Hungry", how={"workers": 2, "memory_max": 100_000_000}, megabytes=300, seconds=3.0)
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
    wait_until(lambda: not (folder / "cgroup.procs").read_text(), 10)
    folder.rmdir()


def test_a_worker_that_the_kernel_kills_for_memory_is_told_from_one_that_is_preempted(runs: Runs, cgroup: Path) -> None:
    within = ["sh", "-c", f'echo $$ > {cgroup}/cgroup.procs && exec "$@"', "sh"]
    coordinator = runs.coordinator("Hungry", how={"workers": 3}, within=within, megabytes=130, seconds=1.0)
    assert coordinator.end()["digest"] == reference_digest("Hungry", megabytes=1, seconds=0.0)
    lost = runs.told("worker lost")
    assert lost
    assert "memory" in {line["kind"] for line in lost}
    assert "by the kernel; the machine has" in next(line["cause"] for line in lost if line["kind"] == "memory")


# Notice


def test_a_drained_worker_hands_back_what_it_cannot_finish_in_time(runs: Runs) -> None:
    coordinator = runs.coordinator("Ring", how={"workers": 1, "notice": 0.2}, rounds=2, partitions=8, seconds=0.5)
    coordinator.until(lambda: len(runs.artifacts()) == 6)  # now it is known how long they take
    kill(coordinator.workers()[0], signal.SIGTERM)
    summary = coordinator.end()
    assert summary["digest"] == reference_digest("Ring", rounds=2, partitions=8)
    assert summary["workers_lost"] == 0
    [draining] = runs.told("worker draining")
    assert draining["cause"].startswith("notice of preemption")
    assert "handed back" in draining["why"]
    assert runs.told("task redone")[0]["cause"] == draining["why"]
