"""Which columns lie within others: each ad belongs to one advertiser, each advertiser to one category. What rare ads can fall back on."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.clicks.examples import parse
from regrow.data.clicks.options import ClickOptions
from regrow.data.clicks.plan import Plan
from regrow.data.clicks.source import describe_clicks
from regrow.data.ingest import ingest
from regrow.errors import UsageError
from regrow.program import Fixed

__all__ = ["containments"]

Array = npt.NDArray[Any]

BYTES_LOOKED_AT = 1 << 24
VALUES_MIN = 10
"""A column of fewer values (that stand in two rows or more) needs nothing to fall back on, or shows nothing."""
SHARE = 0.98
"""So many of a column's values must stand with one value of the other."""


class _EnoughError(Exception):
    """As much was read as is looked at."""


def containments(paths: Sequence[str], options: ClickOptions) -> dict[str, tuple[str, ...]]:
    """For each feature the columns in which it is contained, the finest first: by the first rows of the input.

    A column lies within another if nearly all of its values, of those that stand in two rows or more, stand with one value of the other,
    which has at most half as many. Raises UsageError for formats without columns.
    """
    bare = replace(options, features=None, numeric=(), binned=(), multi=(), cross=(), backoff=(), bad_rows="skip")
    source, settled = describe_clicks(paths, bare)
    if settled.features is None:
        raise UsageError(f"--backoff auto: {source.format} files have no columns", "name features by hand, or give a table")
    columns = _columns(source, Plan.from_json(source.plan))
    found: dict[str, tuple[str, ...]] = {}
    for fine in options.features or columns:
        if fine not in columns:
            continue
        inside = [coarse for coarse in columns if coarse != fine and _contained(columns[fine], columns[coarse])]
        inside.sort(key=lambda coarse: -len(np.unique(columns[coarse])))
        if inside:
            found[fine] = tuple(inside)
    return found


def _columns(source: Any, plan: Plan) -> dict[str, Array]:
    """The values of the first rows by column, as numbers."""
    rows: list[Array] = []
    names: list[str] = []
    read = 0

    def look(_: str, __: int, arrays: dict[str, Any]) -> None:
        nonlocal read
        parsed = parse(Fixed(arrays), source.format, plan, needs_label=False, skip=True)
        names[:] = parsed.names
        width = len(parsed.names)
        whole = np.flatnonzero(np.diff(parsed.row_ptr) == width)
        cells = parsed.hash[parsed.feature]
        rows.append(cells[(parsed.row_ptr[whole][:, None] + np.arange(width))])
        read += len(arrays["text"])
        if read >= BYTES_LOOKED_AT:
            raise _EnoughError

    with contextlib.suppress(_EnoughError):
        ingest(source, look)
    table = np.concatenate(rows) if rows else np.empty((0, len(names)), np.uint64)
    return {name: np.unique(table[:, i], return_inverse=True)[1].astype(np.int64) for i, name in enumerate(names)}


def _contained(fine: Array, coarse: Array) -> bool:
    counts = np.bincount(fine)
    rows = counts[fine] >= 2
    pairs = np.unique(fine[rows] * (int(coarse.max(initial=0)) + 1) + coarse[rows])
    partners = np.unique(pairs // (int(coarse.max(initial=0)) + 1), return_counts=True)[1]
    kinds = len(np.unique(coarse))
    return len(partners) >= VALUES_MIN and 1 < kinds <= len(counts) // 2 and bool(np.mean(partners == 1) >= SHARE)
