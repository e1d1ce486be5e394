"""What the nodes of a range send along their edges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.readonly import read_only
from regrow.models.pagerank import kernels

__all__ = ["along_edges"]

Array = npt.NDArray[Any]


def along_edges(fixed: Mapping[str, Any], x: Array) -> tuple[Array, Array]:
    """The sums along the edges of a range, and what of its ranks leads nowhere.

    fixed: a part of the layout "parts" (see `GraphParts`); x float64 [rows, sets]. Returns float64 [cells, sets] and [sets].
    """
    out, source, weight = (read_only(fixed[name]) for name in ("out", "source", "weight"))
    cells, sets = int(fixed["cells"][-1]), x.shape[1]
    if sets > 1:
        share, nowhere, sums = np.empty_like(x), np.zeros(sets), np.zeros((cells, sets))
        kernels.shares_many(read_only(x), out, share, nowhere)
        kernels.gather_many(read_only(share), source, weight, sums)
        return sums, nowhere
    flat, sums = np.empty(len(x)), np.empty((cells, 1))
    nowhere = np.full(1, kernels.shares(read_only(x.reshape(-1)), out, flat))
    if len(weight):
        kernels.gather_weighted(read_only(flat), source, weight, sums.reshape(-1))
    else:
        kernels.gather(read_only(flat), source, sums.reshape(-1))
    return sums, nowhere
