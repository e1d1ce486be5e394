"""Services elsewhere that answer: asked while they say that they are ready, and hold the model that most of them hold.

While they take up a new model one after the other, those that have the other one are not asked: every request is answered by one model, and
the change is made once, when more of them have the new one.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
import msgspec

from regrow.errors import DataError
from regrow.serving.answers import named_kind
from regrow.serving.fleet import Fleet, Model
from regrow.serving.forms import BadRequest, decoded
from regrow.serving.members import Remote

__all__ = ["Remotes"]

PROBE_SECONDS, PROBE_WAIT = 1.0, 2.0


class _Said(msgspec.Struct):
    """What /readyz says. model, name: there if it is ready."""

    ready: bool
    why: str = ""
    model: str = ""
    name: str = ""


class _Remote:
    """One of them. name: in the fleet, "" while it is not asked; each time that it comes back it has another one."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url.rstrip("/"), token
        self.probe = Remote(self.url, self.url, token)
        self.name, self.times = "", 0
        self.why, self.digest, self.kind = "not asked yet", "", ""

    async def look(self) -> None:
        """Ask whether it is ready, and for which model."""
        self.digest = ""
        try:
            status, body = await self.probe.get("/readyz", PROBE_WAIT)
            said = decoded(body, _Said)
            self.why = "" if status == 200 and said.ready else said.why or f"HTTP {status}"
            if self.why:
                return
            if not said.model or not said.name:
                raise ValueError("no model")
            if named_kind(said.name) is None:
                self.why = f"it serves {said.name[:80]}, which this regrow does not know"
                return
            self.digest, self.kind = said.model, said.name
        except TimeoutError:
            self.why = f"no answer within {PROBE_WAIT:.0f} s"
        except (aiohttp.ClientResponseError, aiohttp.ClientPayloadError, BadRequest, ValueError):
            self.why = "it answers, but it is no regrow serve"
        except aiohttp.ClientConnectorError as error:
            why = error.os_error
            self.why = f"nobody can connect to it: {os.strerror(why.errno) if why.errno and why.errno > 0 else why.strerror or why}"
        except (OSError, aiohttp.ClientError) as error:
            self.why = str(error) or type(error).__name__

    async def card(self) -> Any:
        """Its model card. Raises what the connection raises, or ValueError."""
        status, body = await self.probe.get("/v1/model", PROBE_WAIT)
        if status == 401:
            raise ValueError(f"its token is {'another one' if self.token else 'asked for'}: --replica-token-file FILE")
        if status != 200:
            raise ValueError(f"HTTP {status} for its model card: {body[:100].decode('utf-8', 'replace')}")
        try:
            card = decoded(body, dict[str, Any])
        except BadRequest as error:
            raise ValueError(f"what it gives as its model card is none: {error}") from None
        if (card.get("model"), card.get("name")) != (self.digest, self.kind):
            raise ValueError("its model card is that of another model than it says to serve")
        return card


class Remotes:
    """All of them."""

    def __init__(self, urls: Sequence[str], token: str, fleet: Fleet, tell: Callable[[str], None]) -> None:
        self.remotes = [_Remote(url, token) for url in urls]
        self.fleet, self.tell = fleet, tell
        self._leaving: set[asyncio.Task[None]] = set()

    async def first(self) -> None:
        """Look once. Raises DataError if none can be asked."""
        try:
            await self._look()
        except BaseException:  # also if nobody waits for it any more
            await self.close()
            raise
        if self.fleet.model is None:
            await self.close()
            told = "; ".join(f"{remote.url}: {remote.why}" for remote in self.remotes)
            raise DataError(
                f"none of the replicas can be asked: {told}", "start them first, on their machines: regrow serve MODEL --host ..."
            )

    async def watch(self) -> None:
        """Look every second, for ever."""
        try:
            while True:
                await asyncio.sleep(PROBE_SECONDS)
                await self._look()
        finally:
            await self.close()

    async def close(self) -> None:
        """The end."""
        await asyncio.gather(*(remote.probe.close() for remote in self.remotes))

    def _unreachable(self, name: str) -> None:
        """Nobody can connect to it: it is not asked until it says again that it is ready; unless it is the only one."""
        for remote in self.remotes:
            if remote.name == name and len(self.fleet.members) > 1:
                self.tell(f"{remote.url} is not asked any more: nobody can connect to it")
                remote.name = ""
                task = asyncio.create_task(self.fleet.leave(name))
                self._leaving.add(task)
                task.add_done_callback(self._leaving.discard)

    async def _look(self) -> None:
        await asyncio.gather(*(remote.look() for remote in self.remotes))
        await self._agree()
        current = self.fleet.model
        for remote in self.remotes:
            if current is not None and not remote.why and remote.digest != current.digest:
                remote.why = f"it holds {remote.kind} of model {remote.digest[:16]}, and {current.digest[:16]} is served here"
            if remote.why and remote.name:
                self.tell(f"{remote.url} is not asked any more: {remote.why}")
                name, remote.name = remote.name, ""
                await self.fleet.leave(name)
            elif not remote.why and not remote.name:
                remote.times += 1
                remote.name = remote.url if remote.times == 1 else f"{remote.url}#{remote.times}"
                self.fleet.join(Remote(remote.name, remote.url, remote.token, self._unreachable))

    async def _agree(self) -> None:
        """The model that most of them hold is asked for; of as many, the one from before."""
        held = Counter(remote.digest for remote in self.remotes if remote.digest)
        current = self.fleet.model
        if not held or (current is not None and held[current.digest] == max(held.values())):
            return
        digest = held.most_common(1)[0][0]
        remote = next(remote for remote in self.remotes if remote.digest == digest)
        try:
            card = await remote.card()
        except (OSError, ValueError, aiohttp.ClientError) as error:
            remote.why = str(error) or type(error).__name__
            return
        if current is not None and remote.kind != current.name:
            remote.why = f"it serves {remote.kind}, and {current.name} are served here"
            return
        self.fleet.model = Model(digest, remote.kind, card)
        if current is not None:
            self.tell(f"model {digest[:16]} is served from now on; before it was {current.digest[:16]}")
