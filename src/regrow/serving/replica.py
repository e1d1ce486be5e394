"""A process that answers: models mapped, requests over sockets to which nobody but the service has the other end (`frames`).

It is forked by the nursery, and ends with the service.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import socket
import traceback
from collections.abc import Coroutine, Sequence
from dataclasses import asdict
from typing import IO, Any, cast

import msgspec

from regrow.errors import RegrowError
from regrow.serving.desk import Busy, Desk, Expired
from regrow.serving.forms import BadRequest, encoded, error_body
from regrow.serving.frames import Frames, Word, asked_parts
from regrow.serving.limits import Limits
from regrow.serving.tables import Served

__all__ = ["Replica", "serve"]


class Replica:
    """The models of this process, and its desk."""

    def __init__(self, files: list[str], limits: Limits) -> None:
        self.limits = limits
        self.desk = Desk(limits)
        self.models = {served.digest: served for served in (Served.open(file, limits) for file in files)}

    async def ask(self, said: bytes) -> tuple[int, bytes]:
        """The answer to a request: (status, body)."""
        until, digest, body = asked_parts(said)
        served = self.models.get(digest)
        if served is None:
            return 409, error_body("this replica does not hold that model")
        try:
            return 200, await self.desk.answer(served, body, until)
        except BadRequest as error:
            self.desk.tally.wrong += 1
            return error.status, encoded(error.failure)
        except Busy:
            return 503, error_body("too many requests wait here")
        except Expired:
            return 504, error_body("the deadline has passed")

    def told(self, word: int, said: bytes) -> tuple[int, bytes]:
        """What is done at once, without a place at the desk."""
        if word == Word.LOAD:
            try:
                served = Served.open(msgspec.json.decode(said)["file"], self.limits)
            except RegrowError as error:
                return 422, error_body(error.message, error.advice)
            self.models[served.digest] = served
        elif word == Word.DROP:
            self.models.pop(msgspec.json.decode(said)["digest"], None)  # requests that hold it end with it
        elif word == Word.ALIVE:
            return 200, encoded({"models": list(self.models)})
        elif word == Word.TALLY:
            return 200, encoded({**asdict(self.desk.tally), "running": self.desk.running, "waiting": self.desk.waiting})
        return 200, b"{}"


class _Lane:
    """One connection: what is asked becomes a task, which ends when nobody waits for it any more."""

    def __init__(self, replica: Replica, gone: asyncio.Event) -> None:
        self.replica, self.gone = replica, gone
        self.tasks: dict[int, asyncio.Task[None]] = {}
        self.frames = Frames(self.came, self.gone.set)

    def came(self, number: int, word: int, said: bytes) -> None:
        """A frame."""
        if word == Word.ASK:
            self.tasks[number] = asyncio.get_running_loop().create_task(self.answer(number, said))
        elif word == Word.FORGET:
            if task := self.tasks.pop(number, None):
                coroutine = cast("Coroutine[Any, Any, None]", task.get_coro())
                if inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:  # it will never see that it is cancelled
                    self.replica.desk.tally.cancelled_waiting += 1
                task.cancel()
        else:
            self.frames.send(number, *self.replica.told(word, said))

    async def answer(self, number: int, said: bytes) -> None:
        """One request."""
        try:
            told = await self.replica.ask(said)
        except Exception as error:
            traceback.print_exc()
            told = 500, error_body(f"a fault of regrow: {type(error).__name__}")
        finally:
            self.tasks.pop(number, None)
        self.frames.send(number, *told)


async def serve(replica: Replica, lanes: Sequence[socket.socket], out: IO[str]) -> None:
    """Answer until nobody is at the other end; say so when it does."""
    gone = asyncio.Event()
    for lane in lanes:
        await asyncio.get_running_loop().create_unix_connection(lambda: _Lane(replica, gone).frames, sock=lane)
    print(json.dumps({"ready": list(replica.models)}), file=out, flush=True)
    await gone.wait()
