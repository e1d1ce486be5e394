"""Models that are swapped while requests come: made ready, proven, switched, and the old one kept until nobody is pinned to it.

    1  a process of its own reads the model, checks its digest, writes its tables (`tables`)
    2  every replica maps them and answers the golden requests, one replica after the other, still serving the old model
    3  new requests are pinned to the new model; replicas that are started from now on map both
    4  when the last request that is pinned to the old model has ended, replicas drop it

Whatever fails before 3 leaves the old model where it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from regrow.errors import DataError
from regrow.serving.fleet import Fleet, Model
from regrow.serving.forms import encoded
from regrow.serving.frames import Word
from regrow.serving.supervisor import Supervisor

__all__ = ["Following", "ready"]

LOAD_SECONDS = 120.0
LOOK_SECONDS = 1.0
KEPT = 2
"""Tables of so many models stay on disk: the current one, and the one before, to which one may want to go back."""


async def ready(path: Path, folder: Path) -> Model:
    """Make a model ready. Raises DataError."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "regrow.serving.tables", str(path.absolute()), str(folder), stdout=asyncio.subprocess.PIPE
    )
    try:
        out, _ = await process.communicate()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    try:
        said: dict[str, Any] = json.loads(out)
    except ValueError:
        raise DataError(f"{path} cannot be made ready: the process ended with code {process.returncode}", "see above") from None
    if "error" in said:
        raise DataError(said["error"], said["advice"])
    return Model(said["digest"], said["name"], said["card"], said["file"])


class Following:
    """The model of a path, as it is published anew."""

    def __init__(self, path: Path, fleet: Fleet, supervisor: Supervisor, tell: Callable[[str], None]) -> None:
        self.path, self.fleet, self.supervisor, self.tell = path, fleet, supervisor, tell
        self.swaps = self.refused = 0
        self.why_refused = ""
        self._served: tuple[int, ...] = ()
        """What was seen when the model that is served was looked for."""
        self._known: dict[str, Model] = {}
        self._lock = asyncio.Lock()
        self._retiring: set[asyncio.Task[None]] = set()

    async def first(self) -> Model:
        """The model to begin with. Raises DataError."""
        self._served = self._seen()  # before it is read: one that is published while all is made ready is another one
        model = self.fleet.model = await ready(self.path, self.supervisor.folder)
        self._known[model.digest] = model
        self.supervisor.files = [model.file]
        return model

    async def swap(self) -> Model:
        """Serve what the path holds now. Raises DataError if it cannot be served: then the old model is served on."""
        async with self._lock:
            old = self.fleet.model
            assert old is not None
            try:
                new = self._known.get(self._digest()) or await ready(self.path, self.supervisor.folder)
                if new.digest == old.digest:
                    return old
                if new.name != old.name:
                    raise DataError(
                        f"{self.path} holds {new.name} now, and {old.name} are served", "serve it beside: regrow serve MODEL --port N"
                    )
                self.supervisor.files = [new.file, old.file]
                await self._loaded(new)
            except (DataError, OSError) as error:
                self.supervisor.files = [old.file]
                self.refused += 1
                self.why_refused = str(error)
                raise
            self._known[new.digest] = new
            self.fleet.model, self.why_refused = new, ""
            self.swaps += 1
            self.tell(f"model {new.digest[:16]} is served from now on; before it was {old.digest[:16]}")
            task = asyncio.create_task(self._retire(old))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)
            return new

    async def _loaded(self, model: Model) -> None:
        """All replicas hold it, and there is one at least. One that ends meanwhile is replaced by one that maps it anyway."""
        body = encoded({"file": model.file})
        members, proven, until = self.supervisor.members, set[str](), time.monotonic() + LOAD_SECONDS
        while not proven or not proven.issuperset(members):
            if time.monotonic() > until:
                raise DataError(f"no replica was there for {LOAD_SECONDS:.0f} s that could try it", "the old model is served on")
            left = [name for name in members if name not in proven]
            if not left:
                await asyncio.sleep(0.05)
                continue
            name, member = left[0], members[left[0]]
            try:
                told = await member.tell(Word.LOAD, body, LOAD_SECONDS)
            except OSError as error:
                if name in members:
                    await asyncio.sleep(0.5)  # a connection that fails is followed by the news of its end
                    if name in members:
                        raise DataError(f"{name} did not load it: {error!r}", "the old model is served on") from None
                continue
            if told.status != 200:
                refusal: dict[str, Any] = json.loads(told.body)
                raise DataError(refusal["error"], refusal.get("advice", ""))
            proven.add(name)

    async def _retire(self, old: Model) -> None:
        """Let the requests that are pinned to it end, then let replicas forget it."""
        self.fleet.retiring.append(old)
        while True:
            await old.idle.wait()
            async with self._lock:
                if not old.users:  # it may have been current again, and be on its way out once more
                    self.fleet.retiring.remove(old)
                    if self.fleet.model is not None and self.fleet.model is not old:
                        await self._forget(old, self.fleet.model)
                    return

    async def _forget(self, old: Model, current: Model) -> None:
        self.supervisor.files = [current.file]
        body = encoded({"digest": old.digest})
        for member in list(self.supervisor.members.values()):
            with contextlib.suppress(OSError):
                await member.tell(Word.DROP, body, LOAD_SECONDS)
        self._known[old.digest] = self._known.pop(old.digest, old)  # the newest last
        for model in list(self._known.values())[:-KEPT]:
            if model is not current:
                del self._known[model.digest]
                Path(model.file).unlink(missing_ok=True)

    def _folder(self) -> Path:
        return self.path / "model" if (self.path / "run.json").exists() else self.path

    def _digest(self) -> str:
        """The digest that the model's own file claims; "" if there is none."""
        try:
            return str(json.loads((self._folder() / "model.json").read_text())["digest"])
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def _seen(self) -> tuple[int, ...]:
        """What changes when a model is published."""
        try:
            stat = os.stat(self._folder() / "model.json")
        except OSError:
            return ()
        return (stat.st_ino, stat.st_mtime_ns, stat.st_size)

    async def follow(self) -> None:
        """Swap whenever another model is published, for ever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            seen = self._seen()
            if not seen or seen == self._served:
                continue
            try:
                await self.swap()
            except (DataError, OSError) as error:
                if self._seen() != seen:
                    continue  # it was replaced under our eyes: look again
                self.tell(f"the new model is refused, the old one is served on: {error}")
            self._served = seen
