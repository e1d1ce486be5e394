"""One container = one safetensors file, in sections: a section is what one reader reads, with a checksum of its own.

    8 bytes     length of the header, little-endian
    header      JSON: under "__metadata__" the checks and a note; "section/array" -> dtype, shape, offsets; padded with blanks
    data        the arrays, each section in one piece

The file is a plain safetensors file: any reader of that format opens it. The bytes are a function of the content alone, so
the digest of the header, which holds the checks of all sections, stands for the whole file. Reading maps the file, checks the
header (it begins with a check of itself), and checks a section before its first use; what does not check raises Broken, never
a wrong number.
"""

from __future__ import annotations

import contextlib
import errno
import json
import mmap
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from regrow.packed import Strings
from regrow.program import Value

__all__ = ["Broken", "Container", "Header", "write"]

ALIGNMENT = 64
FORMAT = "regrow-1"
_DTYPES = {
    "BOOL": np.dtype("bool"),
    "U8": np.dtype("uint8"),
    "I8": np.dtype("int8"),
    "U16": np.dtype("uint16"),
    "I16": np.dtype("int16"),
    "F16": np.dtype("float16"),
    "U32": np.dtype("uint32"),
    "I32": np.dtype("int32"),
    "F32": np.dtype("float32"),
    "U64": np.dtype("uint64"),
    "I64": np.dtype("int64"),
    "F64": np.dtype("float64"),
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_PAD = "~"
"""Section of the padding between sections: the format allows no holes."""
_ZEROS = bytes(ALIGNMENT)
_HEAD = b'{"__metadata__":{"check":"'
_NO_CHECK = "0" * 16
"""Stands where the header's check of itself will be, while it is computed."""
_HEAD_BYTES = len(_HEAD) + len(_NO_CHECK)
_NO_FILE = {errno.ENXIO, errno.ELOOP}
"""How a socket, and a link to itself, refuse to be opened."""
FETCHED = 1 << 16
_POPULATE_READ = 22
"""MADV_POPULATE_READ of Linux, which Python's mmap does not name yet."""
_PIECES_MAX = 512
"""Buffers in one call of writev; the kernel takes 1,024."""

Array = npt.NDArray[Any]
Sections = Mapping[str, Mapping[str, Value]]


class Broken(Exception):
    """A container that is missing, cut short, or does not check."""


def write(path: Path, sections: Sections, note: Mapping[str, Any]) -> str:
    """Write a new file; returns its digest (32 hex digits).

    note: JSON values, part of the content. Raises OSError (no room, file exists); what was begun is removed then.
    """
    metadata: dict[str, str] = {"check": _NO_CHECK}
    header: dict[str, Any] = {"__metadata__": metadata}
    checks: dict[str, str] = {}
    pieces: list[Any] = []
    at = 0
    for section, values in sections.items():
        at = _pad(header, pieces, at)
        check = xxhash.xxh3_64()
        for name, array in sorted(_flat(values).items(), key=lambda item: (-item[1].itemsize, item[0])):
            header[f"{section}/{name}"] = {
                "dtype": _NAMES[array.dtype],
                "shape": list(array.shape),
                "data_offsets": [at, at + array.nbytes],
            }
            if array.nbytes:
                piece = memoryview(array.reshape(-1).data).cast("B")
                check.update(piece)
                pieces.append(piece)
            at += array.nbytes
        checks[section] = check.hexdigest()
    metadata |= {"format": FORMAT, "checks": json.dumps(checks), "note": json.dumps(note, sort_keys=True)}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % ALIGNMENT)
    text = _HEAD + xxhash.xxh3_64_hexdigest(text).encode() + text[_HEAD_BYTES:]
    _write_pieces(path, [len(text).to_bytes(8, "little") + text, *pieces])
    return xxhash.xxh3_128_hexdigest(text)


def _pad(header: dict[str, Any], pieces: list[Any], at: int) -> int:
    gap = -at % ALIGNMENT
    if gap:
        header[f"{_PAD}/{at}"] = {"dtype": "U8", "shape": [gap], "data_offsets": [at, at + gap]}
        pieces.append(_ZEROS[:gap])
    return at + gap


def _flat(values: Mapping[str, Value]) -> dict[str, Array]:
    """Strings as two arrays each; everything contiguous and little-endian."""
    flat: dict[str, Array] = {}
    for name, value in values.items():
        if isinstance(value, Strings):
            flat[f"{name}@offsets"], flat[f"{name}@utf8"] = value.offsets, value.utf8
        else:
            flat[name] = value
    return {name: np.ascontiguousarray(value, value.dtype.newbyteorder("<")).reshape(value.shape) for name, value in flat.items()}


def _write_pieces(path: Path, pieces: Sequence[Any]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        for start in range(0, len(pieces), _PIECES_MAX):
            _write_all(descriptor, [memoryview(piece) for piece in pieces[start : start + _PIECES_MAX]])
    except BaseException:
        os.unlink(path)
        raise
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, pieces: list[memoryview]) -> None:
    """writev until all is written: it may stop early."""
    while pieces:
        written = os.writev(descriptor, pieces)
        while pieces and written >= len(pieces[0]):
            written -= len(pieces.pop(0))
        if written:
            pieces[0] = pieces[0][written:]


