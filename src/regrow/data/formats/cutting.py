"""Streams of blocks -> pieces that end where a record ends: the sizes depend on the content and on the target alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

__all__ = ["LineEnd", "cut", "without_lines"]


def without_lines(blocks: Iterator[bytes], lines: int) -> Iterator[bytes]:
    """The blocks without the first lines."""
    for block in blocks:
        start = 0
        while lines and (at := block.find(b"\n", start)) >= 0:
            start, lines = at + 1, lines - 1
        if not lines:
            yield block[start:] if start else block


def cut(blocks: Iterator[bytes], end: Callable[[bytearray], int]) -> Iterator[bytes]:
    """The stream in pieces; `end(buffer)` is where the piece that begins the buffer ends, or 0 if that is not yet known."""
    buffer = bytearray()
    for block in blocks:
        buffer += block
        while stop := end(buffer):
            yield bytes(memoryview(buffer)[:stop])
            del buffer[:stop]
    if buffer:
        yield bytes(buffer)


class LineEnd:
    """The first end of a line at or after `target` bytes."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.seen = 0

    def __call__(self, buffer: bytearray) -> int:
        stop = buffer.find(b"\n", max(self.seen, self.target - 1)) + 1
        self.seen = 0 if stop else len(buffer)
        return stop
