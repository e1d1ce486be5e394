"""What Python users hold: one model whatever the form of the documents, and scikit-learn's habits."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import estimator_checks_generator

import regrow
from models.svd import texts
from regrow.errors import DataError, UsageError

TEXTS = texts.documents(80)


def svd(**parameters: Any) -> regrow.TruncatedSVD:
    return regrow.TruncatedSVD(**{"n_components": 3, "engine": "inline", **parameters})


def checks() -> list[Any]:
    with pytest.warns(UserWarning, match="does not inherit"):  # on purpose: scikit-learn is optional
        return [
            pytest.param(estimator, check, id=str(getattr(check, "func", check).__name__) + ("-memmap" if "readonly" in str(check) else ""))
            for estimator, check in estimator_checks_generator(
                svd(n_components=2, power=2, scaling="none"), expected_failed_checks={}, mark="xfail"
            )
        ]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.parametrize(("estimator", "check"), checks())
def test_a_check_of_scikit_learn_holds(estimator: Any, check: Any) -> None:
    check(estimator)


def test_the_same_model_in_whatever_form_documents_come(tmp_path: Path) -> None:
    (tmp_path / "docs.txt").write_text("\n".join(TEXTS) + "\n")
    of_files = svd().fit(str(tmp_path / "docs.txt"))
    of_texts, of_words = svd().fit(TEXTS), svd().fit([text.split() for text in TEXTS])
    assert of_files.digest_ == of_texts.digest_ == of_words.digest_
    words = list(of_files.model_.vocabulary)
    table = np.array([[text.split().count(word) for word in words] for text in TEXTS])
    of_table, of_frame = svd().fit(scipy.sparse.csr_matrix(table), vocabulary=words), svd().fit(pd.DataFrame(table, columns=words))
    assert of_table.digest_ == of_frame.digest_ == svd().fit(table.astype(float), vocabulary=words).digest_
    assert np.allclose(of_table.singular_values_, of_files.singular_values_)
    for found in (of_files.transform(TEXTS), of_files.transform([text.split() for text in TEXTS]), of_table.transform(table)):
        assert np.allclose(found, of_files.model_.arrays["coordinates"], atol=1e-6)
    assert of_frame.feature_names_in_.tolist() == words
    assert of_files.get_feature_names_out().tolist() == ["truncatedsvd0", "truncatedsvd1", "truncatedsvd2"]


def test_unscaled_it_is_what_scikit_learn_finds() -> None:
    matrix = texts.counts(60, 40).astype(float)
    ours, theirs = svd(n_components=5, scaling="none", power=12), TruncatedSVD(5, algorithm="arpack").fit(matrix)
    coordinates = ours.fit_transform(matrix)
    assert np.allclose(ours.singular_values_, theirs.singular_values_)
    assert np.allclose(np.abs(coordinates), np.abs(theirs.transform(matrix)), atol=1e-5)
    assert np.allclose(np.abs((ours.components_ * theirs.components_).sum(axis=1)), 1.0)
    assert np.allclose(ours.explained_variance_, theirs.explained_variance_)
    assert np.allclose(ours.explained_variance_ratio_, theirs.explained_variance_ratio_)
    best = np.linalg.norm(matrix - theirs.inverse_transform(theirs.transform(matrix)))
    assert np.isclose(np.linalg.norm(matrix - ours.inverse_transform(coordinates)), best)


def test_files_of_numbers_are_transformed_as_tables_are(tmp_path: Path) -> None:
    matrix = scipy.sparse.random(40, 15, 0.4, random_state=1, format="csr")
    scipy.sparse.save_npz(tmp_path / "x.npz", matrix)
    model = svd().fit(tmp_path / "x.npz")
    assert model.model_.scaling == "none"
    assert np.array_equal(model.transform(tmp_path / "x.npz"), model.transform(matrix))


def test_rare_topics_are_found_under_chi_square_and_not_without() -> None:
    found = svd(n_components=8, power=6).fit(texts.documents(600, topics=9)).query("t7w1", 8)
    assert {word[:2] for word, _ in found.words} == {"t7"}


def test_a_pipeline_and_a_copy() -> None:
    pipeline = make_pipeline(CountVectorizer(), svd(scaling="tfidf"))
    found = pipeline.fit_transform(TEXTS)
    assert found.shape == (80, 3)
    assert np.array_equal(pickle.loads(pickle.dumps(pipeline)).transform(TEXTS), found)


def test_a_saved_model_comes_back(tmp_path: Path) -> None:
    model = svd(scaling="tfidf", lower=False).fit(TEXTS)
    model.save(tmp_path / "model")
    again = regrow.TruncatedSVD.load(tmp_path / "model")
    assert again.digest_ == model.digest_
    assert again.get_params() == {**model.get_params(), "engine": "auto"}
    assert np.array_equal(again.transform(TEXTS), model.transform(TEXTS))
    with pytest.raises(UsageError, match="is there already"):
        model.save(tmp_path / "model")


@pytest.mark.parametrize(
    ("parameters", "documents", "told"),
    [
        ({"n_components": 9}, [[1, 2], [3, 4]], "n_samples = 2 and n_features = 2"),
        ({"n_components": 0}, [[1, 2], [3, 4]], "--rank 0"),
        ({"n_components": "two"}, [[1, 2], [3, 4]], "n_components='two'"),
        ({"scaling": "pmi"}, [[1, 2], [3, 4]], "--scaling pmi"),
        ({"n_components": 1, "scaling": "chi2"}, [[1, -2], [3, 4]], "below 0"),
        ({}, [[0, 0, 0], [0, 0, 0], [0, 0, 0]], "all counts are 0"),
        ({"n_components": 2, "scaling": "none"}, np.zeros((5, 5)), "all values of the matrix are 0"),
        ({"n_components": 4}, np.ones((4, 5)), "at most 3 singular values (chi-square scaling takes one away"),
        ({"n_components": 2, "scaling": "none"}, np.eye(5, 6) * 1e200, "too large to be factored"),
        ({"n_components": 2, "scaling": "none"}, np.eye(5, 6) * 1e-200, "too small to be factored"),
        ({}, [[1, np.nan]], "NaN"),
        ({}, ["a b c"], "more than the matrix can have"),
    ],
)
def test_what_cannot_be_is_a_value_error_that_says_why(parameters: dict[str, Any], documents: Any, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        svd(**parameters).fit(documents)


def test_counts_below_zero_cannot_be_transformed_by_a_model_of_counts() -> None:
    with pytest.raises(DataError, match="Negative values"):
        svd(n_components=2).fit(texts.counts(20, 10)).transform(np.full((1, 10), -1.0))
