"""regrow ctr predict."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from regrow.cli.ctr.options import BadRows, Format, Since, Time, Until
from regrow.cli.options import DurableEvery, Engine, Files, Header, Model, Overwrite, Preempt, Verify, Workers, how

if TYPE_CHECKING:
    from regrow.launch import Run
    from regrow.running import Watcher
    from regrow.spec import How, Spec

__all__ = ["predict"]


def predict(
    model: Model,
    files: Files,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write to a file: .parquet, or lines [standard output].", show_default=False),
    ] = None,
    time: Time = None,
    since: Since = None,
    until: Until = None,
    bad_rows: BadRows = "fail",
    format: Format = None,
    header: Header = None,
    run: Annotated[
        Path | None, typer.Option("--run", metavar="DIR", help="The run's directory, to be resumed [a temporary one].", show_default=False)
    ] = None,
    workers: Workers = None,
    engine: Engine = None,
    preempt: Preempt = None,
    durable_every: DurableEvery = None,
    verify: Verify = "off",
    overwrite: Overwrite = False,
) -> None:
    """Give the chance of a click of each row, in order: one line of JSON for each.

    {"p": 0.0123456789, "label": 0, "unseen": 2}

    "label" is there if the row has one; "unseen" counts features that training never met. A file .parquet has the same columns.
    """
    from regrow.cli.shown import Bar, Lines, time_bounds
    from regrow.data.clicks import ClickOptions
    from regrow.launch import launch, with_stdin
    from regrow.models.logistic.specs import own_options, read_clicks, scoring_spec
    from regrow.models.logistic.topic_specs import with_topics
    from regrow.models.logistic.unseen import Predictions

    options = ClickOptions(format=format, time=time, since=since, until=until, header=header, bad_rows=bad_rows)
    way = how(engine, workers, preempt, durable_every, verify, cache=False)
    known = own_options(read_clicks(model)[1], options)
    with with_stdin(files) as (given, own), with_topics(given, own, known, way) as (names, spooled, _):
        spec = scoring_spec(model, names, Predictions, options=options, spooled=spooled)
        watcher = Bar(run) if sys.stderr.isatty() else Lines(run)
        with contextlib.closing(watcher):
            done = _to_file(out, spec, way, run, watcher, overwrite) if out else launch(spec, way, run, watcher, overwrite=overwrite)
    if run is not None:
        print(f"{done.summary['output']}, SHA-256 {done.digest}", file=sys.stderr)
    broken = int(done.summary["metrics"].get("bad_rows", 0))
    if broken:
        print(f"{broken:,} broken rows were left out", file=sys.stderr)
    if bounds := time_bounds(vars(options)):
        within, beyond = (int(done.summary["metrics"][name]) for name in ("examples", "left_out"))
        print(f"{bounds}: {within:,} rows are within, {beyond:,} were left out", file=sys.stderr)


def _to_file(out: Path, spec: Spec, way: How, run: Path | None, watcher: Watcher, overwrite: bool) -> Run:
    """Predict into a file, which is there when all of it is. Raises UsageError if it cannot be written."""
    from regrow.cli.writing import written_whole
    from regrow.launch import launch
    from regrow.models.logistic.predicted import Sink

    with written_whole(out) as place, Sink(place, parquet=out.suffix == ".parquet") as sink:
        watcher.output = sink.write  # type: ignore[method-assign]
        return launch(spec, way, run, watcher, overwrite=overwrite)
