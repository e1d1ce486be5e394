"""Replica processes of this machine: started, watched, replaced. Names are used once.

A killed one is known at once, a frozen one within two seconds (stopped, or runnable without gaining CPU time), one that does not
answer within ten. All of them end with this process, however it ends.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from regrow.engines.frozen import FrozenWatch
from regrow.engines.processes import how_it_ended
from regrow.errors import DataError, RegrowError
from regrow.serving.fleet import Fleet
from regrow.serving.forms import encoded
from regrow.serving.frames import Word
from regrow.serving.limits import Limits
from regrow.serving.members import Local
from regrow.serving.nursery import Child, Nursery, adopt

__all__ = ["Supervisor"]

START_SECONDS = 120.0
LOOK_SECONDS = 0.25
PROBE_SECONDS, SILENT_SECONDS = 2.0, 10.0
BACKOFF = (0.05, 10.0)
"""Seconds before a replica that ended is replaced: at first, and at most; twice as long each time unless it lived for a while."""
LONG_LIFE = 30.0


class Supervisor:
    """The replicas of one service. files: the tables of the models that a new one maps; tell: where lines for people go."""

    def __init__(self, fleet: Fleet, folder: Path, limits: Limits, tell: Callable[[str], None]) -> None:
        self.fleet, self.folder, self.limits, self.tell = fleet, folder, limits, tell
        self.files: list[str] = []
        self.restarts: Counter[str] = Counter()
        """How often replicas were replaced, by cause."""
        self.processes: dict[str, Child] = {}
        self.members: dict[str, Local] = {}
        """Those that answer."""
        self._nursery = Nursery(str(folder), asdict(limits))
        self._number = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._watch = FrozenWatch()
        self._causes: dict[str, tuple[str, str]] = {}
        """(kind, in words): why they were killed."""
        self._closing = False

    async def warm(self) -> None:
        """Load what needs no model, so that it is there when the model is."""
        adopt()
        await self._nursery.warm()

    async def start(self, replicas: int) -> None:
        """Start so many, and wait until all of them answer. Raises what the first one could not do."""
        first = [asyncio.get_running_loop().create_future() for _ in range(replicas)]
        self._tasks = [asyncio.create_task(self._keep(ready)) for ready in first]
        self._tasks += [asyncio.create_task(self._look()), asyncio.create_task(self._probe())]
        await asyncio.gather(*first)

    async def _keep(self, ready: asyncio.Future[None]) -> None:
        """One place in the fleet: whoever ends is replaced."""
        wait = BACKOFF[0]
        while not self._closing:
            self._number += 1
            name = f"replica-{self._number}"
            began = time.monotonic()
            try:
                process = await self._started(name)
            except RegrowError as error:
                if not ready.done():
                    ready.set_exception(error)
                    return
                self.tell(f"{name} does not start: {error.message}")
            else:
                if not ready.done():
                    ready.set_result(None)
                await self._lived(name, process)
            if time.monotonic() - began > LONG_LIFE:
                wait = BACKOFF[0]
            await asyncio.sleep(wait)
            wait = min(2 * wait, BACKOFF[1])

    async def _started(self, name: str) -> Child:
        """A process that answers. Raises RegrowError."""
        files = self.files
        process, said, pipe, lanes = await self._nursery.fork(name, files)
        self.processes[name] = process
        member = Local(name)
        try:
            await member.connect(lanes)
            async with asyncio.timeout(START_SECONDS):
                line = await said.readline()
            told: dict[str, Any] = json.loads(line) if line else {"error": how_it_ended(await process.wait()), "advice": ""}
            if "error" not in told:
                await self._caught_up(member, set(files))
        except (TimeoutError, ValueError):
            told = {"error": f"it does not answer within {START_SECONDS:.0f} s", "advice": ""}
        except ConnectionError as error:
            told = {"error": str(error), "advice": ""}
        except BaseException:
            await member.close()
            await self._end(name, process)
            raise
        finally:
            pipe.close()
        if "error" in told:
            await member.close()
            await self._end(name, process)
            raise DataError(f"a replica ended before it answered: {told['error']}", told["advice"])
        self.members[name] = member
        self.fleet.join(member)
        return process

    async def _caught_up(self, member: Local, held: set[str]) -> None:
        """A newborn maps what has come since it was asked for: to be born takes time, and models change meanwhile. Raises RegrowError.

        Whoever awaits nothing between this and its joining joins with all that is served.
        """
        while missing := [file for file in self.files if file not in held]:
            told = await member.tell(Word.LOAD, encoded({"file": missing[0]}), START_SECONDS)
            if told.status == 200:
                held.add(missing[0])
            elif missing[0] in self.files:  # else it was refused meanwhile
                refusal: dict[str, Any] = json.loads(told.body)
                raise DataError(refusal["error"], refusal.get("advice", ""))

    async def _lived(self, name: str, process: Child) -> None:
        """Until it ends."""
        code = await process.wait()
        await self.fleet.leave(name)
        self.processes.pop(name, None)
        self.members.pop(name, None)
        self._watch.drop(name)
        if not self._closing:
            kind, cause = self._causes.pop(name, ("ended", ""))
            self.restarts[kind] += 1
            self.tell(f"{name} is lost: {cause or how_it_ended(code)}; another one is started")

    async def _end(self, name: str, process: Child) -> None:
        process.kill()
        await process.wait()
        self.processes.pop(name, None)

    async def _look(self) -> None:
        """Kill those that are frozen."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for name, process in list(self.processes.items()):
                why = self._watch.look(name, process.pid, time.monotonic())
                if why and name in self.members:
                    self._kill(name, process, "frozen", why)

    async def _probe(self) -> None:
        """Kill those that do not answer, though they are not frozen, and those that cannot answer."""
        while True:
            await asyncio.sleep(PROBE_SECONDS)
            await asyncio.gather(*(self._probed(name, member) for name, member in list(self.members.items())))

    async def _probed(self, name: str, member: Local) -> None:
        process, model = self.processes.get(name), self.fleet.model
        try:
            held: list[str] = json.loads((await member.tell(Word.ALIVE, b"", SILENT_SECONDS)).body)["models"]
            lacks = model is not None and model is self.fleet.model and model.digest not in held  # else another one has taken its place
            kind, why = ("model", "it does not hold the model that is served") if lacks else ("", "")
        except TimeoutError:
            kind, why = "frozen", f"no answer for {SILENT_SECONDS:.0f} s"
        except OSError:
            return  # it is ending, and that is seen elsewhere
        if why and process is not None and self.processes.get(name) is process:
            self._kill(name, process, kind, why)

    def _kill(self, name: str, process: Child, kind: str, why: str) -> None:
        self._causes[name] = kind, why
        process.kill()

    async def close(self) -> None:
        """End all of them."""
        self._closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for name, process in list(self.processes.items()):
            await self._end(name, process)
        await self._nursery.close()
