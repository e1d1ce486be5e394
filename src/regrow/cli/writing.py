"""Files that commands write: whole, or as they were before."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from regrow.errors import UsageError

__all__ = ["check_picture", "written_whole"]


@contextlib.contextmanager
def written_whole(out: Path, option: str = "--out") -> Iterator[Path]:
    """Where to write what `out` is to be: a file beside it, which takes its place, durable, when all of it is written.

    Until then what was there stays; a device or a pipe is written to as it is. Raises UsageError for what cannot be written.
    """
    if out.exists() and not out.is_file():
        if out.is_dir():
            raise UsageError(f"{out} cannot be written: it is a folder", f"name a file: {option} FILE")
        yield out
        return
    whole = Path(os.path.realpath(out))  # a link stays one
    aside = whole.with_name(whole.name + ".new")
    try:
        aside.touch()  # so that what cannot be is said before any work
        yield aside
        _sync(aside)
        os.replace(aside, whole)
        _sync(whole.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename == str(aside):
            raise UsageError(f"{out} cannot be written: {error.strerror}", f"name another file: {option} FILE") from None
        raise


def check_picture(path: Path, option: str = "--png") -> None:
    """Raise UsageError for a picture that cannot be drawn or written: that is said before the work, not after it."""
    from regrow.evaluation.picture import check_drawing

    check_drawing()
    folder = path.absolute().parent
    if path.is_dir() or not folder.is_dir():
        why = "it is a folder" if path.is_dir() else f"there is no folder {folder}"
        raise UsageError(f"{option} {path} cannot be written: {why}", f"name a file, e.g. {option} tail.png")


def _sync(path: Path) -> None:
    from regrow.store.durable import sync

    sync(path)
