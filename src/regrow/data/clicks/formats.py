"""The formats of rows: how their files are told from others, cut into parts, and how parts are read."""

from __future__ import annotations

import csv
import io
import re
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from regrow.data.clicks import line_kernels as lines
from regrow.data.clicks.byte_kernels import how_many
from regrow.data.clicks.feature_set import with_ahead
from regrow.data.clicks.field_kernels import table_fields
from regrow.data.clicks.parsed import Broken, Parsed
from regrow.data.clicks.plan import Plan, seeds_of
from regrow.data.clicks.reading import Filled
from regrow.data.clicks.records import Records, batch_of
from regrow.data.clicks.spare import give
from regrow.data.clicks.state_kernels import KNOWN, QUOTE
from regrow.data.formats.cutting import LineEnd, cut, without_lines
from regrow.data.formats.facts import SourceFile
from regrow.data.formats.format import Arrays, Format
from regrow.data.formats.table import CsvEnd
from regrow.data.readonly import read_only
from regrow.data.streams import Stream
from regrow.program import Fixed

__all__ = ["LINES_AND_TABLES", "ClickFormat", "TableFormat"]

CRITEO = ("label", *(f"I{i}" for i in range(1, 14)), *(f"C{i}" for i in range(1, 27)))
"""The columns of Criteo's files, which have no header."""


class ClickFormat(Format):
    """A format of rows with a label and features."""

    kind = "clicks"

    def parts(self, file: SourceFile, stream: Stream, target: int) -> Iterator[Arrays]:
        """Cut after lines."""
        for text in cut(without_lines(stream.blocks(), file.header_lines), LineEnd(target)):
            yield {"text": np.frombuffer(text, np.uint8)}

    @abstractmethod
    def rows(self, part: Fixed, plan: Plan, *, needs_label: bool, skip: bool) -> Parsed:
        """The rows of a part. Lines that are broken are in `broken`: all of them if they are skipped, else the first."""


class Libsvm(ClickFormat):
    """`label id:value id:value ...`; ids and labels are what stands there: whether they begin with 0 or 1 does not matter."""

    name = "libsvm"
    suffixes: ClassVar[tuple[str, ...]] = (".libsvm", ".svm", ".svmlight")
    line: ClassVar[re.Pattern[bytes]] = re.compile(rb"\s*[-+.\d]+(e\S+)?(\s+qid:\d+)?(\s+\d+:[-+.\deE]+)*\s*(#.*)?")
    has_field: ClassVar[bool] = False
    form: ClassVar[str] = "id:value, with an id of digits"

    def sniff(self, name: str, head: bytes, has_vocabulary: bool) -> bool:
        """Whether the first lines look like that."""
        found = [line for line in head.split(b"\n")[:20] if line.strip()]
        return bool(found) and b":" in head and all(self.line.fullmatch(line) for line in found[: max(1, len(found) - 1)])

    def rows(self, part: Fixed, plan: Plan, *, needs_label: bool, skip: bool) -> Parsed:
        """Read the lines."""
        size, text = len(part["text"]), read_only(with_ahead(part["text"]))
        positive = float(plan.positive) if plan.positive else np.nan
        into = Filled(how_many(text, 10) + 1, how_many(text, 58))
        into.seeds[0] = seeds_of([""])[0]
        if self.has_field:
            into.field_of = np.full(1 << 16, -1, np.int32)

        def read() -> bool:
            done: bool = lines.libsvm_rows(
                text, size, self.has_field, positive, needs_label, skip, into.state, into.row_ptr, into.value, into.label,
                into.names, into.seeds, into.field_of, into.broken, into.cells,
            )  # fmt: skip
            return done

        into.read(text, read)
        fields = _texts(text, into) if self.has_field else ("",)
        return _of_lines(part, text, into, fields, self.form)


class Libffm(Libsvm):
    """`label field:id:value ...`: what stands for a field is its name."""

    name = "libffm"
    suffixes: ClassVar[tuple[str, ...]] = (".ffm", ".libffm")
    line = re.compile(rb"\s*[-+.\d]+(\s+\d+:\d+:[-+.\deE]+)+\s*(#.*)?")
    has_field = True
    form = "field:id:value, with a field of digits below 65,536 and an id of digits"


class Vw(ClickFormat):
    """Vowpal Wabbit's text: `label weight 'tag|namespace feature:value ...|...`. A namespace is a field, and names are kept."""

    name = "vw"
    suffixes: ClassVar[tuple[str, ...]] = (".vw",)
    line: ClassVar[re.Pattern[bytes]] = re.compile(rb"[-+.\de]*(\s+[-+.\de]+)?\s*('?\S*)?\|.*")

    def sniff(self, name: str, head: bytes, has_vocabulary: bool) -> bool:
        """Whether the first lines look like that."""
        found = [line for line in head.split(b"\n")[:20] if line.strip()]
        return bool(found) and all(self.line.fullmatch(line.strip()) for line in found[: max(1, len(found) - 1)])

    def rows(self, part: Fixed, plan: Plan, *, needs_label: bool, skip: bool) -> Parsed:
        """Read the lines."""
        size, text = len(part["text"]), read_only(with_ahead(part["text"]))
        positive = float(plan.positive) if plan.positive else np.nan
        rows = how_many(text, 10) + 1
        into = Filled(rows, rows + how_many(text, 32) + how_many(text, 9))

        def read() -> bool:
            done: bool = lines.vw_rows(
                text, size, positive, needs_label, skip, into.state, into.row_ptr, into.value, into.label, into.weight,
                into.names, into.seeds, into.broken, into.cells,
            )  # fmt: skip
            return done

        into.read(text, read)
        return _of_lines(part, text, into, _texts(text, into), "name or name:value")


