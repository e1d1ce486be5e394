"""What storage answers is told apart: it may answer otherwise later, or it refuses for good."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("fsspec")

from fsspec.implementations.memory import MemoryFileSystem

from regrow.errors import Paused, UsageError
from regrow.store.bucket import Bucket


class HttpError(Exception):
    """As gcsfs raises it: with the number that Google's storage has answered."""

    def __init__(self, code: int) -> None:
        super().__init__(f"Invalid Credentials, {code}")
        self.code = code


class ClientError(Exception):
    """As botocore raises it: with the name of the error."""

    def __init__(self, code: str) -> None:
        super().__init__(f"An error occurred ({code})")
        self.response: dict[str, Any] = {"Error": {"Code": code}}


@pytest.fixture
def bucket() -> Bucket:
    found = Bucket("memory://bucket/x")
    found.patience_seconds = 0.0
    return found


def answers(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(MemoryFileSystem, "ls", refuse)


@pytest.mark.parametrize(
    "error",
    [
        HttpError(401),
        HttpError(400),
        OSError("Forbidden: https://storage.example.org/o\nno access"),
        ClientError("AccessDenied"),
        PermissionError("no"),
    ],
    ids=repr,
)
def test_storage_that_refuses_is_told_at_once(bucket: Bucket, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    answers(monkeypatch, error)
    with pytest.raises(UsageError, match="memory://bucket/x refuses"):
        bucket.names("epochs")


@pytest.mark.parametrize(
    "error", [HttpError(503), HttpError(429), ClientError("SlowDown"), ConnectionError("reset"), TimeoutError()], ids=repr
)
def test_storage_that_is_away_is_tried_again(bucket: Bucket, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr("regrow.store.bucket.AGAIN_SECONDS", 0.01)
    answers(monkeypatch, error)
    with pytest.raises(Paused, match="is away"):
        bucket.names("epochs")
