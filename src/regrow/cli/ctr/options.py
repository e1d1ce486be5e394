"""Options that several commands on clicks share."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["BadRows", "Format", "Label", "Since", "Time", "Until", "Weight"]

Format = Annotated[
    str | None,
    typer.Option(
        "--format", metavar="NAME", help="csv, tsv, parquet, criteo, libsvm, libffm or vw [by name and content].", show_default=False
    ),
]
Label = Annotated[
    str | None,
    typer.Option(metavar="COLUMN[=VALUE]", help="Tables: the label; it is 1 where it says so, or where it is VALUE.", show_default=False),
]
Weight = Annotated[str | None, typer.Option(metavar="COLUMN", help="Tables: how much a row counts.", show_default=False)]
Time = Annotated[str | None, typer.Option(metavar="COLUMN", help="Tables: when it was, for --since and --until.", show_default=False)]
Since = Annotated[str | None, typer.Option(metavar="TIME", help="Only rows from this time on.", show_default=False)]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Only rows before this time.", show_default=False)]
BadRows = Annotated[str, typer.Option(metavar="fail|skip", help="What to do with rows that are broken.")]
