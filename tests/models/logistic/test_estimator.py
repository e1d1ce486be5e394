"""regrow.LogisticRegression: scikit-learn's habits and checks, files, exact going on, ids of 64 bits."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array, csr_matrix
from sklearn.base import clone
from sklearn.datasets import load_svmlight_file
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils.estimator_checks import estimator_checks_generator

import regrow
from models.logistic.clicks import csv_text, libsvm_text
from models.logistic.test_program import trained
from regrow.errors import UsageError

_WEIGHTS = "one pass sees a row of weight 2 once, not two rows: as SGDClassifier, it learns from rows in their order"
CANNOT = dict.fromkeys(("check_sample_weight_equivalence_on_dense_data", "check_sample_weight_equivalence_on_sparse_data"), _WEIGHTS)
"""Checks of scikit-learn that cannot hold, and why."""


def checks() -> list[Any]:
    with pytest.warns(UserWarning, match="does not inherit"):  # on purpose: scikit-learn is optional
        generated = list(estimator_checks_generator(regrow.LogisticRegression(), expected_failed_checks=CANNOT, mark="xfail"))
    found = []
    for check in generated:
        values, marks = getattr(check, "values", check), getattr(check, "marks", ())
        name = str(getattr(values[1], "func", values[1]).__name__) + ("-memmap" if "readonly" in str(values[1]) else "")
        found.append(pytest.param(*values, id=name, marks=marks))
    return found


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.parametrize(("estimator", "check"), checks())
def test_a_check_of_scikit_learn_holds(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.fixture(scope="module")
def matrix() -> tuple[Any, Any]:
    X, y = load_svmlight_file(io.BytesIO(libsvm_text(4_000).encode()))  # noqa: N806
    return csr_matrix(X), (y > 0).astype(int)


def test_a_matrix_and_a_file_make_the_same_weights_to_the_bit(tmp_path: Path, matrix: tuple[Any, Any]) -> None:
    model = trained(tmp_path, libsvm_text(4_000), partitions=(4, 1))
    learned = regrow.LogisticRegression().fit(*matrix)
    by_name = dict(zip(model.arrays["features.value"], model.weights.tolist(), strict=True))
    assert by_name.pop("(bias)") == learned.intercept_[0]
    assert {int(name): weight for name, weight in by_name.items()} == {
        int(id) + 1: float(learned.coef_[0, id])
        for id in learned.learner_.ids  # the loader counts from 0
    }
    assert learned.progressive_loss_ == pytest.approx(model.progressive_loss, rel=1e-12)


def test_it_predicts_about_as_well_as_scikit_learns(matrix: tuple[Any, Any]) -> None:
    X, y = matrix  # noqa: N806
    ours = regrow.LogisticRegression(passes=10).fit(X, y)
    theirs = LogisticRegression(C=1.0, max_iter=500).fit(X, y)
    agreed = np.mean(ours.predict(X) == theirs.predict(X))
    assert agreed > 0.93
    p = ours.predict_proba(X)
    assert np.allclose(p.sum(axis=1), 1)
    assert np.array_equal(p[:, 1] > 0.5, ours.predict(X) == 1)
    assert ours.score(X, y) > theirs.score(X, y) - 0.02


def test_partial_fit_goes_on_exactly_also_after_pickling(matrix: tuple[Any, Any]) -> None:
    X, y = matrix  # noqa: N806
    whole, pieces = regrow.LogisticRegression(), regrow.LogisticRegression()
    for start in range(0, 4_000, 1_000):
        whole.partial_fit(X[start : start + 1_000], y[start : start + 1_000], classes=[0, 1])
        pieces = pickle.loads(pickle.dumps(pieces)).partial_fit(X[start : start + 1_000], y[start : start + 1_000], classes=[0, 1])
    assert np.array_equal(whole.coef_, pieces.coef_)
    assert whole.seen_ == 4_000
    assert np.array_equal(regrow.LogisticRegression().fit(X, y).coef_, regrow.LogisticRegression().partial_fit(X, y).coef_)


def test_ids_of_64_bits_cost_nothing() -> None:
    ids = np.array([3, 10**15, 3, 2**61], np.int64)
    X = csr_array((np.ones(4), ids, np.array([0, 2, 3, 4])), shape=(3, 2**62))  # noqa: N806
    assert X.indices.dtype == np.int64
    learned = regrow.LogisticRegression().fit(X, [1, 0, 1])
    assert learned.learner_.ids.tolist() == [3, 10**15, 2**61]
    assert learned.coef_.shape == (1, 2**62)
    assert learned.predict_proba(X).shape == (3, 2)


def test_labels_may_be_anything_two() -> None:
    X = np.eye(4).repeat(5, axis=0)  # noqa: N806
    learned = regrow.LogisticRegression(passes=20).fit(X, ["cat", "dog", "dog", "cat"] * 5)
    assert learned.classes_.tolist() == ["cat", "dog"]
    assert set(learned.predict(X)) <= {"cat", "dog"}
    with pytest.raises(ValueError, match="2 features"):
        learned.predict(np.ones((1, 2)))
    with pytest.raises(ValueError, match="labels other than"):
        learned.partial_fit(X[:1], ["cow"])
    assert clone(learned).get_params() == learned.get_params()


def test_searches_and_weights(matrix: tuple[Any, Any]) -> None:
    X, y = matrix  # noqa: N806
    search = GridSearchCV(regrow.LogisticRegression(), {"alpha": [0.01, 0.3]}, cv=2, scoring="neg_log_loss").fit(X, y)
    assert search.best_params_["alpha"] == 0.3
    assert cross_val_score(regrow.LogisticRegression(), X, y, cv=2).min() > 0.5
    twice = regrow.LogisticRegression(partitions=1).fit(X[:200], y[:200], sample_weight=np.full(200, 2.0))
    once = regrow.LogisticRegression(partitions=1).fit(X[:200], y[:200])
    assert not np.array_equal(twice.coef_, once.coef_)


def test_files_are_learned_with_the_options_of_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "rows.csv").write_text(csv_text(2_000))
    learned = regrow.LogisticRegression(engine="inline").fit(tmp_path / "rows.csv", label="click", features=["user", "item"])
    assert len(learned.digest_) == 64
    assert learned.seen_ == 2_000
    assert {field for field, *_ in learned.model_.top(100)} <= {"", "user", "item"}
    p = learned.predict_proba(tmp_path / "rows.csv")
    assert p.shape == (2_000, 2)
    again = regrow.LogisticRegression(engine="inline").fit(tmp_path / "rows.csv", label="click", features=["user", "item"])
    assert again.digest_ == learned.digest_
    with pytest.raises(UsageError, match="name files"):
        learned.predict(np.eye(3))
    with pytest.raises(UsageError, match="--continue"):
        learned.partial_fit(np.eye(3), [0, 1, 0])
    with pytest.raises(UsageError, match="options are those of"):
        regrow.LogisticRegression().fit(tmp_path / "rows.csv", lable="click")


def test_a_value_too_large_to_learn_from_is_named_and_what_was_learned_stays() -> None:
    given = np.arange(200.0).reshape(100, 2) % 7 - 3
    label = (given[:, 1] > 0).astype(int)
    model = regrow.LogisticRegression().fit(given, label)
    before = model.coef_.copy()
    given[:2, 0], label[:2] = (1e25, -2e25), 0  # whatever the weight is, one of them is far off
    for learn in (model.partial_fit, regrow.LogisticRegression().fit):
        with pytest.raises(ValueError, match="column 0 is no finite number"):
            learn(given, label)
    np.testing.assert_array_equal(model.coef_, before)
