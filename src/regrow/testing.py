"""For the tests of programs of one's own: run one here, take everything away from it at every moment, compare what came out.

    from regrow import testing

    def test_words_are_counted_whatever_is_lost():
        run = testing.kill_anywhere(WordCount(), lines=["to be", "or not to be"], parts=2)
        assert dict(zip(run.model["words.word"], run.model["words.count"]))["be"] == 2

`run_inline` runs a program in this process: a debugger stops in it, and what it raises says where. `kill_anywhere` runs it again and again
while workers, the coordinator and artifacts are lost, and fails if a byte of the model differs. `assert_deterministic` is `regrow check`.
`assert_same` compares models, and names the first array that differs.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from regrow.checking import check, first_difference
from regrow.coordinator.actions import Action, Commit, Start
from regrow.coordinator.events import WorkerLost
from regrow.engines.base import Engine
from regrow.engines.inline import InlineEngine
from regrow.launch import Run, launch, text_spec
from regrow.program import Program
from regrow.running import begin, resume
from regrow.spec import How, Spec
from regrow.store.model import read_model

__all__ = ["assert_deterministic", "assert_same", "kill_anywhere", "run_inline"]

Files = str | Path | Sequence[str | Path]

QUIET = How("inline", verify=False)
MOMENTS = 8
"""At so many moments of a run its coordinator is stopped dead, or an artifact removed."""
WAYS_TO_GO = ("before its task", "while it wrote", "when it was done")
"""When a worker is lost: its attempt leaves nothing, a torn file, or a whole one of which nobody has heard."""


def run_inline(program: Program, data: Files | None = None, *, lines: Iterable[str] | None = None, parts: int = 1, seed: int = 1) -> Run:
    """Run a program in this process, one task at a time, in a temporary folder.

    data    text files, as for `regrow.run`; or
    lines   lines of text, cut into `parts` files of about as many lines (at most one each): each file is a partition of the layout "text"

    Raises what `regrow.run` raises: ProgramError with the lines of the program, DataError, UsageError.
    """
    with _input(data, lines, parts) as files:
        return launch(text_spec(program, files, seed, inline=True), QUIET, None)


def kill_anywhere(
    program: Program,
    data: Files | None = None,
    *,
    lines: Iterable[str] | None = None,
    parts: int = 1,
    seed: int = 1,
    processes: bool = True,
) -> Run:
    """Run a program under every loss, and return the quiet run with which all were the same.

    Once quietly. Three times losing the worker of the first attempt of every task: before it, while it writes, when it is done. Once with
    the coordinator stopped dead at eight commits and resumed. Once with artifacts removed. And, with `processes`, on two real worker
    processes of which one is killed every quarter of a second. `data`, `lines`, `parts`, `seed`: as for `run_inline`.

    Raises AssertionError that names the loss and the first array that differs, or what `run_inline` raises.
    """
    with _input(data, lines, parts) as files, tempfile.TemporaryDirectory(prefix="regrow-testing-") as temporary:
        folder = Path(temporary)
        spec = text_spec(program, files, seed, inline=not processes)
        quiet = launch(spec, QUIET, None)
        commits = int(quiet.summary["attempts"])
        between = max(1, commits // (MOMENTS + 1))
        for shift, moment in enumerate(WAYS_TO_GO):
            how = _With.on(partial(_LosesWorkers, shift))
            _same(quiet, f"each task's first worker was lost, the first {moment}", begin(spec, folder / f"workers-{shift}", how))
        _same(quiet, "the coordinator was stopped", _stopped_again_and_again(spec, folder / "stopped", between))
        removed = begin(spec, folder / "removed", _With.on(partial(_LosesArtifacts, between)))
        _same(quiet, "artifacts were removed", removed)
        if processes:
            killed = begin(spec, folder / "killed", How("local", 2, preempt=0.25, verify=False))
            _same(quiet, f"{killed['workers_lost']} of its processes were killed", killed)
        return quiet


def assert_deterministic(
    program: Program, data: Files | None = None, *, lines: Iterable[str] | None = None, parts: int = 1, seed: int = 1
) -> str:
    """What `regrow check` does; returns the digest of the model. Raises AssertionError with what differs, and where."""
    with _input(data, lines, parts) as files:
        last = check(text_spec(program, files, seed), lambda _: None)[-1]
    if last.fault:
        raise AssertionError(f"{type(program).__name__}: {last.fault}")
    return last.digest


def assert_same(first: Run, *others: Run) -> None:
    """Raise AssertionError, naming the first array that differs, unless all runs made the same model, byte for byte."""
    for place, other in enumerate(others, 1):
        if other.digest != first.digest:
            raise AssertionError(f"run {place} made another model than run 0: {first_difference(first.model, other.model)}")


def _same(quiet: Run, loss: str, summary: Mapping[str, Any]) -> None:
    if summary["digest"] != quiet.digest:
        model = read_model(Path(summary["run"])).arrays
        raise AssertionError(f"another model came out when {loss}: {first_difference(quiet.model, model)}")


@contextlib.contextmanager
def _input(data: Files | None, lines: Iterable[str] | None, parts: int) -> Iterator[Files]:
    """The files that were named, or some that hold the lines."""
    if data is not None:
        yield data
        return
    if lines is None:
        yield []
        return
    given = list(lines)
    parts = max(1, min(parts, len(given)))
    folder = Path(tempfile.mkdtemp(prefix="regrow-testing-"))
    try:
        names = []
        for part in range(parts):
            own = given[len(given) * part // parts : len(given) * (part + 1) // parts]
            names.append(folder / f"part-{part:04}.txt")
            names[-1].write_text("".join(f"{line}\n" for line in own), encoding="utf-8")
        yield names
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# Losses


@dataclass(frozen=True)
class _With(How):
    """A way to run a program on an engine of our own making."""

    made: Callable[[], Engine] = InlineEngine

    @staticmethod
    def on(made: Callable[[], Engine]) -> _With:
        return _With("inline", verify=False, durable_every=0.05, made=made)

    def make_engine(self, workers: int | None = None) -> Engine:
        return self.made()

    def write(self, run: Path) -> None:
        QUIET.write(run)  # who resumes the run finds an engine that can be written down


class _LosesWorkers(InlineEngine):
    """The worker of the first attempt of every task is lost, in one of three ways by turns."""

    def __init__(self, shift: int) -> None:
        super().__init__()
        self._shift, self._lost = shift, 0

    def _attempt(self, action: Start) -> None:
        if action.attempt.number > 1:
            super()._attempt(action)
            return
        way = (self._lost + self._shift) % len(WAYS_TO_GO)
        self._lost += 1
        path = self.directory.attempt_path(action.attempt)
        if way:
            super()._attempt(action)
            self._events.pop()
            self._reported.pop(action.attempt, None)
        if way == 1 and path.exists():
            whole = path.read_bytes()
            path.write_bytes(whole[: len(whole) // 2])
        self._events.append(WorkerLost(action.worker, "taken away by a test"))
        self._join()


class _Stopped(Exception):
    """The coordinator was stopped dead."""


class _Stops(InlineEngine):
    """The coordinator is stopped at a commit: before it for an even one, after it for an odd one."""

    def __init__(self, commits: int) -> None:
        super().__init__()
        self._left = commits

    def perform(self, action: Action) -> None:
        if isinstance(action, Commit):
            self._left -= 1
            if self._left < 0:
                if self._left % 2:
                    super().perform(action)
                raise _Stopped
        super().perform(action)


def _stopped_again_and_again(spec: Spec, run: Path, between: int) -> dict[str, Any]:
    """A run whose coordinator is stopped after so many commits, resumed and stopped again, at eight moments in all."""
    how = _With.on(partial(_Stops, between))
    with contextlib.suppress(_Stopped):
        return begin(spec, run, how)
    for _ in range(MOMENTS - 1):
        with contextlib.suppress(_Stopped):
            return resume(run, how=how)
    return resume(run, how=QUIET)


class _LosesArtifacts(InlineEngine):
    """Somebody removes an artifact after so many commits, again and again, eight of them in all."""

    def __init__(self, between: int) -> None:
        super().__init__()
        self._between, self._commits, self._chance = between, 0, random.Random(1)

    def perform(self, action: Action) -> None:
        super().perform(action)
        if isinstance(action, Commit):
            self._commits += 1
            there = sorted(self.directory.committed.iterdir())
            if there and self._commits % self._between == 0 and self._commits <= self._between * MOMENTS:
                self._chance.choice(there).unlink(missing_ok=True)
