"""The command `regrow`: its commands, and how errors reach a person."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Annotated

import typer

from regrow.cli.lda import lda
from regrow.cli.runs import add_run_commands
from regrow.errors import RegrowError

__all__ = ["app", "main"]

app = typer.Typer(
    name="regrow",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Train long-tail models on processes that may be taken away at any moment, and end with the same bytes.",
)
app.add_typer(lda, name="lda")
add_run_commands(app)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"regrow {version('regrow')}")
        raise typer.Exit


@app.callback()
def top(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")] = False,
) -> None:
    """Train long-tail models on processes that may be taken away at any moment, and end with the same bytes."""


def main() -> None:
    """Run the command line. Exit codes: see INTERFACE in the documentation (0, 1, 2, 3, 4, 75, 130)."""
    try:
        app()
    except RegrowError as error:
        print(f"regrow: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("regrow: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader of our output has gone: that is no fault
        sys.exit(0)
    except Exception as error:
        traceback.print_exc()
        print(f"regrow: {type(error).__name__}: {error}\n        this is a fault of regrow: please report it", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
