"""csv and tsv: a header line with the names of the fields, then a record for each document."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from regrow.data.formats.cutting import LineEnd, cut, without_lines
from regrow.data.formats.facts import Documents, SourceFile, TextOptions, asked_fields, shown_names, undecodable
from regrow.data.formats.format import Arrays, TextFormat
from regrow.data.formats.txt import utf8_of
from regrow.data.record_kernels import QUOTE, csv_end, fields
from regrow.data.streams import HEAD_BYTES, Stream
from regrow.errors import DataError, UsageError
from regrow.packed import Strings, strings
from regrow.program import Fixed

__all__ = ["CSV", "TSV", "Table", "pieces_of"]

RECORD_BYTES_MAX = 1 << 28
"""A csv record longer than this is taken for a quote that was never closed."""


class Table(TextFormat):
    """What csv and tsv share. delimiter: between fields; inside: what to do about one in a text; quote: a byte, or -1."""

    has_fields = True
    has_header = True
    delimiter: ClassVar[str]
    separated: ClassVar[str]
    inside: ClassVar[str]
    quote: ClassVar[int] = -1

    def look(self, file: SourceFile, head: bytes, options: TextOptions) -> SourceFile:
        """Find the wanted columns: by the names in the header, or by number where there is none."""
        try:
            text = head.decode("utf-8", "strict" if len(head) < HEAD_BYTES else "ignore")
        except UnicodeDecodeError as error:
            raise undecodable(file.name, head, error, 1) from error
        first, lines = self.first_record(text)
        first = [name.strip() for name in first]
        if options.header == "no":
            columns, id_column, lines = *_numbered(file.name, first, options), 0
        else:
            columns, id_column = _named(file.name, first, options)
        width = max(*columns, id_column) + 1
        return replace(file, header_lines=lines, columns=columns, id_column=id_column, width=width, fields=len(first))

    def first_record(self, text: str) -> tuple[list[str], int]:
        """The fields of the first record, and the number of its lines."""
        return text.split("\n", 1)[0].rstrip("\r").split(self.delimiter), 1

    def end(self, file: SourceFile, target: int) -> Callable[[bytearray], int]:
        """Where a part may end."""
        return LineEnd(target)

    def parts(self, file: SourceFile, stream: Stream, target: int) -> Iterator[Arrays]:
        """Cut after records; `columns` int64: the wanted ones in the order asked; `table` int64 [3]: width, id_column, fields."""
        more = {"columns": np.array(file.columns, np.int64), "table": np.array([file.width, file.id_column, file.fields], np.int64)}
        for text in cut(without_lines(stream.blocks(), file.header_lines), self.end(file, target)):
            yield {"text": np.frombuffer(text, np.uint8), **more}

    def documents(self, part: Fixed, wanted: Sequence[str], id_field: str | None) -> Documents:
        """Find the wanted fields of each record, and that with its name."""
        text = utf8_of(part)
        columns, (width, id_column, most) = np.asarray(part["columns"]), part["table"].tolist()
        slots = np.full(width, -1, np.int64)
        slots[columns] = np.arange(len(columns))
        texts = pieces = len(columns)
        if id_column >= 0 and id_field != "" and slots[id_column] < 0:
            slots[id_column], pieces = texts, texts + 1
        starts, ends, error, line, found = fields(text, ord(self.delimiter), self.quote, slots, pieces, width, most, width == 1)
        if error:
            where = f"{part['file'][0]}, line {int(part['source'][1]) + line:,}"
            raise self.broken(where, error, found, columns.tolist(), width, most)
        ids = None
        if id_column >= 0 and id_field != "":
            at = slots[id_column]
            ids = pieces_of(text, starts[:, at], ends[:, at], self.quote == QUOTE)
        if pieces > texts:
            starts, ends = starts[:, :texts].copy(), ends[:, :texts].copy()
        return Documents(text, starts.reshape(-1), ends.reshape(-1), texts, self.quote == QUOTE, ids=ids)

    def broken(self, where: str, error: int, found: int, columns: Sequence[int], width: int, most: int) -> DataError:
        """The error for a record that cannot be read (see `fields`)."""
        if error == 2:
            return DataError(f"{where}: a quote is opened and never closed", 'quotes inside fields are doubled ("")')
        if error == 3:
            return DataError(
                f"{where}: more fields than the {most} of the first line",
                f"every line needs as many fields as the first: {self.inside}",
            )
        what, column = ("text", max(columns) + 1) if found <= max(columns) else ("id", width)
        return DataError(
            f"{where}: {found} field{'s' if found > 1 else ''}, and the {what} is in field {column}",
            f"every line needs as many fields as the first: separate them by {self.separated}",
        )


def _named(name: str, header: Sequence[str], options: TextOptions) -> tuple[tuple[int, ...], int]:
    """The wanted columns and that of the names, by the names in the header."""
    for field in asked_fields(options.text_field):
        if field not in header:
            raise DataError(f'{name}, line 1: no field "{field}" (fields: {shown_names(header)})', _advice(header))
    id_field = "id" if options.id_field is None else options.id_field
    if options.id_field and id_field not in header:
        raise DataError(f'{name}, line 1: no field "{id_field}" (fields: {shown_names(header)})', "name another one with --id-field")
    columns = tuple(header.index(field) for field in asked_fields(options.text_field))
    return columns, header.index(id_field) if id_field in header else -1


def _advice(first: Sequence[str]) -> str:
    """What to do about a first line without the wanted name: it may be that it is no header."""
    longest = max(range(len(first)), key=lambda i: len(first[i]), default=0)
    if any(not name or name.replace(".", "").isdigit() or len(name) > 60 or len(name.split()) > 5 for name in first):
        return (
            f"if the first line is a document, say --header no --text-field {longest + 1}; if it names the fields, name one: --text-field"
        )
    example = first[-1] if first else "NAME"
    return f"name the text field, or several, with --text-field, e.g. --text-field {example}"


def _numbered(name: str, first: Sequence[str], options: TextOptions) -> tuple[tuple[int, ...], int]:
    """The same without a header: by number from 1; the text is in the last column unless another is asked for."""
    columns = []
    for option, text in (("--text-field", options.text_field or str(len(first))), ("--id-field", options.id_field)):
        for field in asked_fields(text) if text else ():
            if not field.isdecimal() or int(field) < 1:
                raise UsageError(f'{option} "{field}" with --header no', "without a header fields are numbers from 1")
            if int(field) > len(first):
                raise DataError(f"{name}, line 1: {len(first)} fields, and {option} names field {field}", "name one of them")
            columns.append(int(field) - 1)
    if options.id_field:
        return tuple(columns[:-1]), columns[-1]
    return tuple(columns), -1


def pieces_of(text: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], quoted: bool) -> Strings:
    """The pieces text[start:end], with quotes undoubled."""
    sizes = ends - starts
    offsets = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    found = Strings(offsets, text[np.repeat(starts - offsets[:-1], sizes) + np.arange(offsets[-1])])
    return strings(piece.replace('""', '"') for piece in found) if quoted and b'""' in found.utf8.tobytes() else found


class Tsv(Table):
    """Fields between tabs, without quotes."""

    name = "tsv"
    suffixes = (".tsv", ".tab")
    delimiter, separated = "\t", "tabs"
    inside = "tabs inside a text must go"


class Csv(Table):
    """Fields between commas, with quotes as in RFC 4180: a quoted field may hold newlines."""

    name = "csv"
    suffixes = (".csv",)
    delimiter, separated = ",", "commas"
    inside = "a text with commas stands in quotes"
    quote = QUOTE

    def first_record(self, text: str) -> tuple[list[str], int]:
        """The fields of the first record, and the number of its lines."""
        reader = csv.reader(io.StringIO(text, newline=""))
        return next(reader, []), reader.line_num

    def end(self, file: SourceFile, target: int) -> Callable[[bytearray], int]:
        """Where a part may end."""
        return CsvEnd(target, file)


class CsvEnd:
    """The first end of a csv record at or after `target` bytes: newlines between quotes end none."""

    def __init__(self, target: int, file: SourceFile) -> None:
        self.target = target
        self.name = file.name
        self.line = file.header_lines + 1
        self.seen = self.state = 0

    def __call__(self, buffer: bytearray) -> int:
        stop, self.seen, self.state = csv_end(np.frombuffer(buffer, np.uint8), self.seen, self.state, self.target)
        if stop < 0 and len(buffer) > RECORD_BYTES_MAX + self.target:
            raise DataError(
                f"{self.name}: after line {self.line + buffer.count(10, 0, self.target):,} no record ends for {RECORD_BYTES_MAX >> 20} MiB",
                'a quote is not closed there: quotes inside fields are doubled ("")',
            )
        if stop > 0:
            self.seen = 0
            self.line += buffer.count(b"\n", 0, stop)
        return max(int(stop), 0)


CSV = Csv()
TSV = Tsv()
