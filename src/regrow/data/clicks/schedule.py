"""In which rounds examples are visited: small ones first, when little is known, then larger ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["LEAST", "MOST", "schedule", "slots_of"]

LEAST, MOST, SHARE = 256, 32_768, 50
"""A round has as many examples as a fiftieth of those seen before, from LEAST to MOST: weights that are older than that cost accuracy."""


def schedule(examples: int, seen: int = 0) -> npt.NDArray[np.int64]:
    """Where rounds begin, and the end: int64 [rounds + 1]. seen: examples of the runs that this one goes on from."""
    bounds = [0]
    while bounds[-1] < examples:
        bounds.append(min(examples, bounds[-1] + max(LEAST, min(MOST, (seen + bounds[-1]) // SHARE))))
    return np.array(bounds, np.int64)


def slots_of(rounds: int, turn: int) -> int:
    """How many rounds of the engine a pass takes: one more than it has rounds of examples, as weights are asked for one round ahead;
    a multiple of `turn`."""
    return -(-(rounds + 1) // turn) * turn
