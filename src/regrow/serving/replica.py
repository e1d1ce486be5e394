"""A process that answers: models mapped, requests over a Unix socket that only the router's owner may open.

It is forked by the nursery, and ends with the service.

    POST /v1/<name>         an answer, under the model that X-Regrow-Model names (409 if it is not here)
    POST /control/load      {"file": ...}: one more model; /control/drop {"digest": ...}: one less
    GET /livez, /tally      whether it is there; what it has done
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict
from typing import IO

from aiohttp import web

from regrow.errors import RegrowError
from regrow.serving.desk import Busy, Desk, Expired
from regrow.serving.forms import DEADLINE, JSON, MODEL, BadRequest, encoded, error_body
from regrow.serving.limits import Limits
from regrow.serving.tables import Served

__all__ = ["Replica", "serve"]


class Replica:
    """The models of this process, and its desk."""

    def __init__(self, files: list[str], limits: Limits) -> None:
        self.limits = limits
        self.desk = Desk(limits)
        self.models = {served.digest: served for served in (Served.open(file, limits) for file in files)}

    def app(self) -> web.Application:
        """The application."""
        app = web.Application(client_max_size=2 * self.limits.body_bytes)
        app.router.add_post("/v1/{name}", self.ask)
        app.router.add_post("/control/load", self.load)
        app.router.add_post("/control/drop", self.drop)
        app.router.add_get("/livez", self.livez)
        app.router.add_get("/tally", self.told)
        return app

    async def ask(self, request: web.Request) -> web.Response:
        """Answer."""
        until = time.monotonic() + float(request.headers.get(DEADLINE, "10000")) / 1000
        served = self.models.get(request.headers.get(MODEL, ""))
        if served is None:
            return _failed(409, "this replica does not hold that model")
        try:
            body = await self.desk.answer(served, await request.read(), until)
        except BadRequest as error:
            self.desk.tally.wrong += 1
            return web.Response(status=error.status, body=encoded(error.failure), content_type=JSON)
        except Busy:
            return _failed(503, "too many requests wait here")
        except Expired:
            return _failed(504, "the deadline has passed")
        return web.Response(body=body, content_type=JSON)

    async def load(self, request: web.Request) -> web.Response:
        """One more model."""
        try:
            served = Served.open((await request.json())["file"], self.limits)
        except RegrowError as error:
            return _failed(422, error.message, error.advice)
        self.models[served.digest] = served
        return web.Response(body=b"{}", content_type=JSON)

    async def drop(self, request: web.Request) -> web.Response:
        """One model less; requests that hold it end with it."""
        self.models.pop((await request.json())["digest"], None)
        return web.Response(body=b"{}", content_type=JSON)

    async def livez(self, _: web.Request) -> web.Response:
        """It is there."""
        return web.Response(body=b"{}", content_type=JSON)

    async def told(self, _: web.Request) -> web.Response:
        """What it has done."""
        facts = {**asdict(self.desk.tally), "running": self.desk.running, "waiting": self.desk.waiting}
        return web.Response(body=encoded(facts), content_type=JSON)


def _failed(status: int, error: str, advice: str = "") -> web.Response:
    return web.Response(status=status, body=error_body(error, advice), content_type=JSON)


async def serve(replica: Replica, socket: str, out: IO[str]) -> None:
    """Answer at a Unix socket until the process ends; say so when it does."""
    runner = web.AppRunner(replica.app(), handler_cancellation=True, access_log=None, keepalive_timeout=3600)
    await runner.setup()
    await web.UnixSite(runner, socket, backlog=1024).start()
    print(json.dumps({"ready": list(replica.models)}), file=out, flush=True)
    await asyncio.Event().wait()
