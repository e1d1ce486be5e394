"""Parquet: a row is a row; columns of strings, numbers and booleans are values, columns of lists have several."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from regrow.data.clicks.formats import TableFormat
from regrow.data.clicks.parsed import Parsed
from regrow.data.clicks.plan import Plan
from regrow.data.clicks.records import of_columns
from regrow.data.formats.facts import SourceFile
from regrow.data.formats.format import Arrays
from regrow.data.streams import Stream
from regrow.errors import DataError
from regrow.program import Fixed

__all__ = ["BETWEEN", "PARQUET", "Parquet"]

BATCH_ROWS = 4096
BETWEEN = "\x1f"
"""What parts the values of a list."""


class Parquet(TableFormat):
    """Values are what pyarrow writes for them; a null is a missing value."""

    name = "parquet"
    suffixes = (".parquet", ".pq")
    magic = True
    has_header = False

    def sniff(self, name: str, head: bytes, has_vocabulary: bool) -> bool:
        """Whether it begins with the signature."""
        return head.startswith(b"PAR1")

    def columns(self, file: str, head: bytes, header: str | None) -> tuple[list[str], int]:
        """The names in the schema."""
        return list(self._file(file).schema_arrow.names), 0

    def lists(self, file: str) -> list[str]:
        """The columns of lists."""
        import pyarrow as pa

        schema = self._file(file).schema_arrow
        return [field.name for field in schema if pa.types.is_list(field.type) or pa.types.is_large_list(field.type)]

    def parts(self, file: SourceFile, stream: Stream, target: int) -> Iterator[Arrays]:
        """Cut after batches: `text` has column after column, `starts` and `ends` int64 [rows, columns] where each value is in it."""
        stream.raw_whole()
        parquet = self._file(file.name)
        held: list[list[tuple[Any, Any]]] = []
        size = 0
        try:
            for batch in parquet.iter_batches(BATCH_ROWS):
                held.append([_values(file.name, name, column) for name, column in zip(batch.schema.names, batch.columns, strict=True)])
                size += sum(len(data) for data, _ in held[-1])
                if size >= target:
                    yield _part(held)
                    held, size = [], 0
        except OSError as error:
            raise DataError(f"{file.name} is broken: {str(error).splitlines()[0]}", "write it again, or fetch it again") from None
        if held:
            yield _part(held)

    def lines(self, arrays: Arrays) -> int:
        """The number of rows."""
        return len(arrays["starts"])

    def rows(self, part: Fixed, plan: Plan, *, needs_label: bool, skip: bool) -> Parsed:
        """The rows of a part."""
        starts = np.array(part["starts"])
        found = of_columns(part["text"], starts, np.array(part["ends"]), np.zeros(len(starts), np.uint8), plan, needs_label, skip)
        return found.numbered(np.arange(len(starts)) + int(part["source"][1]), "row")

    def _file(self, name: str) -> Any:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return pq.ParquetFile(name)
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(f"{name} is no parquet file: {str(error).splitlines()[0]}", "write it again, or say its --format") from None


def _values(file: str, name: str, column: Any) -> tuple[Any, Any]:
    """The values of a batch: UTF-8 bytes uint8, and offsets int64 [rows + 1] from 0."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
            words = pc.fill_null(column.flatten().cast(pa.string()), "")
            lists = (
                pa.ListArray.from_arrays(column.offsets.cast(pa.int32()), words) if not column.null_count and not column.offset else None
            )
            if lists is None:
                lists = pa.array([[str(value) for value in row or []] for row in column.to_pylist()], pa.list_(pa.string()))
            column = pc.binary_join(lists, BETWEEN)
        column = pc.fill_null(column.cast(pa.large_string()), "")
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise DataError(
            f'{file}: the column "{name}" is {column.type}, which is no value', "leave it out: name others with --features"
        ) from None
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    _, places, data = column.buffers()
    offsets = np.frombuffer(places, np.int64)[column.offset : column.offset + len(column) + 1]
    utf8 = np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]] if data is not None else np.empty(0, np.uint8)
    return utf8, offsets - offsets[0]


def _part(held: list[list[tuple[Any, Any]]]) -> Arrays:
    columns = list(zip(*held, strict=True))
    texts, starts, ends, at = [], [], [], 0
    for column in columns:
        own_starts, own_ends = [], []
        for data, offsets in column:
            texts.append(data)
            own_starts.append(offsets[:-1] + at)
            own_ends.append(offsets[1:] + at)
            at += len(data)
        starts.append(np.concatenate(own_starts))
        ends.append(np.concatenate(own_ends))
    return {"text": np.concatenate(texts), "starts": np.stack(starts, axis=1), "ends": np.stack(ends, axis=1)}


PARQUET = Parquet()
