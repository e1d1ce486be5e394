"""Matrices of documents by words as arrays -> parts, and the tokens of such a part."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.bag_kernels import COUNT, COUNT_MAX, FRACTION, expanded
from regrow.data.formats.facts import SourceFile
from regrow.data.formats.format import Arrays
from regrow.data.formats.wrong_counts import ADVICE
from regrow.data.readonly import read_only
from regrow.errors import DataError
from regrow.program import Fixed

__all__ = ["matrix_parts", "matrix_tokens", "warm_matrices"]


def matrix_parts(file: SourceFile, rows: int, indptr: npt.NDArray[Any], indices: Any, data: Any, entries: int) -> Iterator[Arrays]:
    """Parts of about `entries` entries: rows `rows`, `rows` + 1, ... of a matrix of documents by words.

    indptr      int64 [rows + 1]: the entries of row r are [indptr[r] - indptr[0], indptr[r + 1] - indptr[0]) of indices and data
    A part has `indptr` (from 0), `indices`, `data`, and `documents` int64 [4]: its first row, the end, and the rows and columns of all.
    """
    ends = indptr - indptr[0]
    first, last = 0, len(indptr) - 1
    while first < last:
        end = max(first + 1, int(np.searchsorted(ends, ends[first] + entries, "right")) - 1)
        start, stop = int(ends[first]), int(ends[end])
        yield {
            "indptr": ends[first : end + 1] - start,
            "indices": np.ascontiguousarray(indices[start:stop]),
            "data": np.ascontiguousarray(data[start:stop]),
            "documents": np.array([rows + first, rows + end, file.documents, file.words], np.int64),
        }
        first = end


def matrix_tokens(part: Fixed) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """The tokens of a part of `matrix_parts`; entries of the same row and column are added up.

    Raises DataError, with row and column, for a column beyond the last and for what is no count.
    """
    indptr, indices, data = np.asarray(part["indptr"]), np.asarray(part["indices"]), np.asarray(part["data"])
    words = int(part["documents"][3])
    _refuse(part, 0, (indices < 0) | (indices >= words), f"the column is not in 0..{words - 1:,}")
    if data.dtype.kind == "f":
        _refuse(part, COUNT, ~(np.abs(data) <= COUNT_MAX), "{value:g} is not in 1..2,147,483,647")
        _refuse(part, FRACTION, data != np.floor(data), "{value:g} is not a whole number")
    _refuse(part, COUNT, (data < 1) | (data > COUNT_MAX), "{value:g} is not in 1..2,147,483,647; X.eliminate_zeros() drops zeros")
    counts = data.astype(np.int64)
    before = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=before[1:])
    stream: npt.NDArray[np.int32] = expanded(
        read_only(indices.astype(np.int32)), read_only(counts.astype(np.int32)), len(counts), int(before[-1])
    )
    return stream, before[indptr]


def _refuse(part: Fixed, kind: int, bad: npt.NDArray[np.bool_], told: str) -> None:
    if not bad.any():
        return
    at = int(bad.argmax())
    row = int(part["documents"][0]) + int(np.searchsorted(part["indptr"], at, "right")) - 1
    place = f"{part['file'][0]}, row {row:,}, column {int(part['indices'][at]):,} (from 0)"
    raise DataError(f"{place}: {told.format(value=float(part['data'][at]))}", ADVICE.get(kind, "fetch or write the file again"))


def warm_matrices() -> None:
    """Compile or load the kernels."""
    one = read_only(np.ones(1, np.int32))
    expanded(one, one, 1, 1)
