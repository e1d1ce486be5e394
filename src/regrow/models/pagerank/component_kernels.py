"""Labels of nodes that become the least that reaches them, over plain arrays (see `kernels` for how edges lie)."""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

from regrow.data.graphs.part_kernels import LAST

__all__ = ["least", "lowered", "settled"]

_PLACE = np.uint32(LAST - 1)
_SHIFT = np.uint32(31)
_MOST = np.uint32(0xFFFFFFFF)


@njit(cache=True)
def lowered(least, row, label):
    """Lower the labels of nodes to those that they were sent."""
    for k in range(least.size):
        label[row[k]] = min(label[row[k]], least[k])


@njit(cache=True)
def settled(source, row, label):
    """Pass labels along edges within a range until none changes, in the order of the edges and back."""
    while True:
        changed, k = False, 0
        for marked in source:
            found = label[marked & _PLACE]
            if found < label[row[k]]:
                label[row[k]] = found
                changed = True
            elif label[row[k]] < found:
                label[marked & _PLACE] = label[row[k]]
                changed = True
            k += marked >> _SHIFT
        if not changed:
            return


@njit(cache=True)
def least(label, source, found):
    """The least label among the sources of each target's edges."""
    k, lowest = 0, _MOST
    for marked in source:
        lowest = min(lowest, label[marked & _PLACE])
        found[k] = lowest
        last = marked >> _SHIFT
        k += last
        lowest = _MOST if last else lowest
