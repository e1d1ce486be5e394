"""Kernels of FTRL-Proximal.

For a feature with state z, n the weight is  w = 0 if |z| <= l1, else -(z - sign(z) l1) / ((beta + sqrt n) / alpha + l2).
An example has p = 1 / (1 + exp(-sum_i w_i x_i)) and gives each of its features the gradient (p - y) x_i times its own weight. A round adds
up gradients g of each partition of examples and folds them, one partition after the other:

    z += g - (sqrt(n + g^2) - sqrt n) / alpha * w,    n += g^2        with the w that the round began with

(McMahan, Holt, Sculley and others, KDD 2013, algorithm 1, with g summed over the examples of a partition.) Adding squares of single
gradients instead of the square of their sum lets the steps of frequent features explode: their gradients in one round are alike.

Several models are trained side by side: the last axis of weights and gradients, [.., models].
"""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

from regrow.arithmetic import exp, log

__all__ = [
    "add_by_band",
    "answers",
    "ascending",
    "calibrated",
    "count_bins",
    "fold",
    "gradients",
    "places",
    "rarest_of",
    "rounded",
    "scores",
    "sigmoids",
    "union",
    "weights_of",
]


BLOCK = 4096
"""Rows whose state is folded at a time: so many stay in the cache while the partitions of examples follow one another."""


@njit(inline="always")
def _weight(z, n, alpha, beta, l1, l2):
    """The weight of a feature, rounded as it is sent and stored."""
    if abs(z) <= l1:
        return np.float32(0.0)
    return np.float32(-(z - (l1 if z > 0.0 else -l1)) / ((beta + np.sqrt(n)) / alpha + l2))


@njit(cache=True)
def gradients(row_ptr, index, value, label, weight, w, g, losses, scores):
    """The gradients of the examples of a round, under weights that stay as they are.

    row_ptr int64 [N + 1], index (unsigned) into w, value float32 or empty (all are 1), label uint8, weight float32 or empty (all are 1);
    w float32 [features, models], of which row 0 is the bias that every example has; g float64 as w: added to; losses float64
    [N, models]: filled with log losses times weights, scores float64 [N, models] with sums of w x.
    """
    models = w.shape[1]
    for i in range(label.size):
        a, b = row_ptr[i], row_ptr[i + 1]
        own = 1.0 if weight.size == 0 else np.float64(weight[i])
        y = np.float64(label[i])
        for k in range(models):
            s = np.float64(w[0, k])
            if value.size:
                for j in range(a, b):
                    s += np.float64(w[index[j], k]) * np.float64(value[j])
            else:
                for j in range(a, b):
                    s += np.float64(w[index[j], k])
            e = exp(-abs(s))
            p = 1.0 / (1.0 + e) if s >= 0.0 else e / (1.0 + e)
            losses[i, k] = own * (max(s, 0.0) + log(1.0 + e) - y * s)
            scores[i, k] = s
            d = own * (p - y)
            g[0, k] += d
            if value.size:
                for j in range(a, b):
                    g[index[j], k] += d * np.float64(value[j])
            else:
                for j in range(a, b):
                    g[index[j], k] += d


@njit(cache=True)
def rounded(g):
    """Gradients as they are sent: float32, as the state is."""
    found = np.empty(g.size, np.float32)
    for i, own in enumerate(g.ravel()):
        found[i] = own
    return found.reshape(g.shape)


@njit(cache=True)
def add_by_band(rarest, lowest, label, weight, losses, units, weights, clicks, by_band, total):
    """Add examples to the sums of their bands: units int64, weights, clicks float64 [bands], by_band float64 [bands, models]; and their
    losses to total float64 [models]. Returns the sum of their weights."""
    everything = 0.0
    for i in range(label.size):
        band = 0
        while band + 1 < lowest.size and rarest[i] >= lowest[band + 1]:
            band += 1
        own = 1.0 if weight.size == 0 else np.float64(weight[i])
        units[band] += 1
        weights[band] += own
        clicks[band] += own * label[i]
        everything += own
        for k in range(losses.shape[1]):
            by_band[band, k] += losses[i, k]
            total[k] += losses[i, k]
    return everything


