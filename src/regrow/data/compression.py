"""Compressed bytes -> text, found by their first bytes: gzip, xz, bzip2 and zstd, also several streams one after the other."""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from regrow.errors import DataError

__all__ = ["bare_name", "compression", "inflated"]

BLOCK_BYTES = 1 << 20
XZ_MEMORY_MAX = 1 << 30
"""Enough for the dictionaries of `xz -9` (64 MiB) and for larger ones; not for a file that was made to fill the memory."""

_SUFFIXES = {".gz": "gzip", ".xz": "xz", ".bz2": "bzip2", ".zst": "zstd"}
_MAGIC = {"gzip": (b"\x1f\x8b",), "xz": (b"\xfd7zXZ\0",), "bzip2": (b"BZh",), "zstd": (b"\x28\xb5\x2f\xfd",)}
_SKIPPED = b"\x2a\x4d\x18"
"""What follows the first byte (50 to 5f) of a zstd frame that holds no text."""


def bare_name(name: str) -> str:
    """A name without a suffix of compression."""
    return next((name.removesuffix(suffix) for suffix in _SUFFIXES if name.endswith(suffix)), name)


def compression(name: str, head: bytes) -> str:
    """The compression of a file by its first bytes; "" if there is none. Raises DataError for a name that says another one."""
    found = next((kind for kind, starts in _MAGIC.items() if head.startswith(starts)), "")
    if found == "bzip2" and (head[3:4] not in b"123456789" or head[4:10] not in (b"1AY&SY", b"\x17\x72\x45\x38\x50\x90")):
        found = ""
    if not found and head[1:4] == _SKIPPED and head[0] >> 4 == 5:
        found = "zstd"
    said = next((kind for suffix, kind in _SUFFIXES.items() if name.endswith(suffix)), found)
    if said != found and not head:
        raise DataError(f"{name} is empty", "every input file must hold something: leave it out, or fill it")
    if said != found:
        begins = " ".join(f"{byte:02x}" for byte in _MAGIC[said][0])
        suffix = next(suffix for suffix, kind in _SUFFIXES.items() if kind == said)
        raise DataError(
            f"{name} is not a {said} file: it does not begin with the bytes {begins}", f"rename it without {suffix}, or compress it again"
        )
    return found


def inflated(kind: str, name: str, raw: Iterator[bytes], bytes_read: Callable[[], int]) -> Iterator[bytes]:
    """The text of a compressed file. Raises DataError, with the place, for streams that are broken or end early."""
    if kind == "zstd":
        return _frames(name, raw, bytes_read)
    return _members(kind, name, raw, bytes_read)


class _Member(Protocol):
    """One stream of a compressed file: what zlib, lzma and bz2 have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def _member(kind: str) -> Any:
    if kind == "gzip":
        return zlib.decompressobj(wbits=31)
    return bz2.BZ2Decompressor() if kind == "bzip2" else lzma.LZMADecompressor(lzma.FORMAT_XZ, XZ_MEMORY_MAX)


def _members(kind: str, name: str, raw: Iterator[bytes], bytes_read: Callable[[], int]) -> Iterator[bytes]:
    """All members of a file, one after the other; zeros after the last are padding."""
    member = _member(kind)
    begun, given = False, 0
    for block in raw:
        left = block
        while left or (begun and kind != "gzip" and not member.needs_input):
            if not begun:
                left = left.lstrip(b"\0") if given else left
                if not left:
                    break
                member, begun = _member(kind), True
            try:
                text = member.decompress(left, BLOCK_BYTES)
            except (zlib.error, lzma.LZMAError, OSError, EOFError) as error:
                raise _broken(kind, name, given, str(error).rpartition(": ")[2]) from error
            left = member.unused_data if member.eof else member.unconsumed_tail if kind == "gzip" else b""
            begun = not member.eof
            given += len(text)
            if text:
                yield text
    if begun:
        raise _early(kind, name, bytes_read(), given)


def _frames(name: str, raw: Iterator[bytes], bytes_read: Callable[[], int]) -> Iterator[bytes]:
    """All frames of a zstd file."""
    import pyarrow as pa

    given = 0
    with pa.CompressedInputStream(pa.PythonFile(_Readable(raw), mode="r"), "zstd") as stream:
        while True:
            try:
                text: bytes = stream.read(BLOCK_BYTES)
            except OSError as error:
                if "Truncated" in str(error):
                    raise _early("zstd", name, bytes_read(), given) from error
                raise _broken("zstd", name, given, str(error).rpartition(": ")[2]) from error
            if not text:
                return
            given += len(text)
            yield text


class _Readable(io.RawIOBase):
    """Blocks of bytes as a file that can be read once."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self.blocks = blocks
        self.left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if not self.left:
            self.left = memoryview(next(self.blocks, b""))
        size = len(self.left) if size < 0 else size
        taken, self.left = self.left[:size], self.left[size:]
        return bytes(taken)


def _broken(kind: str, name: str, given: int, reason: str) -> DataError:
    return DataError(f"{name}: the {kind} stream is broken after {given:,} bytes of text ({reason})", "fetch or compress the file again")


def _early(kind: str, name: str, bytes_read: int, given: int) -> DataError:
    return DataError(
        f"{name}: the {kind} stream ends early: {bytes_read:,} bytes read, {given:,} bytes of text, and no end mark",
        "the file was cut off: fetch or compress it again",
    )
