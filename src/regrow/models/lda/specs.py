"""What the commands and the estimator of topics ask of a run: to train, to go on, to read what came of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from regrow.data import TextOptions, describe, tokens_program
from regrow.data.vocabulary import read_vocabulary
from regrow.errors import DataError, UsageError
from regrow.job import ProgramName
from regrow.models.lda import program as programs
from regrow.models.lda.model import TopicModel
from regrow.spec import Spec
from regrow.store.model import read_model

__all__ = ["read_topics", "topics_spec"]

_PLACE = (programs.LDA.__module__, programs.LDA.__qualname__)


def topics_spec(
    paths: Sequence[str], program: programs.LDA, *, seed: int = 1, options: TextOptions | None = None, grid: tuple[int, int] | None = None
) -> Spec:
    """What to do to train topics on files. Raises DataError or UsageError for files and options that do not fit."""
    options = options or TextOptions()
    _check_memory(program.topics)
    source = describe(paths, options)
    tokens_program(source, options)  # so that what cannot be is said before there is a run
    if source.vocabulary is not None:
        read_vocabulary(source)
    return Spec("lda train", ProgramName(*_PLACE), program.parameters(), seed, source, options, "grid", grid, program.topics)


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
    if files.kind != ":".join(_PLACE):
        raise DataError(f"{path} holds a model of {files.kind}", "name a run of: regrow lda train")
    return TopicModel(files.arrays, files.parameters)
