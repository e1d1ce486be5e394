"""Files as streams of text bytes: plain or compressed, hashed as they are read, with bounded memory."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from regrow.data.compression import compression, inflated
from regrow.errors import DataError

__all__ = ["Stream", "Streams", "content_digest", "file_digest", "joined_digest", "spool"]

BLOCK_BYTES = 1 << 20
HEAD_BYTES = 1 << 16
_BOM = b"\xef\xbb\xbf"


def content_digest(paths: Sequence[str], vocabulary: str | None = None) -> str:
    """SHA-256 over the contents of the input files (64 hex digits): equal digests, unchanged input.

    It covers the bytes as they lie on disk, file by file in the order of the sorted names, and not the names.
    """
    names = [*sorted(paths), *([vocabulary] if vocabulary else [])]
    return joined_digest([file_digest(name) for name in names])


def file_digest(name: str) -> bytes:
    """SHA-256 of one file. Raises DataError."""
    try:
        with open(name, "rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except FileNotFoundError as error:
        raise DataError(f"{name}: no such file", "check the name, and the directory you are in") from error
    except OSError as error:
        raise DataError(f"{name} cannot be read: {error.strerror}", "check its permissions") from error


def joined_digest(digests: Sequence[bytes]) -> str:
    """The digest of all files from those of each."""
    return hashlib.sha256(b"".join(digests)).hexdigest()


def spool(target: Path) -> str:
    """Copy the standard input, as it is, to a file that can be read more than once; its name. Raises DataError if there is nothing."""
    with open(target, "wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file, BLOCK_BYTES)
    if not target.stat().st_size:
        raise DataError("the standard input is empty", "give documents, e.g. zcat docs.jsonl.gz | regrow ... -")
    return str(target)


class Stream:
    """The text of one file in blocks of about a megabyte, without a byte order mark.

    `compression` is gzip, xz, bzip2, zstd or ""; `head` the first bytes of the file itself. `bytes_read` counts the file's bytes
    so far, `bytes_text` those of the text; `digest` is the SHA-256 of the former.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.bytes_read = 0
        self.bytes_text = 0
        self._sha256 = hashlib.sha256()
        with open(name, "rb") as file:
            self.compression = compression(name, file.read(16))

    @property
    def digest(self) -> bytes:
        """SHA-256 of the bytes that were read."""
        return self._sha256.digest()

    def blocks(self) -> Iterator[bytes]:
        """The text, decompressed. Raises DataError where a compressed stream is broken or ends early."""
        raw, first = self._raw(), True
        for block in inflated(self.compression, self.name, raw, lambda: self.bytes_read) if self.compression else raw:
            if first and block.startswith(_BOM):
                block = block[len(_BOM) :]
            first = False
            self.bytes_text += len(block)
            yield block

    def head(self, bytes_max: int = HEAD_BYTES) -> bytes:
        """The first bytes of the text, for a look at its format. Reads the file from its start."""
        if not self.compression:
            with open(self.name, "rb") as file:
                return file.read(bytes_max + len(_BOM)).removeprefix(_BOM)[:bytes_max]
        text = bytearray()
        for block in Stream(self.name).blocks():
            text += block
            if len(text) >= bytes_max:
                break
        return bytes(text[:bytes_max])

    def raw_whole(self) -> None:
        """Read the file for its digest only: for formats that are no streams, whose readers open it themselves."""
        for _ in self._raw():
            pass

    def _raw(self) -> Iterator[bytes]:
        with open(self.name, "rb") as file:
            while block := file.read(BLOCK_BYTES):
                self.bytes_read += len(block)
                self._sha256.update(block)
                yield block


class Streams:
    """What the streams of all input files, read one after the other or ahead, come to.

    readers     how many files may be read at the same time
    lines       for whoever reads them to count
    """

    def __init__(self, readers: int = 1) -> None:
        self.readers = readers
        self.lines = 0
        self._opened: list[Stream] = []

    def open(self, name: str) -> Stream:
        """The stream of the next file."""
        self._opened.append(Stream(name))
        return self._opened[-1]

    @property
    def bytes_read(self) -> int:
        """Bytes on disk that were read so far."""
        return sum(stream.bytes_read for stream in self._opened)

    @property
    def bytes_text(self) -> int:
        """Bytes of text so far."""
        return sum(stream.bytes_text for stream in self._opened)

    def digests(self) -> list[bytes]:
        """SHA-256 of each file, once all are read."""
        return [stream.digest for stream in self._opened]
