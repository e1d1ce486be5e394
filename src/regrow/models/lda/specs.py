"""What the commands and the estimator of topics ask of a run: to train, to go on, to read what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from regrow.data import Source, TextOptions, describe, tokens_program
from regrow.data.known import Reading
from regrow.data.vocabulary_files import read_vocabulary
from regrow.errors import DataError, UsageError
from regrow.job import ProgramName
from regrow.launch import check_names, own_way, unseen_spec
from regrow.memory import memory_bytes
from regrow.models.lda import program as programs
from regrow.models.lda.exports.documents import TokenTopics
from regrow.models.lda.model import TopicModel
from regrow.models.lda.unseen.completion import Completion
from regrow.models.lda.unseen.inference import Inference
from regrow.prepared import check_layout
from regrow.spec import Spec
from regrow.store.dataset import Dataset
from regrow.store.model import read_model

__all__ = ["completion_spec", "continued_spec", "inference_spec", "read_tokens", "read_topics", "told_of_memory", "topics_spec"]

TASK_BYTES = 64
"""What a task holds of each topic: totals, priors, the tables that topics are drawn from (see training/visits.py); 56 were measured."""
MODEL_BYTES = 40
"""What whoever makes the model holds of each: its total twice, its prior, its place among the largest."""
ROUND_BYTES = 8
"""What a round writes of each at least: every partition its share of the totals, and there are two or more."""
MUCH = 0.25
KEPT = "topics_of_tokens"
"""The layout of RUN/kept, a part for each row."""
_PLACE = (programs.LDA.__module__, programs.LDA.__qualname__)


def topics_spec(
    paths: Sequence[str],
    program: programs.LDA,
    *,
    seed: int = 1,
    options: TextOptions | None = None,
    grid: tuple[int, int] | None = None,
    spooled: tuple[str, ...] = (),
) -> Spec:
    """What to do to train topics on files; those in `spooled` move into the run.

    Raises DataError or UsageError for files and options that do not fit.
    """
    options = options or TextOptions()
    _check_memory(program.topics)
    source = describe(paths, options)
    tokens_program(source, options)  # so that what cannot be is said before there is a run
    if source.vocabulary is not None:
        read_vocabulary(source)
    place = ProgramName(*_PLACE)
    return Spec("lda train", place, program.parameters(), seed, source, options, "grid", grid, program.topics, spooled=spooled)


def continued_spec(
    start: Path,
    paths: Sequence[str],
    rounds: int,
    *,
    options: TextOptions | None = None,
    grid: tuple[int, int] | None = None,
    spooled: tuple[str, ...] = (),
) -> Spec:
    """What to do to go on with a finished run for more rounds, with its documents and those of `paths` after them.

    Topics keep their numbers and words theirs; words that the run has not seen are added. How text is cut into words, priors, seed and
    number of topics are the run's. Raises DataError if it holds no topics or not the data to go on from, or another version prepared that.
    """
    files = read_model(start)
    _check_kind(start, files.kind)
    for folder in ("data", "kept"):
        if not (start / folder / "dataset.json").exists():
            raise DataError(f"{start} holds no {folder} to go on from", "name the folder of a run, as training printed it first")
    check_layout(start)
    _check_kept(start)
    text, options = files.about.get("text", {}), options or TextOptions()
    options = replace(own_way(files.about, options, paths), min_count=text.get("min_count", 1))
    done = files.parameters.get("first_round", 0) + files.about["rounds"]
    parameters = {**files.parameters, "rounds": rounds, "first_round": done, "continued": True}
    program = programs.LDA(**parameters)
    source = describe(paths, options) if paths else Source("none", ())
    if paths:
        check_names(source, files.arrays["vocabulary.word"])
    if source.vocabulary is not None:
        read_vocabulary(source)
    place, seed = ProgramName(*_PLACE), int(files.about["seed"])
    where = str(start.absolute())
    return Spec("lda train", place, program.parameters(), seed, source, options, "grid", grid, program.topics, start=where, spooled=spooled)


def completion_spec(model: Path, paths: Sequence[str], *, options: TextOptions | None = None, spooled: tuple[str, ...] = ()) -> Spec:
    """What to do to measure a topic model on documents; those in `spooled` move into the run. Its arrays: see `Completion.model`.

    Raises DataError or UsageError for a model of another kind, and for files and options that do not fit.
    """
    _check_kind(model, read_model(model).kind)
    spec = unseen_spec("lda evaluate", Completion(), model, paths, options)
    own = spec.options
    reading = Reading(spec.source.format, spec.source.text_fields, "", own.lower, own.token_pattern, own.segment)
    return replace(spec, parameters=Completion(reading.to_json()).parameters(), spooled=spooled)


def inference_spec(
    model: Path, paths: Sequence[str], program: Inference, *, options: TextOptions | None = None, spooled: tuple[str, ...] = ()
) -> Spec:
    """What to do to give documents topics of a model, as lines; those in `spooled` move into the run. `program`: without its reading.

    Raises DataError or UsageError for a model of another kind, and for files and options that do not fit.
    """
    _check_kind(model, read_model(model).kind)
    spec = unseen_spec("lda infer", program, model, paths, options)
    own = spec.options
    reading = Reading(spec.source.format, spec.source.text_fields, own.id_field, own.lower, own.token_pattern, own.segment)
    return replace(spec, parameters=replace(program, reading=reading.to_json()).parameters(), spooled=spooled)


def _check_kind(path: Path, kind: str) -> None:
    if kind != ":".join(_PLACE):
        raise DataError(f"{path} holds a model of {kind}", "name a run of: regrow lda train")


def _check_kept(run: Path) -> None:
    """Raise DataError for a run whose tokens an earlier version kept in another form."""
    if KEPT not in Dataset.open(run / "kept").layouts:
        raise DataError(f"{run} was made by an earlier version, which kept its tokens otherwise", "train it again with this one")


def _check_memory(topics: int) -> None:
    """A task holds numbers of all topics, whatever the grid is."""
    there = memory_bytes()
    if TASK_BYTES * topics > there:
        raise UsageError(
            f"{topics:,} topics need {_gigabytes(TASK_BYTES * topics)} of memory for each task, and this machine gives {_gigabytes(there)}",
            "take fewer, e.g. --topics 100",
        )


def told_of_memory(topics: int, workers: int) -> str:
    """What so many topics take, if it is much of this machine's memory with a task at each worker; nothing otherwise."""
    there = memory_bytes()
    if topics * (TASK_BYTES * workers + MODEL_BYTES) < MUCH * there:
        return ""
    task, model, round = (_gigabytes(topics * each) for each in (TASK_BYTES, MODEL_BYTES, ROUND_BYTES))
    at_once = f", up to {workers} at a time" if workers > 1 else ""
    needed = f"{task} of memory for each task{at_once}, {model} for the model, {round} of disk for each round"
    return f"{topics:,} topics take {needed}; this machine gives {_gigabytes(there)} of memory"


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:,.1f} GB"


def read_topics(path: str | Path) -> TopicModel:
    """The topic model of a run or of a model folder. Raises DataError if there is none, or it is of another kind."""
    files = read_model(Path(path))
    _check_kind(Path(path), files.kind)
    return TopicModel(files.arrays, files.parameters)


def read_tokens(path: str | Path) -> TokenTopics | None:
    """The topics of the tokens that a run was trained on; None if it does not hold them, as a model folder alone does not."""
    path = Path(path)
    if not all((path / folder / "dataset.json").exists() for folder in ("data", "kept")):
        return None
    _check_kept(path)
    about, data, kept = read_model(path).about, Dataset.open(path / "data"), Dataset.open(path / "kept")
    if about["data"] != data.digest:
        raise DataError(f"{path}/data is not what its model was trained on", "train again, or fetch the run again")
    places = {"rows": (data, "rows"), "columns": (data, "columns"), "kept": (kept, KEPT)}
    return TokenTopics(
        lambda layout, number: places[layout][0].part(places[layout][1], number),
        data.layouts["rows"],
        data.layouts["columns"],
        int(about["parameters"]["topics"]),
        int(data.facts["documents"]),
    )
