"""The axis of frequency is the same for all models, and its edges are where its names say."""

from __future__ import annotations

import numpy as np
import pytest

from regrow.evaluation import BANDS, LOWEST, band_of


@pytest.mark.parametrize("band", range(len(BANDS)))
def test_a_band_begins_and_ends_where_its_name_says(band: int) -> None:
    low, _, high = BANDS[band].replace(",", "").removesuffix("+").partition("-")
    assert band_of([int(low)]).tolist() == [band]
    assert LOWEST[band] == int(low)
    if band + 1 < len(BANDS):
        assert band_of([int(high or low), int(high or low) + 1]).tolist() == [band, band + 1]
    else:
        assert band_of([10**12]).tolist() == [band]


def test_the_shape_of_counts_stays() -> None:
    found = band_of(np.array([[0, 3], [50_000, 7]], np.int64))
    assert found.dtype == np.int8
    assert found.tolist() == [[0, 2], [7, 3]]
    assert band_of([]).size == 0
