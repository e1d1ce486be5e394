"""The dense and sparse loops of the truncated SVD. Every sum is in a fixed order; only loops over independent numbers are vectorised.

A matrix is in cells: of a cell, line i has the entries [ptr[i], ptr[i + 1]) of `index` and `value`. The same kernel multiplies rows and
columns. Loops are unrolled by four terms, which changes no order: ((x + a) + b) + c is what the plain loop says. Innermost loops count
from 0, over arrays cut to what they need: the compiler vectorises only those, as other indices might be below 0.
"""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

from regrow.rng import uniform

__all__ = [
    "add_gram",
    "add_product",
    "add_squares",
    "added_up",
    "cosines",
    "random_lines",
    "scale_in_place",
    "scale_lines",
    "take_outer",
    "times",
]

ALIGNED = ~7
"""Where a loop may begin earlier than it must, it begins at a multiple of 8: nothing is left over at its end."""


@njit(cache=True)
def random_lines(key, first, weight, out):
    """Lines of uniform numbers in [-1, 1): line i is that of item first + i, and 0 where its weight is 0."""
    for i in range(out.shape[0]):
        for k in range(out.shape[1]):
            out[i, k] = 2.0 * uniform(key, first + i, k) - 1.0 if weight[i] else 0.0


@njit(cache=True)
def add_product(ptr, index, value, other, out):
    """out[i] += sum over the entries e of line i, in order, of value[e] * other[index[e]].

    ptr int64 [lines + 1], index int32, value float32 or float64 (empty: all are 1), other float32 or float64 and out
    float64 of the same width. All arithmetic is of float64.
    """
    width = out.shape[1]
    ones = value.size == 0
    for i in range(out.shape[0]):
        line = out[i]
        e, end = ptr[i], ptr[i + 1]
        while e + 4 <= end:
            a, b, c, d = other[index[e]], other[index[e + 1]], other[index[e + 2]], other[index[e + 3]]
            if ones:
                for k in range(width):
                    line[k] = (((line[k] + a[k]) + b[k]) + c[k]) + d[k]
            else:
                va, vb = np.float64(value[e]), np.float64(value[e + 1])
                vc, vd = np.float64(value[e + 2]), np.float64(value[e + 3])
                for k in range(width):
                    line[k] = (((line[k] + va * a[k]) + vb * b[k]) + vc * c[k]) + vd * d[k]
            e += 4
        while e < end:
            a, va = other[index[e]], np.float64(1.0) if ones else np.float64(value[e])
            for k in range(width):
                line[k] += va * a[k]
            e += 1


@njit(cache=True)
def add_squares(ptr, index, value, weight, out):
    """out[i] += sum over the entries e of line i of (value[e] * weight[index[e]])^2: float64 [lines]."""
    ones = value.size == 0
    for i in range(out.size):
        total = out[i]
        for e in range(ptr[i], ptr[i + 1]):
            one = weight[index[e]] * (1.0 if ones else np.float64(value[e]))
            total += one * one
        out[i] = total


@njit(cache=True)
def scale_lines(lines, weight, out):
    """out[i] = weight[i] * lines[i]."""
    for i in range(lines.shape[0]):
        for k in range(lines.shape[1]):
            out[i, k] = weight[i] * lines[i, k]


@njit(cache=True)
def scale_in_place(lines, weight):
    """lines[i] *= weight[i]."""
    for i in range(lines.shape[0]):
        for k in range(lines.shape[1]):
            lines[i, k] *= weight[i]


@njit(cache=True)
def take_outer(lines, u, v):
    """lines[i] -= u[i] * v."""
    for i in range(lines.shape[0]):
        for k in range(v.size):
            lines[i, k] -= u[i] * v[k]


@njit(cache=True)
def added_up(lines, weight):
    """The sum over the lines, in order, of weight[i] * lines[i]: float64 [width]."""
    total = np.zeros(lines.shape[1])
    for i in range(lines.shape[0]):
        for k in range(total.size):
            total[k] += weight[i] * lines[i, k]
    return total


