"""The directory of a run: first commit wins, cuts count when they are whole, an earlier coordinator's workers write into the void."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

import numpy as np
import pytest

from regrow.coordinator.actions import Record
from regrow.coordinator.plan import Attempt, PhaseKey, Task
from regrow.errors import RegrowError, UsageError
from regrow.program import Outputs
from regrow.store import lock as lock_module
from regrow.store.artifact import State, write_artifact
from regrow.store.container import Broken, write
from regrow.store.directory import Directory
from regrow.store.lock import Lock, is_locked


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    made = Directory(tmp_path)
    made.begin_epoch()
    return made


def attempt(directory: Directory, task: Task, number: int, value: int = 1) -> tuple[Attempt, str]:
    made = Attempt(task, number)
    outputs = Outputs(results={"n": np.array([value])}, metrics={"m": value})
    return made, write_artifact(directory.attempt_path(made), task, outputs, (), State)[0].digest


def commit(directory: Directory, *tasks: Task) -> None:
    for task in tasks:
        assert directory.commit(*attempt(directory, task, 1))


TASK = Task("work", 3, 0)


def test_the_first_commit_wins_and_a_second_must_be_the_same(directory: Directory) -> None:
    commit(directory, TASK)
    assert directory.commit(*attempt(directory, TASK, 2))
    assert list(directory.epoch.iterdir()) == []
    with pytest.raises(RegrowError, match="digest"):
        directory.commit(*attempt(directory, TASK, 3, value=2))
    assert directory.open(TASK).section("result")["n"].tolist() == [1]


def test_an_attempt_that_is_gone_is_not_committed(directory: Directory) -> None:
    made, digest = attempt(directory, TASK, 1)
    directory.discard(made)
    assert not directory.commit(made, digest)
    assert not directory.artifact_path(TASK).exists()


def test_a_broken_artifact_makes_room_for_a_new_one(directory: Directory) -> None:
    commit(directory, TASK)
    directory.artifact_path(TASK).write_bytes(b"torn")
    assert directory.damaged() == [TASK]
    assert directory.commit(*attempt(directory, TASK, 2))
    assert directory.damaged() == []
    assert directory.open(TASK).section("result")["n"].tolist() == [1]


def test_a_worker_of_an_earlier_coordinator_cannot_write_into_a_later_one(directory: Directory) -> None:
    old = directory.attempt_path(Attempt(TASK, 1))
    later = Directory(directory.path)
    later.begin_epoch()
    with pytest.raises(FileNotFoundError):
        write(old, {}, {})
    assert [path.name for path in (directory.path / "attempts").iterdir()] == [later.epoch.name]


def test_artifacts_that_were_removed_are_missed_and_forgotten_ones_are_not(directory: Directory) -> None:
    other = TASK._replace(partition=1)
    commit(directory, TASK, other)
    directory.forget([other])
    directory.artifact_path(TASK).unlink()
    assert directory.missing() == [TASK]
    directory.mark_lost([TASK])
    assert directory.missing() == []


def test_what_a_coordinator_left_is_found_and_what_is_broken_is_removed(directory: Directory) -> None:
    flipped = TASK._replace(partition=1)
    commit(directory, TASK, flipped)
    path = directory.artifact_path(flipped)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    (directory.committed / "a.stray.file").write_text("?")
    present, broken = Directory(directory.path).present(check=False)
    assert set(present) == {TASK, flipped}
    assert broken == ["a.stray.file"]
    present, broken = Directory(directory.path).present(check=True)
    assert set(present) == {TASK}
    assert broken == [str(flipped)]
    assert present[TASK].holds
    assert present[TASK].metrics == {"m": 1}


def test_folders_among_artifacts_and_cuts_are_removed_as_broken_ones_are(directory: Directory) -> None:
    other = TASK._replace(partition=1)
    commit(directory, TASK, other)
    for path in (directory.artifact_path(TASK), directory.artifact_path(other)):
        path.unlink()
        (path / "inside").mkdir(parents=True)
    assert directory.damaged() == [TASK, other]
    directory.mark_lost([other])
    assert directory.commit(*attempt(directory, TASK, 2))
    assert directory.damaged() == []
    (directory.committed / "docs.2.0" / "inside").mkdir(parents=True)
    (directory.committed / "no task").mkdir()
    (directory.cuts / "3.json").mkdir()
    present, broken = Directory(directory.path).present(check=False)
    assert set(present) == {TASK}
    assert broken == ["docs.2.0", "no task"]
    assert directory.read_cuts(present) == []
    assert list(directory.cuts.iterdir()) == []
    assert [path.name for path in directory.committed.iterdir()] == [str(TASK)]


def test_an_artifact_under_the_name_of_another_is_broken(directory: Directory) -> None:
    commit(directory, TASK)
    names = [str(TASK._replace(partition=-1)), str(TASK._replace(round=9)), "work.03.0"]
    for name in names:
        (directory.committed / name).write_bytes(directory.artifact_path(TASK).read_bytes())
    present, broken = Directory(directory.path).present(check=True)
    assert set(present) == {TASK}
    assert broken == sorted(names)
    assert [path.name for path in directory.committed.iterdir()] == [str(TASK)]


def record(directory: Directory, round: int) -> Record:
    made = Record(PhaseKey("work", round), {"loss": 0.25}, round == 3, True, False)
    directory.record(made, 12.0)
    return made


def test_records_survive_a_torn_last_line(directory: Directory) -> None:
    first, second = record(directory, 0), record(directory, 1)
    with directory.records.open("a") as file:
        file.write('{"role": "work", "rou')
    assert [found for found, _ in directory.read_records()] == [first, second]
    later = Directory(directory.path)
    later.begin_epoch()
    third = record(later, 2)
    assert [found for found, _ in later.read_records()] == [first, second, third]
    with later.records.open("ab") as file:
        file.write(b"\xff\xfe\n[]\n7\n")
    assert len(later.read_records()) == 3


def cut(directory: Directory, round: int) -> list[Task]:
    tasks = [Task("work", round, i) for i in range(2)]
    commit(directory, *tasks)
    record(directory, round)
    directory.make_cut(round, tasks)
    return tasks


def test_a_cut_counts_only_with_all_that_it_names(directory: Directory) -> None:
    tasks = cut(directory, 3)
    with pytest.raises(Broken, match="lost"):
        directory.make_cut(4, [*tasks, Task("work", 4, 0)])
    assert [path.name for path in directory.cuts.iterdir()] == ["3.json"]
    present, _ = directory.present(check=True)
    assert [found.round for found in directory.read_cuts(present)] == [3]
    directory.artifact_path(tasks[1]).unlink()
    with pytest.raises(OSError, match="No such file"):
        directory.make_cut(5, tasks)
    present, _ = directory.present(check=True)
    assert directory.read_cuts(present) == []
    assert list(directory.cuts.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"round": 3}', '{"round": 3, "artifacts": []}', '{"round": "x", "artifacts": {}}'])
def test_a_damaged_manifest_is_dropped(directory: Directory, text: str) -> None:
    cut(directory, 3)
    (directory.cuts / "3.json").write_text(text)
    (directory.cuts / "4.new").write_text("{}")
    present, _ = directory.present(check=False)
    assert directory.read_cuts(present) == []
    assert list(directory.cuts.iterdir()) == []


def test_a_manifest_of_other_bytes_is_dropped(directory: Directory) -> None:
    tasks = cut(directory, 3)
    manifest = json.loads((directory.cuts / "3.json").read_text())
    manifest["artifacts"][str(tasks[0])] = "0" * 32
    (directory.cuts / "3.json").write_text(json.dumps(manifest))
    present, _ = directory.present(check=False)
    assert directory.read_cuts(present) == []


def test_back_to_the_newest_cut_drops_what_is_newer(directory: Directory) -> None:
    older, newer = cut(directory, 3), cut(directory, 5)
    commit(directory, Task("work", 6, 0))
    record(directory, 6)
    directory.back_to_cut()
    present, _ = directory.present(check=True)
    assert set(present) == {*older, *newer}
    assert [found.phase.round for found, _ in directory.read_records()] == [3, 5]
    directory.back_to_cut(before=-1)
    present, _ = directory.present(check=True)
    assert present == {}
    assert directory.read_records() == []
    assert list(directory.cuts.iterdir()) == []


def test_a_run_is_locked_once_and_looking_does_not_lock_it(tmp_path: Path) -> None:
    assert not is_locked(tmp_path)
    lock = Lock(tmp_path)
    assert is_locked(tmp_path)
    with pytest.raises(UsageError, match="running already"):
        Lock(tmp_path)
    lock.release()
    assert not is_locked(tmp_path)
    Lock(tmp_path).release()


def test_whoever_looks_for_long_does_not_keep_a_coordinator_from_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lock").touch()
    looking, waits = os.open(tmp_path / "lock", os.O_RDWR), iter([*[False] * 3 * lock_module.TRIES, True])
    fcntl.flock(looking, fcntl.LOCK_SH)

    def sleep(_: float) -> None:
        if next(waits):
            os.close(looking)

    monkeypatch.setattr(lock_module.time, "sleep", sleep)
    Lock(tmp_path).release()
    assert next(waits, None) is None, "it has waited for who looked"
