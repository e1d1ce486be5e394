"""regrow pagerank: graphs. One file for each command."""

from __future__ import annotations

import typer

from regrow.cli.pagerank.components import components
from regrow.cli.pagerank.evaluate import evaluate
from regrow.cli.pagerank.top import top
from regrow.cli.pagerank.train import train

__all__ = ["pagerank"]

pagerank = typer.Typer(no_args_is_help=True, help="Ranks of nodes of a graph (PageRank), and its components.", rich_markup_mode=None)
pagerank.command(short_help="Rank the nodes of a graph by its edges.")(train)
pagerank.command(short_help="Show the nodes with the highest ranks.")(top)
pagerank.command(short_help="Say how exact the ranks are, from the highest tenth to the lowest.")(evaluate)
pagerank.command(short_help="Find the connected components of a graph.")(components)
