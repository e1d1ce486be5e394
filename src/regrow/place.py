"""The folder of a new run: claimed, and cleared of the run that was there, whose model or lines stay until there are new ones."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from regrow.crash import point
from regrow.errors import RegrowError, UsageError
from regrow.spec import Spec
from regrow.store.lock import Lock, is_lock
from regrow.store.model import BEFORE
from regrow.summary import is_published

__all__ = ["drop_what_was_before", "locked", "new_directory", "refuse_to_lose", "settle", "telling_of_what_was_before"]

MARK = ".regrow-begins"
"""Stands in a directory from the moment it is ours until run.json does."""
LINES, LINES_BEFORE = "output.jsonl", "output.before.jsonl"
KEPT = {BEFORE: "model", LINES_BEFORE: "lines"}
"""What is kept of a run of which another takes the place, until there is something new."""
BEGUN = {"lock", "program", "run.new", "how.new", MARK, *KEPT}
"""What a run consists of that was stopped before run.json was written."""
NO_PLACE = {errno.ENOENT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR, errno.ENAMETOOLONG}


def refuse_to_lose(spec: Spec, run: Path) -> None:
    """Raise UsageError for a directory that holds what the run is made from: it would be gone before it is read."""
    inside = os.path.join(os.path.realpath(run), "")
    for name in spec.inputs():
        if os.path.join(os.path.realpath(name), "").startswith(inside):
            raise UsageError(f"{run} would take the place of {name}, which it is made from", "take another name with --run DIR")


@contextlib.contextmanager
def locked(run: Path) -> Iterator[None]:
    """For one coordinator alone. Raises UsageError for a directory that is in use."""
    lock = Lock(run)
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def new_directory(run: Path, overwrite: bool) -> Iterator[None]:
    """A directory for a new run, locked. Raises UsageError for one that is in use, or that is something else."""
    try:
        run.mkdir(parents=True, exist_ok=True)
        _check_free(run, overwrite)
    except OSError as error:
        if error.errno in NO_PLACE:
            raise UsageError(f"{run} cannot be made: {error.strerror}", "name another folder with --run DIR") from None
        raise
    with locked(run):
        _check_free(run, overwrite)
        _clear(run)
        (run / MARK).touch()
        point("begin-directory")
        yield


def settle(run: Path) -> None:
    """run.json is there: from now on the directory is seen to be a run."""
    (run / MARK).unlink()


def _clear(run: Path) -> None:
    if is_published(run) and (run / "model").is_dir():
        shutil.rmtree(run / BEFORE, ignore_errors=True)
        os.rename(run / "model", run / BEFORE)  # whoever is stopped here has the run that was there, without its model: it is made again
    elif is_published(run) and (run / LINES).exists():
        (run / LINES_BEFORE).unlink(missing_ok=True)
        os.link(run / LINES, run / LINES_BEFORE)
        (run / "output.json").unlink()  # likewise: it is not published any more
    for path in sorted(run.iterdir(), key=_order):
        if path.name in ("lock", MARK, *KEPT):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _order(path: Path) -> int:
    """First what artifacts were a function of, as they are those of nothing then; last what shows that it is a run."""
    return {"identity.json": 0, "run.json": 2}.get(path.name, 1)


def _check_free(run: Path, overwrite: bool) -> None:
    names = {path.name for path in run.iterdir()}
    begun = not names or (MARK in names and names <= BEGUN) or ("lock" in names and names <= {"lock", *KEPT} and is_lock(run))
    kept = [what for name, what in KEPT.items() if name in names]
    if begun and (overwrite or not kept):
        return
    if begun:
        raise UsageError(f"{run} holds the {kept[0]} of a run that was to be overwritten", "begin anew in its place: --overwrite")
    if "run.json" not in names:
        raise UsageError(f"{run} is there already and is no run", "take another name with --run DIR")
    if not overwrite:
        raise UsageError(
            f"{run} is there already",
            f"go on with it: regrow resume {run}; or take another name: --run DIR; or begin anew in its place: --overwrite",
        )


@contextlib.contextmanager
def telling_of_what_was_before(run: Path) -> Iterator[None]:
    """Whatever stops a run that took the place of another: the model or the lines that were there are not lost."""
    try:
        yield
    except RegrowError as error:
        told = {
            BEFORE: "the model that was there stays until there is a new one",
            LINES_BEFORE: "the lines that were there stay until there are new ones",
        }
        kept = [f"{words}, in {run / name}" for name, words in told.items() if (run / name).exists()]
        error.advice = "; ".join(filter(None, (error.advice, *kept)))
        raise


def drop_what_was_before(run: Path) -> None:
    """There is a new model, or there are new lines."""
    shutil.rmtree(run / BEFORE, ignore_errors=True)
    (run / LINES_BEFORE).unlink(missing_ok=True)
