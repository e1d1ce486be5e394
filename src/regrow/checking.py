"""Whether a program is deterministic: `regrow check` runs it in every way in which it may be run, and compares what comes out.

    in this process     every task twice; an array that changes after it was sent is found
    another order       again in one process, of the tasks that may be done now the last first: who leaves something for the next is found
    other processes     every task again in another process under another hash seed
    another CPU         kernels compiled for a CPU without newer instructions (numba's "generic"), numpy and BLAS told to use none
    losses              three workers, of which one is killed again and again

Both have a process forked for them, so that a task that ends its process (os._exit, a crash in C) is found and named.
A difference within a way names the task and the array; one between ways names the array of the model.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from regrow.apart import Ended, apart
from regrow.errors import ProgramError, RegrowError
from regrow.packed import Strings
from regrow.program import Value
from regrow.running import Watcher, begin
from regrow.spec import How, Spec
from regrow.store.model import read_model
from regrow.story import read_story

if TYPE_CHECKING:
    from regrow.coordinator.plan import Task
    from regrow.engines.base import Engine

__all__ = ["WAYS", "Finding", "check", "first_difference"]


@dataclass(frozen=True, slots=True)
class Way:
    """One way to run a program."""

    name: str
    what: str
    how: How
    environment: Mapping[str, str]
    because: str
    """What is to blame, most likely, if the model of this way differs though no task was seen to."""


@dataclass(frozen=True, slots=True)
class _Here(How):
    """In this process. backwards: the last task first; begins: told each task before it is tried."""

    backwards: bool = False
    begins: Callable[[Task], None] | None = None

    def make_engine(self, workers: int | None = None) -> Engine:
        from regrow.engines.inline import InlineEngine

        return InlineEngine(AT_A_TIME if self.backwards else 1, backwards=self.backwards, begins=self.begins)

    def write(self, run: Path) -> None:
        How("inline").write(run)


LOSS_SECONDS, TASKS_FOR_A_LOSS = 0.1, 3.0
"""A worker is killed so often, or after the time of so many tasks if they are long: else none would come to its end."""
AT_A_TIME = 64
"""Of so many tasks that may be done now the last is done first."""


def _older_cpu() -> dict[str, str]:
    """Variables under which numba, numpy and BLAS take this machine for an older one."""
    found = {"NUMBA_CPU_NAME": "generic"}
    if platform.machine() in ("x86_64", "AMD64"):
        found["OPENBLAS_CORETYPE"] = "Prescott"
    with contextlib.suppress(ImportError, AttributeError):
        core = importlib.import_module("numpy._core._multiarray_umath")
        if has := [name for name in core.__cpu_dispatch__ if core.__cpu_features__.get(name)]:
            found["NPY_DISABLE_CPU_FEATURES"] = " ".join(has)
    return found


WAYS: Sequence[Way] = (
    Way("in this process", "every task twice, sent arrays watched", _Here("inline", verify_all=True), {}, ""),
    Way(
        "another order",
        "the last partition first",
        _Here("inline", verify=False, backwards=True),
        {},
        "a task leaves something for the next, in a global variable or in a list of the program",
    ),
    Way(
        "other processes",
        "every task again under another hash seed",
        How("local", 2, verify_all=True),
        {},
        "threads (workers have one each for BLAS), the place or the environment of the process",
    ),
    Way(
        "another CPU",
        "kernels and numpy without newer instructions",
        How("local", 1, verify=False),
        _older_cpu(),
        "np.exp, np.log and the like (regrow.arithmetic has its own), a matrix product (write the loop), or fast-math",
    ),
    Way(
        "losses",
        "three workers, killed again and again",
        How("local", 3, preempt=LOSS_SECONDS, verify=False),
        {},
        "what a task finds in its process depends on what that did before",
    ),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one way: a digest, or why not."""

    way: str
    what: str
    digest: str
    seconds: float
    attempts: int
    workers_lost: int
    task_seconds: float = 0.0
    """What a task took, on the average."""
    fault: str = ""
    kind: str = ""
    """Of a fault: "nondeterministic", or "raised"."""


