"""Tiny inputs, so that the kernels are compiled before the first worker starts."""

from __future__ import annotations

import numpy as np

from regrow.arithmetic import log
from regrow.data.readonly import read_only
from regrow.models.svd import dense_kernels, kernels

__all__ = ["warm"]


def warm() -> None:
    """One entry, in all types in which entries come."""
    index, one = read_only(np.zeros(1, np.int32)), read_only(np.ones(1))
    table, out = read_only(np.ones((1, 1))), np.zeros((1, 1))
    starts = read_only(np.array([0, 1], np.int64))
    for value in (read_only(np.ones(1, np.float32)), one):
        for other in (table, read_only(np.ones((1, 1), np.float32))):
            kernels.add_product(starts, index, value, other, out)
        kernels.add_squares(starts, index, value, one, np.zeros(1))
    kernels.random_lines(np.uint64(1), 0, one, out)
    kernels.scale_lines(table, one, out)
    kernels.take_outer(out, one, one)
    kernels.added_up(table, one)
    kernels.add_gram(table, out)
    for lines in (table, read_only(np.ones((1, 1), np.float32))):
        kernels.times(lines, table, False, out)
        kernels.cosines(lines, one, one, np.zeros(1))
    kernels.scale_in_place(out, one)
    t, _ = dense_kernels.inverse_factor(table, False)
    dense_kernels.largest_stretch(read_only(t))
    dense_kernels.congruent(table, t)
    dense_kernels.jacobi(np.ones((1, 1)))
    log(1.0)
