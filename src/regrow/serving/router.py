"""What the world sees: endpoints, limits, and who may ask. Answers come from the fleet, byte for byte as a replica gave them."""

from __future__ import annotations

import asyncio
import math
import time
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from aiohttp import web

from regrow.errors import NoAnswer, RegrowError, TooLate
from regrow.serving.answers import Answers, named_kind
from regrow.serving.batch import answered_lines, lines_of
from regrow.serving.bodies import Bodies
from regrow.serving.conversation import UNREADABLE
from regrow.serving.fleet import Fleet, Model
from regrow.serving.forms import DEADLINE, JSON, MODEL, NDJSON, SAFE, BadRequest, encoded, error_body
from regrow.serving.guarding import may_ask, meant_for_us
from regrow.serving.limits import Limits
from regrow.serving.members import Answer
from regrow.serving.metrics import CONTENT_TYPE, Metrics
from regrow.serving.openapi import described, page
from regrow.serving.unpacking import Unpacking
from regrow.serving.v2 import V2

__all__ = ["Router"]

OPEN = {"/livez", "/readyz", "/v2/health/live", "/v2/health/ready"}
"""What may be asked without a token."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Place:
    """One of so many places, for as long as it is held. Raises NoAnswer at once if there is none."""

    def __init__(self, busy: Counter[str], what: str, places: int) -> None:
        self.busy, self.what, self.places = busy, what, places

    def __enter__(self) -> None:
        if self.busy[self.what] >= self.places:
            raise NoAnswer(f"{self.places} {self.what} are under way already")
        self.busy[self.what] += 1

    def __exit__(self, *_: object) -> None:
        self.busy[self.what] -= 1


@dataclass
class Router:
    """The application over a fleet.

    token: "" if none is asked for; hosts: names that the header Host may have, None: any; reload: what POST /admin/reload does
    """

    fleet: Fleet
    metrics: Metrics
    limits: Limits
    token: str = ""
    hosts: frozenset[str] | None = None
    reload: Callable[[], Awaitable[Model]] | None = None
    draining: bool = False
    bodies: Bodies = field(init=False)

    def __post_init__(self) -> None:
        self.bodies = Bodies(self.limits, self.metrics.connections)

    def app(self) -> web.Application:
        """The application."""
        app = web.Application(client_max_size=self.limits.body_bytes, middlewares=[self._around])
        get, post = app.router.add_get, app.router.add_post
        get("/livez", self._livez)
        get("/readyz", self._readyz)
        get("/metrics", self._metrics)
        get("/v1/model", self._card)
        get("/openapi.json", self._openapi)
        get("/docs", self._docs)
        post("/v1/batch", self._batch)
        post("/v1/{name}", self._ask)
        get("/v2/health/live", self._livez)
        get("/v2/health/ready", self._readyz)
        V2(self).add_to(app.router)
        if self.reload is not None:
            post("/admin/reload", self._reload)
        return app

    # Around everything

    @web.middleware
    async def _around(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        began = time.monotonic()
        response = await self._safely(request, handler)
        if not response.prepared:
            response.headers.update(SAFE)
            if self.draining or self.metrics.connections.over or response.status in (408, 413):
                response.force_close()
        resource = request.match_info.route.resource
        self.metrics.answered(resource.canonical if resource is not None else "other", response.status, time.monotonic() - began)
        return response

    async def _safely(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            self._check(request)
            return await handler(request)
        except BadRequest as error:
            headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
            return web.Response(status=error.status, body=encoded(error.failure), content_type=JSON, headers=headers)
        except TooLate as error:
            return _failed(504, error.message, f"ask with a later deadline ({DEADLINE}), or for less at once")
        except NoAnswer as error:
            return _failed(503, error.message, "ask again", retry_after=1)
        except web.HTTPException as error:
            headers = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
            return _failed(error.status, _why(error, self.limits), headers=headers)
        except TimeoutError:
            return _failed(408, "the body did not come in time", "send it faster")
        except UNREADABLE:
            return _failed(400, "the body cannot be read", "it must be what Content-Length, Transfer-Encoding and Content-Encoding say")
        except ConnectionError:
            raise  # nobody is there any more who could be answered
        except Exception as error:
            traceback.print_exc()
            return _failed(
                500, f"a fault of regrow: {type(error).__name__}", "please report it, with what the service has written to stderr"
            )

    def _check(self, request: web.Request) -> None:
        """Raise BadRequest for who may not ask, and for what no browser's page of somebody else may send."""
        if self.hosts is not None and not meant_for_us(request.headers.get("Host", ""), self.hosts):
            raise BadRequest("the header Host names another service", "ask for it by the name with which it was started: --host", 403)
        if self.token and request.path not in OPEN and not may_ask(self.token, request.headers.get("Authorization")):
            told = "the token is another one" if "Authorization" in request.headers else "a token is asked for"
            raise BadRequest(told, 'send the header "Authorization: Bearer ..."', 401)
        if request.method == "POST" and request.match_info.http_exception is None:
            wanted = NDJSON if request.path == "/v1/batch" else JSON
            if request.content_type not in (wanted, "application/jsonl") and not request.content_type.endswith("+json"):
                how = f"-H 'Content-Type: {NDJSON}' --data-binary @FILE" if wanted == NDJSON else "--json ..."
                raise BadRequest(f"the Content-Type is {request.content_type[:80]}", f"send {wanted}: curl {how}", 415)

    # Answers

    async def _ask(self, request: web.Request) -> web.StreamResponse:
        """One request, hedged."""
        model = self.model(request.match_info["name"], request.headers.get(MODEL))
        body, seconds = await self.body(request)
        with self.place("requests"):
            found = await self.fleet.ask(model, f"/v1/{model.name}", body, seconds)
            return web.Response(status=found.status, body=found.body, content_type=JSON, headers={"X-Regrow-Replica": found.replica})

    def place(self, what: str) -> Place:
        """A place among the requests or the batches under way; these may wait long for their next lines, so each have their own."""
        return Place(self.metrics.busy, what, max(1, len(self.fleet.members)) * (self.limits.at_once + self.limits.waiting))

    def model(self, name: str, digest: str | None = None) -> Model:
        """The current model, or one that is on its way out, if its digest is asked for.

        Raises BadRequest: 404 for another name, 409 for another digest.
        """
        model = self.fleet.model
        if model is None:
            raise NoAnswer("there is no model yet")
        if name != model.name:
            raise BadRequest(f'"{name[:80]}" is not served here', f"{model.name} are: /v1/{model.name}; see /docs", 404)
        if digest is not None and digest != model.digest:
            model = next((old for old in self.fleet.retiring if old.digest == digest), model)
            if model.digest != digest:
                raise BadRequest(f"model {digest[:64]} is not served here", f"{model.digest} is; or ask without {MODEL}", 409)
        return model

    def kind(self) -> type[Answers]:
        """What kind of model it is. Raises NoAnswer if there is none yet."""
        model = self.fleet.model
        kind = named_kind(model.name) if model is not None else None
        if kind is None:
            raise NoAnswer("there is no model yet")
        return kind

    def _seconds(self, request: web.Request) -> float:
        """Until the deadline. Raises BadRequest."""
        said = request.headers.get(DEADLINE)
        if said is None:
            return self.limits.deadline_seconds
        try:
            seconds = float(said) / 1000
        except ValueError:
            seconds = math.nan
        if not 0 < seconds < math.inf:
            raise BadRequest(f"{DEADLINE} is {said[:40]}", "milliseconds from now, above 0", 400)
        return min(seconds, self.limits.deadline_max_seconds)

    async def body(self, request: web.Request) -> tuple[bytes, float]:
        """The body, and the seconds that are left for its answer. It takes no place: others are answered while it comes."""
        seconds, began = self._seconds(request), time.monotonic()
        body = await self.bodies.read(request, seconds)
        return body, seconds - (time.monotonic() - began)

    async def _blocks(self, request: web.Request, unpacking: Unpacking) -> AsyncIterator[bytes]:
        """A batch as it comes. Raises BadRequest if nothing comes for too long, or cannot be read."""
        seconds = self.limits.body_seconds
        try:
            while True:
                async with asyncio.timeout(seconds):
                    block = await request.content.readany()
                if not block:
                    break
                for piece in unpacking.pieces(block):
                    yield piece
            unpacking.end()
        except TimeoutError:
            raise BadRequest(
                f"no more lines have come for {seconds:.0f} s", "send those that are left in a batch of their own", 408
            ) from None
        except UNREADABLE:
            raise BadRequest("the rest cannot be read", "it must be what the headers say", 400) from None

    async def _batch(self, request: web.Request) -> web.StreamResponse:
        """Lines, as they come."""
        kind, seconds = self.kind(), self._seconds(request)
        unpacking = Unpacking(request.headers.get("Content-Encoding"))
        response = web.StreamResponse(headers={"Content-Type": NDJSON, **SAFE})

        async def ask(body: bytes) -> Answer:
            model = self.model(kind.name)
            return await self.fleet.ask(model, f"/v1/{model.name}", body, seconds)

        with self.place("batches"):
            await response.prepare(request)
            try:
                lines = lines_of(self._blocks(request, unpacking), self.limits)
                async for answers in answered_lines(kind, lines, ask, 2 * max(1, len(self.fleet.members))):
                    await response.write(answers)
            except BadRequest as error:
                await response.write(encoded(error.failure) + b"\n")
                response.force_close()
            await response.write_eof()
        return response

    # What it is

    async def _livez(self, _: web.Request) -> web.StreamResponse:
        return web.Response(body=b'{"live": true}', content_type=JSON)

    async def _readyz(self, _: web.Request) -> web.StreamResponse:
        why = "draining" if self.draining else "no replica can be asked" if not self.fleet.members else ""
        model = self.fleet.model
        if model is None:
            why = why or "no model yet"
        facts: dict[str, Any] = {"ready": not why, "live": not why, "replicas": len(self.fleet.members)}  # v2 calls it "live"
        facts |= {"why": why} if why else {}
        if model is not None:
            facts |= {"name": model.name, "model": model.digest}
        return web.Response(status=503 if why else 200, body=encoded(facts), content_type=JSON)

    async def _metrics(self, _: web.Request) -> web.StreamResponse:
        members = dict(self.fleet.members)
        found = await asyncio.gather(*(member.tally(0.2) for member in members.values()))
        self.metrics.tallies = {name: tally for name, tally in zip(members, found, strict=True) if tally is not None}
        return web.Response(body=self.metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    async def _card(self, _: web.Request) -> web.StreamResponse:
        model = self.fleet.model
        if model is None:
            raise NoAnswer("there is no model yet")
        return web.Response(body=encoded(model.card), content_type=JSON)

    async def _openapi(self, _: web.Request) -> web.StreamResponse:
        return web.Response(body=encoded(described(self.kind(), version("regrow"), token=bool(self.token))), content_type=JSON)

    async def _docs(self, request: web.Request) -> web.StreamResponse:
        description = described(self.kind(), version("regrow"), token=bool(self.token))
        return web.Response(body=page(description, f"http://{request.host}"), content_type="text/html", charset="utf-8")

    async def _reload(self, _: web.Request) -> web.StreamResponse:
        assert self.reload is not None
        try:
            model = await self.reload()
        except (RegrowError, OSError) as error:
            told = (error.message, error.advice) if isinstance(error, RegrowError) else (str(error), "")
            return _failed(409, f"the model is refused, the old one is served on: {told[0]}", told[1])
        return web.Response(body=encoded({"model": model.digest}), content_type=JSON)


def _failed(status: int, error: str, advice: str = "", *, retry_after: int = 0, headers: dict[str, str] | None = None) -> web.Response:
    told = dict(headers or {}) | ({"Retry-After": str(retry_after)} if retry_after else {})
    return web.Response(status=status, body=error_body(error, advice), content_type=JSON, headers=told)


def _why(error: web.HTTPException, limits: Limits) -> str:
    if error.status == 413:
        return f"the body has more than {limits.body_bytes:,} bytes"
    return {404: "there is nothing at this path; see /docs", 405: "this path takes another method; see /docs"}.get(
        error.status, error.reason
    )