def check(spec: Spec, told: Callable[[Finding], None], ways: Sequence[Way] = WAYS) -> list[Finding]:
    """Run a program in every way, in temporary folders, and tell what came of each.

    A way that fails for another reason than the program (no room, refused data) raises that error.
    """
    findings: list[Finding] = []
    models: list[Mapping[str, Value]] = []
    folder = Path(tempfile.mkdtemp(prefix="regrow-check-"))
    try:
        for number, way in enumerate(ways):
            found, model = _try(spec, survivable(way, findings), folder / str(number))
            if model is not None and models and found.digest != findings[0].digest:
                where = first_difference(models[0], model)
                fault = f"{where}: first {findings[0].way}, then {way.name}.\nMost likely: {way.because}"
                found = replace(found, kind="nondeterministic", fault=fault)
            if model is not None:
                models.append(model)
            findings.append(found)
            told(found)
            if found.fault:
                break  # the other ways would say the same, or nothing
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return findings


def survivable(way: Way, findings: Sequence[Finding]) -> Way:
    """The way with losses as rare as they must be for tasks as long as those of the ways before."""
    if way.how.preempt is None:
        return way
    longest = max((found.task_seconds for found in findings), default=0.0)
    return replace(way, how=replace(way.how, preempt=max(way.how.preempt, TASKS_FOR_A_LOSS * longest)))


def _try(spec: Spec, way: Way, run: Path) -> tuple[Finding, Mapping[str, Value] | None]:
    """One way: what came of it, and the model."""
    began = time.monotonic()
    try:
        with _environment(way.environment):
            summary = _run(spec, run, way.how)
    except Ended as error:
        fault = f"{spec.program.name}: {error.note or 'what comes before its first task'} ended the process: {error.how}"
        return Finding(way.name, way.what, "", time.monotonic() - began, 0, 0, fault=fault, kind="raised"), None
    except ProgramError as error:
        differs = any(line["event"] == "attempts differ" for line in read_story(run))
        kind = "nondeterministic" if differs or "after it was sent" in error.message else "raised"
        return Finding(way.name, way.what, "", time.monotonic() - began, 0, 0, fault=error.message, kind=kind), None
    except RegrowError as error:
        error.advice = ""  # the folder of the run goes away: there is nothing to resume
        raise
    arrays = read_model(run).arrays
    seconds, attempts = time.monotonic() - began, summary["attempts"]
    busy = summary["train_seconds"] * (way.how.workers or 1)
    return Finding(way.name, way.what, summary["digest"], seconds, attempts, summary["workers_lost"], busy / max(attempts, 1)), arrays


def _run(spec: Spec, run: Path, how: How) -> dict[str, Any]:
    """Run a program; in a process of its own also where no worker would have one."""
    if not isinstance(how, _Here):
        return begin(spec, run, how, Watcher())

    def here(told: Callable[[str], None]) -> dict[str, Any]:
        named = replace(how, begins=lambda task: told(f'role "{task.role}", partition {task.partition}, round {task.round}'))
        return begin(spec, run, named, Watcher())

    return apart(here)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Variables for the processes that are started meanwhile."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def first_difference(one: Mapping[str, Value], other: Mapping[str, Value]) -> str:
    """The first array of two models that differs, in words; "" if none does."""
    for name in sorted({*one, *other}):
        if name not in one or name not in other:
            return f'only one of the models has "{name}"'
        if not _same(one[name], other[name]):
            return f'the model\'s "{name}" differs{_where(one[name], other[name])}'
    return ""


def _where(one: Any, other: Any) -> str:
    """The first place of two arrays that differs, and how many do."""
    if not (isinstance(one, np.ndarray) and isinstance(other, np.ndarray)):
        return ""
    if one.shape != other.shape or one.dtype != other.dtype:
        return f": {one.dtype} {one.shape} and {other.dtype} {other.shape}"
    places = np.argwhere((one != other) & ~((one != one) & (other != other)))
    first = tuple(int(i) for i in places[0])
    at = f" at {list(first)}" if first else ""
    return f"{at}: {one[first].item()!r} and {other[first].item()!r} ({len(places):,} of {one.size:,} differ)"


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Strings) or isinstance(other, Strings):
        return isinstance(one, Strings) and isinstance(other, Strings) and list(one) == list(other)
    return one.dtype == other.dtype and one.shape == other.shape and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
