"""Tiny inputs, so that the kernels are compiled before the first worker starts."""

from __future__ import annotations

import numpy as np

from regrow.data.graphs.line_kernels import shown_numbers
from regrow.data.graphs.part_kernels import LAST
from regrow.data.readonly import read_only
from regrow.models.pagerank import kernels

__all__ = ["warm"]


def warm(sets: int) -> None:
    """One node with an edge to itself."""
    y, out, back = read_only(np.ones((1, sets))), read_only(np.ones(1)), read_only(np.ones(sets))
    source, row, one = read_only(np.array([LAST], np.uint32)), read_only(np.zeros(1, np.uint32)), read_only(np.ones(1))
    if sets == 1:
        kernels.shares(one, out, np.empty(1))
        kernels.gather(one, source, np.zeros(1))
        kernels.gather_weighted(one, source, one, np.zeros(1))
        kernels.scatter(one, row, np.zeros(1))
        kernels.stepped(one, one, one, 0.5, 1.0, np.empty(1))
    else:
        kernels.shares_many(y, out, np.empty((1, sets)), np.zeros(sets))
        kernels.gather_many(y, source, one, np.zeros((1, sets)))
        kernels.scatter_many(y, row, np.zeros((1, sets)))
        facts = [np.zeros(sets) for _ in range(3)]
        kernels.stepped_many(np.ones((1, sets)), y, y, 0.5, back, np.empty((1, sets)), *facts)
    shown_numbers(read_only(np.zeros(1, np.int64)))
