"""What the commands and the estimator of topics ask of a run: to train, to go on, to read what came of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from regrow.data import Source, TextOptions, describe, tokens_program
from regrow.data.vocabulary import read_vocabulary
from regrow.errors import DataError, UsageError
from regrow.job import ProgramName
from regrow.launch import own_way
from regrow.models.lda import program as programs
from regrow.models.lda.model import TopicModel
from regrow.spec import Spec
from regrow.store.model import read_model

__all__ = ["continued_spec", "read_topics", "topics_spec"]

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
    number of topics are the run's. Raises DataError if it holds no topics or not the data to go on from.
    """
    files = read_model(start)
    _check_kind(start, files.kind)
    for folder in ("data", "kept"):
        if not (start / folder / "dataset.json").exists():
            raise DataError(f"{start} holds no {folder} to go on from", "name the folder of a run, as training printed it first")
    text, options = files.about.get("text", {}), options or TextOptions()
    options = replace(own_way(files.about, options), min_count=text.get("min_count", 1))
    done = files.parameters.get("first_round", 0) + files.about["rounds"]
    parameters = {**files.parameters, "rounds": rounds, "first_round": done, "continued": True}
    program = programs.LDA(**parameters)
    source = describe(paths, options) if paths else Source("none", ())
    if source.vocabulary is not None:
        read_vocabulary(source)
    place, seed = ProgramName(*_PLACE), int(files.about["seed"])
    where = str(start.absolute())
    return Spec("lda train", place, program.parameters(), seed, source, options, "grid", grid, program.topics, start=where, spooled=spooled)


def _check_kind(path: Path, kind: str) -> None:
    if kind != ":".join(_PLACE):
        raise DataError(f"{path} holds a model of {kind}", "name a run of: regrow lda train")


def _check_memory(topics: int) -> None:
    """The totals of the topics must fit into memory: a worker holds them twice, and the model is made from them."""
    needed, there = 32 * topics, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > there:
        raise UsageError(
            f"{topics:,} topics need at least {needed / 2**30:,.0f} GiB of memory, and this machine has {there / 2**30:,.0f}",
            "take fewer, e.g. --topics 100",
        )


def read_topics(path: str | Path) -> TopicModel:
    """The topic model of a run or of a model folder. Raises DataError if there is none, or it is of another kind."""
    files = read_model(Path(path))
    _check_kind(Path(path), files.kind)
    return TopicModel(files.arrays, files.parameters)
