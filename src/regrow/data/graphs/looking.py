"""A first look at a file of edges or of names: which format, which columns, whether ids are numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from regrow.data.formats.facts import shown_line, shown_names
from regrow.data.graphs.line_kernels import BLANKS
from regrow.data.graphs.options import GraphOptions
from regrow.data.streams import HEAD_BYTES, Stream
from regrow.errors import DataError, UsageError

__all__ = ["Looked", "look", "parquet_file"]


@dataclass(frozen=True)
class Looked:
    """How one file is read, as JSON values.

    format      edges, matrixmarket or parquet
    names       whether it holds ids and names, not edges
    numbers     whether ids are whole numbers
    header_lines    lines before the first edge
    delimiter   lists: the byte between fields, or BLANKS
    columns     of source, target and weight (or of id and name): numbers from 0, -1 for none; parquet: their names, "" for none
    both        whether each entry stands for both directions (a symmetric matrix)
    nodes       how many the file declares; entries: Matrix Market: how many entries
    """

    format: str
    names: bool
    numbers: bool
    header_lines: int
    delimiter: int
    columns: Sequence[Any]
    both: bool = False
    nodes: int = 0
    entries: int = 0

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Looked:
        """The facts whose `vars` these are."""
        return Looked(**value)


def look(name: str, format: str, stream: Stream, options: GraphOptions, numbers: bool | None, *, names: bool = False) -> Looked:
    """What is known of a file from its first lines. numbers: whether ids are whole numbers, if that is settled."""
    if format == "parquet":
        return _parquet(name, options, numbers, names)
    head = stream.head()
    if format == "matrixmarket":
        if names:
            raise DataError(f"{name} is a matrix", "--names takes lines of an id and a name")
        return _matrix(name, head, options)
    return _lines(name, head, options, numbers, names)


# Lines


def _lines(name: str, head: bytes, options: GraphOptions, numbers: bool | None, names: bool) -> Looked:
    lines = head.split(b"\n")
    if len(head) >= HEAD_BYTES:
        lines = lines[:-1] or lines
    at = [i for i, line in enumerate(lines) if line.strip() and not line.lstrip().startswith((b"#", b"%"))]
    if not at:
        if len(head) < HEAD_BYTES:
            raise DataError(f"{name} holds no edge: it has comments and nothing else", "leave it out, or fill it")
        return Looked("edges", names, bool(numbers), 0, BLANKS, [0, 1, -1])
    first = lines[at[0]].rstrip(b"\r")
    delimiter = 9 if b"\t" in first else 44 if b"," in first else BLANKS
    rows = [_fields(lines[i], delimiter) for i in at[:2]]
    if len(rows[0]) < 2:
        raise DataError(
            f"{name}, line {at[0] + 1:,}: {'an id and a name' if names else 'two nodes'} are expected, and the line is {shown_line(first)}",
            f"write {'an id and its name' if names else 'source and target'}, with a tab, a comma or blanks between them",
        )
    header = _is_header(rows, options, names)
    known = rows[0] if header else None
    columns = [_column(name, option, given, default, known, len(rows[0]), at[0]) for option, given, default in (
        ("--source", options.source, 0), ("--target", options.target, 1), ("--weight", _weight(options), -1)
    )]  # fmt: skip
    record = rows[1] if header and len(rows) > 1 else rows[0]
    settled = numbers
    if settled is None:
        settled = all(column < len(record) and _is_number(record[column]) for column in columns[:2])
    return Looked("edges", names, settled, at[0] + 1 if header else 0, delimiter, columns)


def _weight(options: GraphOptions) -> str | None:
    return None if options.weight == "none" else options.weight


def _fields(line: bytes, delimiter: int) -> list[str]:
    text = line.decode("utf-8", "replace").rstrip("\r")
    fields = text.split() if delimiter == BLANKS else text.split(chr(delimiter))
    return [field.strip().strip('"') for field in fields]


def _is_number(text: str) -> bool:
    return text.removeprefix("-").isdecimal() and text.isascii()


def _is_header(rows: Sequence[Sequence[str]], options: GraphOptions, names: bool) -> bool:
    """Whether the first line names the columns: its first two fields are no numbers, and those of the second line are."""
    if options.header is not None:
        return options.header == "yes"
    if _is_number(rows[0][0]) or len(rows) < 2:
        return False
    if names:
        return _is_number(rows[1][0]) or rows[0][0].lower() in ("id", "node", "name")
    if options.source is not None or options.target is not None:
        wanted = [name for name in (options.source, options.target) if name is not None and not name.isdecimal()]
        return bool(wanted) and all(name in rows[0] for name in wanted)
    return not _is_number(rows[0][1]) and all(_is_number(field) for field in rows[1][:2])


def _column(file: str, option: str, given: str | None, default: int, header: Sequence[str] | None, fields: int, line: int) -> int:
    """The number of a column, from 0."""
    if given is None:
        return default
    if header is not None and given in header:
        return list(header).index(given)
    if given.isdecimal() and int(given) >= 1:
        if int(given) > fields:
            what = f"there are {fields} columns, and {option} says {given}"
            raise DataError(f"{file}, line {line + 1:,}: {what}", f"name one of them with {option}")
        return int(given) - 1
    if header is None:
        what = f"{file}, line {line + 1:,}, is taken for an edge: it does not name all columns that are asked for"
        raise UsageError(f"{option} {given}: {what}", "give a number from 1, or say --header yes if it has names")
    raise DataError(f'{file}, line {line + 1:,}: no column "{given}" (columns: {shown_names(header)})', f"name another one with {option}")


# Matrix Market


def _matrix(name: str, head: bytes, options: GraphOptions) -> Looked:
    lines = head.split(b"\n")
    kinds = lines[0].lower().split()
    if kinds[:3] != [b"%%matrixmarket", b"matrix", b"coordinate"] or len(kinds) != 5:
        raise DataError(
            f"{name}, line 1: `%%MatrixMarket matrix coordinate ...` is expected, and the line is {shown_line(lines[0])}",
            "give a sparse matrix that scipy.io.mmwrite wrote, or say --format edges",
        )
    if kinds[3] not in (b"real", b"integer", b"unsigned-integer", b"pattern") or kinds[4] not in (b"general", b"symmetric"):
        raise DataError(
            f"{name}, line 1: {shown_line(lines[0])} is no matrix of weights", "it is real, integer or pattern, and general or symmetric"
        )
    if options.source is not None or options.target is not None:
        raise UsageError("--source and --target have no meaning for Matrix Market files", "rows are sources and columns are targets")
    size = next((i for i, line in enumerate(lines) if line.strip() and not line.startswith(b"%")), len(lines) - 1)
    numbers = lines[size].split()
    if len(numbers) != 3 or not all(number.isdigit() and len(number) < 16 for number in numbers):
        raise DataError(
            f"{name}, line {size + 1:,}: the numbers of rows, columns and entries are expected, and the line is {shown_line(lines[size])}",
            "fetch or write the file again",
        )
    rows, columns, entries = map(int, numbers)
    if rows != columns:
        raise DataError(f"{name}, line {size + 1:,}: {rows:,} rows and {columns:,} columns", "a graph has as many rows as columns")
    if not rows or not entries:
        raise DataError(f"{name}, line {size + 1:,}: {rows:,} nodes and {entries:,} edges", "a graph has at least one edge")
    weight = -1 if kinds[3] == b"pattern" or options.weight == "none" else 2
    return Looked("matrixmarket", False, True, size + 1, BLANKS, [0, 1, weight], kinds[4] == b"symmetric", rows, entries)


# Parquet


def parquet_file(name: str) -> Any:
    """The file, opened. Raises DataError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(name)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{name} is no parquet file: {str(error).splitlines()[0]}", "write it again, or say its --format") from None


def _parquet(name: str, options: GraphOptions, numbers: bool | None, names: bool) -> Looked:
    import pyarrow as pa

    schema = parquet_file(name).schema_arrow
    columns = list(schema.names)
    if len(columns) < 2:
        raise DataError(f"{name} has {len(columns)} column", "an edge has two ends, in two columns")

    def column(option: str, given: str | None, default: str) -> str:
        if given is None:
            return default
        if given in columns:
            return given
        if given.isdecimal() and 1 <= int(given) <= len(columns):
            return str(columns[int(given) - 1])
        raise DataError(f'{name}: no column "{given}" (columns: {shown_names(columns)})', f"name another one with {option}")

    wanted = [column("--source", options.source, columns[0]), column("--target", options.target, columns[1])]
    wanted.append(column("--weight", _weight(options), ""))
    if wanted[0] == wanted[1]:
        raise UsageError(f"--source and --target are both {wanted[0]}", "an edge has two ends, in two columns")
    ends = wanted[:1] if names else wanted[:2]
    whole = all(pa.types.is_integer(schema.field(end).type) for end in ends)
    return Looked("parquet", names, whole if numbers is None else numbers, 0, 0, wanted)
