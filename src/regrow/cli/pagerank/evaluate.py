"""regrow pagerank evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from regrow.cli.options import Json, Model

__all__ = ["evaluate"]


def evaluate(
    model: Model,
    against: Annotated[
        Path | None, typer.Option(metavar="RUN2", help="Another run: how much its ranks differ, tenth by tenth.", show_default=False)
    ] = None,
    set: Annotated[str | None, typer.Option(metavar="NAME", help="The ranks of this set of seeds [the first].", show_default=False)] = None,
    json: Json = False,
) -> None:
    """Say how far ranks are from the exact ones, from the highest tenth of the nodes to the lowest.

    The exact ones are solved for here, from the run's own graph, in longer numbers than those of training.
    """
    from regrow.cli.shown import print_json
    from regrow.models.pagerank.measuring import compared
    from regrow.models.pagerank.specs import exact_ranks, read_ranks

    found, _ = read_ranks(model)
    if against is None:
        report = exact_ranks(model, set)
    else:
        report = compared(found, read_ranks(against)[0], set)
    if json:
        print_json(report.to_json())
    else:
        print(report.text())
