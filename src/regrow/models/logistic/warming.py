"""Tiny inputs, so that the kernels are compiled before the first worker starts."""

from __future__ import annotations

from typing import Any

import numpy as np

from regrow.data.clicks.example_kernels import first_of_field
from regrow.data.clicks.known import dictionary_table, numbers_of
from regrow.data.clicks.parsed import Parsed
from regrow.data.clicks.round_kernels import rows_of
from regrow.data.readonly import read_only
from regrow.models.logistic import kernels
from regrow.packed import Strings, strings

__all__ = ["warm_scoring", "warm_training"]


def warm_training(models: int, calibrate: bool = False) -> None:
    """The kernels of training: one example of one feature."""
    row_ptr, rows = read_only(np.array([0, 1], np.int64)), read_only(np.zeros(1, np.int32))
    label, w = read_only(np.ones(1, np.uint8)), read_only(np.zeros((1, models), np.float32))
    g, losses, scores = np.zeros((1, models)), np.empty((1, models)), np.empty((1, models))
    empty = read_only(np.empty(0, np.float32))
    for kind in (np.uint16, np.uint32):
        kernels.gradients(row_ptr, read_only(np.zeros(1, kind)), empty, label, empty, w, g, losses, scores)
    bands, sums = np.array([0], np.int64), (np.zeros(1, np.int64), np.zeros(1), np.zeros(1), np.zeros((1, models)), np.zeros(models))
    kernels.add_by_band(read_only(bands), bands, label, empty, losses, *sums)
    zn, rates = read_only(np.zeros((1, models, 2), np.float32)), np.full((1, models, 4), 0.5)
    ptr, fresh = np.array([0, 1]), np.empty((1, models, 2), np.float32)
    no_fields = read_only(np.empty(0, np.int32))
    touched = kernels.union(rows, ptr)
    place = kernels.places(touched, 1)
    for gaps in (np.ones(1, np.uint8), np.ones(1, np.uint16)):
        rows_of(read_only(gaps), 255, np.empty(1, np.int32))
    kernels.fold(rows, ptr, read_only(kernels.rounded(g)), zn, no_fields, rates, True, touched, place, fresh)
    kernels.answers(rows, zn, place, fresh, no_fields, rates, True, np.empty((1, models), np.float32))
    kernels.weights_of(zn, rows, rates, True, 0)
    if calibrate:
        bins = np.zeros((1, 64, 2))
        kernels.count_bins(read_only(np.zeros(1)), np.zeros(1, np.int64), label, empty, bins)
        kernels.ascending(bins[0], np.empty(64))
        first_of_field(row_ptr, rows, rows, 0)


def warm_scoring() -> None:
    """The kernels that score rows: one row of one feature."""
    row_ptr, rows = read_only(np.array([0, 1], np.int64)), read_only(np.zeros(1, np.int32))
    label, one = read_only(np.ones(1, np.uint8)), read_only(np.ones(1, np.float32))
    first_of_field(row_ptr, rows, rows, 0)
    kernels.calibrated(np.zeros(1), np.zeros(1, np.int64), read_only(np.zeros(1, np.int64)), read_only(np.full((1, 64), 0.5)))
    ids, count = read_only(np.zeros(1, np.int64)), read_only(np.ones(1, np.int64))
    out = np.empty(1), np.empty(1, np.int32), np.empty(1, np.int64)
    kernels.scores(row_ptr, rows, one, ids, one, count, *out)
    kernels.rarest_of(row_ptr, rows, ids, count, rows, 0, out[2])
    kernels.sigmoids(read_only(np.zeros(1)))
    empty_strings = strings(["a"])
    model = {"features.value": empty_strings, "features.hash": np.zeros(1), "features.field": rows, "fields.name": empty_strings}
    table = dictionary_table(model)
    offsets, utf8 = empty_strings.offsets, empty_strings.utf8
    features: dict[str, Any] = {"hash": np.zeros(1, np.uint64), "field": np.zeros(1, np.int32)}
    features |= {"value_of": Strings(offsets, utf8), "counts": np.array(count)}
    numbers_of(Parsed(row_ptr, rows, one, label, one, np.zeros(1, np.uint64), names=("a",), **features), table)
