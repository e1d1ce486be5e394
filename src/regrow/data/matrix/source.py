"""What a matrix is made of: text, bags of words, files of numbers, tables of ratings. Checked before anything is read whole."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from regrow.data.compression import bare_name
from regrow.data.formats.facts import SourceFile, TextOptions, shown_names
from regrow.data.formats.format import Format
from regrow.data.inputs import found
from regrow.data.matrix.rating_lines import LINES, header_of, seems_ratings
from regrow.data.matrix.ratings import RATINGS, USUAL, asked_columns, has_ratings
from regrow.data.matrix.readers import number_format
from regrow.data.source import Source, describe
from regrow.data.streams import Stream
from regrow.errors import DataError, UsageError

__all__ = ["MatrixSource", "describe_matrix"]

TABLES = ("csv", "tsv", "parquet")
READERS = {reader.name: reader for reader in (RATINGS, *LINES.values())}
"""Of ratings."""


@dataclass(frozen=True)
class MatrixSource(Source):
    """Files of numbers, or of ratings."""

    @property
    def kind(self) -> str:
        """What they hold: "numbers" or "ratings"."""
        return "ratings" if self.format in READERS else "numbers"

    @property
    def reader(self) -> Format:
        """The format."""
        found: Format = READERS[self.format] if self.format in READERS else number_format(self.format)
        return found

    def to_json(self) -> dict[str, Any]:
        """This description as JSON values."""
        return {**super().to_json(), "matrix": True}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> MatrixSource:
        """The description that `to_json` made."""
        return MatrixSource(**vars(Source.from_json(value)))


def describe_matrix(paths: Sequence[str], options: TextOptions, ratings: str | None = None) -> Source:
    """Look at the first lines of each file, and say what the input is. ratings: the columns of row, column and value in a table.

    Raises DataError or UsageError, as `describe` does.
    """
    if ratings is not None or (options.format in (None, *TABLES) and options.text_field is None and _usual(paths, options.format)):
        return _ratings(paths, options, ratings)
    if options.format in (None, *TABLES) and options.text_field is None:
        _refuse_unasked(paths, options)
    source = describe(paths, options)
    return MatrixSource(**vars(source)) if number_format(source.format) is not None else source


def _usual(paths: Sequence[str], format: str | None) -> bool:
    """Whether all files are tables that name the usual columns of ratings, and no text besides."""
    for input in found(paths):
        name = input.name
        if not os.path.getsize(name):
            return False
        if has_ratings(name):
            continue
        table = format or _table_by_name(name)
        if table not in LINES:
            return False
        names = set(header_of(Stream(name), LINES[table].table)[0])
        if not set(USUAL) <= names or "text" in names:
            return False
    return True


def _refuse_unasked(paths: Sequence[str], options: TextOptions) -> None:
    """Tables that look like ratings and name no text are no text. Raises DataError that says how to ask for ratings."""
    for input in found(paths):
        table = options.format or _table_by_name(input.name)
        if table not in LINES or not os.path.getsize(input.name):
            continue
        names, value = seems_ratings(Stream(input.name), LINES[table].table, header=options.header != "no")
        if not names:
            continue
        if options.header == "no":
            raise DataError(
                f'{input.name}, line 1: "{value}" in the last field is no text, it seems',
                f"for ratings: --ratings {','.join(names)}; for texts: --text-field with the number of their field",
            )
        raise DataError(
            f'{input.name}, line 1: no field "text", and no columns {", ".join(USUAL)} (fields: {shown_names(names)})',
            f"for ratings: --ratings {','.join(names[:3])}; for texts: --text-field with the name of their field",
        )


def _table_by_name(name: str) -> str | None:
    suffix = os.path.splitext(bare_name(name))[1]
    return next((kind for kind, reader in LINES.items() if suffix in reader.table.suffixes), None)


def _ratings(paths: Sequence[str], options: TextOptions, ratings: str | None) -> MatrixSource:
    for name in ("text_field", "vocabulary", "stop_words", "id_field", "token_pattern"):
        if value := getattr(options, name):
            raise UsageError(f"--{name.replace('_', '-')} {value} with ratings", "leave it out: users and items have names of their own")
    if options.format not in (None, *TABLES):
        raise UsageError(f"--format {options.format} with ratings", f"they are in {', '.join(TABLES[:-1])} or {TABLES[-1]}")
    if options.min_count != 1 or options.max_doc_share != 1:
        raise UsageError("--min-count or --max-doc-share with ratings", "leave them out")
    wanted, files = asked_columns(ratings), []
    kinds = {input.name: options.format or _table_of(input.name) for input in found(paths)}
    first, kind = next(iter(kinds.items()))
    if kind == "parquet" and options.header is not None:
        raise UsageError(f"--header {options.header}", "leave it out: parquet names its columns")
    for name, own in kinds.items():
        if own != kind:
            raise DataError(f"{first} is {kind}, and {name} is {own}", "name files of one format")
        file = SourceFile(name, os.path.getsize(name))
        if not file.bytes:
            raise DataError(f"{name} is empty", "leave it out, or fill it")
        files.append(LINES[kind].find(file, wanted, options.header) if kind in LINES else RATINGS.find(file, wanted))
    return MatrixSource(LINES[kind].name if kind in LINES else RATINGS.name, tuple(files), wanted)


def _table_of(name: str) -> str:
    """Which table a file of ratings is: parquet by its first bytes, csv and tsv by name, or by what stands in its first line."""
    with open(name, "rb") as file:
        if file.read(4) == b"PAR1":
            return "parquet"
    return _table_by_name(name) or ("tsv" if b"\t" in Stream(name).head().partition(b"\n")[0] else "csv")
