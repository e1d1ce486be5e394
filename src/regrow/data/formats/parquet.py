"""Parquet: a row is a document, and some of the columns are its text or its words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.formats.facts import Documents, SourceFile, TextOptions, asked_fields, shown_names
from regrow.data.formats.format import Arrays, TextFormat
from regrow.data.readonly import read_only
from regrow.data.streams import Stream
from regrow.errors import DataError
from regrow.packed import Strings
from regrow.program import Fixed

__all__ = ["PARQUET", "opened"]

BATCH_ROWS = 1024

Column = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]
"""The values of a batch: UTF-8 bytes, and offsets int64 [rows + 1] from 0."""


class Parquet(TextFormat):
    """Columns of strings are text, columns of lists of strings are words, taken as they are. A null is an error: nothing shows whether
    it is an empty document or a lost one. Columns of names are strings or integers; there a null is no name.
    """

    name = "parquet"
    suffixes = (".parquet", ".pq")
    has_fields = True
    magic = True

    def sniff(self, name: str, head: bytes, has_vocabulary: bool) -> bool:
        """Whether it begins with the signature."""
        return head.startswith(b"PAR1")

    def look(self, file: SourceFile, head: bytes, options: TextOptions) -> SourceFile:
        """Find the wanted columns in the schema."""
        if file.compressed:
            raise DataError(f"{file.name} is parquet in a compressed file", "decompress it: parquet compresses its columns itself")
        with opened(file.name) as parquet:
            schema, rows = parquet.schema_arrow, parquet.metadata.num_rows
        if not rows:
            raise DataError(f"{file.name} holds no rows", "leave it out")
        names, wanted = list(schema.names), asked_fields(options.text_field)
        id_field = "id" if options.id_field is None else options.id_field
        for field, option in (*((field, "--text-field") for field in wanted), *([(id_field, "--id-field")] if options.id_field else ())):
            if field not in names:
                raise DataError(
                    f'{file.name}: no column "{field}" (columns: {shown_names(names)})', f"name another one with {option}{_example(schema)}"
                )
        columns = tuple(names.index(field) for field in wanted)
        kinds = [_kind(schema.field(column).type) for column in columns]
        for field, column, kind in zip(wanted, columns, kinds, strict=True):
            if kind not in ("text", "words"):
                raise DataError(
                    f'{file.name}: the column "{field}" is {schema.field(column).type}, neither strings nor lists of strings',
                    f"name another one with --text-field{_example(schema)}",
                )
        if len(set(kinds)) > 1:
            raise DataError(
                f"{file.name}: the columns {', '.join(wanted)} are {', '.join(kinds)}", "name columns of strings, or columns of lists"
            )
        id_column = names.index(id_field) if id_field in names else -1
        if id_column >= 0 and _kind(schema.field(id_column).type) not in ("text", "integer"):
            if options.id_field:
                raise DataError(
                    f'{file.name}: the column "{id_field}" is {schema.field(id_column).type}',
                    "documents' names are strings or integers: see --id-field",
                )
            id_column = -1
        return replace(file, columns=columns, id_column=id_column)

    def parts(self, file: SourceFile, stream: Stream, target: int) -> Iterator[Arrays]:
        """Cut after the row with which a part has `target` bytes.

        `text` holds the wanted columns one after the other; `starts`, `ends` int64 [rows x columns]: where each value is; `words_given`
        uint8 [1]; `ids` strings, if there is a column of names.
        """
        stream.raw_whole()
        with opened(file.name) as parquet:
            schema = parquet.schema_arrow
            wanted = [schema.names[column] for column in file.columns]
            id_name = schema.names[file.id_column] if file.id_column >= 0 else None
            given = np.array([_kind(schema.field(file.columns[0]).type) == "words"], np.uint8)
            held = _Held(len(wanted), id_name is not None)
            row = 0
            for batch in _batches(file.name, parquet, [*wanted, *([id_name] if id_name is not None else [])], target):
                columns = [_values(batch.column(name), f'{file.name}, column "{name}"', row) for name in wanted]
                if id_name is not None:
                    columns.append(_names(batch.column(id_name)))
                for part in held.add(columns, batch.num_rows, target):
                    stream.bytes_text += len(part["text"])
                    yield {**part, "words_given": given}
                row += batch.num_rows
            if held.rows:
                last = held.part()
                stream.bytes_text += len(last["text"])
                yield {**last, "words_given": given}

    def lines(self, arrays: Arrays) -> int:
        """The number of rows."""
        return int(arrays["rows"][0])

    def documents(self, part: Fixed, wanted: Sequence[str], id_field: str | None) -> Documents:
        """As they are."""
        text, starts, ends = read_only(part["text"]), read_only(part["starts"]), read_only(part["ends"])
        per_document = max(1, len(ends) // max(1, int(part["rows"][0])))
        data = text.tobytes()
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            row = int(part["source"][1]) + int(np.flatnonzero((starts <= error.start) & (error.start < ends))[0]) // per_document
            raise DataError(
                f"{part['file'][0]}, row {row:,}: {data[error.start]:#04x} is not UTF-8",
                "write the file again, with strings of UTF-8",
            ) from error
        ids = None if id_field == "" or "ids" not in part else part["ids"]
        return Documents(text, starts, ends, per_document, words_given=bool(part["words_given"][0]), ids=ids)


class _Held:
    """The rows that wait to become a part."""

    def __init__(self, texts: int, has_ids: bool) -> None:
        self.texts, self.has_ids = texts, has_ids
        self._begin()

    def _begin(self) -> None:
        self.rows = self.bytes = 0
        self.data: list[list[npt.NDArray[np.uint8]]] = [[] for _ in range(self.texts + self.has_ids)]
        self.sizes: list[list[npt.NDArray[np.int64]]] = [[] for _ in range(self.texts + self.has_ids)]

    def add(self, columns: Sequence[Column], rows: int, target: int) -> Iterator[Arrays]:
        """Take in a batch; the parts that are whole."""
        total = sum((offsets for _, offsets in columns[: self.texts]), np.zeros(rows + 1, np.int64))
        begin = 0
        while begin < rows:
            full = int(np.searchsorted(total, total[begin] + target - self.bytes))  # the first row end with enough bytes
            end = min(max(full, begin + 1), rows)
            for i, (data, offsets) in enumerate(columns):
                self.data[i].append(data[offsets[begin] : offsets[end]])
                self.sizes[i].append(np.diff(offsets[begin : end + 1]))
            self.rows += end - begin
            self.bytes += int(total[end] - total[begin])
            begin = end
            if self.bytes >= target:
                yield self.part()

    def part(self) -> Arrays:
        """All rows that wait."""
        sizes = np.stack([np.concatenate(sizes) for sizes in self.sizes])
        ends = np.cumsum(sizes[: self.texts].reshape(-1)).reshape(self.texts, -1)
        arrays: Arrays = {
            "text": np.concatenate([piece for data in self.data[: self.texts] for piece in data]),
            "starts": np.ascontiguousarray((ends - sizes[: self.texts]).T).reshape(-1),
            "ends": np.ascontiguousarray(ends.T).reshape(-1),
            "rows": np.array([self.rows], np.int64),
        }
        if self.has_ids:
            offsets = np.zeros(self.rows + 1, np.int64)
            np.cumsum(sizes[-1], out=offsets[1:])
            arrays["ids"] = Strings(offsets, np.concatenate(self.data[-1]))
        self._begin()
        return arrays


@contextmanager
def opened(name: str) -> Iterator[Any]:
    """A parquet file. Raises DataError for one that is none, or was cut off."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(name, buffer_size=1 << 20, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{name} is not a whole parquet file ({_reason(error)})", "it was cut off or is something else: write it again"
        ) from error
    with file:
        yield file


