"""regrow lda topics."""

from __future__ import annotations

from typing import Annotated

import typer

from regrow.cli.options import Json, Model

__all__ = ["topics"]


def topics(
    model: Model,
    words: Annotated[int, typer.Option(metavar="N", help="Words of each topic.")] = 10,
    json: Json = False,
) -> None:
    """Show each topic's most frequent words: number, tokens, words."""
    from regrow.cli.shown import print_json
    from regrow.models.lda.specs import read_topics

    found = read_topics(model)
    totals, lists = found.tokens_of_topics(), found.top_words(words)
    if json:
        print_json([{"topic": k, "tokens": totals[k], "words": pairs} for k, pairs in enumerate(lists)])
        return
    for k, pairs in enumerate(lists):
        print(f"{k}\t{totals[k]}\t{' '.join(word for word, _ in pairs)}")
