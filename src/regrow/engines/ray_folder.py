"""Where a Ray of our own keeps its sockets and logs: a folder below TMPDIR that goes with the run, or that stays and is named.

A process that is killed leaves its folder behind. The next one that starts a Ray here removes it: what nobody holds any more, and nobody
was pointed to, is of no worth. `.held` says so: a file that is locked as long as its process lives (the kernel sees to that), and that is
not in a folder which was kept on purpose.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path

__all__ = ["RayFolder", "left_behind"]

PREFIX = "regrow-ray-"
HELD = ".held"
BYTES_MAX = 20
"""Below a folder of ours, Ray's longest path of a socket has some 65 bytes, of 107."""

_held: dict[Path, RayFolder] = {}


class RayFolder:
    """A new folder, held by this process; those that others left behind are removed."""

    def __init__(self, above: Path | None = None) -> None:
        """above: the folder in which it is; None: TMPDIR, or /tmp where that path is long."""
        if above is None:
            above = Path(tempfile.gettempdir())
            above = above if len(os.fsencode(above)) <= BYTES_MAX else Path("/tmp")
        _sweep(above)
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=above))
        self._lock = os.open(self.path / ".new", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        os.rename(self.path / ".new", self.path / HELD)  # it is never seen without its lock
        _held[self.path] = self

    def keep(self) -> Path:
        """Leave it to whoever is told of it."""
        (self.path / HELD).unlink(missing_ok=True)
        self._let_go()
        return self.path

    def remove(self) -> None:
        """Nobody will look into it."""
        _remove(self.path)
        self._let_go()

    def _let_go(self) -> None:
        if _held.pop(self.path, None) is not None:
            os.close(self._lock)


def left_behind() -> list[Path]:
    """What stays if this process ends at once, until a Ray is started here again."""
    return list(_held)


def _sweep(above: Path) -> None:
    """Remove what processes that were killed have left: it is ours, and nobody holds it."""
    for folder in above.glob(f"{PREFIX}*"):
        try:
            about = folder.lstat()
            if about.st_uid != os.getuid() or not stat.S_ISDIR(about.st_mode):
                continue
            lock = os.open(folder / HELD, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:  # gone meanwhile; or kept, or just being made
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(folder)
        except OSError:
            continue
        finally:
            os.close(lock)


def _remove(folder: Path) -> None:
    """Remove all of it; if a process that is about to end still writes there, what is left is swept later."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != HELD:
                path.unlink(missing_ok=True)
        if [path.name for path in folder.iterdir()] == [HELD]:
            (folder / HELD).unlink()
            folder.rmdir()
