"""What the commands and the estimator of clicks ask of a run: to train, to read what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from regrow.data.clicks import ClickOptions, describe_clicks
from regrow.errors import DataError, UsageError
from regrow.job import ProgramName
from regrow.models.logistic.model import ClickModel
from regrow.models.logistic.program import FTRL, RATES
from regrow.models.logistic.unseen import Predictions, Scores
from regrow.spec import Spec
from regrow.store.model import ModelFiles, read_model

__all__ = ["clicks_spec", "continued_clicks_spec", "own_options", "read_clicks", "scoring_spec"]

_PLACE = (FTRL.__module__, FTRL.__qualname__)


def clicks_spec(
    paths: Sequence[str],
    program: FTRL,
    *,
    seed: int = 1,
    options: ClickOptions | None = None,
    partitions: tuple[int, int] | None = None,
    spooled: tuple[str, ...] = (),
) -> Spec:
    """What to do to train on files; those in `spooled` move into the run. partitions: of examples and of weights; None: from the data.

    Raises DataError or UsageError for files and options that do not fit.
    """
    source, settled = describe_clicks(paths, options or ClickOptions())
    program = replace(program, calibrate=settled.calibrate is not None)
    fields = [item[0] for item in source.plan["items"]]
    if settled.calibrate and fields and settled.calibrate not in fields:
        raise UsageError(f"--calibrate {settled.calibrate}", f"name one of the features: {', '.join(fields)}; or all, for one of all rows")
    if source.format == "libsvm" and any(program.fields):
        raise UsageError("--field has no meaning for libsvm files: their features have no fields", "leave it out")
    if unknown := [name for name in program.fields if fields and name not in fields]:
        raise UsageError(f"--field {unknown[0]}: no feature has it", f"the fields are: {', '.join(fields)}")
    if partitions is not None and not (1 <= partitions[0] <= 256 and 1 <= partitions[1] <= 256 and partitions[1].bit_count() == 1):
        raise UsageError(f"--partitions {partitions[0]}x{partitions[1]}", "from 1 to 256 of examples x a power of two of weights, e.g. 4x2")
    return Spec("ctr train", ProgramName(*_PLACE), program.parameters(), seed, source, settled, "clicks", partitions, spooled=spooled)


def continued_clicks_spec(
    start: Path, paths: Sequence[str], *, passes: int = 1, options: ClickOptions | None = None, spooled: tuple[str, ...] = ()
) -> Spec:
    """What to do to go on from a finished run with new rows: features keep their state and their counts, new ones are added.

    Rates, columns and seed are the run's; `options` says what differs: format, time, rows that are broken. Raises DataError or UsageError.
    """
    model, files = read_clicks(start)
    kept = int(model.arrays["kept"][0])
    rates = {name: [float(model.arrays[f"models.{name}"][kept])] for name in RATES}
    seen = int(files.parameters["seen"]) + int(files.about["facts"]["examples"])
    program = FTRL(**rates, passes=passes, fields=files.parameters["fields"], seen=seen, calibrate=files.parameters["calibrate"])  # type: ignore[arg-type]
    source, settled = describe_clicks(paths, own_options(files, options or ClickOptions()))
    grid, where = None, str(start.absolute())
    place, seed = ProgramName(*_PLACE), int(files.about["seed"])
    return Spec("ctr train", place, program.parameters(), seed, source, settled, "clicks", grid, start=where, spooled=spooled)


def scoring_spec(
    model: Path,
    paths: Sequence[str],
    kind: type[Scores] | type[Predictions],
    *,
    options: ClickOptions | None = None,
    field: str = "",
    spooled: tuple[str, ...] = (),
) -> Spec:
    """What to do to score rows under a model. `options`: what differs from training: format, label, time, header, rows that are broken.

    Raises DataError or UsageError for files that have not the model's columns, or a field that the model has not.
    """
    found, files = read_clicks(model)
    if field and field not in found.fields:
        raise UsageError(f"--field {field}", f"the model's fields are: {', '.join(name for name in found.fields if name)}")
    own = own_options(files, options or ClickOptions())
    source, settled = describe_clicks(paths, own, needs_label=kind.needs_label)
    said = source.to_json()
    program = kind(said["format"], said["plan"], own.hash_bits, own.bad_rows == "skip", field, own.calibrate or "")
    command = "ctr evaluate" if kind is Scores else "ctr predict"
    place, where = ProgramName(kind.__module__, kind.__qualname__), str(Path(model).absolute())
    return Spec(command, place, program.parameters(), int(files.about["seed"]), source, settled, "text", model=where, spooled=spooled)


def own_options(files: ModelFiles, asked: ClickOptions) -> ClickOptions:
    """How a model reads rows: as in training, but for what is asked otherwise."""
    known = ClickOptions(**files.about["text"])
    changes = {name: getattr(asked, name) for name in ("format", "label", "weight", "time", "since", "until", "header")}
    given = {name: value for name, value in changes.items() if value is not None}
    return replace(known, **{"since": None, "until": None, **given}, bad_rows=asked.bad_rows)


def read_clicks(path: str | Path) -> tuple[ClickModel, ModelFiles]:
    """The model of a run or of a model folder. Raises DataError if there is none, or it is of another kind."""
    files = read_model(Path(path))
    if files.kind != ":".join(_PLACE):
        raise DataError(f"{path} holds a model of {files.kind}", "name a run of: regrow ctr train")
    return ClickModel(files.arrays, files.parameters), files
