"""What Python users hold: `regrow.TruncatedSVD(100).fit("docs.txt")`, or a step of a pipeline of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from regrow.data import TextOptions
from regrow.errors import RegrowError
from regrow.launch import Run, launch, own_way
from regrow.models.counts import Counts, check_columns
from regrow.models.document_estimator import WORDS, DocumentEstimator, as_value_error
from regrow.models.given import Given, as_files, given
from regrow.models.habits import WrongData, whole
from regrow.models.svd.model import FactorModel
from regrow.models.svd.nouns import nouns_of
from regrow.models.svd.program import SVD
from regrow.models.svd.querying import Found, queried
from regrow.models.svd.reading import Reader
from regrow.models.svd.specs import factors_spec, read_factors
from regrow.store.model import ModelFiles, read_model

__all__ = ["TruncatedSVD"]

Array = npt.NDArray[Any]

SMALL = 200_000_000
"""Bytes of input times the rank up to which a run in this process is done before worker processes have started."""


class TruncatedSVD(DocumentEstimator):
    """Truncated singular value decomposition.

    n_components        k, the rank
    scaling             what is factored: "chi2" (residuals of counts), "tfidf", "none"; "auto": chi2 for counts, none for other numbers
    power               visits of the matrix from both sides; more make it more exact
    oversampling        columns of the sketch beyond k; None: a tenth of it and ten
    seed                of the random start; the same seed on the same data gives the same bytes, whatever the workers
    text_field, lower, stop_words, min_count, max_doc_share, token_pattern, segment
                        how text is cut into words, as the options of `regrow svd train` say it
    workers             processes; None: as many as cores may be used
    engine              "local" (worker processes), "inline" (this process), "auto": inline if the input is small

    After `fit`: `components_` float64 [k, columns], `singular_values_`, `explained_variance_` and `explained_variance_ratio_` [k], of the
    matrix as it was scaled; `model_` (FactorModel), `digest_` (64 hex digits), `run_`; of tables also `n_features_in_` and, if the columns
    have names, `feature_names_in_`. scikit-learn's estimator checks hold, and it is not needed.

    What `fit` and `transform` take: names of files (one, or a list all of which are there), or Paths; a list of strings, each a
    document; a list of lists of strings, each a word; a table of numbers, documents by words: numpy, pandas, scipy.sparse. With scaling
    "none" that is what sklearn.decomposition.TruncatedSVD does; nothing is centred.
    """

    model_: FactorModel
    digest_: str
    run_: Run | None
    n_features_in_: int

    def __init__(
        self,
        n_components: int = 100,
        *,
        scaling: str = "auto",
        power: int = 4,
        oversampling: int | None = None,
        seed: int = 1,
        text_field: str | None = None,
        lower: bool = True,
        stop_words: str | None = None,
        min_count: int = 1,
        max_doc_share: float = 1.0,
        token_pattern: str | None = None,
        segment: str = "auto",
        workers: int | None = None,
        engine: str = "auto",
    ) -> None:
        self.n_components = n_components
        self.scaling = scaling
        self.power = power
        self.oversampling = oversampling
        self.seed = seed
        self.text_field = text_field
        self.lower = lower
        self.stop_words = stop_words
        self.min_count = min_count
        self.max_doc_share = max_doc_share
        self.token_pattern = token_pattern
        self.segment = segment
        self.workers = workers
        self.engine = engine

    # Learning

    def fit(
        self,
        X: Any,  # noqa: N803 - the name that scikit-learn gives it
        y: object = None,
        *,
        vocabulary: Sequence[str] | None = None,
        workers: int | None = None,
        engine: str | None = None,
        run: str | Path | None = None,
        overwrite: bool = False,
        preempt: float | None = None,
        options: TextOptions | None = None,
    ) -> Self:
        """Factor the matrix of documents (see above); returns self.

        vocabulary      the names of a table's columns, where it is no DataFrame
        workers, engine     override those of the estimator
        run             keep the run in this folder, so that it can be resumed; None: a temporary one
        options         how files are read and cut into words, whole; None: as the estimator's parameters say
        Raises DataError (file and line are named) or UsageError, which are ValueErrors too; Paused.
        """
        found = given(X, type(self).__name__, whole=False)
        options = options or self._options()
        try:
            program, seed = self._program(found.counts), whole("seed", self.seed)
            with as_files(found, options, vocabulary) as (files, read_as, spooled):
                spec = factors_spec(files, program, seed=seed, options=read_as, spooled=spooled)
                small = spec.source.bytes * int(self.n_components) <= SMALL
                how = self._how(found, workers, engine, preempt, small=small)
                self.run_ = launch(spec, how, run, overwrite=overwrite)
        except RegrowError as error:
            raise as_value_error(error) from error
        self._temporary, self._read_as = run is None, options
        self._note_columns(found.counts)
        self._take(read_model(self.run_.path))
        return self

    def _program(self, counts: Counts | None) -> SVD:
        more = None if self.oversampling is None else whole("oversampling", self.oversampling)
        program = SVD(whole("n_components", self.n_components), self.scaling, whole("power", self.power), more)
        if counts is not None and self.scaling == "none" and not len(counts.counts):
            raise WrongData("all values of the matrix are 0: there is nothing to factor", "give at least one that is not 0")
        if counts is not None and program.rank > min(counts.shape):
            raise WrongData(
                f"n_components={program.rank} with n_samples = {counts.shape[0]} and n_features = {counts.shape[1]}",
                "there are no more singular values than the less of the two",
            )
        return program

    def _take(self, files: ModelFiles) -> None:
        self.model_ = FactorModel(files.arrays, files.parameters, nouns_of(files.about))
        self.digest_ = files.digest
        self._about = dict(files.about)
        self._reader = self._read()

    def _read(self) -> Reader:
        return Reader(self.model_.arrays)

    # What was learned

    @property
    def outputs(self) -> int:
        """k of the fitted model."""
        return self.model_.rank

    @property
    def components_(self) -> Array:
        """The right singular vectors: float64 [k, columns]."""
        self._check_fitted()
        found: Array = self.model_.vectors.T
        return found

    @property
    def singular_values_(self) -> Array:
        """float64 [k], descending."""
        self._check_fitted()
        return self.model_.singular_values

    @property
    def explained_variance_(self) -> Array:
        """The variance of the training documents along each component: float64 [k]."""
        self._check_fitted()
        mean = (self.model_.vectors * self.model_.arrays["vocabulary.mean"][:, None]).sum(axis=0)
        found: Array = np.maximum(self.singular_values_**2 / self.model_.documents - mean**2, 0.0)
        return found

    @property
    def explained_variance_ratio_(self) -> Array:
        """The same as a share of the variance of all columns, as they were scaled: float64 [k]."""
        arrays = self.model_.arrays
        everything = float((arrays["vocabulary.energy"] / self.model_.documents - arrays["vocabulary.mean"] ** 2).sum())
        return self.explained_variance_ / everything if everything > 0 else np.zeros(self.outputs)

    def query(self, words: str | Sequence[str], n: int = 10) -> Found:
        """The words and documents most like some words together, as `regrow svd query` shows them. Raises as `fit` does."""
        self._check_fitted()
        try:
            return queried(self.model_, self._about.get("text", {}), [words] if isinstance(words, str) else list(words), n)
        except RegrowError as error:
            raise as_value_error(error) from error

    # Documents that it has not seen

    def transform(self, X: Any) -> Any:  # noqa: N803
        """Where documents are along the components: float64 [documents, k]; a DataFrame where `set_output` asks for one.

        A row depends on its document and on the model alone. Raises as `fit` does.
        """
        self._check_fitted()
        found = given(X, type(self).__name__, whole=False)
        if found.counts is not None:
            width = getattr(self, "n_features_in_", len(self.model_.vocabulary))
            check_columns(found.counts, width, getattr(self, "feature_names_in_", None), type(self).__name__)
            return self._contained(self._placed(found.counts.ptr, found.counts.columns, found.counts.counts), X)
        blocks = [np.empty((0, self.outputs))]

        def work(ptr: Array, index: Array, value: Array) -> None:
            blocks.append(self._placed(ptr, index, value))

        self._each(found, work)
        return self._contained(np.concatenate(blocks), X)

    def _placed(self, ptr: Array, index: Array, value: Array) -> Array:
        if self.model_.scaling != "none" and (value < 0).any():
            raise WrongData(f"Negative values in data passed to {type(self).__name__}", f"scaling {self.model_.scaling} is for counts")
        return self.model_.folded(ptr, index, value)

    def _each(self, found: Given, work: Callable[[Array, Array, Array], None]) -> None:
        options = replace(self._read_as, id_field="")
        try:
            with as_files(found, own_way(self._about, options, found.files or ())) as (files, read_as, _):
                self._reader.each(files, read_as, work)
        except RegrowError as error:
            raise as_value_error(error) from error

    def inverse_transform(self, X: Any) -> Array:  # noqa: N803
        """From coordinates [documents, k] back to the matrix as it was scaled: float64 [documents, columns]."""
        self._check_fitted()
        found: Array = np.asarray(X, np.float64) @ self.components_
        return found

    # On disk

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The model of a folder that `save` wrote, or of a finished run. Raises DataError."""
        _, files = read_factors(path)
        own = files.parameters
        made = cls(own["rank"], scaling=own["scaling"], power=own["power"], oversampling=own["oversampling"], seed=files.about["seed"])
        made.set_params(**{name: value for name, value in files.about.get("text", {}).items() if name in WORDS})
        made.run_, made._temporary = None, True
        made._read_as = made._options()
        made._take(files)
        return made

    def __sklearn_tags__(self) -> Any:
        """Numbers of any kind are taken."""
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = False
        tags.input_tags.categorical = False
        return tags
