"""The program finds what a dense singular value decomposition finds, whatever the blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from models.svd import naive, texts
from reference import Reference
from regrow.data.matrix import MatrixLayout
from regrow.errors import DataError, UsageError
from regrow.models.svd import SVD
from regrow.models.svd.model import FactorModel
from regrow.packed import strings

Array = npt.NDArray[Any]


def prepared(matrix: Array, blocks: tuple[int, int] = (2, 3)) -> tuple[dict[str, list[Mapping[str, Any]]], dict[str, float]]:
    """The layouts and facts of a dense matrix."""
    rows, columns = np.nonzero(matrix)
    half = len(matrix) // 2
    parts = []
    for first, end in ((0, half), (half, len(matrix))):
        mine = (rows >= first) & (rows < end)
        ptr = np.searchsorted(rows[mine], np.arange(first, end + 1))
        parts.append({"words": columns[mine].astype(np.int32), "doc_ptr": ptr, "values": matrix[rows[mine], columns[mine]].astype(float)})
    words = {"words": strings(f"w{j}" for j in range(matrix.shape[1])), "counts": np.abs(matrix).sum(axis=0).astype(np.int64)}
    vocabulary = {**words, "documents": (matrix != 0).sum(axis=0), "dropped": strings([])}
    made = Reference(MatrixLayout(*blocks), {"tokens": parts, "vocabulary": [vocabulary]}).run()
    facts = {"ratings": 0.0, **made.metrics}
    about = {name: np.array(facts[name]) for name in ("documents", "words", "cells", "fractions", "negatives", "total", "ratings")}
    return {"about": [about], **{name: list(made[name]) for name in ("rows", "columns", "vocabulary")}}, facts


def trained(matrix: Array, program: SVD, blocks: tuple[int, int] = (2, 3)) -> FactorModel:
    """A model of a dense matrix."""
    layouts, facts = prepared(matrix, blocks)
    return FactorModel(program.model(Reference(program, layouts, facts).run()), program.parameters())


@pytest.mark.parametrize("scaling", ["chi2", "tfidf", "none"])
def test_singular_values_and_vectors_are_those_of_a_dense_decomposition(scaling: str) -> None:
    matrix = texts.counts(60, 40)
    model = trained(matrix, SVD(6, scaling, power=12))
    u, sigma, v = np.linalg.svd(naive.factored(matrix, scaling), full_matrices=False)
    assert np.allclose(model.singular_values, sigma[:6], rtol=1e-9)
    assert np.allclose(np.abs((model.vectors * v[:6].T).sum(axis=0)), 1.0, atol=1e-6)
    product = model.arrays["coordinates"] @ model.vectors.T
    assert np.allclose(product, (u[:, :6] * sigma[:6]) @ v[:6], atol=1e-4)
    assert np.allclose(model.vectors.T @ model.vectors, np.eye(6), atol=1e-12)
    assert model.scaling == scaling


@pytest.mark.parametrize("scaling", ["chi2", "tfidf", "none"])
def test_energy_error_and_means_are_what_they_say(scaling: str) -> None:
    matrix = texts.counts(50, 30)
    dense = naive.factored(matrix, scaling)
    model = trained(matrix, SVD(4, scaling, power=1))
    assert np.allclose(model.arrays["vocabulary.energy"], (dense**2).sum(axis=0), atol=1e-12)
    assert np.allclose(model.arrays["vocabulary.mean"], dense.mean(axis=0), atol=1e-12)
    left = ((dense - dense @ model.vectors @ model.vectors.T) ** 2).sum() / (dense**2).sum()
    assert np.isclose(1 - model.explained, left)
    true = np.linalg.svd(dense, compute_uv=False)
    for value, within in zip(model.singular_values, model.arrays["residuals"], strict=True):
        assert np.abs(true - value).min() <= within + 1e-12
    bands = model.bands()
    assert np.isclose(sum(row["share"] for row in bands), 1.0)
    assert sum(row["units"] for row in bands) == 30
    assert np.isclose(sum(row["share"] * (row["gain"] or 0) for row in bands), model.explained)


def test_documents_fold_in_where_training_put_them() -> None:
    matrix = texts.counts(50, 30)
    for scaling in ("chi2", "tfidf", "none"):
        model = trained(matrix, SVD(5, scaling, power=3))
        rows, columns = np.nonzero(matrix)
        found = model.folded(np.searchsorted(rows, np.arange(51)), columns, matrix[rows, columns])
        assert np.allclose(found, model.arrays["coordinates"], atol=1e-6)
        assert not found[25].any()


def test_blocks_change_no_more_than_rounding() -> None:
    matrix = texts.counts(40, 25)
    one, other = (trained(matrix, SVD(4, "chi2", power=6), blocks) for blocks in ((1, 1), (3, 4)))
    assert np.allclose(one.vectors, other.vectors, atol=1e-7)
    assert np.allclose(one.singular_values, other.singular_values, rtol=1e-12)


def test_numbers_below_zero_and_fractions_are_factored_as_they_are() -> None:
    matrix = np.random.default_rng(1).normal(size=(30, 20)) * (np.random.default_rng(2).random((30, 20)) < 0.4)
    model = trained(matrix, SVD(4, power=12))
    assert model.scaling == "none"
    assert np.allclose(model.singular_values, np.linalg.svd(matrix, compute_uv=False)[:4], rtol=1e-8)
    with pytest.raises(DataError, match="values are below 0, and --scaling chi2 is for counts"):
        trained(matrix, SVD(4, "chi2"))


def test_a_matrix_of_low_rank_has_zeros_beyond_it() -> None:
    chance = np.random.default_rng(3)
    matrix = np.rint(chance.integers(0, 4, (40, 3)) @ chance.integers(0, 4, (3, 25)))
    model = trained(matrix, SVD(8, "none"))
    true = np.linalg.svd(matrix, compute_uv=False)
    assert np.allclose(model.singular_values[:3], true[:3])
    assert not model.singular_values[3:].any()
    assert not model.vectors[:, 3:].any()
    assert np.isclose(model.explained, 1.0)


def test_a_steep_spectrum_is_found_to_its_foot() -> None:
    chance = np.random.default_rng(4)
    left, right = (np.linalg.qr(chance.normal(size=(size, 12)))[0] for size in (60, 50))
    sigma = 10.0 ** -np.linspace(0, 5, 12)
    model = trained((left * sigma) @ right.T, SVD(10, power=6))
    assert np.allclose(model.singular_values, sigma[:10], rtol=1e-4)
    assert np.allclose(model.vectors.T @ model.vectors, np.eye(10), atol=1e-6)


def test_the_largest_entry_of_a_vector_is_positive() -> None:
    vectors = trained(texts.counts(40, 25), SVD(6, "chi2")).vectors
    assert (vectors[np.abs(vectors).argmax(axis=0), np.arange(6)] > 0).all()


@pytest.mark.parametrize(("scaling", "most"), [("chi2", 11), ("none", 12)])
def test_a_rank_beyond_the_matrix_is_refused_with_what_there_is(scaling: str, most: int) -> None:
    matrix = texts.counts(30, 12)
    assert trained(matrix, SVD(most, scaling)).rank == most
    with pytest.raises(DataError, match=f"30 rows and 12 columns, so at most {most}") as caught:
        trained(matrix, SVD(most + 1, scaling))
    assert f"--rank {most}" in caught.value.advice


def test_parameters_that_cannot_be_are_refused() -> None:
    for wrong in ({"rank": 0}, {"rank": 9_999}, {"scaling": "pmi"}, {"power": 0}, {"oversampling": -1}):
        with pytest.raises(UsageError):
            SVD(**wrong)  # type: ignore[arg-type]


def test_a_matrix_of_zeros_is_refused() -> None:
    with pytest.raises(DataError, match="no value other than 0"):
        trained(np.zeros((4, 3)), SVD(1))
