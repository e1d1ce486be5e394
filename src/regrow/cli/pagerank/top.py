"""regrow pagerank top."""

from __future__ import annotations

from typing import Annotated

import typer

from regrow.cli.options import Json, Model
from regrow.errors import UsageError

__all__ = ["top"]


def top(
    model: Model,
    count: Annotated[int, typer.Option(metavar="N", help="How many.")] = 10,
    set: Annotated[str | None, typer.Option(metavar="NAME", help="The ranks of this set of seeds [the first].", show_default=False)] = None,
    json: Json = False,
) -> None:
    """Show the nodes with the highest ranks: place, name, rank."""
    from regrow.cli.shown import print_json
    from regrow.models.pagerank.specs import read_ranks

    if count < 1:
        raise UsageError(f"--count {count}", "at least one")
    found = read_ranks(model)[0].top(count, set)
    if json:
        print_json([{"place": place, "name": name, "rank": rank} for place, (name, rank) in enumerate(found, 1)])
        return
    for place, (name, rank) in enumerate(found, 1):
        print(f"{place}\t{name}\t{rank:.12g}")
