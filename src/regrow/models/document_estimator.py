"""What estimators that learn from documents share: files, texts or tables go in, a model in a folder comes out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from regrow.data import TextOptions
from regrow.errors import DataError, RegrowError, UsageError
from regrow.launch import Run, shared_cache
from regrow.models.counts import Counts
from regrow.models.given import Given
from regrow.models.habits import Estimator, WrongData, WrongUse, number, whole
from regrow.spec import How
from regrow.store.model import publish_model

__all__ = ["WORDS", "DocumentEstimator", "as_value_error"]

WORDS = ("text_field", "lower", "stop_words", "min_count", "max_doc_share", "token_pattern", "segment")
"""Parameters that say how text is cut into words."""


class DocumentEstimator(Estimator):
    """Subclasses have the parameters of WORDS, workers and engine, `fit`, `transform`, and a `model_` with its arrays."""

    model_: Any
    run_: Run | None
    n_features_in_: int
    text_field: str | None
    lower: bool
    stop_words: str | None
    min_count: int
    max_doc_share: float
    token_pattern: str | None
    segment: str
    workers: int | None
    engine: str
    _about: dict[str, Any]
    _reader: Any

    def _read(self) -> Any:
        """What reads new documents as the model knows them."""
        raise NotImplementedError

    def _options(self) -> TextOptions:
        words = {name: getattr(self, name) for name in WORDS}
        words |= {"min_count": whole("min_count", self.min_count), "max_doc_share": number("max_doc_share", self.max_doc_share)}
        return TextOptions(**words)

    def _how(self, found: Given, workers: int | None, engine: str | None, preempt: float | None, *, small: bool) -> How:
        """How to run: small inputs in this process; what was in memory is not kept for other runs."""
        engine, workers = engine or self.engine, whole("workers", workers or self.workers or 0)
        small = small and preempt is None
        if engine == "auto":
            engine = "inline" if small else "local"
        return How(engine, workers, preempt, verify=not small, cache=shared_cache() if found.files is not None else None)

    def _note_columns(self, counts: Counts | None) -> None:
        for name in ("n_features_in_", "feature_names_in_"):
            vars(self).pop(name, None)
        if counts is not None:
            self.n_features_in_ = counts.shape[1]
            if counts.names is not None:
                self.feature_names_in_ = np.array(counts.names, object)

    def fit_transform(self, X: Any, y: object = None, **how: Any) -> Any:  # noqa: N803 - the name that scikit-learn gives it
        """Learn from documents, and give what `transform` then gives of them."""
        X = list(X) if isinstance(X, Iterator) else X  # noqa: N806 - it is read twice
        own: Any = self  # each says itself what its `fit` takes
        return own.fit(X, y, **how).transform(X)

    def save(self, path: str | Path) -> None:
        """Write the model to a new folder. Raises UsageError if it is there already."""
        self._check_fitted()
        path = Path(path)
        if path.exists():
            raise WrongUse(f"{path} is there already", "take another name")
        path.parent.mkdir(parents=True, exist_ok=True)
        about = {name: value for name, value in self._about.items() if name not in ("format", "digest")}
        publish_model(path, self.model_.arrays, about)

    def __getstate__(self) -> Mapping[str, Any]:
        """Everything but what can be made again; a temporary run does not travel."""
        state = {name: value for name, value in vars(self).items() if name != "_reader"}
        return state | {"run_": None} if state.get("_temporary") else state

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        vars(self).update(state)
        if "model_" in state:
            self._reader = self._read()


def as_value_error(error: RegrowError) -> RegrowError:
    """The same error as one that is a ValueError too, which callers of scikit-learn catch."""
    for kind, ours in ((DataError, WrongData), (UsageError, WrongUse)):
        if isinstance(error, kind) and not isinstance(error, (ValueError, TypeError)):
            return ours(error.message, error.advice)
    return error
