"""regrow svd query."""

from __future__ import annotations

from typing import Annotated

import typer

from regrow.cli.options import Json, Model

__all__ = ["query"]


def query(
    model: Model,
    words: Annotated[list[str], typer.Argument(metavar="WORDS", help="Words, or names of columns.", show_default=False)],
    count: Annotated[int, typer.Option("--count", "-n", metavar="N", help="How many of each to show.")] = 10,
    json: Json = False,
) -> None:
    """Show the words and the documents that are most like some words together, with the cosine.

    Documents are called by their name and their number, from 0. Text is cut into words as for training.
    """
    from regrow.cli.shown import print_json
    from regrow.models.svd.querying import queried
    from regrow.models.svd.specs import read_factors

    factors, files = read_factors(model)
    found = queried(factors, files.about.get("text", {}), words, count)
    if json:
        print_json(found.to_json())
        return
    print(found.text())