class TableFormat(ClickFormat):
    """Records of columns."""

    has_header = True
    delimiter: ClassVar[str] = "\t"
    quote: ClassVar[int] = -1

    def sample(self) -> bytes:
        """A record of two columns."""
        return f"1{self.delimiter}a\n".encode()

    def columns(self, file: str, head: bytes, header: str | None) -> tuple[list[str], int]:
        """The names of the columns, and how many lines say them; without a header the names are numbers from 1."""
        first = head.decode("utf-8", "replace").split("\n", 1)[0].rstrip("\r").split(self.delimiter)
        return _names_or_numbers(first, 1, header)

    def rows(self, part: Fixed, plan: Plan, *, needs_label: bool, skip: bool) -> Parsed:
        """Find the fields of each record, then the features of each field."""
        size, columns = len(part["text"]), len(plan.columns)
        most = how_many(read_only(part["text"]), 10) + 1
        records = Records(part["text"], most, plan, needs_label, skip)
        starts, ends = np.empty((batch_of(columns), columns), np.int64), np.empty((batch_of(columns), columns), np.int64)
        line, kind, found = np.empty(most, np.int64), np.empty(most, np.uint8), np.empty(most, np.int32)
        place, first, more = np.zeros(3, np.int64), 0, True
        while more and place[0] < size:
            filled = table_fields(records.text, size, ord(self.delimiter), self.quote, starts, ends, line, kind, found, place)
            more = records.read(starts[:filled], ends[:filled], kind[first : first + filled])
            first += filled
        parsed = records.parsed()
        lines_here = how_many(read_only(part["text"]), 10) + (size > 0 and part["text"][-1] != 10)

        def about(row: int) -> str:
            if kind[row] == QUOTE:
                return _taken_along(int(lines_here - line[row]) - 1)
            return f"{found[row]:,} field{'s' if found[row] != 1 else ''}, and the first line has {len(plan.columns):,}"

        parsed = replace(parsed, broken=tuple(bad if bad.about else replace(bad, about=about(bad.line)) for bad in parsed.broken))
        return parsed.numbered(line[:first] + int(part["source"][1]), "line")


class Tsv(TableFormat):
    """Fields between tabs, without quotes."""

    name = "tsv"
    suffixes = (".tsv", ".tab")


class Csv(TableFormat):
    """Fields between commas, with quotes as in RFC 4180."""

    name = "csv"
    suffixes = (".csv", ".data")
    delimiter, quote = ",", 34

    def columns(self, file: str, head: bytes, header: str | None) -> tuple[list[str], int]:
        """The fields of the first record."""
        reader = csv.reader(io.StringIO(head.decode("utf-8", "replace"), newline=""), skipinitialspace=True)
        first = next(reader, [])
        return _names_or_numbers(first, reader.line_num, header)

    def parts(self, file: SourceFile, stream: Stream, target: int) -> Iterator[Arrays]:
        """Cut after records: newlines between quotes end none."""
        for text in cut(without_lines(stream.blocks(), file.header_lines), CsvEnd(target, file)):
            yield {"text": np.frombuffer(text, np.uint8)}


class CriteoTsv(TableFormat):
    """Criteo's files as they are: a label, 13 counts, 26 categories, no header. Counts fall into bins."""

    name = "criteo"
    has_header = False

    def sniff(self, name: str, head: bytes, has_vocabulary: bool) -> bool:
        """Whether the first lines have 40 columns and begin with 0 or 1."""
        found = head.split(b"\n")[:-1][:20]
        return bool(found) and all(line.count(b"\t") == 39 and line[:2] in (b"0\t", b"1\t") for line in found)

    def columns(self, file: str, head: bytes, header: str | None) -> tuple[list[str], int]:
        """They are known."""
        first = head.split(b"\n", 1)[0]
        return list(CRITEO)[1:] if first.count(b"\t") == 38 else list(CRITEO), 0


def _names_or_numbers(first: Sequence[str], lines_of: int, header: str | None) -> tuple[list[str], int]:
    if header == "no":
        return [str(number) for number in range(1, len(first) + 1)], 0
    return [name.strip() or str(number) for number, name in enumerate(first, 1)], lines_of


def _taken_along(lines: int) -> str:
    """What a quote that is never closed does to the lines after its own."""
    return f", which takes along the {lines:,} line{'s' if lines > 1 else ''} after it" if lines > 0 else ""


def _texts(text: Any, into: Filled) -> tuple[str, ...]:
    names = into.names[: int(into.state[KNOWN])]
    return tuple(bytes(text[start:end]).decode("utf-8", "replace") for start, end in names.tolist())


def _of_lines(part: Fixed, text: Any, into: Filled, names: tuple[str, ...], form: str) -> Parsed:
    """The rows of lines."""
    first, rows = int(part["source"][1]), into.rows
    broken = tuple(Broken(first + line, kind, bytes(text[start:end]), form) for line, kind, start, end in into.broken_lines)
    moment = np.zeros(len(rows["label"]), np.uint64)
    give("text", text)
    return Parsed(**rows, moment=moment, **into.features(), names=names, broken=broken)


LINES_AND_TABLES: tuple[ClickFormat, ...] = (Vw(), Libffm(), Libsvm(), CriteoTsv(), Tsv(), Csv())