def _batches(name: str, parquet: Any, columns: Sequence[str], target: int) -> Iterator[Any]:
    """The rows, some at a time: about `target` bytes, as far as the file says how large they are."""
    import pyarrow as pa

    about = parquet.metadata
    size = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
    rows = max(1, min(BATCH_ROWS, target * about.num_rows // max(1, size)))
    batches = parquet.iter_batches(rows, columns=list(dict.fromkeys(columns)), use_threads=False)
    row = 0
    while True:
        try:
            batch = next(batches, None)
        except (pa.ArrowException, OSError) as error:
            raise DataError(
                f"{name}, row {row + 1:,} or a later one: the file is broken ({_reason(error)})", "fetch it or write it again"
            ) from error
        if batch is None:
            break
        row += batch.num_rows
        yield batch
    if row != about.num_rows:
        raise DataError(f"{name} says that it has {about.num_rows:,} rows, and holds {row:,}", "fetch it or write it again")


def _kind(type: Any) -> str:
    """What a column is: text, words, integer, or something else."""
    import pyarrow as pa

    if pa.types.is_dictionary(type):
        type = type.value_type
    if _is_string(type):
        return "text"
    lists = ("is_list", "is_large_list", "is_fixed_size_list", "is_list_view", "is_large_list_view")
    if any(getattr(pa.types, test)(type) for test in lists if hasattr(pa.types, test)):
        inner = type.value_type.value_type if pa.types.is_dictionary(type.value_type) else type.value_type
        return "words" if _is_string(inner) else "other"
    return "integer" if pa.types.is_integer(type) else "other"


def _is_string(type: Any) -> bool:
    import pyarrow as pa

    return any(getattr(pa.types, test)(type) for test in ("is_string", "is_large_string", "is_string_view") if hasattr(pa.types, test))


def _values(column: Any, where: str, row: int) -> Column:
    """The texts of a batch; words have a zero byte between them. Raises DataError for nulls, and for zero bytes in words."""
    import pyarrow as pa
    import pyarrow.compute as pc

    words = _kind(column.type) == "words"
    if column.null_count:
        bad = row + int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0]) + 1
        raise DataError(f"{where}, row {bad:,}: the value is null", 'write "" for an empty document, or leave the row out')
    if not words:
        return _bytes_of(column)
    column = column.cast(pa.list_(pa.string()))
    inner = column.flatten()
    if inner.null_count or pc.any(pc.match_substring(inner, "\0")).as_py():
        for place, document in enumerate(column.to_pylist(), row + 1):
            if any(word is None or "\0" in word for word in document):
                what = "a word is null" if None in document else "a word has a zero byte"
                raise DataError(f"{where}, row {place:,}: {what}", "write the file again without it")
    return _bytes_of(pc.binary_join(column, "\0"))


def _names(column: Any) -> Column:
    """The names of a batch: "" for a null."""
    import pyarrow as pa

    return _bytes_of(column.cast(pa.large_string()).fill_null(""))


def _bytes_of(column: Any) -> Column:
    import pyarrow as pa

    column = column.cast(pa.large_string())
    _, places, data = column.buffers()
    offsets = np.frombuffer(places, np.int64)[column.offset : column.offset + len(column) + 1] if len(column) else np.zeros(1, np.int64)
    values = np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]] if data is not None else np.empty(0, np.uint8)
    return values, offsets - offsets[0]


def _example(schema: Any) -> str:
    """An example of a column that would do."""
    return next((f", e.g. --text-field {field.name}" for field in schema if _kind(field.type) in ("text", "words")), "")


def _reason(error: Exception) -> str:
    return str(error).split("\n")[0].strip(" .:")[:120]


PARQUET = Parquet()
