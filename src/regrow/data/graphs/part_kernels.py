"""Edges of a range of nodes -> sorted by where they lead, with what a vertex program needs to send along them."""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["LAST", "by_owner", "count_ends", "order_of_edges", "runs", "thinned", "totals"]

LAST = 1 << 31
"""Set in the source of the last edge of each target."""


@njit(cache=True)
def count_ends(source, target, drop, both, shift, out, into):
    """Add to each block of 2^shift nodes how many edges leave it (out int64) and how many lead there (into int64)."""
    for i in range(source.size):
        u, v = source[i], target[i]
        if u == v:
            if drop:
                continue
        elif both:
            out[v >> shift] += 1
            into[u >> shift] += 1
        out[u >> shift] += 1
        into[v >> shift] += 1


@njit(cache=True)
def by_owner(source, target, weight, drop, both, owner, shift, sizes, u, v, w):
    """Edges in the order of the ranges that their sources are in, within one as they came.

    owner uint32: the range of each block of 2^shift nodes; sizes int64 [ranges + 1]: where each range begins (filled by the caller from
    `count_ends`; moved on here, so that afterwards it is where each ends). u, v uint32 and w float64 (or empty) are filled.
    """
    weighted = weight.size > 0
    for i in range(source.size):
        a, b = source[i], target[i]
        if a == b and drop:
            continue
        at = sizes[owner[a >> shift]]
        sizes[owner[a >> shift]] = at + 1
        u[at], v[at] = a, b
        if weighted:
            w[at] = weight[i]
        if both and a != b:
            at = sizes[owner[b >> shift]]
            sizes[owner[b >> shift]] = at + 1
            u[at], v[at] = b, a
            if weighted:
                w[at] = weight[i]


@njit(cache=True)
def order_of_edges(u, v, rows, nodes):
    """The order of edges by target, then source, then as they came: int64. Sources are below `rows`, targets below `nodes`."""
    first = np.empty(u.size, np.int64)
    places = np.zeros(rows + 1, np.int64)
    for i in range(u.size):
        places[u[i] + 1] += 1
    for k in range(rows):
        places[k + 1] += places[k]
    for i in range(u.size):
        first[places[u[i]]] = i
        places[u[i]] += 1
    order = np.empty(u.size, np.int64)
    places = np.zeros(nodes + 1, np.int64)
    for i in range(v.size):
        places[v[i] + 1] += 1
    for k in range(nodes):
        places[k + 1] += places[k]
    for i in first:
        order[places[v[i]]] = i
        places[v[i]] += 1
    return order


@njit(cache=True)
def thinned(u, v, w, once):
    """Sorted edges, in place: those that are there several times by ascending weight, so that the order of the input leaves no trace; or
    once each, with the largest weight. Returns how many are left."""
    left, i = 0, 0
    while i < u.size:
        end = i + 1
        while end < u.size and u[end] == u[i] and v[end] == v[i]:
            end += 1
        if w.size and end - i > 1:
            w[i:end] = np.sort(w[i:end])
        start = end - 1 if once else i
        for k in range(start, end):
            u[left], v[left] = u[k], v[k]
            if w.size:
                w[left] = w[k]
            left += 1
        i = end
    return left


@njit(cache=True)
def totals(u, w, rows):
    """The weight that leaves each node: float64 [rows]."""
    found = np.zeros(rows)
    for i in range(u.size):
        found[u[i]] += w[i] if w.size else 1.0
    return found


@njit(cache=True)
def runs(u, v):
    """Of sorted edges: each target once (uint32), and where its edges begin (int64, one longer). The last edge of each target is marked in
    u."""
    count = 0
    for i in range(v.size):
        count += i == 0 or v[i] != v[i - 1]
    targets, ptr, at = np.empty(count, np.uint32), np.empty(count + 1, np.int64), 0
    for i in range(v.size):
        if i == 0 or v[i] != v[i - 1]:
            targets[at], ptr[at] = v[i], i
            at += 1
        if i + 1 == v.size or v[i + 1] != v[i]:
            u[i] |= np.uint32(LAST)
    ptr[count] = v.size
    return targets, ptr
