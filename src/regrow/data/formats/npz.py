"""Matrices as scipy.sparse.save_npz writes them, documents by words: a zip of arrays, read with numpy alone.

The arrays of a file are in memory while it is read, and twice if they are not by rows (csc, coo).
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.formats.facts import SourceFile, TextOptions
from regrow.data.formats.format import Arrays, BagFormat
from regrow.data.formats.matrix_parts import matrix_parts, matrix_tokens, warm_matrices
from regrow.data.streams import Stream, Streams
from regrow.errors import DataError
from regrow.program import Fixed

__all__ = ["NPZ", "Npz"]

Array = npt.NDArray[Any]

_BROKEN = (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, struct.error, zipfile.BadZipFile, zlib.error)
"""What numpy and zipfile raise for files that were cut off or edited."""
_WRITE = "write documents x words with scipy.sparse.save_npz(file, X.tocsr())"
_PARTS = {"csr": ("indptr", "indices", "data"), "csc": ("indptr", "indices", "data"), "coo": ("row", "col", "data")}


class Npz(BagFormat):
    """csr, csc or coo, compressed or not; the columns have numbers from 0."""

    name = "npz"
    suffixes = (".npz",)
    magic = True

    def sniff(self, name: str, head: bytes, has_vocabulary: bool) -> bool:
        """Whether it is a zip file that begins with an array."""
        return head.startswith(b"PK\x03\x04") and b".npy" in head[:64]

    def look(self, file: SourceFile, head: bytes, options: TextOptions) -> SourceFile:
        """Read the shape."""
        if file.compressed:
            raise DataError(f"{file.name} is compressed once more", "unpack it: npz files are compressed by themselves")
        _, (documents, words), _ = _opened(file.name, False)
        return replace(file, documents=documents, words=words, first_word=0)

    def look_together(self, files: Sequence[SourceFile]) -> Sequence[SourceFile]:
        """All must have the same columns."""
        for file in files:
            if file.words != files[0].words:
                raise DataError(
                    f"{file.name} has {file.words:,} columns, but {files[0].name} has {files[0].words:,}",
                    "matrices that are read together must have the same words as columns",
                )
        return files

    def read(self, files: Sequence[SourceFile], streams: Streams, target: int) -> Iterator[Arrays]:
        """One file after the other, so that the arrays of one alone are in memory."""
        streams.readers = 1
        return super().read(files, streams, target)

    def parts(self, file: SourceFile, stream: Stream, target: int) -> Iterator[Arrays]:
        """Cut between rows: the arrays of `matrix_parts`."""
        stream.raw_whole()
        indptr, indices, data = _by_rows(file.name)
        yield from matrix_parts(file, 0, indptr, indices, data, len(data) * target // file.bytes)

    def lines(self, arrays: Arrays) -> int:
        """Rows."""
        return len(arrays["indptr"]) - 1

    def tokens(self, part: Fixed) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """A document's tokens are in the order of its row."""
        return matrix_tokens(part)

    def warm(self) -> None:
        """Compile or load the kernels."""
        warm_matrices()

    def first_word(self, part: Fixed) -> int:
        """Always."""
        return 0

    def words(self, part: Fixed) -> int:
        """As many as there are columns."""
        return int(part["documents"][3])


def _opened(name: str, whole: bool) -> tuple[str, tuple[int, int], list[Array]]:
    """The kind of a matrix, its shape and, of a whole one, its arrays. Raises DataError if it is none, or broken."""
    try:
        with open(name, "rb") as file:
            if file.read(2) != b"PK":
                raise DataError(f"{name} is no npz file: it does not begin with PK", _WRITE)
        with open(name, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            if "format" not in arrays or "shape" not in arrays:
                shown = ", ".join(arrays.files[:5])
                raise DataError(f"{name} holds the arrays {shown}, and a sparse matrix has `format` and `shape`", _WRITE)
            kind, shape = arrays["format"].tobytes().decode("ascii", "replace").strip("\0"), arrays["shape"].tolist()
            if kind not in _PARTS or len(shape) != 2:
                raise DataError(f"{name} holds a matrix of kind {kind} and shape {tuple(shape)}: csr, csc or coo is expected", _WRITE)
            documents, words = int(shape[0]), int(shape[1])
            if not 0 < documents < 2**31 or not 0 < words < 2**31:
                raise DataError(f"{name} holds a matrix of {documents:,} documents by {words:,} words", "both must be in 1..2,147,483,647")
            return kind, (documents, words), [arrays[part] for part in _PARTS[kind]] if whole else []
    except MemoryError as error:
        raise DataError(f"the arrays of {name} do not fit into memory", "write several smaller files") from error
    except _BROKEN as error:
        raise DataError(f"{name} is not a whole npz file: {error}", f"it was cut off: fetch it again, or {_WRITE}") from error


def _by_rows(name: str) -> tuple[Array, Array, Array]:
    """The arrays indptr, indices and data of a matrix by rows. Raises DataError for arrays that do not fit each other."""
    kind, (documents, words), (first, second, data) = _opened(name, True)
    integers = first.dtype.kind in "iu" and second.dtype.kind in "iu"
    if not integers or data.dtype.kind not in "iufb" or not first.ndim == second.ndim == data.ndim == 1 or len(second) != len(data):
        raise DataError(f"{name}: the arrays {', '.join(_PARTS[kind])} are not those of a matrix of counts", _WRITE)
    if kind == "coo":
        rows, columns = first.astype(np.int64), second
        fits = len(rows) == len(data) and _within(rows, documents)
    else:
        indptr, size = first.astype(np.int64), documents if kind == "csr" else words
        fits = len(indptr) == size + 1 and indptr[0] == 0 and indptr[-1] == len(data) and bool((np.diff(indptr) >= 0).all())
        if fits and kind == "csr":
            return indptr, second, data
        rows, columns = second, np.repeat(np.arange(size if fits else 0), np.diff(indptr) if fits else 0)
        fits = fits and _within(rows, documents)
    if not fits:
        raise DataError(f"{name}: the arrays {', '.join(_PARTS[kind])} do not fit a matrix of {documents:,} by {words:,}", _WRITE)
    indptr = np.zeros(documents + 1, np.int64)
    np.cumsum(np.bincount(rows, minlength=documents), out=indptr[1:])
    order = np.argsort(rows, kind="stable")
    return indptr, columns[order], data[order]


def _within(rows: Array, documents: int) -> bool:
    return not len(rows) or bool(rows.min() >= 0 and rows.max() < documents)


NPZ = Npz()
