"""regrow svd: words and documents as points, by a truncated singular value decomposition. One file for each command."""

from __future__ import annotations

import typer

from regrow.cli.svd.evaluate import evaluate
from regrow.cli.svd.query import query
from regrow.cli.svd.train import train

__all__ = ["svd"]

svd = typer.Typer(no_args_is_help=True, help="Projections (truncated singular value decomposition).", rich_markup_mode=None)
svd.command(short_help="Factor a matrix: text, bags of words, numbers, ratings.")(train)
svd.command(short_help="Show the words and documents most like some words.")(query)
svd.command(short_help="Say how much of the matrix the model has, band by band.")(evaluate)