@dataclass(frozen=True, slots=True)
class Header:
    """What the header of one file says; parsed once, and known again by its first bytes, which hold its check."""

    head: bytes
    size: int
    """Bytes of the whole file."""
    digest: str
    note: str
    checks: Mapping[str, str]
    sections: Mapping[str, list[tuple[str, np.dtype[Any], tuple[int, ...], int, int]]]
    """Section -> (name, dtype, shape, place in the file, bytes) of its arrays."""

    @staticmethod
    def parse(file: mmap.mmap) -> Header:
        """The header of a mapped file. Raises ValueError, TypeError, KeyError or AttributeError if it is not sound."""
        size = int.from_bytes(file[:8], "little")
        text = file[8 : 8 + size]
        blank = text[: len(_HEAD)] + _NO_CHECK.encode() + text[_HEAD_BYTES:]
        if len(text) != size or text[len(_HEAD) : _HEAD_BYTES] != xxhash.xxh3_64_hexdigest(blank).encode():
            raise ValueError("the header does not check")
        header: dict[str, Any] = json.loads(text)
        metadata = header.pop("__metadata__")
        checks: dict[str, str] = json.loads(metadata["checks"])
        sections: dict[str, list[tuple[str, np.dtype[Any], tuple[int, ...], int, int]]] = {section: [] for section in checks}
        end = 0
        for name, entry in header.items():
            start, end = entry["data_offsets"]
            if not name.startswith(f"{_PAD}/"):
                section = _section_of(name, sections)
                array = name[len(section) + 1 :]
                sections[section].append((array, _DTYPES[entry["dtype"]], tuple(entry["shape"]), 8 + size + start, end - start))
        head = file[: 8 + _HEAD_BYTES]
        return Header(head, 8 + size + end, xxhash.xxh3_128_hexdigest(text), metadata["note"], checks, sections)


def _section_of(name: str, sections: Mapping[str, object]) -> str:
    """The section of "section/array": either may hold slashes. Raises KeyError."""
    at = name.find("/")
    while at >= 0:
        if name[:at] in sections:
            return name[:at]
        at = name.find("/", at + 1)
    raise KeyError(name)


class Container:
    """A file mapped for reading. Arrays are views of the map: read-only, and alive as long as somebody holds one.

    identity    device, inode, size and time of the last change: while it is the same, nobody has written into the file
    """

    def __init__(self, path: Path | str, known: Header | None = None) -> None:
        """Map the file. Raises Broken if it is missing, no regular file, cut short or has no sound header.

        known: a header that was parsed before; used if the file begins with the same check.
        """
        self.path = path
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe must not let us wait
            try:
                facts = os.fstat(descriptor)
                if not stat.S_ISREG(facts.st_mode):
                    raise Broken(f"{path} is no regular file")
                self.identity = facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns
                self._map = mmap.mmap(descriptor, 0, prot=mmap.PROT_READ)
            finally:
                os.close(descriptor)
        except (FileNotFoundError, NotADirectoryError):
            raise Broken(f"{path} is missing") from None
        except ValueError:
            raise Broken(f"{path} is empty") from None
        except OSError as error:
            if error.errno not in _NO_FILE:
                raise
            raise Broken(f"{path} is no regular file") from None
        self.header = known if known is not None and self._map[: len(known.head)] == known.head else self._parsed()
        if len(self._map) != self.header.size:
            raise Broken(f"{self.path} has {len(self._map):,} bytes instead of {self.header.size:,}")

    def _parsed(self) -> Header:
        try:
            return Header.parse(self._map)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as why:
            raise Broken(f"{self.path} has no sound header ({why})") from None

    @property
    def digest(self) -> str:
        """Hash of the whole content: 32 hex digits."""
        return self.header.digest

    @property
    def note(self) -> dict[str, Any]:
        """What the writer noted."""
        note: dict[str, Any] = json.loads(self.header.note)
        return note

    @property
    def sections(self) -> tuple[str, ...]:
        """The names of the sections."""
        return tuple(self.header.checks)

    def section(self, section: str) -> dict[str, Value]:
        """The arrays of a section, checked; empty if there is none. Raises Broken."""
        expected = self.header.checks.get(section)
        if expected is None:
            return {}
        start, end = self.span(section)
        self._fetch(start, end)
        with memoryview(self._map) as whole, whole[start:end] as piece:
            found = xxhash.xxh3_64_hexdigest(piece)
        if found != expected:
            raise Broken(f"{self.path}: section {section} does not check ({found} instead of {expected})")
        return self._arrays(section)

    def section_again(self, section: str) -> dict[str, Value]:
        """The arrays of a section that this process checked when the file had the same `identity`."""
        if section not in self.header.checks:
            return {}
        self._fetch(*self.span(section))
        return self._arrays(section)

    def _arrays(self, section: str) -> dict[str, Value]:
        entries = self.header.sections[section]
        return _with_strings({name: self._array(dtype, shape, place, size) for name, dtype, shape, place, size in entries})

    def _fetch(self, start: int, end: int) -> None:
        """Have a large piece mapped in one go, which is faster than page by page; a Linux before 5.14 does not know how."""
        if end - start >= FETCHED:
            start -= start % mmap.PAGESIZE
            with contextlib.suppress(OSError, ValueError):
                self._map.madvise(_POPULATE_READ, start, end - start)

    def _array(self, dtype: np.dtype[Any], shape: tuple[int, ...], place: int, size: int) -> Array:
        if not size:
            return np.empty(shape, dtype)
        return np.frombuffer(self._map, dtype, size // dtype.itemsize, place).reshape(shape)

    def span(self, section: str) -> tuple[int, int]:
        """Where the bytes of a section begin and end in the file."""
        entries = self.header.sections[section]
        start = min((place for *_, place, _ in entries), default=0)
        return start, max((place + size for *_, place, size in entries), default=0)

    def check_all(self) -> None:
        """Check every section. Raises Broken."""
        for section in self.header.checks:
            self.section(section)


def _with_strings(arrays: Mapping[str, Array]) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for name, array in arrays.items():
        if name.endswith("@offsets"):
            base = name.removesuffix("@offsets")
            values[base] = Strings(array, arrays[f"{base}@utf8"])
        elif not name.endswith("@utf8"):
            values[name] = array
    return values
