"""Kernels do exactly what their slow twins do; factorisations hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.svd import naive
from regrow.data.matrix import layout_kernels
from regrow.data.readonly import read_only
from regrow.models.svd import dense_kernels, kernels
from regrow.models.svd.warming import warm


@settings(deadline=None)
@given(st.integers(0, 9), st.integers(1, 9), st.integers(1, 20), st.booleans(), st.integers(0, 2**32))
def test_a_product_adds_entries_in_their_order(lines: int, width: int, others: int, ones: bool, seed: int) -> None:
    chance = np.random.default_rng(seed)
    ptr = np.concatenate([[0], np.cumsum(chance.integers(0, 11, lines))])
    index = chance.integers(0, others, int(ptr[-1])).astype(np.int32)
    value = np.empty(0, np.float32) if ones else chance.normal(size=len(index)).astype(np.float32)
    other, out = chance.normal(size=(others, width)), chance.normal(size=(lines, width))
    expected = out.copy()
    naive.product(ptr, index, value, other, expected)
    kernels.add_product(read_only(ptr), read_only(index), read_only(value), read_only(other), out)
    assert np.array_equal(out, expected)


@settings(deadline=None)
@given(st.integers(0, 11), st.integers(1, 21), st.integers(1, 7), st.integers(0, 2**32))
def test_dense_products_add_lines_in_their_order(lines: int, width: int, columns: int, seed: int) -> None:
    chance = np.random.default_rng(seed)
    table, right = chance.normal(size=(lines, width)), chance.normal(size=(width, columns))
    gram, found = np.zeros((width, width)), np.empty((lines, columns))
    kernels.add_gram(read_only(table), gram)
    kernels.times(read_only(table), read_only(right), False, found)
    assert np.array_equal(np.triu(gram), naive.gram(table))
    assert np.array_equal(found, naive.times(table, right))
    above = np.triu(chance.normal(size=(width, width)))
    product = np.empty((lines, width))
    kernels.times(read_only(table), read_only(above + np.tril(np.full((width, width), 9.0), -8)), True, product)
    assert np.array_equal(product, naive.times(table, above))


@settings(deadline=None)
@given(st.integers(0, 6), st.integers(1, 11), st.sampled_from([np.float32, np.float64]), st.integers(0, 2**32))
def test_cosines_add_every_fourth_entry_in_their_order(lines: int, width: int, kind: type, seed: int) -> None:
    chance = np.random.default_rng(seed)
    table, weight, target = chance.normal(size=(lines, width)).astype(kind), chance.random(width), chance.normal(size=width)
    table[: lines // 3] = 0
    found = np.empty(lines)
    kernels.cosines(read_only(table), read_only(weight), read_only(target), found)
    assert np.array_equal(found, [naive.cosine(line, weight, target) for line in table])
    plain = table.astype(np.float64) * weight
    length = np.linalg.norm(plain, axis=1) * np.linalg.norm(target)
    assert np.allclose(found, np.divide(plain @ target, length, out=np.zeros(lines), where=length > 0), atol=1e-12)


def test_random_lines_belong_to_columns_and_not_to_blocks() -> None:
    whole, part = np.empty((10, 4)), np.empty((3, 4))
    kernels.random_lines(np.uint64(7), 0, read_only(np.ones(10)), whole)
    kernels.random_lines(np.uint64(7), 5, read_only(np.array([1.0, 0.0, 1.0])), part)
    assert np.array_equal(part, [whole[5], np.zeros(4), whole[7]])
    assert np.abs(whole).max() < 1
    assert len(np.unique(whole)) == 40


@pytest.mark.parametrize("fall", [0.0, 3.0, 7.0])
def test_a_sketch_becomes_orthonormal_however_its_columns_lean(fall: float) -> None:
    chance = np.random.default_rng(3)
    z = chance.normal(size=(200, 24)) @ np.diag(10.0 ** -np.linspace(0, fall, 24)) @ np.linalg.qr(chance.normal(size=(24, 24)))[0]
    t, lifted = dense_kernels.inverse_factor(read_only(naive.gram(z)), False)
    q = z @ t
    if lifted:  # shorter, but there: the next factorisation makes it good
        q = q @ dense_kernels.inverse_factor(read_only(naive.gram(q)), False)[0]
    assert np.abs(q.T @ q - np.eye(24)).max() < 1e-6
    assert np.linalg.norm(z - q @ (q.T @ z)) < 1e-7 * np.linalg.norm(z)
    assert (lifted > 0) == (fall > 4.5)


def test_columns_of_zeros_stay_zeros() -> None:
    z = np.array([[1.0, 0.0, 2.0], [3.0, 0.0, 1.0]])
    t, lifted = dense_kernels.inverse_factor(read_only(naive.gram(z)), False)
    assert lifted == 1
    assert np.allclose((z @ t).T @ (z @ t), np.diag([1.0, 0.0, 1.0]))


def test_a_direction_that_is_rounding_is_dropped_where_that_is_wanted() -> None:
    z = np.random.default_rng(1).normal(size=(20, 4))
    z[:, 2] = z[:, 0] + 2 * z[:, 1]
    t, lost = dense_kernels.inverse_factor(read_only(naive.gram(z)), True)
    assert lost == 1
    assert np.allclose((z @ t).T @ (z @ t), np.diag([1.0, 1.0, 0.0, 1.0]))


@settings(deadline=None)
@given(st.integers(1, 12), st.integers(0, 2**32))
def test_jacobi_diagonalises(size: int, seed: int) -> None:
    half = np.random.default_rng(seed).normal(size=(size, size))
    table = half + half.T
    values, vectors = dense_kernels.jacobi(table)
    assert np.allclose(values, np.linalg.eigvalsh(table)[::-1], atol=1e-12 * size)
    assert np.allclose(vectors @ table @ vectors.T, np.diag(values), atol=1e-11 * size)
    assert np.allclose(vectors @ vectors.T, np.eye(size), atol=1e-13 * size)


def test_the_largest_stretch_is_found_from_below() -> None:
    t = np.triu(np.random.default_rng(1).normal(size=(40, 40)))
    found, true = dense_kernels.largest_stretch(read_only(t)), np.linalg.norm(t, 2)
    assert 0.95 * true < found <= true * (1 + 1e-12)


def test_a_congruent_table() -> None:
    chance = np.random.default_rng(2)
    half, t = chance.normal(size=(9, 9)), np.triu(chance.normal(size=(9, 9)))
    gram = half.T @ half
    assert np.allclose(dense_kernels.congruent(read_only(np.triu(gram)), read_only(t)), t.T @ gram @ t)


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 6), max_size=9), max_size=6))
def test_words_of_a_document_are_counted_and_ascend(documents: list[list[int]]) -> None:
    words = read_only(np.array([word for document in documents for word in document], np.int32))
    doc_ptr = read_only(np.cumsum([0, *map(len, documents)]))
    ptr, index, value = layout_kernels.counted(words, doc_ptr)
    for d, document in enumerate(documents):
        own = slice(ptr[d], ptr[d + 1])
        assert dict(zip(index[own].tolist(), value[own].tolist(), strict=True)) == {word: document.count(word) for word in document}
        assert (np.diff(index[own]) > 0).all()
    summed = layout_kernels.added_up(words, doc_ptr, read_only(np.ones(len(words))))
    assert all(np.array_equal(one, other) for one, other in zip(summed, (ptr, index, value), strict=True))


def test_cells_hold_each_entry_once_from_both_sides() -> None:
    dense = np.random.default_rng(5).integers(0, 3, (7, 11))
    rows, columns = np.nonzero(dense)
    ptr, begins = np.searchsorted(rows, np.arange(8)), np.array([0, 4, 4, 11])
    starts, index, value = layout_kernels.by_block(
        read_only(ptr), read_only(columns.astype(np.int32)), read_only(dense[rows, columns].astype(float)), read_only(begins)
    )
    found, turned = np.zeros((7, 11)), np.zeros((7, 11))
    for block in range(3):
        for i in range(7):
            own = slice(starts[block, i], starts[block, i + 1])
            found[i, begins[block] + index[own]] = value[own]
        width = int(begins[block + 1] - begins[block])
        own_starts, own_index, own_value = layout_kernels.transposed(read_only(starts[block]), read_only(index), read_only(value), width)
        for j in range(width):
            own = slice(own_starts[j], own_starts[j + 1])
            turned[own_index[own], begins[block] + j] = own_value[own]
            assert (np.diff(own_index[own]) > 0).all()
    assert np.array_equal(found, dense)
    assert np.array_equal(turned, dense)


def test_warming_calls_every_kernel() -> None:
    warm()
    for room in (kernels, dense_kernels):
        cold = [name for name in room.__all__ if not getattr(room, name).signatures]
        assert not cold, f"call {cold} in warming.py: a worker that lives shortly must not compile"
