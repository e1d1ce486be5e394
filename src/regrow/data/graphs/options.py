"""What a user may say of the edges of a graph."""

from __future__ import annotations

from dataclasses import dataclass

from regrow.errors import UsageError

__all__ = ["GraphOptions", "check_options"]

CHOICES = {
    "format": ("edges", "matrixmarket", "parquet"),
    "header": ("yes", "no"),
    "ids": ("number", "text"),
    "duplicates": ("sum", "once"),
    "self_loops": ("keep", "drop"),
}


@dataclass(frozen=True)
class GraphOptions:
    """All of it as JSON values.

    format          edges, matrixmarket or parquet; None: by the files' names and first lines
    source, target  the columns of an edge's ends, by name or by number from 1; None: the first two
    weight          the column of its weight; None: all weigh 1 (Matrix Market: the entries are weights); "none": those are none
    header          lists: whether the first line names the columns; None: if it has no numbers where the second line has some
    ids             number, or text for nodes with names; None: as the first edge has them
    names           a file of ids and names; what it names is a node, whether an edge leads there or not
    undirected      each edge leads both ways
    duplicates      edges that are there twice: "sum" (their weights add up), or "once" (the heaviest counts)
    self_loops      edges from a node to itself: "keep" or "drop"
    """

    format: str | None = None
    source: str | None = None
    target: str | None = None
    weight: str | None = None
    header: str | None = None
    ids: str | None = None
    names: str | None = None
    undirected: bool = False
    duplicates: str = "sum"
    self_loops: str = "keep"


def check_options(options: GraphOptions) -> None:
    """Raises UsageError for what cannot be, whatever the files are."""
    for name, choices in CHOICES.items():
        given = getattr(options, name)
        if given is not None and given not in choices:
            raise UsageError(f"--{name.replace('_', '-')} {given}", f"it is one of: {', '.join(choices)}")
    if options.source is not None and options.source == options.target:
        raise UsageError(f"--source and --target are both {options.source}", "an edge has two ends, in two columns")
