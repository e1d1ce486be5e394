"""regrow ctr export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from regrow.cli.options import Model
from regrow.errors import UsageError

__all__ = ["export"]


def export(
    model: Model,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file to write.", show_default=False)],
    format: Annotated[
        str | None, typer.Option("--format", metavar="NAME", help="parquet or onnx [by the name of the file].", show_default=False)
    ] = None,
) -> None:
    """Write the model for other programs: a table of field, value, weight and count (parquet), or a graph (ONNX)."""
    from regrow.cli.writing import written_whole
    from regrow.data.clicks import ClickOptions
    from regrow.models.logistic.exports import export_onnx, export_parquet
    from regrow.models.logistic.specs import read_clicks

    kind = format or out.suffix.removeprefix(".")
    if kind not in ("parquet", "onnx"):
        raise UsageError(f"--out {out}", "say --format parquet or onnx")
    clicks, files = read_clicks(model)
    with written_whole(out) as place:
        if kind == "parquet":
            export_parquet(clicks, place)
        else:
            export_onnx(clicks, ClickOptions(**files.about["text"]), place)
