"""Whether a program is deterministic: `regrow check` runs it in every way in which it may be run, and compares what comes out.

    in this process     every task twice; an array that changes after it was sent is found
    other processes     every task again in another process under another hash seed
    another CPU         kernels compiled for a CPU without its newer instructions (numba's "generic")
    losses              three workers, of which one is killed again and again

A difference within a way names the task and the array; one between ways names the array of the model.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from regrow.errors import ProgramError, RegrowError
from regrow.packed import Strings
from regrow.program import Value
from regrow.running import Watcher, begin
from regrow.spec import How, Spec
from regrow.store.model import read_model
from regrow.story import read_story

__all__ = ["WAYS", "Finding", "check"]


@dataclass(frozen=True, slots=True)
class Way:
    """One way to run a program."""

    name: str
    what: str
    how: How
    environment: Mapping[str, str]


WAYS: Sequence[Way] = (
    Way("in this process", "every task twice, sent arrays watched", How("inline", verify_all=True), {}),
    Way("other processes", "every task again under another hash seed", How("local", 2, verify_all=True), {}),
    Way("another CPU", "kernels for a CPU without newer instructions", How("local", 1, verify=False), {"NUMBA_CPU_NAME": "generic"}),
    Way("losses", "three workers, one killed every 0.1 s", How("local", 3, preempt=0.1, verify=False), {}),
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
            found, model = _try(spec, way, folder / str(number))
            if model is not None and models and found.digest != findings[0].digest:
                found = replace(found, kind="nondeterministic", fault=_difference(findings[0].way, models[0], model))
            if model is not None:
                models.append(model)
            findings.append(found)
            told(found)
            if found.fault:
                break  # the other ways would say the same, or nothing
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return findings


def _try(spec: Spec, way: Way, run: Path) -> tuple[Finding, Mapping[str, Value] | None]:
    """One way: what came of it, and the model."""
    began = time.monotonic()
    try:
        with _environment(way.environment):
            summary = begin(spec, run, way.how, Watcher())
    except ProgramError as error:
        differs = any(line["event"] == "attempts differ" for line in read_story(run))
        kind = "nondeterministic" if differs or "after it was sent" in error.message else "raised"
        return Finding(way.name, way.what, "", time.monotonic() - began, 0, 0, error.message, kind), None
    except RegrowError as error:
        error.advice = ""  # the folder of the run goes away: there is nothing to resume
        raise
    arrays = read_model(run).arrays
    found = Finding(way.name, way.what, summary["digest"], time.monotonic() - began, summary["attempts"], summary["workers_lost"])
    return found, arrays


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


def _difference(first: str, one: Mapping[str, Value], other: Mapping[str, Value]) -> str:
    """The first array of two models that differs, in words."""
    for name in sorted({*one, *other}):
        if name not in one or name not in other:
            return f'the model has "{name}" only in one of the two ways'
        if not _same(one[name], other[name]):
            return f'the model\'s "{name}" is not what it was {first}, though no task was seen to differ'
    return "the models differ"


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Strings) or isinstance(other, Strings):
        return isinstance(one, Strings) and isinstance(other, Strings) and list(one) == list(other)
    return one.dtype == other.dtype and one.shape == other.shape and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
