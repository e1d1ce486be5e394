"""What Python users hold: `regrow.LDA(n_topics=100).fit("docs.txt")`."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from regrow.data import TextOptions
from regrow.errors import UsageError
from regrow.launch import Run, launch, shared_cache
from regrow.models.lda import program as programs
from regrow.models.lda.model import TopicModel
from regrow.models.lda.specs import read_topics, topics_spec
from regrow.spec import How
from regrow.store.model import read_model

__all__ = ["LDA", "read_topics", "topics_spec"]

class LDA:
    """Latent Dirichlet allocation.

    n_topics            K, from 2 to 2^31
    alpha_sum           the prior of topics in a document, summed over topics (short documents want little)
    alpha               the same per topic; overrides alpha_sum
    beta                the prior of one word in a topic
    rounds              visits of all tokens
    seed                of all random numbers; the same seed on the same data gives the same bytes, whatever the workers

    After `fit`: `model_` (TopicModel), `digest_` (64 hex digits), `log_likelihood_` (joint, nats per token), `run_`.
    """

    def __init__(
        self,
        n_topics: int = 100,
        *,
        alpha_sum: float = 5.0,
        alpha: float | None = None,
        beta: float = 0.01,
        rounds: int = 200,
        seed: int = 1,
        likelihood_every: int = 10,
    ) -> None:
        self.n_topics = n_topics
        self.alpha_sum = alpha_sum
        self.alpha = alpha
        self.beta = beta
        self.rounds = rounds
        self.seed = seed
        self.likelihood_every = likelihood_every

    def fit(
        self,
        files: str | Path | Sequence[str | Path],
        *,
        workers: int | None = None,
        engine: str = "local",
        run: str | Path | None = None,
        overwrite: bool = False,
        preempt: float | None = None,
        options: TextOptions | None = None,
        grid: tuple[int, int] | None = None,
    ) -> Self:
        """Learn topics from files (text, jsonl, csv, tsv, bags of words; plain or gzipped); returns self.

        workers: processes; None: as many as cores may be used. run: keep the run in this folder, so that it can be resumed; None: a
        temporary one. Raises DataError (file and line are named), UsageError, Paused.
        """
        names = [str(file) for file in ([files] if isinstance(files, (str, Path)) else files)]
        alpha_sum = self.alpha_sum if self.alpha is None else self.alpha * self.n_topics
        program = programs.LDA(self.n_topics, alpha_sum, self.beta, self.rounds, self.likelihood_every)
        spec = topics_spec(names, program, seed=self.seed, options=options, grid=grid)
        self.run_: Run | None = launch(spec, How(engine, workers or 0, preempt, cache=shared_cache()), run, overwrite=overwrite)
        self._take(self.run_.path)
        return self

    def _take(self, path: Path) -> None:
        files = read_model(path)
        self.model_ = TopicModel(files.arrays, files.parameters)
        self.digest_ = files.digest
        self.log_likelihood_ = float(files.about["metrics"]["final_log_likelihood"])
        self._folder = files.path

    def top_words(self, n: int = 10) -> list[list[tuple[str, int]]]:
        """The n most frequent words of each topic with their counts."""
        self._check_fitted()
        return self.model_.top_words(n)

    def save(self, path: str | Path) -> None:
        """Write the model to a new folder. Raises UsageError if it is there already."""
        self._check_fitted()
        if Path(path).exists():
            raise UsageError(f"{path} is there already", "take another name")
        shutil.copytree(self._folder, path)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The model of a folder that `save` wrote, or of a finished run. Raises DataError."""
        files = read_model(Path(path))
        found: dict[str, Any] = dict(files.parameters)
        made = cls(found["topics"], alpha_sum=found["alpha_sum"], beta=found["beta"], rounds=found["rounds"], seed=files.about["seed"])
        made.run_ = None
        made._take(Path(path))
        return made

    def _check_fitted(self) -> None:
        if not hasattr(self, "model_"):
            raise UsageError("this LDA has learned nothing yet", "call fit(files) first")

    def __repr__(self) -> str:
        return f"LDA(n_topics={self.n_topics}, alpha_sum={self.alpha_sum}, beta={self.beta}, rounds={self.rounds}, seed={self.seed})"
