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

__all__ = ["gather", "gather_many", "gather_weighted", "scatter", "scatter_many", "shares", "stepped"]

_PLACE = np.uint32(LAST - 1)
_SHIFT = np.uint32(31)


@njit(cache=True)
def shares(x, out, share, nowhere):
    """What each node sends along an edge of weight 1: its rank divided by the weight that leaves it. Nothing, if none does: its rank is
    added to nowhere [sets]. Sums are made of sums of 256 rows, so that rounding stays small."""
    sums = np.zeros(x.shape[1])
    for i in range(out.size):
        if i % 256 == 0:
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
def stepped(taken, old, seeds, damping, back, new, change, total, ratio):
    """new = back seeds + damping taken, where back [sets] is what returns to the seeds, and what the certificate needs of it.

    Of each column: change is the sum of |new - old|, total that of new, ratio the largest |new - old| / old (infinite where old is 0 and
    new is not). seeds [rows, sets], or [1, sets] for the same in all rows.
    """
    rows, sets = seeds.shape[0], new.shape[1]
    changes, totals = np.zeros(sets), np.zeros(sets)
    for i in range(new.shape[0]):
        if i % 256 == 0:
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
            if step > 0.0:
                if before == 0.0:
                    ratio[s] = np.inf
                elif step > ratio[s] * before:
                    ratio[s] = step / before
    change += changes
    total += totals
