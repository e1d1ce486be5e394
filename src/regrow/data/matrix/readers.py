"""Formats of bags of words whose numbers may be any: Matrix Market, SVMlight, scipy's .npz. Files are found and cut as for counts."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from regrow.data.bag_kernels import WORD
from regrow.data.formats.counted_lines import WORDS_MAX
from regrow.data.formats.facts import shown_line
from regrow.data.formats.matrixmarket import MatrixMarket
from regrow.data.formats.npz import Npz
from regrow.data.formats.svmlight import Svmlight, SvmlightFromOne, SvmlightFromZero
from regrow.data.formats.wrong_counts import broken, told_of_count
from regrow.data.matrix.real_kernels import NUMBER, real_entries, real_pairs
from regrow.data.readonly import read_only
from regrow.errors import DataError
from regrow.program import Fixed

__all__ = ["READERS", "number_format"]

Array = npt.NDArray[Any]
Cells = tuple[Array, Array, Array]
"""Columns int32, from 0, row after row; where the rows begin, int64 [rows + 1]; values float64."""


def _told(kind: int, piece: bytes, form: str) -> str:
    """What is wrong with a piece of a line."""
    if kind == NUMBER:
        return f"the value in {shown_line(piece)} is no finite number"
    return told_of_count(kind, piece, form.replace("count", "value"))


class RealMatrixMarket(MatrixMarket):
    """Entries `row column value`."""

    number: ClassVar[Any] = np.float64
    read_entries: ClassVar[Any] = staticmethod(real_entries)
    told: ClassVar[Any] = staticmethod(_told)
    lines_are: ClassVar[tuple[str, str]] = ("row", "column")
    signed: ClassVar[bool] = True

    def cells(self, part: Fixed) -> Cells:
        """As they are."""
        if "indptr" in part:
            return _cells_of_arrays(part)
        first, end = int(part["documents"][0]) - 1, int(part["documents"][1]) - 1
        rows, columns, values = self.ascending(part)
        return columns, np.searchsorted(rows, np.arange(first, end + 1)), values

    def warm(self) -> None:
        """Compile or load the kernels."""
        real_entries(read_only(np.frombuffer(b"1 1 1", np.uint8)), 3, 1, 1)


class RealNpz(Npz):
    """Rows of a scipy matrix."""

    def cells(self, part: Fixed) -> Cells:
        """As they are."""
        return _cells_of_arrays(part)


class _RealLines:
    """Lines `lead id:value ...`."""

    def cells(self, part: Fixed) -> Cells:
        """As they are."""
        text = read_only(part["text"])
        first, words = (int(number) for number in part["ids"])
        limit = words or WORDS_MAX
        columns, values, pointers, kind, line, start, end = real_pairs(text, first, limit)
        if not kind:
            return columns, pointers, values
        piece = text[start:end].tobytes()
        if kind == WORD:
            word = int(piece.partition(b":")[0])
            told = f"column {word:,} is not in {first}..{first + limit - 1:,}" + (f": the vocabulary has {words:,} words" if words else "")
        else:
            told = _told(kind, piece, "`id:value`")
        raise broken(part, kind, line, told, "give ids and numbers, e.g. 17:0.5, or say another --format")

    def warm(self) -> None:
        """Compile or load the kernels."""
        real_pairs(read_only(np.frombuffer(b"1 1:1", np.uint8)), 1, 1)


class RealSvmlight(_RealLines, Svmlight):
    """Ids begin with 0 if any is."""


class RealSvmlightFromZero(_RealLines, SvmlightFromZero):
    """Ids are said to begin with 0."""


class RealSvmlightFromOne(_RealLines, SvmlightFromOne):
    """Ids are said to begin with 1."""


def _cells_of_arrays(part: Fixed) -> Cells:
    """The entries of a part of `matrix_parts`. Raises DataError, with row and column, for what is none."""
    indptr, indices, data = np.asarray(part["indptr"]), np.asarray(part["indices"]), np.asarray(part["data"], np.float64)
    words = int(part["documents"][3])
    for bad, told in (
        ((indices < 0) | (indices >= words), f"the column is not in 0..{words - 1:,}"),
        (~np.isfinite(data), "the value is no finite number"),
    ):
        if bad.any():
            at = int(bad.argmax())
            row = int(part["documents"][0]) + int(np.searchsorted(indptr, at, "right")) - 1
            place = f"{part['file'][0]}, row {row:,}, column {int(indices[at]):,} (from 0)"
            raise DataError(f"{place}: {told}", "write the file again, without it")
    return indices.astype(np.int32), indptr.astype(np.int64), data


READERS: tuple[Any, ...] = (RealMatrixMarket(), RealSvmlight(), RealSvmlightFromZero(), RealSvmlightFromOne(), RealNpz())


def number_format(name: str) -> Any:
    """The format with that name, a `BagFormat` with `cells(part)` besides; None if its numbers can only be counts, or it has none."""
    return next((reader for reader in READERS if reader.name == name), None)
