"""regrow ctr: clicks. One file for each command."""

from __future__ import annotations

import typer

from regrow.cli.ctr.evaluate import evaluate
from regrow.cli.ctr.explain import explain
from regrow.cli.ctr.export import export
from regrow.cli.ctr.predict import predict
from regrow.cli.ctr.train import train

__all__ = ["ctr"]

ctr = typer.Typer(no_args_is_help=True, help="Clicks (logistic regression by FTRL-Proximal).", rich_markup_mode=None)
ctr.command(short_help="Learn the chance of a click from rows.")(train)
ctr.command(short_help="Give the chance of each new row.")(predict)
ctr.command(short_help="Say how well a model serves rows that it has not seen, band by band.")(evaluate)
ctr.command(short_help="Say which features make the chance of a row.")(explain)
ctr.command(short_help="Write the model for other programs.")(export)
