"""Files as streams of text bytes: plain or gzip, hashed as they are read, with bounded memory."""

from __future__ import annotations

import hashlib
import itertools
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from regrow.errors import DataError, UsageError

__all__ = ["Stream", "content_digest", "frozen"]

BLOCK_BYTES = 1 << 20
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


def frozen(paths: Sequence[str]) -> list[str]:
    """The input files, sorted by name: the order in which they are read, however they were given.

    Raises DataError for a file that is missing, empty, not readable or no file; UsageError for one that is named twice.
    """
    if not paths:
        raise UsageError("no input file is named", "name at least one, e.g. docs.txt")
    names = sorted(str(path) for path in paths)
    for name, other in itertools.pairwise(names):
        if name == other:
            raise UsageError(f"{name} is named twice", "name each file once")
    for name in names:
        _check_file(name)
    return names


def _check_file(name: str) -> None:
    path = Path(name)
    if path.is_dir():
        raise DataError(f"{name} is a directory, not a file", f"name its files, e.g. {path}/*")
    if not path.exists():
        raise DataError(f"{name}: no such file", "check the name, and the directory you are in")
    if not path.is_file():
        raise DataError(f"{name} is not a regular file", "it is read more than once: write it to a file first")
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise DataError(f"{name} is empty", "every input file must hold at least one document: leave it out, or fill it")
    except OSError as error:
        raise DataError(f"{name} cannot be read: {error.strerror}", "check its permissions") from error


def content_digest(paths: Sequence[str], vocabulary: str | None = None) -> str:
    """SHA-256 over the contents of the input files (64 hex digits): equal digests, unchanged input.

    It covers the bytes as they lie on disk, in the order of the sorted names, and not the names.
    """
    digests = []
    for name in [*frozen(paths), *([vocabulary] if vocabulary else [])]:
        digests.append(file_digest(name))
    return joined_digest(digests)


def file_digest(name: str) -> bytes:
    """SHA-256 of one file."""
    _check_file(name)
    with open(name, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def joined_digest(digests: Sequence[bytes]) -> str:
    """The digest of all files from those of each."""
    return hashlib.sha256(b"".join(digests)).hexdigest()


class Stream:
    """The text of one file in blocks of about a megabyte, without a byte order mark.

    `bytes_read` counts the file's bytes so far, `bytes_text` those of the text; `digest` is the SHA-256 of the former.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.bytes_read = 0
        self.bytes_text = 0
        self.lines = 0
        self._sha256 = hashlib.sha256()
        with open(name, "rb") as file:
            self.gzipped = file.read(2) == _GZIP
        if name.endswith(".gz") and not self.gzipped:
            raise DataError(
                f"{name} is not a gzip file: it does not begin with the bytes 1f 8b", "rename it without .gz, or compress it again"
            )

    @property
    def digest(self) -> bytes:
        """SHA-256 of the bytes that were read."""
        return self._sha256.digest()

    def blocks(self) -> Iterator[bytes]:
        """The text, decompressed. Raises DataError where the gzip stream is broken or ends early."""
        first = True
        for block in self._inflated() if self.gzipped else self._raw():
            if first and block.startswith(_BOM):
                block = block[len(_BOM) :]
            first = False
            self.bytes_text += len(block)
            yield block

    def head(self, bytes_max: int = 1 << 16) -> bytes:
        """The first bytes of the text, for a look at its format. Reads the file from its start."""
        text = bytearray()
        for block in Stream(self.name).blocks():
            text += block
            if len(text) >= bytes_max:
                break
        return bytes(text[:bytes_max])

    def _raw(self) -> Iterator[bytes]:
        with open(self.name, "rb") as file:
            while block := file.read(BLOCK_BYTES):
                self.bytes_read += len(block)
                self._sha256.update(block)
                yield block

    def _inflated(self) -> Iterator[bytes]:
        """All members of a gzip file, one after the other; zeros after the last are padding."""
        member = zlib.decompressobj(wbits=31)
        begun = False
        given = 0
        for raw in self._raw():
            left = raw
            while left:
                if not begun:
                    left = left.lstrip(b"\0") if given else left
                    if not left:
                        break
                    member, begun = zlib.decompressobj(wbits=31), True
                try:
                    text = member.decompress(left, BLOCK_BYTES)
                except zlib.error as error:
                    raise DataError(
                        f"{self.name}: the gzip stream is broken after {given:,} bytes of text ({_reason(error)})",
                        "fetch or compress the file again",
                    ) from error
                left = member.unused_data if member.eof else member.unconsumed_tail
                begun = not member.eof
                given += len(text)
                if text:
                    yield text
        if begun:
            raise DataError(
                f"{self.name}: the gzip stream ends early: {self.bytes_read:,} bytes read, {given:,} bytes of text, and no end mark",
                "the file was cut off: fetch or compress it again",
            )


def _reason(error: zlib.error) -> str:
    return str(error).rpartition(": ")[2]
