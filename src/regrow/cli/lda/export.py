"""regrow lda export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from regrow.cli.options import Model

__all__ = ["export"]

FORMS = "npz, parquet (sparse counts), text, csv, json (most frequent words), gensim (LdaModel), mallet (state), pyldavis (its inputs)."


def export(
    model: Model,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write to.", show_default=False)],
    format: Annotated[str, typer.Option(metavar="NAME", help=FORMS)] = "npz",
    words: Annotated[int, typer.Option(metavar="N", help="Words of each topic, where the form lists them.")] = 10,
) -> None:
    """Write a topic model in a form that other programs read. Prints the files.

    Of a run, npz and parquet also hold the documents' topics; mallet and pyldavis need them, and a model folder alone has none.
    """
    from regrow.models.lda.exports import export_topics, needs_tokens
    from regrow.models.lda.specs import read_tokens, read_topics

    tells = needs_tokens(format)
    found = read_topics(model)
    for path in export_topics(found, format, out, None if tells is None else read_tokens(model), words):
        print(path)
