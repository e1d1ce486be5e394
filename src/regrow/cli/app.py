"""The commands of `regrow`."""

from __future__ import annotations

from typing import Annotated

import typer

from regrow.cli.ask import ask
from regrow.cli.ctr import ctr
from regrow.cli.lda import lda
from regrow.cli.pagerank import pagerank
from regrow.cli.runs import add_run_commands
from regrow.cli.serve import serve
from regrow.cli.simulate import simulate
from regrow.cli.steering import add_steering_commands
from regrow.cli.svd import svd

__all__ = ["app"]

app = typer.Typer(
    name="regrow",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train long-tail models on processes that may be taken away at any moment, and end with the same bytes.",
)
app.add_typer(lda, name="lda")
app.add_typer(ctr, name="ctr")
app.add_typer(pagerank, name="pagerank")
app.add_typer(svd, name="svd")
add_run_commands(app)
add_steering_commands(app)
app.command(short_help="Serve a model over HTTP: several processes, the first answer goes out.")(serve)
app.command(short_help="Ask a service for the topics of a text, or the chance of a click.")(ask)
app.add_typer(simulate, name="simulate")


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"regrow {version('regrow')}")
        raise typer.Exit


@app.callback()
def every(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")] = False,
) -> None:
    """Train long-tail models on processes that may be taken away at any moment, and end with the same bytes."""
