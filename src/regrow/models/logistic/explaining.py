"""Which features make the score of one row."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from regrow.data.clicks import ClickOptions, Plan, parse
from regrow.data.clicks.formats import TableFormat
from regrow.data.clicks.known import numbers_of
from regrow.data.clicks.plan import plan_of, split_label
from regrow.data.clicks.registry import click_format
from regrow.data.streams import Stream
from regrow.errors import DataError, UsageError
from regrow.evaluation.bands import BANDS, band_of
from regrow.evaluation.tail import aligned
from regrow.models.logistic.model import ClickModel, shown_value
from regrow.models.logistic.unseen import probabilities, scored, tables_of
from regrow.packed import strings
from regrow.program import Fixed

__all__ = ["COLUMN", "Explained", "Part", "explained"]

COLUMN = "topics"
"""The column of a row's topics."""
WithTopics = Callable[[str, ClickOptions], AbstractContextManager[str]]


@dataclass(frozen=True)
class Part:
    """What one feature of a row adds to its score: weight times value. count: training rows that had it; 0: unseen, and weight 0."""

    field: str
    value: str
    number: float
    weight: float
    count: int

    @property
    def contribution(self) -> float:
        """In nats of log odds."""
        return self.weight * self.number

    @property
    def band(self) -> str:
        """The band of the feature's count."""
        return BANDS[int(band_of([self.count])[0])]


@dataclass(frozen=True)
class Explained:
    """A row: its chance, its score (log odds), its label if it has one, and what makes the score, largest first after the bias."""

    p: float
    score: float
    label: int | None
    parts: tuple[Part, ...]

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        parts = [{**vars(part), "contribution": part.contribution, "band": part.band} for part in self.parts]
        return {"p": self.p, "score": self.score, "label": self.label, "features": parts}

    def text(self) -> str:
        """An aligned table."""
        lines = [("feature", "weight", "value", "adds", "seen", "band")]
        for part in self.parts:
            name = f"{part.field}={part.value}" if part.field else part.value
            seen = f"{part.count:,}" if part.count else "never"
            lines.append((name, f"{part.weight:+.4f}", f"{part.number:g}", f"{part.contribution:+.4f}", seen, part.band))
        lines.append(("log odds", "", "", f"{self.score:+.4f}", "", ""))
        label = "" if self.label is None else f", and the label is {self.label}"
        return f"{aligned(lines)}\nchance {self.p:.6f}{label}"


def explained(model: ClickModel, options: ClickOptions, row: str, header: str | None, with_topics: WithTopics) -> Explained:
    """Explain a row given as a line like those of training, as JSON, or as FILE:LINE. options: how the model reads rows.

    Topics of a text that are features are inferred, unless the row has them already. Raises DataError or UsageError for what is no such
    row, or if the topic model is gone.
    """
    with _with_topics(row, options, header, with_topics) as told:
        return _explained(model, options, told, header)


@contextlib.contextmanager
def _with_topics(row: str, options: ClickOptions, header: str | None, with_topics: WithTopics) -> Iterator[str]:
    """The row with its topics behind it: as FILE:LINE of a file of its own; as it is, if topics are no features or it has them."""
    text = replace(options, columns=[column for column in options.columns or () if column != COLUMN])
    if options.topics is None or _has_topics(row, options, header):
        yield row
        return
    line, columns = _line(row, text, header, True)
    with tempfile.TemporaryDirectory(prefix="regrow-row-") as folder:
        file = os.path.join(folder, f"row.{options.format}")
        with open(file, "w", encoding="utf-8", newline="") as out:
            out.write("".join(_written(fields, text) + "\n" for fields in (columns, line)))
        with with_topics(file, text) as made:
            yield f"{made}:2"


def _has_topics(row: str, options: ClickOptions, header: str | None) -> bool:
    """Whether a row says its topics: it may have been copied from what training read."""
    file, _, number = row.rpartition(":")
    if number.isdecimal() and os.path.isfile(file):
        return header != "no" and COLUMN in _fields(_line_of(file, 1)[0], options)
    if row.lstrip().startswith("{"):
        return f'"{COLUMN}"' in row
    return len(_fields(row, options)) == len(options.columns or ())


def _written(line: list[str], options: ClickOptions) -> str:
    """Fields as a line of a file."""
    if options.format in ("tsv", "criteo"):
        return "\t".join(line)
    delimited = io.StringIO()
    csv.writer(delimited).writerow(line)
    return delimited.getvalue().rstrip("\r\n")


