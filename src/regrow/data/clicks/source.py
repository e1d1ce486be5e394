"""What the input is: its files, their format, and what becomes of their columns. Checked before anything is read whole."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from regrow.data.clicks.formats import ClickFormat, CriteoTsv, TableFormat
from regrow.data.clicks.options import ClickOptions, check_options
from regrow.data.clicks.parquet import BETWEEN, Parquet
from regrow.data.clicks.plan import Plan, plan_of, split_label
from regrow.data.clicks.registry import ALL, click_format
from regrow.data.compression import bare_name
from regrow.data.formats.facts import SourceFile, shown_names
from regrow.data.inputs import found
from regrow.data.source import Source, check_encoding
from regrow.data.streams import Stream
from regrow.errors import DataError, UsageError

__all__ = ["ClickSource", "describe_clicks"]


@dataclass(frozen=True)
class ClickSource(Source):
    """The frozen list of input files, their format and the plan of their columns: JSON values all through."""

    plan: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """They are rows."""
        return "clicks"

    @property
    def reader(self) -> ClickFormat:
        """The format."""
        return click_format(self.format)

    def to_json(self) -> dict[str, Any]:
        """This description as JSON values."""
        files = [
            {"name": file.name, "bytes": file.bytes, "compressed": file.compressed, "header_lines": file.header_lines}
            for file in self.files
        ]
        return {"format": self.format, "files": files, "plan": dict(self.plan)}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> ClickSource:
        """The description that `to_json` made."""
        return ClickSource(value["format"], tuple(SourceFile(**file) for file in value["files"]), plan=value["plan"])


def describe_clicks(paths: Sequence[str], options: ClickOptions, *, needs_label: bool = True) -> tuple[ClickSource, ClickOptions]:
    """Look at the first lines of each file: what the input is, and the options with what they left open settled.

    Raises DataError for files that are missing, empty, or without the wanted columns; UsageError for options that do not fit.
    """
    check_options(options)
    inputs = [input.name for input in found(paths)]
    for name in inputs:
        head = Stream(name).head(1024)
        if not head.startswith(b"PAR1"):
            check_encoding(name, head)
    format = click_format(options.format) if options.format else _recognised(inputs)
    options = _fitting(format, options)
    files: list[SourceFile] = []
    plan: Plan | None = None
    for name in inputs:
        if not os.path.getsize(name):
            raise DataError(f"{name} is empty", "every input file must hold at least one row: leave it out, or fill it")
        stream = Stream(name)
        file = SourceFile(name, os.path.getsize(name), bool(stream.compression))
        names: tuple[str, ...] = ()
        if isinstance(format, TableFormat):
            columns, lines = format.columns(name, stream.head(), options.header)
            file, names = replace(file, header_lines=lines), tuple(columns)
            if isinstance(format, Parquet) and plan is None:
                options = _with_lists(options, format.lists(name))
            if plan is None:
                plan, options = plan_of(name, columns, options, needs_label=needs_label, header=lines > 0)
        elif plan is None:
            plan = Plan((), (), positive=split_label(options.label)[1])
        if plan.columns != names:
            here, there = next(pair for pair in itertools.zip_longest(names, plan.columns, fillvalue="none") if pair[0] != pair[1])
            raise DataError(
                f"{name} has other columns than {inputs[0]}: {here} instead of {there} ({shown_names(names)})",
                "name files with the same columns in the same order",
            )
        files.append(file)
    assert plan is not None
    return ClickSource(format.name, tuple(files), plan=plan.to_json()), replace(options, format=format.name)


def _with_lists(options: ClickOptions, lists: Sequence[str]) -> ClickOptions:
    """Columns of lists have several values, unless it was said what parts them."""
    said = {text.partition(":")[0] for text in options.multi}
    more = [f"{name}:{BETWEEN}" for name in lists if name not in said and (options.features is None or name in options.features)]
    return replace(options, multi=[*options.multi, *more])


def _fitting(format: ClickFormat, options: ClickOptions) -> ClickOptions:
    """The options for this format. Raises UsageError for some that have no meaning for it."""
    if isinstance(format, CriteoTsv):
        binned = options.binned or [f"I{i}" for i in range(1, 14) if options.features is None or f"I{i}" in options.features]
        return replace(options, label=options.label or "label", binned=list(binned))
    if isinstance(format, TableFormat):
        return options
    label, value = split_label(options.label)
    if label:
        raise UsageError(f"--label {options.label}: {format.name} files have no columns", "leave it out, or say --label =VALUE")
    if value:
        try:
            float(value)
        except ValueError:
            raise UsageError(f"--label ={value}: labels of {format.name} files are numbers", "e.g. --label =2") from None
    for option, given in (
        ("--features", options.features), ("--numeric", options.numeric), ("--binned", options.binned), ("--multi", options.multi),
        ("--cross", options.cross), ("--backoff", options.backoff), ("--weight", options.weight), ("--time", options.time),
        ("--header", options.header),
    ):  # fmt: skip
        if given:
            raise UsageError(f"{option} has no meaning for {format.name} files: they have no columns", "leave it out")
    return options


def _recognised(inputs: Sequence[str]) -> ClickFormat:
    """The one format that all files have, by their names, else by their first lines. Raises DataError."""
    formats = {name: _format_of(name) for name in inputs}
    first = formats[inputs[0]]
    for name, format in formats.items():
        if format is not first:
            raise DataError(
                f"{inputs[0]} looks like {first.name} but {name} like {format.name}", "name files of one format, or say --format"
            )
    return first


def _format_of(name: str) -> ClickFormat:
    bare, head = bare_name(name), Stream(name).head()
    suffix = os.path.splitext(bare)[1].lower()
    for format in ALL:
        if suffix in format.suffixes:
            return format
    for format in ALL:
        if format.sniff(bare, head, False):
            return format
    first = head.split(b"\n", 1)[0]
    if b"\t" in first or b"," in first:
        return click_format("tsv" if first.count(b"\t") >= first.count(b",") else "csv")
    raise DataError(f"{name}: the format is not clear from its name or its first lines", "say which, e.g. --format csv, libsvm or vw")
