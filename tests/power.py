"""A loss of power, as the worst that POSIX allows: only what was fsynced remains.

A coordinator that is started with REGROW_TEST_FSYNCS notes every fsync: of a file its inode and size, of a folder the names in it. When
it is dead, `lose_power` takes from the disk every name that no fsync of its folder has seen, and every byte that no fsync of its file has.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

__all__ = ["NONE", "VARIABLE", "lose_power", "note_fsyncs"]

VARIABLE = "REGROW_TEST_FSYNCS"
NONE = "REGROW_TEST_NO_FSYNCS"
"""With this a coordinator makes nothing durable. One that is only killed loses nothing by it, and no disk is too slow for its cuts."""


def note_fsyncs() -> None:
    """In the coordinator: from now on every fsync is noted, if that is wanted."""
    if os.environ.get(NONE):
        os.fsync = lambda _: None
        return
    log = os.environ.get(VARIABLE)
    if not log:
        return
    real = os.fsync
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def noted(file: Any) -> None:
        path = os.readlink(f"/proc/self/fd/{file}")
        if os.path.isdir(path):
            fact: dict[str, Any] = {"folder": path, "names": {entry.name: entry.inode() for entry in os.scandir(path)}}
        else:
            found = os.fstat(file)
            fact = {"inode": found.st_ino, "bytes": found.st_size}
        real(file)
        os.write(descriptor, (json.dumps(fact) + "\n").encode())

    os.fsync = noted  # type: ignore[assignment]


def lose_power(run: Path, log: Path) -> list[str]:
    """Take from a run's folder what was never durable; returns the names of what is gone."""
    folders: dict[str, dict[str, int]] = {}
    sizes: dict[int, int] = {}
    for line in log.read_text().splitlines():
        fact = json.loads(line)
        if "folder" in fact:
            folders[fact["folder"]] = fact["names"]
        else:
            sizes[fact["inode"]] = fact["bytes"]
    gone: list[str] = []
    if run.name not in folders.get(str(run.parent), {}):
        shutil.rmtree(run)
        return [str(run)]
    _clean(run, folders, sizes, gone)
    if (run / "run.json").exists():
        (run / "boot").write_text("another boot")
    return gone


def _clean(folder: Path, folders: dict[str, dict[str, int]], sizes: dict[int, int], gone: list[str]) -> None:
    durable = folders.get(str(folder), {})
    for entry in list(os.scandir(folder)):
        path = Path(entry.path)
        if durable.get(entry.name) != entry.inode():
            gone.append(str(path))
            shutil.rmtree(path) if entry.is_dir(follow_symlinks=False) else path.unlink()
        elif entry.is_dir(follow_symlinks=False):
            _clean(path, folders, sizes, gone)
        elif entry.is_file(follow_symlinks=False) and sizes.get(entry.inode(), 0) < path.stat().st_size:
            gone.append(str(path))
            os.truncate(path, sizes.get(entry.inode(), 0))
