"""regrow svd evaluate."""

from __future__ import annotations

from typing import Annotated

import typer

from regrow.cli.options import Format, Header, Json, Model, TextField, Vocabulary
from regrow.errors import UsageError

__all__ = ["evaluate"]


def evaluate(
    model: Model,
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILES]", help="Rows that it was not trained on; none: what was trained on.", show_default=False),
    ] = None,
    vocab: Vocabulary = None,
    format: Format = None,
    text_field: TextField = None,
    header: Header = None,
    json: Json = False,
) -> None:
    """Say how exact a model is, and how much of the matrix it has: in all, and of rare and frequent words.

    Energy is the sum of squares of what was factored. A band's loss is the share of its energy that the model has not. With FILES: of
    their rows, scaled as those of training; words and columns that the model does not know are left out.
    """
    from regrow.cli.shown import print_json
    from regrow.data import TextOptions
    from regrow.launch import own_way, with_stdin
    from regrow.models.svd.heldout import heldout
    from regrow.models.svd.specs import read_factors

    factors, about = read_factors(model)
    options = TextOptions(format=format, text_field=text_field, vocabulary=vocab, header=header, id_field="")
    if not files:
        if options != TextOptions(id_field=""):
            raise UsageError("--vocab, --format, --text-field and --header say how FILES are read", "name them, or leave the options out")
        print_json(factors.to_json()) if json else print(factors.summary())
        return
    with with_stdin(files) as (names, _):
        found = heldout(factors, names, own_way(about.about, options, names))
    print_json(found.to_json()) if json else print(found.text())
