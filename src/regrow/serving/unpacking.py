"""Bodies that are sent packed: gzip and deflate, unpacked in small pieces, so that a little that becomes a lot is seen before it is there.

aiohttp takes one that is cut short for whole (gzip), and refuses an encoding that it does not know as if it were no HTTP.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

from regrow.serving.forms import BadRequest

__all__ = ["Unpacking"]

PIECE = 1 << 16


class Unpacking:
    """One body. said: its Content-Encoding. Raises BadRequest (415) for another than gzip, deflate or none."""

    def __init__(self, said: str | None) -> None:
        self.encoding = (said or "identity").strip().lower()
        if self.encoding not in ("identity", "gzip", "x-gzip", "deflate"):
            raise BadRequest(f"the Content-Encoding is {self.encoding[:40]}", "send it as it is, or packed by gzip", 415)
        self._stream: Any = None

    def pieces(self, block: bytes) -> Iterator[bytes]:
        """What a block holds, at most 64 KiB at a time. Raises BadRequest (400)."""
        if self.encoding == "identity":
            yield block
            return
        while block:
            if self._stream is None or self._stream.eof:  # several files of gzip in a row are one
                raw = self.encoding == "deflate" and block[0] & 0xF != 8  # as some send it, without the head of zlib
                self._stream = zlib.decompressobj(-15 if raw else 15 if self.encoding == "deflate" else 31)
            try:
                piece = self._stream.decompress(block, PIECE)
            except zlib.error:
                raise self._broken() from None
            if piece:
                yield piece
            block = self._stream.unconsumed_tail or self._stream.unused_data
        while self._stream is not None and not self._stream.eof and (piece := self._stream.decompress(b"", PIECE)):
            yield piece

    def end(self) -> None:
        """There is no more. Raises BadRequest (400) if there should be."""
        if self.encoding != "identity" and (self._stream is None or not self._stream.eof):
            raise self._broken()

    def _broken(self) -> BadRequest:
        return BadRequest("the body cannot be read", f"it is cut short, or not in the encoding that it says: {self.encoding}", 400)
