"""The axis of frequency: how often something stood in the training data. One axis for all models."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["BANDS", "LOWEST", "band_of"]

BANDS = ("0", "1", "2-4", "5-19", "20-99", "100-999", "1,000-9,999", "10,000+")
"""The names of the bands, by training count."""

LOWEST = (0, 1, 2, 5, 20, 100, 1_000, 10_000)
"""The lowest count of each band."""


def band_of(counts: npt.ArrayLike) -> npt.NDArray[np.int8]:
    """The number of the band of each training count: int8 of the same shape. Counts are not negative."""
    counts = np.asarray(counts)
    found: npt.NDArray[Any] = np.searchsorted(np.array(LOWEST, np.int64), counts, side="right") - 1
    return found.astype(np.int8)
