"""Sets of features: exact, in the order of first appearance, whatever the hashes say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from regrow.data.clicks.byte_kernels import address_of, digits_end, find, first_of_two, hits_of_two, how_many, repeated
from regrow.data.clicks.feature_set import FeatureSet, cells_of, with_ahead
from regrow.data.clicks.set_kernels import hashes_of
from regrow.packed import strings

VALUES = st.lists(st.tuples(st.integers(0, 2), st.text("ab\x00é", max_size=20)), max_size=60)


@pytest.mark.parametrize("collide", [False, True])
@settings(deadline=None)
@given(rows=VALUES)
def test_numbers_are_those_of_a_dictionary(collide: bool, rows: list[tuple[int, str]]) -> None:
    value, field = strings([text for _, text in rows]), np.array([field for field, _ in rows], np.int32)
    text = with_ahead(value.utf8)
    hashes = np.zeros(len(rows), np.uint64) if collide else hashes_of(value.offsets, text, field.astype(np.uint64))
    features, numbers = FeatureSet(), []
    for begin in range(0, len(rows), 7):  # in pieces, as it is filled
        numbers += features.number(text, cells_of(hashes, value, field)[begin : begin + 7]).tolist()
    known: dict[tuple[int, str], int] = {}
    assert numbers == [known.setdefault(row, len(known)) for row in rows]
    assert list(zip(features.fields.tolist(), features.values, strict=True)) == list(known)
    assert features.hashes.tolist() == [int(hashes[rows.index(row)]) for row in known]


def test_many_features_find_room_and_are_found_again() -> None:
    value = strings([f"value number {number * number}" for number in range(50_000)])
    field, text, features = np.zeros(len(value), np.int32), with_ahead(value.utf8), FeatureSet()
    cells = cells_of(hashes_of(value.offsets, text, np.ones(len(value), np.uint64)), value, field)
    for begin in range(0, len(value), 9_999):
        features.number(text, cells[begin : begin + 9_999])
    assert features.size == len(value)
    assert features.number(text, cells).tolist() == list(range(len(value)))
    assert features.values == value


def test_rows_are_counted_once_for_each_feature() -> None:
    features = FeatureSet()
    value = strings(["a", "b", "a", "a"])
    text = with_ahead(value.utf8)
    cells = cells_of(hashes_of(value.offsets, text, np.zeros(4, np.uint64)), value, np.zeros(4, np.int32))
    numbers = features.number(text, cells)
    features.count(np.array([0, 3, 4]), 0, numbers)
    assert features.counts.tolist() == [2, 1]


@njit
def found(text, size, a, b):  # type: ignore[no-untyped-def]
    """Where a byte stands, where the first of two does, where all of both do in the first eight, and where digits end."""
    at, x, y = address_of(text), repeated(a), repeated(b)
    end = at + size
    return find(at, end, a) - at, first_of_two(at, end, x, y) - at, hits_of_two(at, x, y), digits_end(at, end) - at


@settings(deadline=None)
@given(st.binary(max_size=40), st.integers(0, 255), st.integers(0, 255))
def test_bytes_are_found_where_python_finds_them(data: bytes, a: int, b: int) -> None:
    one, two, hits, digits = found(with_ahead(np.frombuffer(data, np.uint8)), len(data), a, b)
    first = data.find(a)
    assert one == (first if first >= 0 else len(data))
    places = [place for place, byte in enumerate(data) if byte in (a, b)]
    assert two == (places[0] if places else len(data))
    assert [place for place in range(min(8, len(data))) if int(hits) >> 8 * place & 128] == [place for place in places if place < 8]
    assert digits == len(data) - len(data.lstrip(b"0123456789"))
    assert how_many(np.frombuffer(data, np.uint8), a) == data.count(a)


def test_room_that_was_given_is_used_again_for_less_and_for_more() -> None:
    for number in (70_000, 3, 90_000, 70_000):
        value = strings([f"v{n * n}" * (1 + n % 5) for n in range(number)])
        field, text, features = np.zeros(number, np.int32), with_ahead(value.utf8), FeatureSet(number)
        cells = cells_of(hashes_of(value.offsets, text, np.ones(number, np.uint64)), value, field)
        assert features.number(text, cells).tolist() == list(range(number))
        assert features.values == value
        features.let_go()
