"""The formats of rows by name, in the order in which they are asked whether a file looks like theirs."""

from __future__ import annotations

from regrow.data.clicks.formats import LINES_AND_TABLES, ClickFormat
from regrow.data.clicks.parquet import PARQUET
from regrow.errors import UsageError

__all__ = ["ALL", "click_format"]

ALL: tuple[ClickFormat, ...] = (PARQUET, *LINES_AND_TABLES)


def click_format(name: str) -> ClickFormat:
    """The format with that name. Raises UsageError."""
    for format in ALL:
        if format.name == name:
            return format
    raise UsageError(f'there is no format "{name}" of rows', f"--format is one of {', '.join(format.name for format in ALL)}")
