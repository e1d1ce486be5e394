"""Small dense factorisations, in a fixed order and without a library: their bits are the same on every machine.

A table here has as many rows as columns: the width of the sketch, some hundreds. One task does them.
"""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["congruent", "inverse_factor", "jacobi", "largest_stretch"]

FLOOR = 1e-9
"""A pivot below this share of the column's own square is lifted: two factorisations one after the other are then exact to about 1e-7 at the
worst, and to rounding where nothing was lifted."""
DROPPED = 0.1
"""Where directions are dropped, the columns have been made orthonormal once: so little is only what rounding has left of others."""
NOTHING = 1e-280
SWEEPS_MAX = 40
STEPS = 40


@njit(cache=True)
def inverse_factor(gram, drops):
    """T with Z T orthonormal, for the gram Z^T Z (its upper triangle is read): the inverse of the Cholesky factor R, upper triangular.

    Where a pivot is lost in rounding it is lifted to FLOOR of the column's square, so that the direction is kept, shorter: the next
    factorisation finds it (shifted Cholesky QR: Fukaya and others, SIAM J. Sci. Comput. 42, 2020). If it `drops`, such a direction
    becomes zeros instead: nothing of it was there. A column of zeros stays one. Returns (T, how many pivots were lost).
    """
    n = gram.shape[0]
    r, t, lifted = np.zeros((n, n)), np.zeros((n, n)), 0
    for j in range(n):
        own = gram[j].copy()
        rest = own[j:]  # loops from 0 are vectorised
        for i in range(j):
            factor, above = r[i, j], r[i, j:]
            for k in range(rest.size):
                rest[k] -= factor * above[k]
        if not gram[j, j] > NOTHING:
            lifted += 1
            continue
        pivot = own[j]
        floor = DROPPED if drops else FLOOR
        if not pivot > floor * gram[j, j]:
            pivot = floor * gram[j, j]
            lifted += 1
            if drops:
                continue
        root = np.sqrt(pivot)
        r[j, j] = root
        for k in range(j + 1, n):
            r[j, k] = own[k] / root
    for i in range(n - 1, -1, -1):  # row i of T from the rows below: R T = 1
        if r[i, i] == 0.0:
            continue
        row = np.zeros(n)
        row[i] = 1.0
        for j in range(i + 1, n):
            factor, rest, below = r[i, j], row[j:], t[j, j:]
            for k in range(rest.size):
                rest[k] -= factor * below[k]
        for k in range(i, n):
            t[i, k] = row[k] / r[i, i]
    return t, lifted


@njit(cache=True)
def largest_stretch(t):
    """The largest singular value of a table, by power steps on T^T T from a fixed start: from below, mostly to some per cent."""
    n = t.shape[0]
    x = np.empty(n)
    for k in range(n):
        x[k] = 1.0 + (k * 7919 % 101) / 101.0
    found = 0.0
    for _ in range(STEPS):
        length = 0.0
        for k in range(n):
            length += x[k] * x[k]
        if not length > 0.0:
            return 0.0
        length = np.sqrt(length)
        y = np.zeros(n)
        for i in range(n):
            one = 0.0
            for k in range(n):
                one += t[i, k] * (x[k] / length)
            for k in range(n):
                y[k] += one * t[i, k]
        total = 0.0
        for k in range(n):
            total += y[k] * y[k]
        found = np.sqrt(np.sqrt(total))
        x = y
    return found


@njit(cache=True)
def congruent(gram, t):
    """T^T G T for a symmetric G, of which the upper triangle is read: symmetric."""
    n = gram.shape[0]
    half, found = np.zeros((n, n)), np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            one = gram[i, j] if i <= j else gram[j, i]
            for k in range(n):
                half[i, k] += one * t[j, k]
    for j in range(n):
        for i in range(n):
            one = t[j, i]
            if one != 0.0:
                for k in range(n):
                    found[i, k] += one * half[j, k]
    for i in range(n):
        for k in range(i):
            found[i, k] = found[k, i]
    return found


@njit(cache=True)
def jacobi(table):
    """Eigenvalues, descending, and eigenvectors (rows of the second) of a symmetric table, by cyclic rotations.

    Rotations that would change less than rounding are left out (Rutishauser, Numer. Math. 9, 1966); equal values stay in their order.
    """
    a = table.copy()
    n = a.shape[0]
    vectors = np.eye(n)
    for _ in range(SWEEPS_MAX):
        turned = 0
        for p in range(n - 1):
            for q in range(p + 1, n):
                off = a[p, q]
                app, aqq = a[p, p], a[q, q]
                if np.abs(off) <= 1e-16 * np.sqrt(np.abs(app) * np.abs(aqq)) or off == 0.0 or np.abs(off) < NOTHING:
                    continue
                turned += 1
                theta = (aqq - app) / (2.0 * off)
                if np.abs(theta) > 1e150:
                    tangent = 0.5 / theta
                else:
                    tangent = 1.0 / (np.abs(theta) + np.sqrt(theta * theta + 1.0))
                    if theta < 0.0:
                        tangent = -tangent
                cosine = 1.0 / np.sqrt(tangent * tangent + 1.0)
                sine = tangent * cosine
                _rotate(a[p], a[q], cosine, sine)
                for k in range(n):  # the table is symmetric: its columns are its rows
                    a[k, p] = a[p, k]
                    a[k, q] = a[q, k]
                a[p, p] = app - tangent * off
                a[q, q] = aqq + tangent * off
                a[p, q] = 0.0
                a[q, p] = 0.0
                _rotate(vectors[p], vectors[q], cosine, sine)
        if turned == 0:
            break
    values = np.diag(a).copy()
    order = np.argsort(-values, kind="mergesort")
    return values[order], vectors[order]


@njit(inline="always")
def _rotate(p, q, cosine, sine):
    for k in range(p.size):
        one, other = p[k], q[k]
        p[k] = cosine * one - sine * other
        q[k] = sine * one + cosine * other
