"""What a matrix is made of: text, bags of words, files of numbers, tables of ratings. Checked before anything is read whole."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from regrow.data.formats.facts import SourceFile, TextOptions
from regrow.data.formats.format import Format
from regrow.data.inputs import found
from regrow.data.matrix.ratings import RATINGS, asked_columns, has_ratings
from regrow.data.matrix.readers import number_format
from regrow.data.source import Source, describe
from regrow.errors import DataError, UsageError

__all__ = ["MatrixSource", "describe_matrix"]


@dataclass(frozen=True)
class MatrixSource(Source):
    """Files of numbers, or of ratings."""

    @property
    def kind(self) -> str:
        """What they hold: "numbers" or "ratings"."""
        return "ratings" if self.format == RATINGS.name else "numbers"

    @property
    def reader(self) -> Format:
        """The format."""
        found: Format = RATINGS if self.format == RATINGS.name else number_format(self.format)
        return found

    def to_json(self) -> dict[str, Any]:
        """This description as JSON values."""
        return {**super().to_json(), "matrix": True}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> MatrixSource:
        """The description that `to_json` made."""
        return MatrixSource(**vars(Source.from_json(value)))


def describe_matrix(paths: Sequence[str], options: TextOptions, ratings: str | None = None) -> Source:
    """Look at the first lines of each file, and say what the input is. ratings: the columns of row, column and value in parquet.

    Raises DataError or UsageError, as `describe` does.
    """
    if ratings is None and (options.format not in (None, "parquet") or options.text_field is not None):
        usual = False
    else:
        usual = ratings is not None or all(os.path.getsize(input.name) and has_ratings(input.name) for input in found(paths))
    if usual:
        return _ratings(paths, options, ratings)
    source = describe(paths, options)
    return MatrixSource(**vars(source)) if number_format(source.format) is not None else source


def _ratings(paths: Sequence[str], options: TextOptions, ratings: str | None) -> MatrixSource:
    given = ("format", "text_field", "vocabulary", "stop_words", "id_field", "header", "token_pattern")
    for name in given:
        value = getattr(options, name)
        if value is not None and not (name == "format" and value == "parquet"):
            raise UsageError(f"--{name.replace('_', '-')} {value} with ratings", "leave it out: users and items have names of their own")
    if options.min_count != 1 or options.max_doc_share != 1:
        raise UsageError("--min-count or --max-doc-share with ratings", "leave them out")
    wanted, files = asked_columns(ratings), []
    for input in found(paths):
        with open(input.name, "rb") as file:
            if file.read(4) != b"PAR1":
                raise DataError(f"{input.name} is no parquet file", "ratings are read from parquet: columns user, item, rating")
        files.append(RATINGS.find(SourceFile(input.name, os.path.getsize(input.name)), wanted))
    return MatrixSource(RATINGS.name, tuple(files))
