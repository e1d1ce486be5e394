"""Ratings in csv and tsv: each line is an entry, `user item value`, in columns that are named or numbered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.formats.cutting import cut, without_lines
from regrow.data.formats.facts import SourceFile, shown_line, shown_names, undecodable
from regrow.data.formats.format import Arrays, Format
from regrow.data.formats.table import CSV, TSV, Table, pieces_of
from regrow.data.formats.txt import utf8_of
from regrow.data.readonly import read_only
from regrow.data.record_kernels import fields
from regrow.data.streams import HEAD_BYTES, Stream
from regrow.errors import DataError, UsageError
from regrow.packed import Strings
from regrow.program import Fixed

__all__ = ["LINES", "RatingLines", "header_of", "read_lines", "seems_ratings", "warm_lines"]

Array = npt.NDArray[Any]
ENDS = ("user", "item")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
"""As numbers are written everywhere: float() also takes 1_000 and the digits of other scripts."""
BLANK = np.isin(np.arange(256), list(b" \t\r"))
"""By byte."""


class RatingLines(Format):
    """A table of csv or tsv with a column of users, one of items and, unless all values are 1, one of numbers."""

    kind = "ratings"

    def __init__(self, table: Table) -> None:
        self.table = table
        self.name = f"ratings {table.name}"  # type: ignore[misc]  # there are two of them

    def find(self, file: SourceFile, wanted: Sequence[str], header: str | None) -> SourceFile:
        """The file with the places of the wanted columns. header: "no" if none names them: then `wanted` are numbers from 1.

        Raises DataError or UsageError.
        """
        stream = Stream(file.name)
        first, lines = header_of(stream, self.table)
        if header == "no":
            columns, lines = [_numbered(file.name, name, len(first)) for name in wanted], 0
        else:
            for name in wanted:
                if name not in first:
                    advice = "name them: --ratings USER,ITEM,VALUE; or, if the first line names nothing, --header no --ratings 1,2,3"
                    raise DataError(f'{file.name}, line 1: no column "{name}" (columns: {shown_names(first)})', advice)
                if first.count(name) > 1:
                    raise DataError(f'{file.name}, line 1: two columns are called "{name}"', "give one of them another name")
            columns = [first.index(name) for name in wanted]
        found = replace(file, compressed=bool(stream.compression), header_lines=lines, columns=tuple(columns))
        return replace(found, width=max(columns) + 1, fields=len(first))

    def parts(self, file: SourceFile, stream: Stream, target: int) -> Iterator[Arrays]:
        """Cut after records: `text`, `columns` int64, and `table` int64 [4]: width, fields of a record, delimiter, quote."""
        about = np.array([file.width, file.fields, ord(self.table.delimiter), self.table.quote], np.int64)
        for text in cut(without_lines(stream.blocks(), file.header_lines), self.table.end(file, target)):
            yield {"text": np.frombuffer(text, np.uint8), "columns": np.array(file.columns, np.int64), "table": about}


LINES = {table.name: RatingLines(table) for table in (CSV, TSV)}


def header_of(stream: Stream, table: Table) -> tuple[list[str], int]:
    """The fields of the first record, and how many lines it takes. Raises DataError."""
    head = stream.head()
    try:
        text = head.decode("utf-8", "strict" if len(head) < HEAD_BYTES else "ignore")
    except UnicodeDecodeError as error:
        raise undecodable(stream.name, head, error, 1) from error
    first, lines = table.first_record(text)
    return [name.strip() for name in first], lines


def seems_ratings(stream: Stream, table: Table, *, header: bool) -> tuple[list[str], str]:
    """The columns of a table that may well hold ratings, and a value of the last; no columns if it does not seem so.

    Three or four columns, the third of numbers, none called "text". Without a header, the columns are "1,2,3" and all from the third on
    are numbers.
    """
    first, lines = header_of(stream, table)
    if not 3 <= len(first) <= 4 or "text" in first:
        return [], ""
    if not header:
        return (["1", "2", "3"], first[-1]) if all(_is_number(field) for field in first[2:]) else ([], "")
    rest = b"\n".join(stream.head().split(b"\n")[lines:]).decode("utf-8", "ignore")
    record = table.first_record(rest)[0] if rest else []
    seems = len(record) == len(first) and _is_number(record[2]) and not any(_is_number(name) for name in first)
    return (first, record[-1]) if seems else ([], "")


def _numbered(name: str, text: str, most: int) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f'--ratings "{text}" with --header no', "without a header columns are numbers from 1, e.g. --ratings 1,2,3")
    if int(text) > most:
        raise DataError(f"{name}, line 1: {most} columns, and --ratings names column {text}", "name one of them")
    return int(text) - 1


def read_lines(part: Fixed) -> tuple[Strings, Strings, Array]:
    """Users, items and values of a part that `RatingLines` made. Raises DataError, with file and line, for what is none."""
    text, columns = utf8_of(part), np.asarray(part["columns"])
    width, most, delimiter, quote = np.asarray(part["table"]).tolist()
    slots = np.full(width, -1, np.int64)
    slots[columns] = np.arange(len(columns))
    starts, ends, error, line, found = fields(text, delimiter, quote, slots, len(columns), width, most, False)
    file, first = part["file"][0], int(part["source"][1])
    if error == 1:
        told = f"{found} field{'s' if found > 1 else ''}, and {len(columns)} are wanted, up to field {width}"
        raise DataError(f"{file}, line {first + line:,}: {told}", "mend the line, or leave it out")
    if error:
        table = LINES["csv" if delimiter == ord(",") else "tsv"].table
        raise table.broken(f"{file}, line {first + line:,}", error, found, columns.tolist(), width, most)

    def line_of(row: int) -> str:
        return f"{file}, line {first + int(np.count_nonzero(text[: starts[row].min()] == 10)):,}"

    if quote >= 0 and (more := _quoted(text, starts, quote) & (text[np.minimum(ends, len(text) - 1)] != quote)).any():
        where = line_of(int(more.any(axis=1).argmax()))
        raise DataError(f"{where}: a field goes on after its closing quote", 'quotes inside fields are doubled ("")')
    _trim(text, starts, ends)
    for at, what in enumerate(ENDS):
        if (empty := starts[:, at] == ends[:, at]).any():
            raise DataError(f"{line_of(int(empty.argmax()))}: the {what} is empty", "mend the line, or leave it out")
    pieces = [pieces_of(text, starts[:, at], ends[:, at], quote >= 0) for at in range(len(columns))]
    if len(columns) == len(ENDS):
        return pieces[0], pieces[1], np.ones(len(starts))
    values, wrong = _numbers(pieces[2])
    if wrong >= 0:
        shown = shown_line(pieces[2][wrong].encode())
        raise DataError(f"{line_of(wrong)}: a number is expected for the value, and there is {shown}", "mend the line, or leave it out")
    return pieces[0], pieces[1], values


def _quoted(text: Array, starts: Array, quote: int) -> Array:
    """Which fields begin behind a quote."""
    found: Array = (starts > 0) & (text[starts - 1] == quote)
    return found


def _trim(text: Array, starts: Array, ends: Array) -> None:
    """Blanks around a field are not of it."""
    while (more := (starts < ends) & BLANK[text[np.minimum(starts, len(text) - 1)]]).any():
        starts += more
    while (more := (starts < ends) & BLANK[text[ends - 1]]).any():
        ends -= more


def _numbers(texts: Strings) -> tuple[Array, int]:
    """The numbers that these are: float64, and the first that is none, or -1."""
    if (wrong := next((row for row, text in enumerate(texts) if not NUMBER.fullmatch(text)), -1)) >= 0:
        return np.empty(0), wrong
    values = np.array([float(text) for text in texts])
    finite = np.isfinite(values)
    return values, -1 if finite.all() else int(np.argmin(finite))


def _is_number(text: str) -> bool:
    return NUMBER.fullmatch(text) is not None and bool(np.isfinite(float(text)))


def warm_lines() -> None:
    """Compile or load the kernels."""
    fields(read_only(np.frombuffer(b"a,b,1", np.uint8)), ord(","), ord('"'), np.arange(3), 3, 3, 3, False)
