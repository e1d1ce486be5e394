"""What Python users hold: `regrow.LogisticRegression().fit(X, y)`, or of files: `.fit("clicks.csv", label="click")`."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from regrow.data.clicks import ClickOptions
from regrow.data.readonly import read_only
from regrow.errors import UsageError
from regrow.evaluation.clicks import log_losses
from regrow.launch import Run, launch, shared_cache
from regrow.models.habits import Estimator, WrongData, WrongKind, WrongUse, number, whole
from regrow.models.logistic import kernels
from regrow.models.logistic.memory import Learner, Rows
from regrow.models.logistic.model import ClickModel
from regrow.models.logistic.program import FTRL
from regrow.models.logistic.specs import clicks_spec, read_clicks, scoring_spec
from regrow.models.logistic.unseen import Scores, probabilities
from regrow.spec import How

__all__ = ["LogisticRegression"]

Array = npt.NDArray[Any]


class LogisticRegression(Estimator):
    """Logistic regression of two classes by FTRL-Proximal.

    alpha, beta     learning rate, and its offset
    l1, l2          regularisation
    passes          visits of all rows
    partitions      of examples: part of what the model is (see docs/clicks.md)
    workers, engine     of files: processes (None: as many as cores may be used); "local" or "inline"

    `fit` and `partial_fit` take a matrix and labels: scipy.sparse (with ids of 32 or 64 bits: what no row has costs nothing), numpy,
    pandas; `fit` also names of files, with the options of `regrow ctr train` by name: label, features, backoff, weight, time, ...

    After fit: `classes_`, `coef_` (float32 [1, n_features_in_]; scipy.sparse where there are over 10 million features), `intercept_`,
    `progressive_loss_` (mean log loss of rows before they were learned from), `seen_`; of files `model_` (ClickModel), `digest_`, `run_`.
    The same rows make the same weights, to the bit, from a matrix and from a file.
    """

    classes_: Array
    n_features_in_: int
    progressive_loss_: float
    model_: ClickModel
    digest_: str
    run_: Run
    learner_: Learner

    def __init__(
        self,
        alpha: float = 0.1,
        *,
        beta: float = 1.0,
        l1: float = 0.0,
        l2: float = 0.0,
        passes: int = 1,
        partitions: int = 4,
        workers: int | None = None,
        engine: str = "local",
    ) -> None:
        self.alpha = alpha
        self.beta = beta
        self.l1 = l1
        self.l2 = l2
        self.passes = passes
        self.partitions = partitions
        self.workers = workers
        self.engine = engine

    # Learning

    def fit(
        self,
        X: Any,  # noqa: N803 - the name that scikit-learn gives it
        y: Any = None,
        sample_weight: Any = None,
        *,
        run: str | Path | None = None,
        overwrite: bool = False,
        preempt: float | None = None,
        seed: int = 1,
        **options: Any,
    ) -> Self:
        """Learn from the beginning. X: a matrix, with labels y; or files, with the label among the options."""
        self._forget()
        files = _files(X)
        if files is None:
            if options or run is not None or preempt is not None:
                raise WrongUse(f"fit(X, y, {', '.join([*options, 'run', 'preempt'])}=...)", "these belong to files")
            for number_of in range(whole("passes", self.passes)):
                self._learn(X, y, sample_weight, None, first=number_of == 0)
            return self
        if y is not None:
            raise WrongUse("y together with files", 'name the column of the label: fit("rows.csv", label="click")')
        rates = self._program()
        try:
            asked = ClickOptions(**options)
        except TypeError as error:
            raise WrongUse(str(error), "the options are those of regrow ctr train") from None
        spec = clicks_spec(files, rates, seed=seed, options=asked, partitions=(whole("partitions", self.partitions), 1))
        how = How(self.engine, self.workers or 0, preempt, cache=shared_cache())
        self.run_ = launch(spec, how, run, overwrite=overwrite)
        self.model_, found = read_clicks(self.run_.path)
        self.digest_, self.classes_ = found.digest, np.array([0, 1])
        self.progressive_loss_ = self.model_.progressive_loss
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:  # noqa: N803
        """Learn from more rows, from where it stands: the state is exact, and survives pickling. `classes`: both labels, at the first call
        at the latest, unless its rows have both."""
        if hasattr(self, "model_"):
            raise WrongUse("partial_fit after fit on files", "go on with: regrow ctr train --continue RUN")
        self._learn(X, y, sample_weight, classes, first=not hasattr(self, "learner_"))
        return self

    def _forget(self) -> None:
        for name in ("learner_", "model_", "run_", "digest_", "classes_"):
            if hasattr(self, name):
                delattr(self, name)

    def _program(self) -> FTRL:
        alpha, beta, l1, l2 = ([number(name, getattr(self, name))] for name in ("alpha", "beta", "l1", "l2"))
        try:
            return FTRL(alpha, beta, l1, l2, whole("passes", self.passes))
        except UsageError as error:
            raise WrongUse(error.message, error.advice) from None

    def _learn(self, X: Any, y: Any, sample_weight: Any, classes: Any, *, first: bool) -> None:  # noqa: N803
        program = self._program()
        if whole("partitions", self.partitions) < 1:
            raise WrongUse(f"partitions={self.partitions}", "at least one")
        row_ptr, id, value, shape = _matrix(X)
        label = self._labels(y, shape[0], classes, first=first)
        weight = _weights(sample_weight, shape[0])
        if first:
            self.n_features_in_ = shape[1]
        self._check_width(shape[1])
        rates = np.array([program.alpha[0], program.beta[0], program.l1[0], program.l2[0]])
        learner = Learner(rates, self.partitions) if first else self.learner_.copy()
        loss = learner.learn(Rows(row_ptr, id, value, label, weight))
        wrong = learner.beyond()
        if wrong is not None or not np.isfinite(loss):
            where = "the log loss" if wrong is None else "the intercept" if wrong < 0 else f"the weight of column {wrong}"
            raise WrongData(
                f"Input X contains a value too large to learn from: {where} is no finite number",
                "scale columns so that values are near 1, or take a smaller alpha",
            )
        self.learner_ = learner
        if first or not hasattr(self, "progressive_loss_"):
            self.progressive_loss_ = loss
        self._coefficients: Any = None

    def _labels(self, y: Any, rows: int, classes: Any, *, first: bool) -> Array:
        """0 or 1 for each row."""
        if y is None:
            raise WrongData(f"requires y to be passed, but the target y is None: {type(self).__name__} learns from labels", "give y")
        y = np.asarray(y)
        if y.ndim == 2 and y.shape[1] == 1:
            theirs = sys.modules.get("sklearn.exceptions")
            kind = theirs.DataConversionWarning if theirs is not None else UserWarning
            warnings.warn("A column-vector y was passed when a 1d array was expected", kind, stacklevel=4)
            y = y.ravel()
        if y.ndim != 1 or len(y) != rows:
            raise WrongData(f"y has shape {y.shape}, and X has {rows} rows", "give one label for each row")
        if y.dtype.kind == "f" and not np.isfinite(y).all():
            raise WrongData("Input y contains NaN or infinity.", "give one of two labels for each row")
        if y.dtype.kind == "f" and (y != np.rint(y)).any():
            raise WrongData("Unknown label type: continuous", "give one of two labels for each row")
        found = np.unique(np.asarray(classes) if classes is not None else y)
        if first:
            if len(found) != 2:
                said = f"{len(found)} class" + ("es" if len(found) != 1 else "")
                raise WrongData(f"Only binary classification is supported. The labels have {said}", "give two; partial_fit takes classes=")
            self.classes_ = found
        if not np.isin(y, self.classes_).all():
            raise WrongData(f"y has labels other than {self.classes_.tolist()}", "give the labels that the first call had")
        label: Array = (y == self.classes_[1]).astype(np.uint8)
        return label

    def _check_width(self, width: int) -> None:
        if width != self.n_features_in_:
            raise WrongData(f"X has {width} features, but {type(self).__name__} is expecting {self.n_features_in_} features as input")

    # What was learned

    def __sklearn_is_fitted__(self) -> bool:
        """Whether fit has been called."""
        return hasattr(self, "learner_") or hasattr(self, "model_")

    @property
    def seen_(self) -> int:
        """How many rows were learned from, visits of all passes counted."""
        self._check_fitted()
        return self.learner_.seen if hasattr(self, "learner_") else int(self.run_.summary["examples"]) * self.passes

    @property
    def intercept_(self) -> Array:
        """The weight that every row has: float32 [1]."""
        self._check_fitted()
        return (self.learner_.weights() if hasattr(self, "learner_") else self.model_.weights)[:1]

    @property
    def coef_(self) -> Any:
        """The weights of the columns of the matrix."""
        self._check_fitted()
        if not hasattr(self, "learner_"):
            raise WrongUse("coef_ of a model of files", "its features have names: see model_.top(), or regrow ctr export")
        if self.n_features_in_ <= 10_000_000:
            dense = np.zeros((1, self.n_features_in_), np.float32)
            dense[0, self.learner_.ids] = self.learner_.weights()[1:]
            return dense
        from scipy.sparse import csr_array

        ids = self.learner_.ids
        return csr_array((self.learner_.weights()[1:], ids, np.array([0, len(ids)])), shape=(1, self.n_features_in_))

    def decision_function(self, X: Any, **options: Any) -> Array:  # noqa: N803
        """The log odds of the second class: float64 [rows]. X: a matrix, or files, as for fit."""
        self._check_fitted()
        files = _files(X)
        if hasattr(self, "model_"):
            if files is None:
                raise WrongUse("a matrix for a model of files", "name files with the columns of training")
            spec = scoring_spec(self.run_.path, files, Scores, options=ClickOptions(**options))
            found: Array = launch(spec, How("inline"), None).model["score"]
            return found
        if files is not None:
            raise WrongUse("files for a model of a matrix", "give a matrix")
        row_ptr, id, value, shape = _matrix(X)
        self._check_width(shape[1])
        ids, w = self.learner_.ids, self.learner_.weights()
        at = np.minimum(np.searchsorted(ids, id), max(len(ids) - 1, 0))
        known = (ids[at] == id) if len(ids) else np.zeros(len(id), bool)
        place = np.where(known, at + 1, -1)
        score, unseen, rarest = np.empty(shape[0]), np.empty(shape[0], np.int32), np.empty(shape[0], np.int64)
        arrays = (row_ptr, np.arange(len(id), dtype=np.int32), value, place, w, np.zeros(len(w), np.int64))
        score_rows: Any = kernels.scores
        score_rows(*(read_only(array) for array in arrays), score, unseen, rarest)
        return score

    def predict_proba(self, X: Any, **options: Any) -> Array:  # noqa: N803
        """The chances of both classes: float64 [rows, 2]."""
        p = probabilities(self.decision_function(X, **options))
        return np.stack([1 - p, p], axis=1)

    def predict(self, X: Any, **options: Any) -> Array:  # noqa: N803
        """The likelier class of each row."""
        likelier = (self.decision_function(X, **options) > 0).astype(int)
        found: Array = self.classes_[likelier]
        return found

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:  # noqa: N803
        """The share of rows whose class is predicted, as of all classifiers."""
        return float(np.average(self.predict(X) == np.asarray(y), weights=sample_weight))

    def log_loss(self, X: Any, y: Any) -> float:  # noqa: N803
        """The mean log loss in nats."""
        label = (np.asarray(y) == self.classes_[1]).astype(np.uint8)
        return float(log_losses(self.decision_function(X), label).mean())

    @property
    def _estimator_type(self) -> str:
        return "classifier"

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn may know of this estimator."""
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags(multi_class=False, poor_score=True),
            input_tags=InputTags(sparse=True),
        )


