"""The v2 inference protocol of KServe and Triton (JSON), over what the router answers anyway."""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib.metadata import version
from typing import Any, Protocol

import msgspec
from aiohttp import web

from regrow.serving.answers import Answers
from regrow.serving.fleet import Fleet, Model
from regrow.serving.forms import JSON, decoded, encoded
from regrow.serving.openapi import InferAsked, inputs_of

__all__ = ["V2"]


class Asks(Protocol):
    """What it needs of the router."""

    fleet: Fleet

    def model(self, name: str) -> Model:
        """The model of a name."""
        ...

    def kind(self) -> type[Answers]:
        """What kind of model it is."""
        ...

    async def body(self, request: web.Request) -> tuple[bytes, float]:
        """The body, and the seconds that are left for its answer."""
        ...

    def place(self, what: str) -> AbstractContextManager[None]:
        """A place among those under way."""
        ...


class V2:
    """Its endpoints; those of health are the router's own."""

    def __init__(self, router: Asks) -> None:
        self.router = router

    def add_to(self, paths: web.UrlDispatcher) -> None:
        """Make them known."""
        paths.add_get("/v2", self._server)
        paths.add_get("/v2/models/{name}", self._model)
        paths.add_get("/v2/models/{name}/ready", self._ready)
        paths.add_post("/v2/models/{name}/infer", self._infer)

    async def _server(self, _: web.Request) -> web.StreamResponse:
        return answer({"name": "regrow", "version": version("regrow"), "extensions": []})

    async def _model(self, request: web.Request) -> web.StreamResponse:
        model, kind = self.router.model(request.match_info["name"]), self.router.kind()
        outputs = [{"name": name, "datatype": datatype, "shape": list(shape)} for name, datatype, shape in kind.outputs]
        facts = {"name": model.name, "versions": [model.digest], "platform": "regrow"}
        return answer({**facts, "inputs": kind.inputs(model.card), "outputs": outputs})

    async def _ready(self, request: web.Request) -> web.StreamResponse:
        model, ready = self.router.model(request.match_info["name"]), bool(self.router.fleet.members)
        return answer({"name": model.name, "ready": ready}, 200 if ready else 503)

    async def _infer(self, request: web.Request) -> web.StreamResponse:
        model, kind = self.router.model(request.match_info["name"]), self.router.kind()
        body, seconds = await self.router.body(request)
        asked = decoded(body, InferAsked)
        parameters = {k: v for k, v in asked.parameters.items() if k != "binary_data_output"}
        body = encoded(kind.of_tensors(inputs_of(asked), parameters))
        with self.router.place("requests"):
            found = await self.router.fleet.ask(model, f"/v1/{model.name}", body, seconds)
        if found.status != 200:
            return web.Response(status=found.status, body=found.body, content_type=JSON)
        items = msgspec.json.decode(found.body)[kind.items]
        wanted = {str(output.get("name")) for output in asked.outputs}
        outputs = [tensor for tensor in kind.to_tensors(items) if not wanted or tensor["name"] in wanted]
        said = {"model_name": model.name, "model_version": model.digest, "outputs": outputs}
        return answer(said | ({"id": asked.id} if asked.id else {}))


def answer(facts: dict[str, Any], status: int = 200) -> web.Response:
    """An answer of JSON."""
    return web.Response(status=status, body=encoded(facts), content_type=JSON)
