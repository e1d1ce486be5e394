"""A copy of a run in durable storage, from which another machine can go on when the coordinator's is lost.

    epochs/<n>                  one for each start of a coordinator, created if absent: the highest is the one that counts
    files/<n>/<name>.<hash>     files of the run, as start n of the coordinator wrote them; never changed
    manifests/<n>-<m>.json      which files make the run at the moment of a cut; created if absent, after all that it names is there

Nothing counts but what the newest manifest names. A coordinator that was taken for lost and wakes up writes under its own number, and
finds a higher one before it publishes or removes anything: it stops.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import xxhash

from regrow.errors import DataError, Paused, UsageError
from regrow.store.bucket import Bucket, refused
from regrow.story import Story

__all__ = ["Mirror", "check_empty", "fetch", "newest"]

KEPT = 2
"""Manifests that are kept: the newest, and the one before."""
GROUND = ("run.json", "how.json", "identity.json", "prepared.json", "records.jsonl", "events.jsonl", "accepted.json", "done")
FOLDERS = ("program", "data", "cuts", "sessions", "model", "kept")
"""What belongs to a run besides its artifacts. Its input does not: it is never read again for recovery."""
GROWS = ("records.jsonl", "events.jsonl", "sessions/")
"""What is written to while it is copied: a copy is made of it first."""
OURS = {"epochs", "files", "manifests"}
"""Folders of a copy."""
PATIENCE_SECONDS = 600.0
HURRY_SECONDS = 10.0


class Mirror:
    """Publishes a run to a URL. For one thread at a time."""

    def __init__(self, run: Path, url: str, story: Story | None = None) -> None:
        """Take over the copy as its newest coordinator. Raises UsageError where storage refuses."""
        self.run = run
        self._bucket = Bucket(url, story)
        self._there: dict[str, tuple[tuple[int, int], str]] = {}
        """File of the run -> (its size and time when it was copied, its key)."""
        self._number = 0
        before = self._claim()
        self._published: list[set[str]] = []
        """Keys of the manifests that are kept, oldest first."""
        if before is not None:
            self._published.append(set(before.values()))
            self._know(before)

    def _claim(self) -> dict[str, str] | None:
        """Take the next number; returns what the newest manifest names."""
        try:
            before = newest(self._bucket)
            self._take_number()
        except FileNotFoundError as error:  # no such bucket
            raise refused(self._bucket.url, error) from None
        return before

    def _take_number(self) -> None:
        self._epoch = max((int(name) for name in self._bucket.names("epochs") if name.isdigit()), default=0) + 1
        while not self._bucket.create(f"epochs/{self._epoch:06}", f"{os.uname().nodename} {os.getpid()} {uuid.uuid4().hex}\n".encode()):
            self._epoch += 1

    def hurry(self) -> None:
        """The run pauses: storage that is away is not waited for any more."""
        self._bucket.patience_seconds = HURRY_SECONDS

    def _know(self, before: Mapping[str, str]) -> None:
        """Files that are here as they are there need not be copied again."""
        for name, key in before.items():
            path = self.run / name
            if path.is_file() and key.rpartition(".")[2] == _hash(path):
                self._there[name] = _stamp(path), key

    def publish(self, *, everything: bool = False, last: bool = False) -> None:
        """Copy what is not there yet, then make it count: the artifacts of the cuts, or everything that is committed.

        last: the run has ended, and only its end is kept. Raises Paused if somebody else has taken over.
        """
        if last:
            self._bucket.patience_seconds = PATIENCE_SECONDS
        files: dict[str, str] = {}
        for name in [*self._ground(), *self._artifacts(everything)]:
            key = self._copied(name)
            if key is not None:
                files[name] = key
        self._check_still_ours()
        self._number += 1
        content = json.dumps({"files": files}, indent=1).encode()
        if not self._bucket.create(f"manifests/{self._epoch:06}-{self._number:06}.json", content):
            raise self._taken_over()
        self._published.append(set(files.values()))
        self._drop_old(1 if last else KEPT)

    def _artifacts(self, everything: bool) -> list[str]:
        if everything:
            return sorted(f"committed/{path.name}" for path in (self.run / "committed").glob("*"))
        names: set[str] = set()
        for path in (self.run / "cuts").glob("*.json"):
            with contextlib.suppress(OSError, ValueError, KeyError):
                names |= json.loads(path.read_text())["artifacts"].keys()
        return sorted(f"committed/{name}" for name in names)

    def _ground(self) -> list[str]:
        found = [name for name in GROUND if (self.run / name).is_file()]
        for folder in FOLDERS:
            found += sorted(str(path.relative_to(self.run)) for path in (self.run / folder).rglob("*") if path.is_file())
        return [name for name in found if not name.endswith(".new")]

    def _copied(self, name: str) -> str | None:
        """The key of a file of the run, which is copied if it has changed; None if it is gone."""
        path = self.run / name
        try:
            stamp = _stamp(path)
            known = self._there.get(name)
            if known is not None and known[0] == stamp:
                return known[1]
            with _still(path, name.startswith(GROWS)) as still:
                key = f"files/{self._epoch:06}/{name}.{_hash(still)}"
                if known is None or known[1] != key:
                    self._bucket.put(key, still)
        except FileNotFoundError:
            return None
        self._there[name] = stamp, key
        return key

    def _drop_old(self, keep: int) -> None:
        """Remove what the newest manifests do not name."""
        old, self._published = self._published[:-keep], self._published[-keep:]
        kept = set().union(*self._published)
        gone = set().union(*old) - kept if old else set()
        names = [name for name in self._bucket.names("manifests") if name.endswith(".json")]
        self._bucket.delete(f"manifests/{name}" for name in names[:-keep])
        self._bucket.delete(sorted(gone))
        self._there = {name: there for name, there in self._there.items() if there[1] in kept}

    def _check_still_ours(self) -> None:
        if any(int(name) > self._epoch for name in self._bucket.names("epochs") if name.isdigit()):
            raise self._taken_over()

    def _taken_over(self) -> Paused:
        return Paused(f"another coordinator goes on with {self._bucket.url}", "leave it to that one; look at it there")


def check_empty(url: str) -> None:
    """Raise UsageError where a run has a copy already, where other things lie, or where storage refuses to be read or written."""
    bucket = Bucket(url)
    bucket.patience_seconds = HURRY_SECONDS
    if newest(bucket) is not None:
        raise UsageError(f"{url} holds a run already", f"go on with it: regrow resume {url}; or name another place, or --overwrite")
    others = sorted(set(bucket.names("")) - OURS)
    if others:
        raise UsageError(
            f"{url} holds other things: {', '.join(others[:3])}", "name a place of its own, e.g. with the name of the run behind it"
        )
    try:
        bucket.try_to_write("epochs/try")
    except OSError as error:
        raise refused(url, error) from None


def newest(bucket: Bucket) -> dict[str, str] | None:
    """File of the run -> key, as the newest manifest says that can be read; None if there is none."""
    for name in reversed([name for name in bucket.names("manifests") if name.endswith(".json")]):
        try:
            found: dict[str, Any] = json.loads(bucket.read(f"manifests/{name}"))
            return dict(found["files"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            continue
    return None


def fetch(url: str, run: Path) -> None:
    """Copy a run from storage into a new folder. Raises UsageError or DataError."""
    if run.exists() and any(run.iterdir()):
        raise UsageError(f"{run} is there already", f"go on with it: regrow resume {run}; or name another folder with --run DIR")
    bucket = Bucket(url)
    patience, bucket.patience_seconds = bucket.patience_seconds, HURRY_SECONDS  # nothing is under way that could be lost
    files = newest(bucket)
    bucket.patience_seconds = patience
    if files is None:
        raise DataError(f"{url} holds no run", "name what was given as --durable when the run began")
    for name, key in sorted(files.items(), key=lambda item: item[0] == "run.json"):  # last: only then is it a run
        try:
            bucket.get(key, run / name)
        except FileNotFoundError:
            raise DataError(f"{url}: {key} is gone", "somebody has removed parts of the run") from None
        if _hash(run / name) != key.rpartition(".")[2]:
            raise DataError(f"{url}: {key} is not what it was", "somebody has changed parts of the run")


@contextlib.contextmanager
def _still(path: Path, grows: bool) -> Iterator[Path]:
    """The file, or a copy of it as it is now."""
    if not grows:
        yield path
        return
    with tempfile.NamedTemporaryFile(prefix="regrow-") as copy:
        shutil.copyfile(path, copy.name)
        yield Path(copy.name)


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _hash(path: Path) -> str:
    digest = xxhash.xxh3_128()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
