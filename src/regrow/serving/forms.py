"""What requests and answers look like on the wire: headers, errors, and how JSON becomes values."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

__all__ = ["DEADLINE", "JSON", "MODEL", "NDJSON", "SAFE", "BadRequest", "Failure", "decoded", "encoded", "error_body"]

T = TypeVar("T")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")

JSON = "application/json"
NDJSON = "application/x-ndjson"
DEADLINE = "X-Deadline-Ms"
"""How long whoever asks will wait, in milliseconds from now. What cannot be answered by then is not begun."""
MODEL = "X-Regrow-Model"
"""The digest of a model: of the one that answered; asked with it, only that one answers (else 409)."""
SAFE = {
    "Server": "regrow",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
}
"""Headers of every answer: they say nothing of versions, and let browsers do nothing with it."""


class Failure(msgspec.Struct, omit_defaults=True):
    """What went wrong, and what to do about it."""

    error: str
    advice: str = ""


class BadRequest(Exception):
    """A request that cannot be answered, whoever is asked."""

    def __init__(self, error: str, advice: str = "", status: int = 422) -> None:
        super().__init__(error)
        self.status, self.failure = status, Failure(error, advice)


def error_body(error: str, advice: str = "") -> bytes:
    """The body of an answer that is none."""
    return encoded(Failure(error, advice))


def encoded(value: Any) -> bytes:
    """JSON."""
    return msgspec.json.encode(value)


def decoded(body: bytes, form: type[T]) -> T:
    """The value of a body of JSON. Raises BadRequest: 400 if it is no JSON, 422 if it has not the form."""
    try:
        return msgspec.json.decode(body, type=form)
    except msgspec.ValidationError as why:
        raise BadRequest(f"the request is not of the expected form: {why}", "see /docs") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as why:
        told = "half of a pair of surrogates is no character" if _SURROGATE.search(body) and "truncated" in str(why) else why
        raise BadRequest(f"the body is no JSON: {told}", "send UTF-8 JSON", 400) from None
