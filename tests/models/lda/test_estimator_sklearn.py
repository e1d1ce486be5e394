"""scikit-learn's habits: its own checks, pipelines, searches, containers; and life without it."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.decomposition import LatentDirichletAllocation
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import estimator_checks_generator
from sklearn.utils.validation import check_is_fitted

import regrow
from shell import themes

TEXTS = themes(30, themes=3, words=20).splitlines()

CANNOT: dict[str, str] = {}
"""Checks of scikit-learn that cannot hold, and why: there is none."""


def lda(**parameters: Any) -> regrow.LDA:
    return regrow.LDA(**{"n_topics": 3, "alpha_sum": 1.0, "rounds": 2, **parameters})


def checks() -> list[Any]:
    with pytest.warns(UserWarning, match="does not inherit"):  # on purpose: scikit-learn is optional
        return [
            pytest.param(estimator, check, id=str(getattr(check, "func", check).__name__) + ("-memmap" if "readonly" in str(check) else ""))
            for estimator, check in estimator_checks_generator(lda(n_topics=2, rounds=2), expected_failed_checks=CANNOT, mark="xfail")
        ]


@pytest.mark.filterwarnings("ignore:there is nothing to score")  # some of its documents have a word or none
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.parametrize(("estimator", "check"), checks())
def test_a_check_of_scikit_learn_holds(estimator: Any, check: Any) -> None:
    check(estimator)


def test_a_pipeline_of_words_and_topics() -> None:
    pipeline = make_pipeline(CountVectorizer(), lda())
    theta = pipeline.fit_transform(TEXTS)
    assert theta.shape == (30, 3)
    assert np.array_equal(pipeline.transform(TEXTS), theta)
    assert pipeline.score(TEXTS) < 0
    assert pipeline.get_params()["lda__n_topics"] == 3
    assert pipeline.get_feature_names_out().tolist() == ["lda0", "lda1", "lda2"]
    other = clone(pipeline).set_params(lda__n_topics=4)
    assert not hasattr(other[-1], "model_")
    assert other.fit(TEXTS).transform(TEXTS).shape == (30, 4)
    assert "LDA" in pipeline._repr_html_()


def test_topics_are_features_of_a_classifier() -> None:
    texts, labels = ["oak elm ash", "oak oak elm", "salt pepper", "pepper salt dill"] * 5, [0, 0, 1, 1] * 5
    pipeline = make_pipeline(lda(n_topics=2, rounds=40), LogisticRegression())
    assert pipeline.fit(texts, labels).score(texts, labels) == 1


def test_a_search_over_the_number_of_topics() -> None:
    search = GridSearchCV(make_pipeline(CountVectorizer(), lda()), {"lda__n_topics": [2, 3], "lda__beta": [0.01]}, cv=2).fit(TEXTS)
    assert search.best_params_["lda__n_topics"] in (2, 3)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.transform(TEXTS).shape[0] == 30


def test_parameters_are_stored_as_they_were_given() -> None:
    made = lda(alpha=np.float32(0.5))
    assert made.get_params()["alpha"] is made.alpha
    copied = clone(made)
    assert repr(copied) == repr(made) == "LDA(n_topics=3, alpha_sum=1.0, alpha=np.float32(0.5), rounds=2)"
    assert repr(regrow.LDA()) == "LDA()"
    assert clone(lda().fit(TEXTS)).__sklearn_is_fitted__() is False


def test_the_page_names_parameters_that_there_are() -> None:
    page = (Path(__file__).parents[3] / "docs" / "estimator.md").read_text()
    theirs, ours = LatentDirichletAllocation(), regrow.LDA()
    rows = [re.findall(r"`(\w+)`", cell) for line in page.splitlines() if line.count("|") == 4 for cell in line.split("|")[1:3]]
    for them, us in zip(rows[::2], rows[1::2], strict=True):
        if them and us and them[0] in theirs.get_params():
            assert us[0] in ours.get_params(), us
    assert ["n_components"] in rows


def test_an_unfitted_one_raises_what_scikit_learn_catches() -> None:
    with pytest.raises(NotFittedError, match="call fit"):
        lda().transform(TEXTS)
    with pytest.raises(NotFittedError):
        check_is_fitted(lda())
    check_is_fitted(lda().fit(TEXTS))
    with pytest.raises(NotFittedError) as caught:
        lda().transform(TEXTS)
    assert isinstance(caught.value, regrow.errors.UsageError)


def test_output_comes_in_the_container_that_is_asked_for() -> None:
    table = pd.DataFrame([[2, 0, 1], [0, 3, 1]], columns=["oak", "elm", "ash"], index=["a", "b"])
    made = lda().fit(table).set_output(transform="pandas")
    found = made.transform(table)
    assert found.columns.tolist() == ["lda0", "lda1", "lda2"]
    assert found.index.tolist() == ["a", "b"]
    assert isinstance(made.set_output(transform="default").transform(table), np.ndarray)
    with sklearn.config_context(transform_output="pandas"):
        assert isinstance(lda().fit_transform(TEXTS), pd.DataFrame)
    with pytest.raises(ValueError, match="one of default, pandas"):
        made.set_output(transform="lists").transform(table)


def test_a_fitted_pipeline_is_dumped_and_loaded(tmp_path: Any) -> None:
    pipeline = make_pipeline(CountVectorizer(), lda()).fit(TEXTS)
    joblib.dump(pipeline, tmp_path / "pipeline")
    for other in (
        joblib.load(tmp_path / "pipeline"),
        joblib.load(tmp_path / "pipeline", mmap_mode="r"),
        pickle.loads(pickle.dumps(pipeline)),
    ):
        assert np.array_equal(other.transform(TEXTS), pipeline.transform(TEXTS))
        assert other.score(TEXTS) == pipeline.score(TEXTS)


def test_without_scikit_learn_it_is_never_loaded() -> None:
    code = (
        "import sys; sys.modules['sklearn'] = sys.modules['scipy'] = None\n"
        "import regrow\n"
        "lda = regrow.LDA(2, rounds=2).fit(['oak elm', 'elm ash oak ash']); lda.transform([['oak']]); lda.score(['oak elm ash'] * 9)\n"
        "lda.fit([[1, 2], [2, 0]]).transform([[1, 0]]); repr(lda); lda.get_params()\n"
        "try: regrow.LDA().transform(['oak'])\n"
        "except ValueError as error: print(error)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "call fit" in ended.stdout