def _files(X: Any) -> list[str] | None:  # noqa: N803
    """Names of files, if that is what X is."""
    if isinstance(X, (str, Path)):
        return [str(X)]
    if isinstance(X, Sequence) and len(X) and all(isinstance(name, (str, Path)) for name in X):
        return [str(name) for name in X]
    return None


def _matrix(X: Any) -> tuple[Array, Array, Array, tuple[int, int]]:  # noqa: N803
    """(row_ptr int64, id int64, value float32, shape) of a matrix. Raises WrongData or WrongKind."""
    if hasattr(X, "tocsr"):
        if len(X.shape) != 2:
            raise WrongData(f"Expected 2D array, got {len(X.shape)}D array instead", "Reshape your data")
        csr = X.tocsr()
        if not csr.has_sorted_indices:
            csr = csr.sorted_indices()
        ptr, id, value, shape = csr.indptr, csr.indices, csr.data, csr.shape
    else:
        dense = np.asarray(X)
        if dense.dtype.kind == "O":
            try:
                dense = dense.astype(np.float64)
            except TypeError as error:
                raise WrongKind(f"the matrix holds what is no number: {error}", "give numbers") from None
            except ValueError as error:
                raise WrongData(f"the matrix holds what is no number: {error}", "give numbers") from None
        if dense.ndim != 2:
            kind = "scalar" if dense.ndim == 0 else f"{dense.ndim}D"
            raise WrongData(f"Expected 2D array, got {kind} array instead", "Reshape your data: a row for each example")
        rows, id = np.nonzero(dense)
        value, shape = dense[rows, id], dense.shape
        ptr = np.searchsorted(rows, np.arange(len(dense) + 1))
    if np.asarray(value).dtype.kind == "c":
        raise WrongData("Complex data not supported", "give real numbers")
    if np.asarray(value).dtype.kind not in "biuf":
        raise WrongData(f"the matrix has type {np.asarray(value).dtype}", "give numbers")
    for size, what in zip(shape, ("sample", "feature"), strict=True):
        if not size:
            raise WrongData(f"Found array with 0 {what}(s) (shape={tuple(shape)}) while a minimum of 1 is required.", "give at least one")
    with np.errstate(over="ignore"):
        value = np.asarray(value).astype(np.float32)
    if not np.isfinite(value).all():
        raise WrongData("Input X contains NaN, infinity or a value too large for float32.", "fill in or leave out missing values")
    return np.asarray(ptr).astype(np.int64), np.asarray(id).astype(np.int64), value, (int(shape[0]), int(shape[1]))


def _weights(sample_weight: Any, rows: int) -> Array:
    if sample_weight is None:
        return np.ones(rows, np.float32)
    weight = np.asarray(sample_weight, np.float32)
    weight = np.full(rows, weight) if weight.ndim == 0 else weight
    if weight.shape != (rows,):
        raise WrongData(f"sample_weight.shape == {weight.shape}, expected ({rows},)!", "give one for each row")
    if not np.isfinite(weight).all() or (weight < 0).any():
        raise WrongData("sample_weight has values below 0, NaN or infinity", "weights are numbers from 0 on")
    if not weight.any():
        raise WrongData("all sample weights are zero", "give at least one above 0")
    return weight
