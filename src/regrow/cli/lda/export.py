"""regrow lda export."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from regrow.cli.options import Model
from regrow.errors import UsageError

__all__ = ["export"]


def export(
    model: Model,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write to.", show_default=False)],
    format: Annotated[str, typer.Option(metavar="NAME", help="npz: counts.npz (scipy CSR, words x topics) and vocab.txt.")] = "npz",
) -> None:
    """Write a topic model in a form that other programs read. Prints the files."""
    from regrow.models.lda.specs import read_topics

    if format != "npz":
        raise UsageError(f"--format {format}", "the format is npz")
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file", "name a folder: --out DIR")
    found = read_topics(model)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out, prefix=".export-") as aside:  # so that no file is ever half-written
            found.export_npz(aside)
            for name in ("counts.npz", "vocab.txt"):
                os.replace(Path(aside) / name, out / name)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}", "name another folder: --out DIR") from None
    print(f"{out / 'counts.npz'}\n{out / 'vocab.txt'}")