@njit(cache=True)
def union(rows, ptr):
    """The different numbers in the ascending lists rows[ptr[e]:ptr[e + 1]] together, ascending. Neighbours are merged, two by two,
    without a branch that depends on the numbers."""
    source, target = rows.copy(), np.empty(rows.size, rows.dtype)
    begins, ends = ptr[:-1].copy(), ptr[1:].copy()
    lists = begins.size
    while lists > 1:
        for e in range(0, lists, 2):
            i, end, at = begins[e], ends[e], begins[e]
            if e + 1 < lists:
                j, other = begins[e + 1], ends[e + 1]
                while i < end and j < other:
                    a, b = source[i], source[j]
                    target[at] = min(a, b)
                    i += a <= b
                    j += b <= a
                    at += 1
                while j < other:
                    target[at] = source[j]
                    j += 1
                    at += 1
            while i < end:
                target[at] = source[i]
                i += 1
                at += 1
            begins[e // 2], ends[e // 2] = begins[e], at
        lists = (lists + 1) // 2
        source, target = target, source
    return source[begins[0] : ends[0]]


@njit(cache=True)
def places(touched, features):
    """Where each of so many features stands in `touched`, or -1: int32. To look there is a third faster than to search both lists."""
    found = np.full(features, -1, np.int32)
    for t in range(touched.size):
        found[touched[t]] = t
    return found


@njit(cache=True, error_model="numpy")
def fold(rows, ptr, g, zn, field, rates, has_bias, touched, place, fresh):
    """Fold the gradients of a round into the state of a partition of weights.

    rows int32: of partition e of examples rows[ptr[e]:ptr[e + 1]], ascending; g float32 [len(rows), models]: their gradients
    zn float32 [features, models, 2]: the state, which stays as it is
    field int32: of each feature, or empty: then all have rates[0]; rates float64 [fields, models, 4]: alpha, beta, l1, l2
    has_bias: whether row 0 is the bias, which is not regularised
    touched int32: the `union` of the rows, place its `places`; fresh float32 [len(touched), models, 2]: filled with their new state

    What leaves float32's numbers is marked: z = 0, n = infinity, of which the weight is 0, so that nothing spreads to other features. It
    stays so: what is folded into it is not finite, and marked again.
    """
    at, models = ptr[:-1].copy(), zn.shape[1]
    work = np.empty((BLOCK, models, 4))  # of each row z, n, its root, and the weight w that the round began with
    for first in range(0, touched.size, BLOCK):
        last = min(first + BLOCK, touched.size)
        for t in range(first, last):
            row = np.int64(touched[t])
            own = 0 if field.size == 0 else np.int64(field[row])
            for k in range(models):
                alpha, beta, l1, l2 = rates[own, k, 0], rates[own, k, 1], rates[own, k, 2], rates[own, k, 3]
                if has_bias and row == 0:
                    l1, l2 = 0.0, 0.0
                z, n = np.float64(zn[row, k, 0]), np.float64(zn[row, k, 1])
                work[t - first, k, 0], work[t - first, k, 1], work[t - first, k, 2] = z, n, np.sqrt(n)
                work[t - first, k, 3] = np.float64(_weight(z, n, alpha, beta, l1, l2))
        for e in range(at.size):
            i = at[e]
            while i < ptr[e + 1] and rows[i] <= touched[last - 1]:
                row, t = np.int64(rows[i]), place[rows[i]]
                own = 0 if field.size == 0 else np.int64(field[row])
                for k in range(models):
                    step = np.float64(g[i, k])
                    n = work[t - first, k, 1] + step * step
                    after = np.sqrt(n)
                    work[t - first, k, 0] += step - (after - work[t - first, k, 2]) / rates[own, k, 0] * work[t - first, k, 3]
                    work[t - first, k, 1], work[t - first, k, 2] = n, after
                i += 1
            at[e] = i
        for t in range(first, last):
            for k in range(models):
                fresh[t, k, 0], fresh[t, k, 1] = work[t - first, k, 0], work[t - first, k, 1]
                if not (np.isfinite(fresh[t, k, 0]) and np.isfinite(fresh[t, k, 1])):
                    fresh[t, k, 0], fresh[t, k, 1] = 0.0, np.inf


@njit(cache=True, error_model="numpy")
def answers(wanted, zn, place, fresh, field, rates, has_bias, w):
    """The weights of the rows `wanted`, from a state of which some rows have just become `fresh`: those that have a `place` there (empty:
    none). w float32 is filled."""
    for i in range(wanted.size):
        row = np.int64(wanted[i])
        t = np.int64(place[row]) if place.size else np.int64(-1)
        own = 0 if field.size == 0 else np.int64(field[row])
        for k in range(zn.shape[1]):
            alpha, beta, l1, l2 = rates[own, k, 0], rates[own, k, 1], rates[own, k, 2], rates[own, k, 3]
            if has_bias and row == 0:
                l1, l2 = 0.0, 0.0
            z = np.float64(fresh[t, k, 0] if t >= 0 else zn[row, k, 0])
            n = np.float64(fresh[t, k, 1] if t >= 0 else zn[row, k, 1])
            w[i, k] = _weight(z, n, alpha, beta, l1, l2)


@njit(cache=True)
def weights_of(zn, field, rates, has_bias, model):
    """The weights of one model of a whole partition: float32."""
    w = np.empty(zn.shape[0], np.float32)
    for row in range(w.size):
        own = 0 if field.size == 0 else np.int64(field[row])
        alpha, beta, l1, l2 = rates[own, model, 0], rates[own, model, 1], rates[own, model, 2], rates[own, model, 3]
        if has_bias and row == 0:
            l1, l2 = 0.0, 0.0
        w[row] = _weight(np.float64(zn[row, model, 0]), np.float64(zn[row, model, 1]), alpha, beta, l1, l2)
    return w


@njit(cache=True)
def scores(row_ptr, feature, value, id, w, count, found, unseen, rarest):
    """The scores of rows under weights that were learned.

    row_ptr, feature, value: as in `Parsed`; id int64: of each feature in the model, or -1; w float32, count int64: of the model's
    features, of which number 0 is the bias. Filled: found float64 (sums of w x), unseen int32 (features that the model has not), rarest
    int64 (the least count of a row's features, 0 where one is unseen or there is none).
    """
    for r in range(found.size):
        s, least = np.float64(w[0]), np.int64(-1)
        unseen[r] = 0
        for j in range(row_ptr[r], row_ptr[r + 1]):
            number = id[feature[j]]
            times = np.int64(0)
            if number < 0:
                unseen[r] += 1
            else:
                s += w[number] * np.float64(value[j])
                times = count[number]
            if least < 0 or times < least:
                least = times
        found[r], rarest[r] = s, max(least, 0)


@njit(cache=True)
def rarest_of(row_ptr, feature, id, count, field, own, rarest):
    """As `rarest` of `scores`, of the features of one field alone; 0 where a row has none of them."""
    for r in range(rarest.size):
        least = np.int64(-1)
        for j in range(row_ptr[r], row_ptr[r + 1]):
            if field[feature[j]] == own:
                number = id[feature[j]]
                times = count[number] if number >= 0 else np.int64(0)
                if least < 0 or times < least:
                    least = times
        rarest[r] = max(least, 0)


@njit(cache=True)
def sigmoids(scores):
    """1 / (1 + exp(-s)) of each: float64."""
    found = np.empty(scores.size)
    for i in range(scores.size):
        e = exp(-abs(scores[i]))
        found[i] = 1.0 / (1.0 + e) if scores[i] >= 0.0 else e / (1.0 + e)
    return found


@njit(inline="always")
def _bin(s, bins):
    """Where a score lies among bins of a quarter of a nat around 0: the number of a bin and how far it is from its begin."""
    return min(max((s * 4.0) + bins / 2, 0.0), bins - 1e-9)


@njit(cache=True)
def count_bins(scores, place, label, weight, table):
    """Add rows to the counts of their groups' bins: place int64 [N] in table float64 [groups, bins, 2], (rows, clicks)."""
    for i in range(scores.size):
        own = 1.0 if weight.size == 0 else np.float64(weight[i])
        at = np.int64(_bin(scores[i], table.shape[1]))
        table[place[i], at, 0] += own
        table[place[i], at, 1] += own * label[i]


@njit(cache=True)
def ascending(counts, p):
    """Isotonic regression of shares by weighted pooling of adjacent violators: counts float64 [bins, 2], p float64 [bins] is filled. A bin
    without rows begins with one row of the chance at its centre."""
    bins = p.size
    first, rows, clicks = np.empty(bins, np.int64), np.empty(bins), np.empty(bins)
    pools = 0
    for b in range(bins):
        first[pools], rows[pools], clicks[pools] = b, counts[b, 0], counts[b, 1]
        if rows[pools] == 0.0:
            rows[pools], clicks[pools] = 1.0, 1.0 / (1.0 + exp(-((b + 0.5) - bins / 2) / 4.0))
        pools += 1
        while pools > 1 and clicks[pools - 2] * rows[pools - 1] >= clicks[pools - 1] * rows[pools - 2]:
            rows[pools - 2] += rows[pools - 1]
            clicks[pools - 2] += clicks[pools - 1]
            pools -= 1
    for pool in range(pools):
        end = first[pool + 1] if pool + 1 < pools else bins
        for b in range(first[pool], end):
            p[b] = clicks[pool] / rows[pool]


@njit(cache=True)
def calibrated(scores, group, groups, p):
    """Scores become the log odds of their calibrated chances: group int64 [N] of each row, groups int64 (ascending, 0 first)."""
    bins = p.shape[1]
    for i in range(scores.size):
        g = np.searchsorted(groups, group[i])
        if g == groups.size or groups[g] != group[i]:
            g = 0
        at = min(max(_bin(scores[i], bins) - 0.5, 0.0), bins - 1.0)
        low = min(np.int64(at), bins - 2)
        chance = p[g, low] + (p[g, low + 1] - p[g, low]) * (at - low)
        chance = min(max(chance, 1e-6), 1.0 - 1e-6)
        scores[i] = log(chance / (1.0 - chance))
