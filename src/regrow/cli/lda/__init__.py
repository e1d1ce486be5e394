"""regrow lda: topics. One file for each command."""

from __future__ import annotations

import typer

from regrow.cli.lda.evaluate import evaluate
from regrow.cli.lda.export import export
from regrow.cli.lda.infer import infer
from regrow.cli.lda.topics import topics
from regrow.cli.lda.train import train

__all__ = ["lda"]

lda = typer.Typer(no_args_is_help=True, help="Topics (latent Dirichlet allocation).", rich_markup_mode=None)
lda.command(short_help="Learn topics from documents.")(train)
lda.command(short_help="Show the most frequent words of each topic.")(topics)
lda.command(short_help="Give the topics of new documents.")(infer)
lda.command(short_help="Say how well a model serves documents that it has not seen, band by band.")(evaluate)
lda.command(short_help="Write the model for other programs.")(export)
