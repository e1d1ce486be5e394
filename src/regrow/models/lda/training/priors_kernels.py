"""The inner loops of priors that are learned. Each has a slow, obvious twin in tests/models/lda/naive.py.

Learning needs, of every topic, how many documents have it how often; as a sum over such numbers Minka's fixed point
("Estimating a Dirichlet distribution", 2000) is the same however the corpus is cut. It asks for psi(x + j) - psi(x), which is
1/x + 1/(x + 1) + ... + 1/(x + j - 1).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from regrow.arithmetic import log, log_gamma

__all__ = ["gains", "gamma_terms"]

Array = npt.NDArray[Any]

STEPS = 64
"""Sums 1/x + ... of more terms are made from the expansion of psi at both ends."""


@njit(inline="always")
def _psi_less_log(x):  # type: ignore[no-untyped-def]
    """psi(x) - log(x) for x >= 16 (Abramowitz and Stegun 6.3.18), to the last bit of psi."""
    square = 1.0 / (x * x)
    return -0.5 / x - square * (1 / 12 - square * (1 / 120 - square * (1 / 252 - square * (1 / 240 - square / 132))))


@njit(inline="always")
def _rise(x, steps):  # type: ignore[no-untyped-def]
    """psi(x + steps) - psi(x)."""
    total = 0.0
    if steps <= STEPS:
        for i in range(steps):
            total += 1.0 / (x + i)
        return total
    first = 16 if x < 16.0 else 0
    for i in range(first):
        total += 1.0 / (x + i)
    low, high = x + first, x + steps
    return total + log(high / low) + (_psi_less_log(high) - _psi_less_log(low))


@njit(cache=True)
def gains(groups: Array, values: Array, numbers: Array, priors: Array) -> Array:
    """For each group g the sum of numbers * (psi(value + priors[g]) - psi(priors[g])) over its values: float64, as long as `priors`.

    groups, values, numbers: int64, sorted by group, then value ascending.
    """
    found = np.zeros(priors.size)
    group, reached, rise = -1, 0, 0.0
    for i in range(groups.size):
        if groups[i] != group:
            group, reached, rise = groups[i], 0, 0.0
        rise += _rise(priors[group] + reached, values[i] - reached)
        reached = values[i]
        found[group] += numbers[i] * rise
    return found


@njit(cache=True)
def gamma_terms(groups: Array, values: Array, numbers: Array, priors: Array) -> Array:
    """numbers * (log Gamma(value + priors[group]) - log Gamma(priors[group])), one of each: float64. Arrays as in `gains`."""
    terms = np.empty(groups.size)
    group, base = -1, 0.0
    for i in range(groups.size):
        if groups[i] != group:
            group = groups[i]
            base = log_gamma(priors[group])
        terms[i] = numbers[i] * (log_gamma(values[i] + priors[group]) - base)
    return terms