def _explained(model: ClickModel, options: ClickOptions, row: str, header: str | None) -> Explained:
    format = click_format(options.format or "")
    line, columns = _line(row, options, header, isinstance(format, TableFormat))
    plan = Plan((), (), positive=split_label(options.label)[1])
    if isinstance(format, TableFormat):
        plan, _ = plan_of("ROW", columns, options, needs_label=False)
        line = [_written(line, options)]
    part = Fixed({"text": np.frombuffer((line[0] + "\n").encode(), np.uint8), "source": np.array([0, 1]), "file": strings(["ROW"])})
    parsed = parse(part, format.name if format.name != "parquet" else "csv", plan, needs_label=False)
    if not len(parsed.label):
        raise DataError("ROW is empty", "give a row, e.g. one of the training file")
    table = tables_of(model.arrays, options.hash_bits, options.calibrate or "")
    id = numbers_of(parsed, table)
    parts = [Part("", "(bias)", 1.0, float(model.weights[0]), int(model.arrays["features.count"][0]))]
    for j in range(int(parsed.row_ptr[1])):
        local = int(parsed.feature[j])
        number = int(id[local])
        weight, count = (float(model.weights[number]), int(model.arrays["features.count"][number])) if number >= 0 else (0.0, 0)
        field, value = parsed.names[int(parsed.field[local])], shown_value(parsed.value_of[local])
        parts.append(Part(field, value, float(parsed.value[j]), weight if count else 0.0, count))
    score = scored(parsed, table).score
    rest = sorted(parts[1:], key=lambda part: -abs(part.contribution))
    if "calibrated" in table:
        rest.append(Part("", "(calibration)", 1.0, float(score[0]) - sum(part.contribution for part in parts), 0))
    label = int(parsed.label[0]) if parsed.label[0] < 2 else None
    return Explained(float(probabilities(score)[0]), float(score[0]), label, (parts[0], *rest))


def _line(row: str, options: ClickOptions, header: str | None, table: bool) -> tuple[list[str], list[str]]:
    """The fields of a row and the columns they belong to; of formats without columns, the line itself."""
    known = list(options.columns or ())
    file, _, number = row.rpartition(":")
    if number.isdecimal() and os.path.isfile(file):
        line, first = _line_of(file, int(number))
        if not table:
            return [line], []
        if number == "1" and not (header == "no" or options.header == "no" or options.format == "criteo"):
            raise DataError(f"{file}, line 1 is the header", "rows begin at line 2")
        columns = known if header == "no" or options.header == "no" or options.format == "criteo" else _fields(first, options)
        return _as_many(_fields(line, options), columns, options)
    if row.lstrip().startswith("{"):
        if not table:
            raise UsageError("a row as JSON needs columns, and the model was trained on lines", "give a line like those of training")
        try:
            given = json.loads(row)
        except ValueError as error:
            raise UsageError(f"ROW is no JSON: {error}", 'write an object of columns, e.g. \'{"user": "u1", "item": "i7"}\'') from None
        columns = [column for column in known if column in given or column != split_label(options.label)[0]]
        unknown = [name for name in given if name not in known]
        if unknown:
            raise UsageError(f'ROW has "{unknown[0]}", and training had no such column', f"the columns are: {', '.join(known)}")
        return ["" if given.get(column) is None else str(given[column]) for column in columns], columns
    return _as_many(_fields(row, options), known, options) if table else ([row], [])


def _as_many(fields: list[str], columns: list[str], options: ClickOptions) -> tuple[list[str], list[str]]:
    """The fields with their columns: all of them, or all but the label's."""
    label = split_label(options.label)[0]
    if len(fields) == len(columns) - 1 and label in columns:
        columns = [column for column in columns if column != label]
    if len(fields) != len(columns):
        raise DataError(
            f"ROW has {len(fields):,} field{'s' if len(fields) != 1 else ''}, and the columns are {len(columns):,}: {', '.join(columns)}",
            "give a line with all of them, JSON, or FILE:LINE",
        )
    return fields, columns


def _fields(line: str, options: ClickOptions) -> list[str]:
    if options.format in ("tsv", "criteo"):
        return line.split("\t")
    return next(csv.reader([line], skipinitialspace=True), [])


def _line_of(file: str, number: int) -> tuple[str, str]:
    """A line of a file, from 1, and its first line. Raises DataError."""
    first = None
    for at, line in enumerate(_lines(file), 1):
        first = line if first is None else first
        if at == number:
            return line, first
    raise DataError(f"{file} has no line {number:,}", "lines count from 1")


def _lines(file: str) -> Iterator[str]:
    left = b""
    for block in Stream(file).blocks():
        *whole, left = (left + block).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace").rstrip("\r")
    if left:
        yield left.decode("utf-8", "replace")
