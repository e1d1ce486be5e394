"""What a range of nodes does in a round, over plain arrays: take in what it was sent, and send along its edges.

Both go over edges that are sorted by target: a sum for each target is made in a register, from numbers of one range of nodes that fit into
a cache, and written in order. So no number is written to a random place in memory but within a range, and the order of every sum is that
of the sources, whoever computes it (propagation blocking: Beamer, Asanovic and Patterson, IPDPS 2017; that only numbers travel, and no
targets, is what Stergiou and others call implicit targets, WWW 2020).

Arrays of ranks are float64 [rows, sets]: a column for each set of seeds; where there is one, [rows].
"""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

from regrow.data.graphs.part_kernels import LAST

__all__ = [
    "gather",
    "gather_many",
    "gather_weighted",
    "scatter",
    "scatter_many",
    "shares",
    "shares_many",
    "stepped",
    "stepped_many",
]

_PLACE = np.uint32(LAST - 1)
_SHIFT = np.uint32(31)
_BLOCK = 256


@njit(cache=True, error_model="numpy")
def shares(x, out, share):
    """What each node sends along an edge of weight 1: its rank divided by the weight that leaves it, or nothing where none does.

    Returns the sum of the ranks of those; it is made of sums of 256 rows, so that rounding stays small.
    """
    nowhere = 0.0
    for begin in range(0, out.size, _BLOCK):
        lost = 0.0
        for i in range(begin, min(begin + _BLOCK, out.size)):
            leads = out[i] > 0.0
            share[i] = x[i] / out[i] if leads else 0.0
            lost += 0.0 if leads else x[i]
        nowhere += lost
    return nowhere


@njit(cache=True)
def shares_many(x, out, share, nowhere):
    """The same for several columns; the sums are added to nowhere [sets]."""
    sums = np.zeros(x.shape[1])
    for i in range(out.size):
        if i % _BLOCK == 0:
            nowhere += sums
            sums[:] = 0.0
        for s in range(x.shape[1]):
            if out[i] > 0.0:
                share[i, s] = x[i, s] / out[i]
            else:
                share[i, s] = 0.0
                sums[s] += x[i, s]
    nowhere += sums


@njit(cache=True)
def gather(share, source, sums):
    """The sum of share[source] over the edges of each target, in their order. `source` has LAST on the last edge of each target: without
    a branch that could be guessed wrong, this is twice as fast as a loop over the edges of each."""
    k, total = 0, 0.0
    for marked in source:
        total += share[marked & _PLACE]
        sums[k] = total
        last = marked >> _SHIFT
        k += last
        total = 0.0 if last else total


@njit(cache=True)
def gather_weighted(share, source, weight, sums):
    """The same, with share * weight of each edge."""
    k, total = 0, 0.0
    for e in range(source.size):
        marked = source[e]
        total += share[marked & _PLACE] * weight[e]
        sums[k] = total
        last = marked >> _SHIFT
        k += last
        total = 0.0 if last else total


@njit(cache=True)
def gather_many(share, source, weight, sums):
    """The same for several columns at a time; weight may be empty. sums are 0 to begin with."""
    k = 0
    for e in range(source.size):
        marked = source[e]
        at = marked & _PLACE
        heavy = weight[e] if weight.size else 1.0
        for s in range(sums.shape[1]):
            sums[k, s] += share[at, s] * heavy
        k += marked >> _SHIFT


@njit(cache=True)
def scatter(sums, row, taken):
    """Add sums[k] to taken[row[k]]."""
    for k in range(sums.size):
        taken[row[k]] += sums[k]


@njit(cache=True)
def scatter_many(sums, row, taken):
    """The same for several columns."""
    for k in range(sums.shape[0]):
        for s in range(sums.shape[1]):
            taken[row[k], s] += sums[k, s]


@njit(cache=True)
def stepped(taken, old, seeds, damping, back, new):
    """new = back seeds + damping taken, where back is what returns to the seeds; seeds: one for each row, or one for all.

    Returns what the certificate needs: the sum of |new - old|, that of new, and the largest |new - old| / old (infinite where old is 0
    and new is not).
    """
    change, total, ratio, all_alike = 0.0, 0.0, 0.0, seeds.size == 1
    for begin in range(0, new.size, _BLOCK):
        changes, totals = 0.0, 0.0
        for i in range(begin, min(begin + _BLOCK, new.size)):
            value = back * seeds[0 if all_alike else i] + damping * taken[i]
            before = old[i]
            step = abs(value - before)
            changes += step
            totals += value
            new[i] = value
            if step > ratio * before:
                ratio = step / before if before > 0.0 else np.inf
        change += changes
        total += totals
    return change, total, ratio


@njit(cache=True)
def stepped_many(taken, old, seeds, damping, back, new, change, total, ratio):
    """The same for several columns: seeds [rows, sets] or [1, sets], back [sets]; change, total and ratio [sets] are 0 to begin with."""
    rows, sets = seeds.shape[0], new.shape[1]
    changes, totals = np.zeros(sets), np.zeros(sets)
    for i in range(new.shape[0]):
        if i % _BLOCK == 0:
            change += changes
            total += totals
            changes[:] = 0.0
            totals[:] = 0.0
        for s in range(sets):
            value = back[s] * seeds[i if rows > 1 else 0, s] + damping * taken[i, s]
            before = old[i, s]
            step = abs(value - before)
            changes[s] += step
            totals[s] += value
            new[i, s] = value
            if step > ratio[s] * before:
                ratio[s] = step / before if before > 0.0 else np.inf
    change += changes
    total += totals
