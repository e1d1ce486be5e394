"""Whom the router asks: replicas, hedged, and the model that they are asked for.

A request is pinned to the model that is current when it begins: whoever has not got it says 409, which is as good as an error, and the next
one is asked. So all attempts of a request score one model, and any of them gives the same bytes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any

from regrow.errors import NoAnswer, TooLate
from regrow.serving.first import Hedge
from regrow.serving.members import Answer, Member, NotAnswered
from regrow.serving.moves import Joined

__all__ = ["Fleet", "Model"]


@dataclass(eq=False)
class Model:
    """A model that is served. users: requests that are pinned to it."""

    digest: str
    name: str
    card: Mapping[str, Any]
    file: str = ""
    users: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.idle.set()

    def __enter__(self) -> Model:
        self.users += 1
        self.idle.clear()
        return self

    def __exit__(self, *_: object) -> None:
        self.users -= 1
        if not self.users:
            self.idle.set()


class Fleet:
    """The members that can be asked now, and the model that is current."""

    def __init__(self, hedge: Hedge) -> None:
        self.hedge = hedge
        self.members: dict[str, Member] = {}
        self.model: Model | None = None
        self.retiring: list[Model] = []
        """Models that requests may still be pinned to."""

    def join(self, member: Member) -> None:
        """It can be asked from now on. Its name is used once."""
        self.members[member.name] = member
        self.hedge.machine.handle(Joined(member.name, member.host), time.monotonic())

    async def leave(self, name: str) -> None:
        """It is not asked any more, and what it was asked ends with an error."""
        member = self.members.pop(name, None)
        if member is not None:
            self.hedge.forget(name)
            await member.close()

    async def ask(self, model: Model, path: str, body: bytes, seconds: float) -> Answer:
        """The first answer. Raises NoAnswer, TooLate."""
        until = time.monotonic() + seconds
        try:
            with model:
                return await self.hedge.ask(lambda name: self._attempt(name, model, path, body, until), None, seconds, float(len(body)))
        except NoAnswer as error:
            if isinstance(error, TooLate) or time.monotonic() < until:
                raise
            raise TooLate(error.message) from None

    def _attempt(self, name: str, model: Model, path: str, body: bytes, until: float) -> Awaitable[Answer]:
        member = self.members.get(name)
        if member is None:
            raise NotAnswered(f"{name} is gone")
        return member.ask(path, body, model.digest, until)

    async def close(self) -> None:
        """The end."""
        for name in list(self.members):
            await self.leave(name)
