"""What Python users hold: `regrow.LDA(n_topics=100).fit("docs.txt")`, or a step of a pipeline of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from regrow.data import TextOptions
from regrow.data.known import KnownDocuments
from regrow.errors import RegrowError, UsageError
from regrow.launch import Run, launch, own_way
from regrow.memory import memory_bytes
from regrow.models.counts import check_columns
from regrow.models.document_estimator import WORDS, DocumentEstimator, as_value_error
from regrow.models.given import as_files, given
from regrow.models.habits import WrongData, number, whole
from regrow.models.lda import program as programs
from regrow.models.lda.exports import export_topics, needs_tokens
from regrow.models.lda.held_out import HeldOut
from regrow.models.lda.model import TopicModel
from regrow.models.lda.reading import Reader
from regrow.models.lda.specs import read_tokens, read_topics, topics_spec
from regrow.models.lda.unseen.inference import Method
from regrow.store.model import ModelFiles, read_model

__all__ = ["LDA", "read_topics", "topics_spec"]

Array = npt.NDArray[Any]

SMALL = 40_000_000
"""Bytes of input times rounds up to which a run in this process is done before worker processes have started."""
CELLS_MAX = 1 << 27
"""Cells of a dense array that is made without being asked twice: 1 GiB."""


class LDA(DocumentEstimator):
    """Latent Dirichlet allocation.

    n_topics            K, from 2 to 2^31
    alpha_sum           the prior of topics in a document, summed over topics (short documents want little)
    alpha               the same per topic; overrides alpha_sum
    beta                the prior of one word in a topic
    rounds              visits of all tokens
    seed                of all random numbers; the same seed on the same data gives the same bytes, whatever the workers
    start               what the first round begins with: "minhash" or "random" (see docs/sampler.md)
    draws               the model counts so many draws of each token in the last round, and divides by their number; 1: the last topics
    learn_alpha, learn_beta     learn how frequent each topic is, and the prior of a word in a topic, every learn_every rounds
    merge_every         rounds between two mergers of topics that say the same; 0: none
    likelihood_every    rounds between two looks at the log-likelihood; 0: only at the end
    text_field, lower, stop_words, min_count, max_doc_share, token_pattern, segment
                        how text is cut into words, as the options of `regrow lda train` say it
    inference           of topics of new documents: "sampling", the mean of `samples` sweeps, or "argmax", faster and coarser; random
                        numbers come from the document's text, so that its topics are the same every time
    workers             processes; None: as many as cores may be used
    engine              "local" (worker processes), "inline" (this process), "auto": inline if the input is small

    After `fit`: `model_` (TopicModel), `digest_` (64 hex digits), `log_likelihood_` (joint, nats per token), `run_`; of tables of
    counts also `n_features_in_` and, if the columns have names, `feature_names_in_`. scikit-learn's estimator checks hold, and it is
    not needed.

    What `fit`, `transform` and the scores take: names of files (one, or a list all of which are there), or Paths; a list of
    strings, each a document; a list of lists of strings, each a word; a table of counts, documents by words: numpy, pandas,
    scipy.sparse. The same documents make the same model in whatever form they come with the same words in the same order.
    """

    model_: TopicModel
    digest_: str
    log_likelihood_: float
    run_: Run | None
    n_features_in_: int
    _run_folder: Path | None = None

    def __init__(
        self,
        n_topics: int = 100,
        *,
        alpha_sum: float = 5.0,
        alpha: float | None = None,
        beta: float = 0.01,
        rounds: int = 200,
        seed: int = 1,
        start: str = "minhash",
        draws: int = 16,
        learn_alpha: bool = False,
        learn_beta: bool = False,
        learn_every: int = 10,
        merge_every: int = 0,
        likelihood_every: int = 10,
        text_field: str | None = None,
        lower: bool = True,
        stop_words: str | None = None,
        min_count: int = 1,
        max_doc_share: float = 1.0,
        token_pattern: str | None = None,
        segment: str = "auto",
        inference: str = "sampling",
        samples: int = 20,
        workers: int | None = None,
        engine: str = "auto",
    ) -> None:
        self.n_topics = n_topics
        self.alpha_sum = alpha_sum
        self.alpha = alpha
        self.beta = beta
        self.rounds = rounds
        self.seed = seed
        self.start = start
        self.draws = draws
        self.learn_alpha = learn_alpha
        self.learn_beta = learn_beta
        self.learn_every = learn_every
        self.merge_every = merge_every
        self.likelihood_every = likelihood_every
        self.text_field = text_field
        self.lower = lower
        self.stop_words = stop_words
        self.min_count = min_count
        self.max_doc_share = max_doc_share
        self.token_pattern = token_pattern
        self.segment = segment
        self.inference = inference
        self.samples = samples
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
        grid: tuple[int, int] | None = None,
    ) -> Self:
        """Learn topics from documents (see above); returns self.

        vocabulary      the words of a table's columns, where it is no DataFrame
        workers, engine     override those of the estimator
        run             keep the run in this folder, so that it can be resumed; None: a temporary one
        options         how files are read and cut into words, whole; None: as the estimator's parameters say
        Raises DataError (file and line are named) or UsageError, which are ValueErrors too; Paused.
        """
        found, options = given(X, type(self).__name__), options or self._options()
        try:
            program, seed = self._program(), whole("seed", self.seed)
            with as_files(found, options, vocabulary) as (files, read_as, spooled):
                spec = topics_spec(files, program, seed=seed, options=read_as, grid=grid, spooled=spooled)
                small = spec.source.bytes * self.rounds <= SMALL
                how = self._how(found, workers, engine, preempt, small=small)
                self.run_ = launch(spec, how, run, overwrite=overwrite)
        except RegrowError as error:
            raise as_value_error(error) from error
        self._temporary, self._read_as = run is None, options
        self._note_columns(found.counts)
        self._take(read_model(self.run_.path))
        return self

    def _program(self) -> programs.LDA:
        topics = whole("n_topics", self.n_topics)
        return programs.LDA(
            topics,
            number("alpha_sum", self.alpha_sum) if self.alpha is None else number("alpha", self.alpha) * topics,
            number("beta", self.beta),
            whole("rounds", self.rounds),
            whole("likelihood_every", self.likelihood_every),
            start=self.start,
            draws=whole("draws", self.draws),
            learn_alpha=bool(self.learn_alpha),
            learn_beta=bool(self.learn_beta),
            learn_every=whole("learn_every", self.learn_every),
            merge_every=whole("merge_every", self.merge_every),
        )

    def _take(self, files: ModelFiles) -> None:
        self.model_ = TopicModel(files.arrays, files.parameters)
        self.digest_ = files.digest
        self.log_likelihood_ = float(files.about["metrics"]["final_log_likelihood"])
        self._about = dict(files.about)
        self._reader = self._read()

    def _read(self) -> Reader:
        return Reader(self.model_.arrays)

    # What was learned

    @property
    def outputs(self) -> int:
        """K of the fitted model."""
        return self.model_.topics

    @property
    def components_(self) -> Array:
        """The counts of words in topics, plus beta: float64 [K, V], as scikit-learn's. Raises WrongUse beyond 1 GiB."""
        self._check_fitted()
        advice = "model_.to_scipy() gives the counts alone, sparse"
        try:
            table: Array = self.model_.dense(CELLS_MAX, "components_", advice)
        except UsageError as error:
            raise as_value_error(error) from error
        table += float(self.model_.arrays["beta"][0])
        return table

    def top_words(self, n: int = 10) -> list[list[tuple[str, float]]]:
        """The n most frequent words of each topic with their counts."""
        self._check_fitted()
        return self.model_.top_words(n)

    # Documents that it has not seen

    def transform(self, X: Any) -> Any:  # noqa: N803
        """The topics of documents: float64 [documents, K], rows sum to 1; a DataFrame where `set_output` asks for one.

        A row depends on its document and on the model alone. Raises as `fit` does.
        """
        self._check_fitted()
        method, blocks = self._method(), [np.empty((0, self.model_.topics))]

        def work(known: KnownDocuments) -> None:
            _check_room(sum(map(len, blocks)) + len(known.doc_ptr) - 1, self.model_.topics)
            blocks.append(self._reader.topics_of(known, method))

        self._each(X, work)
        return self._contained(np.concatenate(blocks), X)

    def _method(self) -> Method:
        try:
            return Method(self.inference, samples=whole("samples", self.samples))
        except UsageError as error:
            raise as_value_error(error) from None

    def score(self, X: Any, y: object = None) -> float:  # noqa: N803
        """The mean log probability, in nats, of the scored half of the documents' words, when the other half is observed: more is better.

        Document completion, as `regrow lda evaluate` has it. Not a number, with a warning, if there is nothing to score. Raises as `fit`.
        """
        self._check_fitted()
        held_out = HeldOut(self.model_.arrays)
        self._each(X, held_out.add)
        return held_out.mean()

    def perplexity(self, X: Any) -> float:  # noqa: N803
        """exp(-score): from how many words, all alike, the next one seems to be drawn."""
        return float(np.exp(-self.score(X)))

    def _each(self, documents: Any, work: Callable[[KnownDocuments], None]) -> None:
        """Do something with the documents, as numbers of the model's words, part by part."""
        found = given(documents, type(self).__name__)
        names: Sequence[str] | None = None
        if found.counts is not None:
            width = getattr(self, "n_features_in_", len(self.model_.vocabulary))
            check_columns(found.counts, width, getattr(self, "feature_names_in_", None), type(self).__name__)
            names = list(self.model_.vocabulary)
        options = replace(self._read_as, id_field="")
        try:
            with as_files(found, own_way(self._about, options, found.files or ()), names) as (files, read_as, _):
                self._reader.each(files, read_as, work)
        except RegrowError as error:
            raise as_value_error(error) from error

    # On disk

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The model of a folder that `save` wrote, or of a finished run. Raises DataError."""
        path = Path(path)
        read_topics(path)
        files = read_model(path)
        made = cls(files.parameters["topics"], seed=files.about["seed"])
        made.set_params(**{name: value for name, value in files.parameters.items() if name in cls._defaults()})
        made.set_params(**{name: value for name, value in files.about.get("text", {}).items() if name in WORDS})
        made.run_, made._temporary = None, True
        made._run_folder = path.absolute() if (path / "run.json").exists() else None
        made._read_as = made._options()
        made._take(files)
        return made

    def export(self, format: str, folder: str | Path, *, words: int = 10) -> list[Path]:
        """Write the model for other programs, as `regrow lda export` does; returns the files. Raises UsageError or DataError."""
        self._check_fitted()
        tells = needs_tokens(format)
        run = self.run_.path if self.run_ is not None else self._run_folder
        return export_topics(self.model_, format, Path(folder), read_tokens(run) if run is not None and tells is not None else None, words)


def _check_room(documents: int, topics: int) -> None:
    """Dense topics of so many documents must fit into memory."""
    needed, there = 8 * documents * topics, memory_bytes()
    if needed > there:
        raise WrongData(
            f"{topics:,} topics of over {documents:,} documents need more than {needed / 2**30:,.0f} GiB, dense",
            "regrow lda infer gives the largest of each document",
        )
