"""Any number of documents or rows as lines of JSON, answered as lines, in order, while they still come.

Lines are cut into requests of some dozens, which all replicas work on; each is hedged like any other. A line that cannot be answered is
answered by {"line": n, "error": ...}, and the others go on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec

from regrow.errors import NoAnswer
from regrow.serving.answers import Answers
from regrow.serving.forms import BadRequest, decoded, encoded
from regrow.serving.limits import Limits
from regrow.serving.members import Answer

__all__ = ["answered_lines", "lines_of"]

LINES, BYTES = 64, 1 << 16
"""So many lines, or bytes, make a request."""
PATIENCE = 5
"""So often a request is made again before its lines are given up: whoever sends a batch can wait."""


async def lines_of(blocks: AsyncIterator[bytes], limits: Limits) -> AsyncIterator[bytes]:
    """The lines of a body as it comes. Raises BadRequest for one that is too long."""
    left = bytearray()
    async for block in blocks:
        left += block
        *whole, rest = left.split(b"\n")
        left = bytearray(rest)
        for line in whole:
            yield bytes(line)
        if len(left) > limits.line_bytes:
            break
    if len(left) > limits.line_bytes:
        raise BadRequest(f"a line of more than {limits.line_bytes:,} bytes", "one document or row for each line", 413)
    if left:
        yield bytes(left)


async def answered_lines(
    kind: type[Answers], lines: AsyncIterator[bytes], ask: Callable[[bytes], Awaitable[Answer]], at_once: int
) -> AsyncIterator[bytes]:
    """The answers to lines, in order. ask: one request; at_once: how many requests may be under way."""
    under_way: deque[asyncio.Task[bytes]] = deque()
    try:
        async for first, chunk in _chunks(lines):
            under_way.append(asyncio.ensure_future(_answer(kind, first, chunk, ask)))
            while len(under_way) >= at_once or (under_way and under_way[0].done()):
                yield await under_way.popleft()
        while under_way:
            yield await under_way.popleft()
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def _chunks(lines: AsyncIterator[bytes]) -> AsyncIterator[tuple[int, list[bytes]]]:
    chunk: list[bytes] = []
    size = first = 0
    async for line in lines:
        if not line.strip():
            continue
        chunk.append(line)
        size += len(line)
        if len(chunk) >= LINES or size >= BYTES:
            yield first, chunk
            first, chunk, size = first + len(chunk), [], 0
    if chunk:
        yield first, chunk


async def _answer(kind: type[Answers], first: int, chunk: list[bytes], ask: Callable[[bytes], Awaitable[Answer]]) -> bytes:
    """The lines of one request; if it is refused, each line by itself, so that only the wrong ones are missing."""
    try:
        values: list[Any] = [decoded(line, kind.line) for line in chunk]
        found = await _patiently(encoded(kind.together(values, first)), ask)
        if found.status == 200:
            return b"".join(bytes(item) + b"\n" for item in _items(kind, found.body))
        failure = msgspec.json.decode(found.body)
    except BadRequest as error:
        failure = msgspec.to_builtins(error.failure)
    except NoAnswer as error:
        return b"".join(encoded({"line": first + n, "error": error.message}) + b"\n" for n in range(len(chunk)))
    if len(chunk) > 1:
        return b"".join([await _answer(kind, first + n, [line], ask) for n, line in enumerate(chunk)])
    return encoded({"line": first, **failure}) + b"\n"


async def _patiently(body: bytes, ask: Callable[[bytes], Awaitable[Answer]]) -> Answer:
    for wait in range(PATIENCE):
        with contextlib.suppress(NoAnswer):
            return await ask(body)
        await asyncio.sleep(0.2 * 2**wait)
    return await ask(body)


def _items(kind: type[Answers], body: bytes) -> list[msgspec.Raw]:
    found: dict[str, msgspec.Raw] = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    return msgspec.json.decode(found[kind.items], type=list[msgspec.Raw])
