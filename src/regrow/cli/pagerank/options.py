"""Options that say what the edges of a graph are."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["Duplicates", "Format", "Header", "Ids", "Names", "Partitions", "SelfLoops", "Source", "Target"]

Format = Annotated[
    str | None, typer.Option("--format", metavar="NAME", help="edges, matrixmarket or parquet [by name and content].", show_default=False)
]
Header = Annotated[
    str | None,
    typer.Option("--header", metavar="yes|no", help="Whether the first line names the columns [if it has no numbers].", show_default=False),
]
Source = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Where an edge begins: a name, or a number from 1 [the first].", show_default=False)
]
Target = Annotated[str | None, typer.Option(metavar="COLUMN", help="Where it leads [the second].", show_default=False)]
Ids = Annotated[
    str | None,
    typer.Option(metavar="number|text", help="Whether nodes are whole numbers or have names [as the first edge].", show_default=False),
]
Names = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Ids and names of nodes, in the first two columns; each of them is a node.", show_default=False),
]
Duplicates = Annotated[str, typer.Option(metavar="sum|once", help="What an edge counts that is there twice: both, or the heaviest.")]
SelfLoops = Annotated[str, typer.Option(metavar="keep|drop", help="What becomes of edges from a node to itself.")]
Partitions = Annotated[int | None, typer.Option(metavar="N", help="Ranges of nodes [from the data].", show_default=False)]
