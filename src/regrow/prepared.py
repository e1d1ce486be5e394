"""Prepared data that was made before, kept for the next run on the same input; and which code makes it.

An entry is named by what its content is a function of: the input's bytes, the options of preparing, and the version of the
code. Runs hold hard links (or copies, on another file system), so an entry may be deleted at any time.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import uuid
from pathlib import Path

from regrow.errors import DataError

__all__ = ["LAYOUT", "check_layout", "code_digest", "default_folder", "fetch", "keep"]

BYTES_MAX = 10 * 2**30
"""Entries that were used longest ago are deleted beyond this."""
CODE = ("data", "preparing.py", "packed.py", "arithmetic.py", "rng.py", "store/container.py", "store/dataset.py")
"""What decides how prepared data is laid out."""
LAYOUT = 1
"""Another number whenever the tokens of a run are laid out otherwise, as other runs go on from them: most code that changes changes nothing
there. A test notices."""


def default_folder() -> Path:
    """Where entries live: the user's cache (XDG Base Directory specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "regrow" / "prepared"


@functools.cache
def code_digest() -> str:
    """The digest of the code that prepares, as it was when this process first asked."""
    code, here = hashlib.sha256(), Path(__file__).parent
    for place in CODE:
        for path in sorted((here / place).rglob("*.py")) if (here / place).is_dir() else [here / place]:
            code.update(path.read_bytes())
    return code.hexdigest()


def check_layout(run: Path) -> None:
    """Raise DataError if the data of a finished run, from which another is to go on, is laid out as by another version."""
    try:
        then = json.loads((run / "prepared.json").read_text()).get("layout", 0)
    except FileNotFoundError:
        then = 0
    if then != LAYOUT:
        raise DataError(
            f"{run} was prepared by {'an earlier' if then < LAYOUT else 'a later'} version of regrow, which lays data out otherwise "
            f"(layout {then}, here {LAYOUT})",
            "train it again with this version, or go on from it with the one that made it",
        )


def fetch(cache: Path, key: str, folder: Path) -> bool:
    """Put the entry of a key into a run's folder; False if there is none that is whole."""
    entry = cache / key
    try:
        _link(entry, folder)
        os.utime(entry)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        return False
    try:
        from regrow.store.dataset import Dataset  # here, as those that only want the folder need no numpy

        damage = Dataset.open(folder).damage()
    except DataError as error:
        damage = error.message
    if damage:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(entry, ignore_errors=True)
    return not damage


def keep(cache: Path, key: str, folder: Path) -> None:
    """Keep a folder under a key. A cache that cannot be written is no error: the next run prepares again."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        aside = cache / f"{key}.{uuid.uuid4().hex[:8]}.new"
        try:
            _link(folder, aside)
            os.rename(aside, cache / key)
        except OSError:  # somebody else kept it first, or there is no room
            shutil.rmtree(aside, ignore_errors=True)
        _trim(cache)
    except OSError:
        return


def _link(source: Path, target: Path) -> None:
    """The files of a folder, hard-linked where possible; dataset.json last, as it makes the others count."""
    target.mkdir(parents=True)
    for path in sorted(source.iterdir(), key=lambda path: path.name == "dataset.json"):
        try:
            os.link(path, target / path.name)
        except OSError:
            shutil.copy2(path, target / path.name)


def _trim(cache: Path) -> None:
    entries = sorted((path for path in cache.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime, reverse=True)
    total = 0
    for entry in entries:
        total += sum(file.stat().st_size for file in entry.iterdir())
        if total > BYTES_MAX:
            shutil.rmtree(entry, ignore_errors=True)
