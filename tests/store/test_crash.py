"""A process is stopped dead at every named step, once at the first passing and once later; `resume` ends with the same bytes each time."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import Coordinator, Gate, Runs, reference_digest
from power import NONE
from regrow import crash

SOURCE = Path(crash.__file__).parent
RING = {"rounds": 40, "kept": 5, "seconds": 0.004}
FAST = {"engine": "inline", "durable_every": 0.001, "verify": True}

LOST = {"lost-removed", "commit-broken-removed", "restore-cut-dropped"}
DIFFER = {"disputed-kept", "disputed-gone-back"}
CHANGED = {"back-forgotten", "back-recorded"}
KEPT = {"keep-aside", "keep-cleared", "kept"}
PAUSED = {"save-synced"}
QUIET = sorted(set(crash.POINTS) - LOST - DIFFER - CHANGED - KEPT - PAUSED)


def points_in_source() -> dict[str, int]:
    """The points that the code passes -> how many places pass them."""
    found: dict[str, int] = {}
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "point":
                [name] = node.args
                if isinstance(name, ast.Constant):
                    found[name.value] = found.get(name.value, 0) + 1
                else:  # one for each folder that is cleared
                    for folder in ("cuts", "committed", "attempts", "disputed"):
                        found[f"finish-{folder}-gone"] = 1
    return found


def test_the_list_of_points_is_complete() -> None:
    found = points_in_source()
    assert set(found) == set(crash.POINTS), "crash.POINTS and the code name the same points"
    assert all(number == 1 for number in found.values()), "a point is one place"


CHANGES = {"link", "unlink", "replace", "rename", "rmtree", "write_text", "_remove", "sync", "touch"}
ROOMS = ["store/directory.py"]


@pytest.mark.parametrize("file", ROOMS)
def test_a_point_stands_beside_everything_that_changes_the_disk(file: str) -> None:
    for function in ast.walk(ast.parse((SOURCE / file).read_text())):
        if not isinstance(function, ast.FunctionDef) or function.name in ("_remove", "_link", "_sync_ground"):
            continue  # bare tools: their callers have the points
        calls = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
        names = [call.attr if isinstance(call, ast.Attribute) else call.id for call in calls if isinstance(call, (ast.Attribute, ast.Name))]
        own = [call for call in calls if not (isinstance(call, ast.Attribute) and ast.unparse(call).startswith(("text.", "name.")))]
        if set(names) & CHANGES and own:
            assert "point" in names, f"{file}: {function.name} changes the disk and passes no point of crash.POINTS"


@contextlib.contextmanager
def armed(point: str) -> Iterator[None]:
    """Processes that are started now stop dead there, on a disk that is as fast as need be: else a run may be over before a cut is made."""
    os.environ |= {crash.VARIABLE: point, NONE: "1"}
    try:
        yield
    finally:
        del os.environ[crash.VARIABLE], os.environ[NONE]


def dies(coordinator: Coordinator) -> None:
    """It was stopped dead, and by nothing else."""
    out, err = coordinator.process.communicate(timeout=240)
    assert coordinator.process.returncode == -signal.SIGKILL, f"the point was not passed: {out!r} {err.decode()}"


def begin_and_die(runs: Runs, point: str, name: str = "Ring", how: dict[str, Any] | None = None, **parameters: Any) -> None:
    """A coordinator that begins a run and stops dead."""
    with armed(point):
        dies(runs.coordinator(name, how=how or FAST, **parameters))


def resume_and_die(runs: Runs, point: str, **changes: Any) -> None:
    """A coordinator that goes on with it and stops dead."""
    with armed(point):
        dies(runs.resumed(**changes))


@pytest.fixture(scope="module")
def quiet() -> str:
    """The digest of an undisturbed run."""
    return reference_digest("Ring", **RING | {"seconds": 0.0})


@pytest.mark.processes
@pytest.mark.slow
@pytest.mark.parametrize("name", QUIET)
def test_stopped_dead_at_every_step_and_resumed(runs: Runs, quiet: str, name: str) -> None:
    begin_and_die(runs, name, **RING)
    if not (runs.folder / "run" / "run.json").exists():
        assert runs.begin("Ring", **RING)["digest"] == quiet  # its name is free
        return
    if name.startswith(("commit", "cut", "forget", "record")):
        resume_and_die(runs, f"{name}:2")
    assert runs.resume()["digest"] == quiet
    assert not {"committed", "attempts", "cuts", "stages", "disputed"} & {path.name for path in (runs.folder / "run").iterdir()}


@pytest.mark.processes
@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(KEPT))
def test_stopped_dead_while_results_are_kept(runs: Runs, name: str) -> None:
    begin_and_die(runs, name, "Keeps")
    assert runs.resume()["digest"] == runs.begin("Keeps", run="quiet")["digest"]
    assert (runs.folder / "run" / "kept" / "dataset.json").exists()
    assert not (runs.folder / "run" / "kept.new").exists()


@pytest.mark.processes
def test_stopped_dead_after_saving_before_a_pause(runs: Runs, gate: Gate) -> None:
    with armed("save-synced"):
        coordinator = runs.coordinator("Tarries", how={"verify": False, "workers": 1}, round=0, **gate.shut)
    coordinator.until(runs.artifacts)  # in round 0, so that there is no round of which a cut could be made
    coordinator.kill(signal.SIGTERM)
    dies(coordinator)
    assert runs.resume(engine="inline")["digest"] == reference_digest("Tarries")


@pytest.mark.processes
def test_stopped_dead_when_a_cut_is_not_whole(runs: Runs, quiet: str) -> None:
    begin_and_die(runs, "cut-dropped:2", **RING)
    for path in runs.artifacts():
        path.unlink()
    resume_and_die(runs, "restore-cut-dropped")
    assert runs.resume()["digest"] == quiet


@pytest.mark.processes
@pytest.mark.parametrize("name", sorted(CHANGED))
def test_stopped_dead_while_changes_are_accepted(runs: Runs, quiet: str, name: str) -> None:
    begin_and_die(runs, "record-written:40", **RING)
    path = runs.folder / "run" / "identity.json"
    identity = json.loads(path.read_text())
    identity["versions"]["numpy"] = "0.9"
    path.write_text(json.dumps(identity))
    resume_and_die(runs, name, accept_changes=True)
    assert runs.resume(accept_changes=True)["digest"] == quiet


@pytest.mark.processes
def test_stopped_dead_while_attempts_that_differ_are_kept(runs: Runs) -> None:
    begin_and_die(runs, "disputed-kept", "Impure", how={"engine": "inline", "verify": True})
    for _ in range(2):
        assert runs.resumed().code() == 4  # nothing was forgiven meanwhile
    resume_and_die(runs, "disputed-gone-back")
    assert runs.resumed().code() == 4


@pytest.mark.parametrize("name", ["commit-broken-removed", "lost-removed"])
def test_stopped_dead_while_a_broken_artifact_makes_room(tmp_path: Path, name: str) -> None:
    code = """
import sys
from pathlib import Path
from regrow.coordinator.plan import Attempt, Task
from regrow.program import Outputs
from regrow.store.artifact import State, write_artifact
from regrow.store.directory import Directory
directory, task = Directory(Path(sys.argv[1])), Task("work", 0, 0)
directory.begin_epoch()
present, broken = directory.present(check=True)
for number in (1, 2):
    attempt = Attempt(task, number)
    receipt = write_artifact(directory.attempt_path(attempt), task, Outputs(), (), State)[0]
    assert directory.commit(attempt, receipt.digest)
    if number == 1:
        directory.artifact_path(task).write_bytes(b"torn")
        if sys.argv[2] == "lost-removed":
            directory.mark_lost([task])
print(len(present), broken)
"""
    command = [sys.executable, "-c", code, str(tmp_path), name]
    with armed(name):
        assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "0 []\n"


def test_every_point_has_its_test() -> None:
    others = LOST | DIFFER | CHANGED | KEPT | PAUSED
    text = Path(__file__).read_text()
    assert all(f'"{name}"' in text for name in others)
    assert set(QUIET) | others == set(crash.POINTS)