@njit(cache=True)
def add_gram(lines, gram):
    """gram += lines^T lines, in the order of the lines; only the upper triangle of gram means anything. Two of its rows at a time."""
    width = lines.shape[1]
    i, end = 0, lines.shape[0]
    while i + 4 <= end:
        j = 0
        while j + 2 <= width:
            start = j & ALIGNED
            a, b, c, d = lines[i, start:], lines[i + 1, start:], lines[i + 2, start:], lines[i + 3, start:]
            upper, lower = gram[j, start:], gram[j + 1, start:]
            own, next = j - start, j - start + 1
            a0, b0, c0, d0 = a[own], b[own], c[own], d[own]
            a1, b1, c1, d1 = a[next], b[next], c[next], d[next]
            for k in range(upper.size):
                x, y, z, w = a[k], b[k], c[k], d[k]
                upper[k] = (((upper[k] + a0 * x) + b0 * y) + c0 * z) + d0 * w
                lower[k] = (((lower[k] + a1 * x) + b1 * y) + c1 * z) + d1 * w
            j += 2
        if j < width:
            a, b, c, d = lines[i], lines[i + 1], lines[i + 2], lines[i + 3]
            gram[j, j] = (((gram[j, j] + a[j] * a[j]) + b[j] * b[j]) + c[j] * c[j]) + d[j] * d[j]
        i += 4
    while i < end:
        a = lines[i]
        for j in range(width):
            row, aj = gram[j], a[j]
            for k in range(j, width):
                row[k] += aj * a[k]
        i += 1


@njit(cache=True)
def times(lines, table, upper, out):
    """out = lines times table: [lines, width] times [width, k]; each sum in the order of the width. Two lines at a time.

    upper   whether the table is upper triangular: then blocks of zeros are passed over
    """
    width, columns = table.shape
    i, end = 0, lines.shape[0]
    while i < end:
        pair = i + 1 < end
        one, other = lines[i], lines[i + 1] if pair else lines[i]
        found, second = out[i], out[i + 1] if pair else np.empty(columns)
        found[:] = 0.0
        second[:] = 0.0
        j = 0
        while j + 4 <= width:
            start = j & ALIGNED if upper else 0
            a, b, c, d = table[j, start:], table[j + 1, start:], table[j + 2, start:], table[j + 3, start:]
            va, vb, vc, vd = np.float64(one[j]), np.float64(one[j + 1]), np.float64(one[j + 2]), np.float64(one[j + 3])
            wa, wb, wc, wd = np.float64(other[j]), np.float64(other[j + 1]), np.float64(other[j + 2]), np.float64(other[j + 3])
            p, q = found[start:], second[start:]
            for k in range(p.size):
                x, y, z, w = a[k], b[k], c[k], d[k]
                p[k] = (((p[k] + va * x) + vb * y) + vc * z) + vd * w
                q[k] = (((q[k] + wa * x) + wb * y) + wc * z) + wd * w
            j += 4
        while j < width:
            start = j & ALIGNED if upper else 0
            a, va, wa, p, q = table[j, start:], np.float64(one[j]), np.float64(other[j]), found[start:], second[start:]
            for k in range(p.size):
                p[k] += va * a[k]
                q[k] += wa * a[k]
            j += 1
        i += 2


@njit(cache=True)
def cosines(lines, weight, target, found):
    """found[i] = the cosine of lines[i] * weight and target; 0 where one of them is all zeros.

    lines float32 or float64 [n, width], weight and target float64 [width]. Sums are of four sums each: entries k, k + 4, k + 8, ...
    """
    width, own = target.size, 0.0
    for k in range(width):
        own += target[k] * target[k]
    for i in range(found.size):
        line = lines[i]
        a0, a1, a2, a3, b0, b1, b2, b3 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        k = 0
        while k + 4 <= width:
            p, q = np.float64(line[k]) * weight[k], np.float64(line[k + 1]) * weight[k + 1]
            r, s = np.float64(line[k + 2]) * weight[k + 2], np.float64(line[k + 3]) * weight[k + 3]
            a0 += p * target[k]
            a1 += q * target[k + 1]
            a2 += r * target[k + 2]
            a3 += s * target[k + 3]
            b0 += p * p
            b1 += q * q
            b2 += r * r
            b3 += s * s
            k += 4
        while k < width:
            p = np.float64(line[k]) * weight[k]
            a0 += p * target[k]
            b0 += p * p
            k += 1
        length = np.sqrt(((b0 + b1) + (b2 + b3)) * own)
        found[i] = ((a0 + a1) + (a2 + a3)) / length if length > 0.0 else 0.0
