"""The kernels of training beside slow, obvious twins: the same to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regrow.data.clicks.round_kernels import block_ids, distinct_ids, gaps_of, put_gaps, rows_of
from regrow.data.readonly import read_only
from regrow.models.logistic import kernels

LISTS = st.lists(st.lists(st.integers(0, 60), unique=True).map(sorted), min_size=1, max_size=9)


@settings(deadline=None)
@given(LISTS)
def test_the_union_of_ascending_lists(lists: list[list[int]]) -> None:
    rows = np.array([row for own in lists for row in own], np.int32)
    ptr = np.cumsum([0] + [len(own) for own in lists])
    assert kernels.union(read_only(rows), ptr).tolist() == sorted({int(row) for row in rows})


@pytest.mark.parametrize("models", [1, 2])
@pytest.mark.parametrize("features", [50, 3 * kernels.BLOCK])
def test_gradients_are_folded_one_partition_after_the_other(models: int, features: int) -> None:
    chance = np.random.default_rng(features + models)
    lists = [np.flatnonzero(chance.random(features) < share).astype(np.int32) for share in (0.9, 0.3, 0.0, 0.5)]
    rows, ptr = np.concatenate(lists), np.cumsum([0] + [len(own) for own in lists])
    g, zn = chance.normal(0, 1, (len(rows), models)).astype(np.float32), chance.normal(0, 1, (features, models, 2)).astype(np.float32)
    zn[..., 1] **= 2
    field = chance.integers(0, 2, features).astype(np.int32)
    rates = np.array([[[0.1, 1.0, 0.2, 0.3]] * models, [[0.5, 0.5, 0.0, 0.0]] * models])
    touched = kernels.union(read_only(rows), ptr)
    place, fresh = kernels.places(touched, features), np.empty((len(touched), models, 2), np.float32)
    assert [row for row in range(features) if place[row] >= 0] == touched.tolist()
    kernels.fold(read_only(rows), ptr, read_only(g), read_only(zn), read_only(field), rates, True, touched, place, fresh)
    expected = zn.astype(np.float64)
    for row in touched.tolist():
        for k in range(models):
            alpha, beta, l1, l2 = rates[field[row], k] * ((1, 1, 0, 0) if row == 0 else 1)
            z, n = expected[row, k]
            w = 0.0 if abs(z) <= l1 else float(np.float32(-(z - np.copysign(l1, z)) / ((beta + np.sqrt(n)) / alpha + l2)))
            for own, begin in zip(lists, ptr.tolist(), strict=False):
                for at in np.flatnonzero(own == row).tolist():
                    step = float(g[begin + at, k])
                    z += step - (np.sqrt(n + step * step) - np.sqrt(n)) / alpha * w
                    n += step * step
            expected[row, k] = z, n
    assert np.array_equal(fresh, expected[touched].astype(np.float32))


@settings(deadline=None)
@given(
    st.one_of(st.lists(st.integers(0, 9000), max_size=200), st.lists(st.one_of(st.integers(0, 30), st.integers(0, 1 << 50)), max_size=200))
)
def test_features_of_a_round_are_numbered_in_ascending_order(numbers: list[int]) -> None:
    ids, index = np.array(numbers, np.int64), np.empty(len(numbers), np.uint32)
    distinct = block_ids(ids, index)
    assert distinct.tolist() == distinct_ids(ids).tolist() == sorted({0, *numbers})
    assert distinct[index].tolist() == numbers


@settings(deadline=None)
@given(st.lists(st.lists(st.one_of(st.integers(0, 600), st.integers(0, 200_000)), unique=True).map(sorted), min_size=1, max_size=5))
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_places_come_back_from_their_gaps(kind: type, lists: list[list[int]]) -> None:
    ids, most = np.array([id for own in lists for id in own], np.int64), int(np.iinfo(kind).max)
    ptr = np.cumsum([0] + [len(own) for own in lists])
    sizes = gaps_of(ids, ptr, most)
    gaps = np.empty(int(sizes.sum()), kind)
    put_gaps(ids, ptr, most, gaps)
    for own, mine in zip(lists, np.split(gaps, np.cumsum(sizes)[:-1]), strict=True):
        rows = np.empty(np.count_nonzero(mine), np.int32)
        rows_of(read_only(mine), most, rows)
        assert rows.tolist() == own
