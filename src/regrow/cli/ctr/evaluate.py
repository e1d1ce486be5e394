"""regrow ctr evaluate."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from regrow.cli.ctr.options import BadRows, Format, Label, Since, Time, Until
from regrow.cli.options import Engine as EngineName
from regrow.cli.options import Files, Header, Json, Model, Overwrite, Preempt, Verify, Workers, how
from regrow.errors import DataError

if TYPE_CHECKING:
    from regrow.evaluation import ClickReport
    from regrow.evaluation.paired import Comparison
    from regrow.launch import Run

__all__ = ["evaluate"]

Against = Annotated[Path | None, typer.Option(metavar="RUN2", help="Another model, to compare with on the same rows.", show_default=False)]
BandField = Annotated[
    str | None, typer.Option(metavar="NAME", help="Bands by the features of this field [by the rarest of all].", show_default=False)
]
Png = Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the table by band.", show_default=False)]
Kept = Annotated[Path | None, typer.Option("--run", metavar="DIR", help="Keep what was measured [a temporary folder].", show_default=False)]


def evaluate(
    model: Model,
    heldout: Files,
    against: Against = None,
    field: BandField = None,
    png: Png = None,
    label: Label = None,
    time: Time = None,
    since: Since = None,
    until: Until = None,
    bad_rows: BadRows = "fail",
    format: Format = None,
    header: Header = None,
    run: Kept = None,
    workers: Workers = None,
    engine: EngineName = None,
    preempt: Preempt = None,
    verify: Verify = "off",
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Say how well a model serves rows that it has not seen: log loss, AUC, calibration and slope, by how often training had the rarest
    feature of a row. With --against, both are measured on the bands of the first."""
    from regrow.cli.shown import print_json
    from regrow.cli.writing import check_picture
    from regrow.data.clicks import ClickOptions
    from regrow.evaluation import ClickReport, draw
    from regrow.launch import with_stdin
    from regrow.models.logistic.specs import read_clicks

    if png is not None:
        check_picture(png)
    options = ClickOptions(format=format, label=label, time=time, since=since, until=until, header=header, bad_rows=bad_rows)
    way = how(engine, workers, preempt, None, verify, cache=False)
    clicks, trained = read_clicks(model)
    base_rate, weighs = clicks.base_rate, trained.about["text"].get("weight")
    with with_stdin(heldout) as (files, spooled):
        first = _measured(model, files, options, field, spooled, way, run, overwrite)
        if spooled:  # they have moved into the run
            files = [str(first.path / "input" / Path(file).name) if file in spooled else file for file in files]
        second = None
        if against is not None:
            beside = None if run is None else run.with_name(f"{run.name}-against")
            second = _measured(against, files, options, None, (), way, beside, overwrite)
    rows = first.model
    if not len(rows["score"]):
        raise _no_row(int(first.files.about["metrics"].get("bad_rows", 0)))
    if len(rows["weight"]) and not rows["weight"].any():
        raise _no_weight(heldout, len(rows["score"]), weighs)
    report = ClickReport.of(rows["score"], rows["label"], rows["weight"], rows["band"], base_rate)
    other = None if second is None or against is None else _beside(model, against, rows, second.model, base_rate)
    if png is not None:
        reports = {str(model): report.tail} | ({} if other is None else {str(against): other.report.tail})
        draw(png, reports, f"{len(rows['score']):,} examples")
    if json:
        about = {} if other is None else {"against": other.to_json()}
        print_json(report.to_json() | {"metrics": first.files.about["metrics"]} | about)
        return
    print(report.text())
    _print_counts(first.files.about["metrics"])
    if other is not None:
        print(other.text())


def _no_row(bad: int) -> DataError:
    """The error for files of which no row is left; bad: how many are broken."""
    advice = "without --bad-rows skip the first is told" if bad else "check --format, --since and --until"
    return DataError(f"there is not one row to measure{f': {bad:,} broken rows were left out' if bad else ''}", advice)


def _no_weight(files: list[str], rows: int, column: str | None) -> DataError:
    """The error for rows that all weigh 0; column: the one that says what they weigh."""
    where = f'the column "{column}" says' if column else "the lines say"
    return DataError(f"{', '.join(map(str, files))}: all {rows:,} rows weigh 0", f"{where} what a row weighs: some must be above 0")


@dataclass(frozen=True)
class _Beside:
    """Another model on the same rows."""

    model: Path
    other: Path
    report: ClickReport
    comparison: Comparison

    def to_json(self) -> dict[str, Any]:
        """What `--json` says of it."""
        measures = {name: value for name, value in self.report.to_json().items() if name != "bands"}
        return {"model": str(self.other), **measures, **self.comparison.to_json()}

    def text(self) -> str:
        """Its table, and that of the differences."""
        what = f"difference in log loss, nats per example: below 0 {self.model} is better"
        told = f"{what}; {self.comparison.resamples:,} resamples of blocks of rows\n{self.comparison.text('examples')}"
        return f"\nagainst {self.other}:\n{self.report.text()}\n\n{told}"


def _beside(model: Path, other: Path, rows: Mapping[str, Any], others: Mapping[str, Any], base_rate: float) -> _Beside:
    """The other model's report on the bands of the first. Raises DataError if it was measured on other rows."""
    from regrow.evaluation import ClickReport, blocks_of, compare_clicks

    if len(others["score"]) != len(rows["score"]) or (others["label"] != rows["label"]).any():
        raise DataError(f"{other} reads other rows or labels of the same files", "compare models with the same label and format")
    report = ClickReport.of(others["score"], rows["label"], rows["weight"], rows["band"], base_rate)
    blocks = blocks_of(rows["moment"], len(rows["score"]))
    comparison = compare_clicks(rows["score"], others["score"], rows["label"], rows["weight"], rows["band"], blocks)
    return _Beside(model, other, report, comparison)


def _print_counts(metrics: dict[str, float]) -> None:
    """What was counted besides."""
    names = {
        "unseen": "features not seen in training",
        "missing": "missing values",
        "bad_rows": "broken rows left out",
        "left_out": "rows outside of the time",
    }
    told = [f"{int(metrics[name]):,} {words}" for name, words in names.items() if metrics.get(name)]
    if told:
        print(", ".join(told))


def _measured(
    model: Path, files: list[str], options: Any, field: str | None, spooled: tuple[str, ...], way: Any, run: Path | None, overwrite: bool
) -> Run:
    """Score files, with progress on stderr."""
    from regrow.cli.shown import Bar, Lines
    from regrow.launch import launch
    from regrow.models.logistic.specs import own_options, read_clicks, scoring_spec
    from regrow.models.logistic.topic_specs import with_topics
    from regrow.models.logistic.unseen import Scores

    known = own_options(read_clicks(model)[1], options)
    watcher = Bar(run) if sys.stderr.isatty() else Lines(run)
    try:
        with with_topics(files, spooled, known, way) as (names, own, _):
            spec = scoring_spec(model, names, Scores, options=options, field=field or "", spooled=own)
            return launch(spec, way, run, watcher, overwrite=overwrite)
    finally:
        watcher.close()
