"""Calibration: what a predicted chance turned out to be worth, for all rows and for those of frequent values of a field.

Progressive predictions (made before their example was learned from) fall into bins of their log odds; each bin counts rows and clicks.
Isotonic regression (pool adjacent violators; Ayer and others, 1955) makes the shares of clicks ascend with the bins. A group's bins begin
with a few rows of what all rows together say, so that a group of few rows differs little from them. Between the centres of two bins the
chance is a line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.models.logistic import kernels

__all__ = ["BINS", "counted", "fitted"]

Array = npt.NDArray[Any]

BINS = 64
"""Bins of a quarter of a nat, from -8 to 8."""
PRIOR_ROWS = 20.0


def counted(state: Mapping[str, Any] | None, scores: Array, group: Array, label: Array, weight: Array) -> dict[str, Array]:
    """Add rows to counts: groups int64 [G], ascending; table float64 [G, BINS, 2]: rows and clicks of each bin."""
    known = np.asarray(state["groups"]) if state else np.zeros(1, np.int64)
    groups = np.union1d(known, group)
    table = np.zeros((len(groups), BINS, 2))
    if state:
        table[np.searchsorted(groups, known)] = state["table"]
    kernels.count_bins(scores, np.searchsorted(groups, group), label, weight, table)
    return {"groups": groups, "table": table}


def fitted(states: Sequence[Mapping[str, Any]]) -> dict[str, Array]:
    """From the counts of all partitions: calibration_group int64 [G], of which the first is 0 (all rows), and calibration_p float64
    [G, BINS], the chance at the centre of each bin."""
    groups = np.unique(np.concatenate([np.zeros(1, np.int64), *(state["groups"] for state in states)]))
    table = np.zeros((len(groups), BINS, 2))
    for state in states:
        table[np.searchsorted(groups, state["groups"])] += state["table"]
    whole = np.zeros((BINS, 2))
    for own in table:
        whole += own
    p = np.empty((len(groups), BINS))
    kernels.ascending(whole, p[0])
    for number in range(1, len(groups)):
        prior = np.stack([np.full(BINS, PRIOR_ROWS), PRIOR_ROWS * p[0]], axis=1)
        kernels.ascending(table[number] + prior, p[number])
    return {"calibration_group": groups, "calibration_p": p}
