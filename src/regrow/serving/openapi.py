"""The description of the API (OpenAPI 3.1), and a page that shows it without loading anything from anywhere."""

from __future__ import annotations

import html
import json
import shlex
from collections.abc import Mapping
from math import prod
from typing import Any

import msgspec

from regrow.serving.answers import Answers
from regrow.serving.forms import DEADLINE, JSON, NDJSON, BadRequest, Failure

__all__ = ["InferAsked", "described", "inputs_of", "page"]

REFUSALS = {
    400: "no JSON",
    401: "no token, or another one",
    403: "another Host than this service has",
    408: "the body did not come in time",
    413: "too large",
    415: "another Content-Type",
    422: "not of the expected form",
    503: "too many requests are under way, or nobody can answer: ask again after Retry-After",
    504: "no answer by the deadline",
}


class Tensor(msgspec.Struct):
    """A tensor of the v2 protocol."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]


class InferAsked(msgspec.Struct):
    """A request of the v2 protocol."""

    inputs: list[Tensor]
    id: str = ""
    parameters: dict[str, Any] = {}
    outputs: list[dict[str, Any]] = []


def inputs_of(asked: InferAsked) -> dict[str, list[Any]]:
    """The values of each input, by its name. Raises BadRequest, also for a shape that is not that of the data."""
    found: dict[str, list[Any]] = {}
    for tensor in asked.inputs:
        if any(size < 0 for size in tensor.shape) or prod(tensor.shape) != len(tensor.data):
            why = f'input "{tensor.name[:80]}": {len(tensor.data):,} values are no tensor of shape {tensor.shape[:8]}'
            raise BadRequest(why, f"of a list of so many values: [{len(tensor.data)}]", 400)
        if tensor.name in found:
            raise BadRequest(f'there are two inputs "{tensor.name[:80]}"', "each has a name of its own", 400)
        found[tensor.name] = tensor.data
    return found


def described(kind: type[Answers], version: str, *, token: bool) -> dict[str, Any]:
    """The description. token: whether one is asked for."""
    line = kind.line
    (asked, item, failure, infer, line_form), components = msgspec.json.schema_components(
        [kind.asked, kind.item, Failure, InferAsked, line], ref_template="#/components/schemas/{name}"
    )
    body = {"type": "object", "properties": {"model": {"type": "string"}, kind.items: {"type": "array", "items": item}}}
    body["required"] = ["model", kind.items]
    deadline = {"name": DEADLINE, "in": "header", "required": False, "schema": {"type": "number", "exclusiveMinimum": 0}}
    deadline["description"] = "milliseconds that the client will wait"
    refused = {str(code): _said(why, failure) for code, why in REFUSALS.items()}
    plain = {code: refused[code] for code in ("401", "403")}

    def asks(summary: str, request: Any, answer: Any, example: Any = None, kinds: tuple[str, str] = (JSON, JSON)) -> dict[str, Any]:
        content: dict[str, Any] = {"schema": request} | ({"example": example} if example is not None else {})
        return {
            "post": {
                "summary": summary,
                "parameters": [deadline],
                "requestBody": {"required": True, "content": {kinds[0]: content}},
                "responses": {"200": {"description": "the answer", "content": {kinds[1]: {"schema": answer}}}, **refused},
            }
        }

    def tells(summary: str, content: str = JSON, more: Mapping[str, Any] = plain) -> dict[str, Any]:
        kind_of_answer = {"description": summary, "content": {content: {"schema": {} if content == JSON else {"type": "string"}}}}
        return {"get": {"summary": summary, "responses": {"200": kind_of_answer, **more}}}

    example = next((value[0] for value in kind.example.values() if isinstance(value, list)), "a name")  # of a line
    not_ready = {"503": _said("not ready, and why", {})}
    v2 = f"/v2/models/{kind.name}"
    paths = {
        f"/v1/{kind.name}": asks(f"Answers for {kind.items}", asked, body, dict(kind.example)),
        "/v1/batch": asks("The same for any number of lines, one for each answer", line_form, item, example, (NDJSON, NDJSON)),
        "/v1/model": tells("The model card: what it is, what it was trained on, how well it serves the tail"),
        f"{v2}/infer": asks("The same in the v2 inference protocol (KServe, Triton)", infer, {"type": "object"}),
        v2: tells("Metadata in the v2 protocol"),
        f"{v2}/ready": tells("Whether it is ready, in the v2 protocol", more={**plain, **not_ready}),
        "/v2": tells("The server in the v2 protocol"),
        "/v2/health/live": tells("Whether the process is there, in the v2 protocol", more={}),
        "/v2/health/ready": tells("Whether it is ready, in the v2 protocol", more=not_ready),
        "/livez": tells("Whether the process is there", more={}),
        "/readyz": tells("Whether requests can be answered", more=not_ready),
        "/metrics": tells("Counters for Prometheus", "text/plain"),
        "/openapi.json": tells("This description"),
        "/docs": tells("This description as a page", "text/html"),
    }
    found: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": f"regrow serve: {kind.name}", "version": version},
        "paths": paths,
        "components": {"schemas": components},
    }
    if token:
        found["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        found["security"] = [{"token": []}]
    return found


def _said(why: str, form: Any) -> dict[str, Any]:
    return {"description": why, "content": {JSON: {"schema": form}}}


def page(description: Mapping[str, Any], url: str) -> bytes:
    """The description for people: each path, an example to paste into a shell, the forms."""
    rows = []
    curl = "curl -H 'Authorization: Bearer ...'" if "security" in description else "curl"
    for path, methods in description["paths"].items():
        for method, what in methods.items():
            body = what.get("requestBody", {}).get("content", {})
            asks = f"{curl} {url}{path}"
            for kind, content in body.items():
                said = shlex.quote(json.dumps(content["example"])) if "example" in content else "@request.json"
                lines = kind == NDJSON
                asks = f"echo {said} | {asks} -H 'Content-Type: {kind}' --data-binary @-" if lines else f"{asks} --json {said}"
            answers = "; ".join(f"{code} {answer['description']}" for code, answer in what["responses"].items())
            head = f"<h2><b>{method.upper()}</b> {html.escape(path)}</h2><p>{html.escape(what['summary'])}</p>"
            rows.append(f"{head}<pre>{html.escape(asks)}</pre><p class=s>{html.escape(answers)}</p>")
    forms = html.escape(json.dumps(description["components"]["schemas"], indent=1))
    title = html.escape(description["info"]["title"])
    style = "body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222;background:#fff}"
    style += "h2{font-size:1em;margin:1.6em 0 0;font-family:ui-monospace,monospace}p{margin:.2em 0}.s{color:#666;font-size:.85em}"
    style += "pre{background:#f4f4f4;padding:.6em;overflow-x:auto;font-size:.85em}"
    text = f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{style}</style><h1>{title}</h1>"
    text += f"<p>The same for programs: <a href=openapi.json>openapi.json</a></p>{''.join(rows)}<h2>Forms</h2><pre>{forms}</pre></html>"
    return text.encode()
