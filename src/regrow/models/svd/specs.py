"""What the commands and the estimator of factors ask of a run: to train, to read what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from regrow.data import TextOptions, tokens_program
from regrow.data.matrix import describe_matrix
from regrow.data.vocabulary_files import read_vocabulary
from regrow.errors import DataError
from regrow.job import ProgramName
from regrow.models.svd.model import FactorModel
from regrow.models.svd.nouns import nouns_of
from regrow.models.svd.program import SVD
from regrow.spec import Spec
from regrow.store.model import ModelFiles, read_model

__all__ = ["factors_spec", "read_factors"]

_PLACE = (SVD.__module__, SVD.__qualname__)


def factors_spec(
    paths: Sequence[str],
    program: SVD,
    *,
    seed: int = 1,
    options: TextOptions | None = None,
    ratings: str | None = None,
    blocks: tuple[int, int] | None = None,
    spooled: tuple[str, ...] = (),
) -> Spec:
    """What to do to factor the matrix in files; those in `spooled` move into the run.

    ratings     tables: the columns of the row, the column and the value of an entry, e.g. "user,item,rating"
    blocks      of rows and of columns; None: from the data
    Raises DataError or UsageError for files and options that do not fit.
    """
    options = options or TextOptions()
    source = describe_matrix(paths, options, ratings)
    if source.kind in ("text", "bag"):
        tokens_program(source, options)  # so that what cannot be is said before there is a run
    if source.vocabulary is not None:
        read_vocabulary(source)
    place = ProgramName(*_PLACE)
    return Spec("svd train", place, program.parameters(), seed, source, options, "matrix", blocks, program.rank, spooled=spooled)


def read_factors(path: str | Path) -> tuple[FactorModel, ModelFiles]:
    """The model of a run or of a model folder. Raises DataError if there is none, or it is of another kind."""
    files = read_model(Path(path))
    if files.kind != ":".join(_PLACE):
        raise DataError(f"{path} holds a model of {files.kind}", "name a run of: regrow svd train")
    return FactorModel(files.arrays, files.parameters, nouns_of(files.about)), files
