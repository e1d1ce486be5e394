"""regrow lda evaluate."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from regrow.cli.options import Engine as EngineName
from regrow.cli.options import (
    Files,
    Format,
    Header,
    Json,
    Model,
    Overwrite,
    Preempt,
    TextField,
    Verify,
    Vocabulary,
    Workers,
    how,
)

if TYPE_CHECKING:
    from regrow.launch import Run

__all__ = ["evaluate"]


def evaluate(
    model: Model,
    heldout: Files,
    against: Annotated[
        Path | None, typer.Option(metavar="RUN2", help="Another model, to compare with on the same documents.", show_default=False)
    ] = None,
    png: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the table by band.", show_default=False)] = None,
    vocab: Vocabulary = None,
    format: Format = None,
    text_field: TextField = None,
    header: Header = None,
    run: Annotated[
        Path | None, typer.Option("--run", metavar="DIR", help="Keep what was measured [a temporary folder].", show_default=False)
    ] = None,
    workers: Workers = None,
    engine: EngineName = None,
    preempt: Preempt = None,
    verify: Verify = "off",
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Say how well a model serves documents that it has not seen: perplexity, and loss and gain by frequency of the word in training.

    A half of each document tells its topics, the other half is scored. The text is cut into words as for training.
    """
    from regrow.cli.shown import print_json
    from regrow.cli.writing import check_picture
    from regrow.data import TextOptions
    from regrow.launch import with_stdin
    from regrow.models.lda.unseen.completion_report import compared, fields_of, perplexity_line, text_of

    if png is not None:
        check_picture(png)
    options = TextOptions(format=format, text_field=text_field, vocabulary=vocab, header=header)
    way = how(engine, workers, preempt, None, verify)
    with with_stdin(heldout) as (files, spooled):
        first = _measured(model, files, options, spooled, way, run, overwrite)
        if spooled:  # they have moved into the run
            files = [str(first.path / "input" / Path(file).name) if file in spooled else file for file in files]
        second = None
        if against is not None:
            beside = None if run is None else run.with_name(f"{run.name}-against")
            second = _measured(against, files, options, (), way, beside, overwrite)
    if png is not None:
        _draw(png, {str(model): first.model} | ({} if second is None else {str(against): second.model}))
    comparison = None if second is None else compared(first.model, second.model)
    if json:
        found = fields_of(first.model)
        if second is not None and comparison is not None:
            other = {name: value for name, value in fields_of(second.model).items() if name != "bands"}
            found["against"] = {"model": str(against), **other, **comparison.to_json()}
        print_json(found)
        return
    print(text_of(first.model))
    if second is not None and comparison is not None:
        print(f"\nagainst {against}: {perplexity_line(fields_of(second.model))}")
        print(f"difference in loss, nats per token: below 0 {model} is better; {comparison.resamples:,} resamples of the documents")
        print(comparison.text("tokens"))


def _measured(model: Path, files: list[str], options: Any, spooled: tuple[str, ...], way: Any, run: Path | None, overwrite: bool) -> Run:
    """Measure a model on files, with progress on stderr."""
    from regrow.cli.shown import Bar, Lines
    from regrow.launch import launch
    from regrow.models.lda.specs import completion_spec

    spec = completion_spec(model, files, options=options, spooled=spooled)
    watcher = Bar(run) if sys.stderr.isatty() else Lines(run)
    try:
        return launch(spec, way, run, watcher, overwrite=overwrite)
    finally:
        watcher.close()


def _draw(png: Path, measured: Mapping[str, Mapping[str, Any]]) -> None:
    from regrow.evaluation import draw
    from regrow.models.lda.unseen.completion_report import tail_of

    draw(png, {name: tail_of(arrays) for name, arrays in measured.items()})
