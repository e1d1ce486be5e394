"""The dense and sparse loops of the truncated SVD. Every sum is in a fixed order; only loops over independent numbers are vectorised.

A matrix is in cells: of a cell, line i has the entries [ptr[i], ptr[i + 1]) of `index` and `value`. The same kernel multiplies rows and
columns. Loops are unrolled by four terms, which changes no order: ((x + a) + b) + c is what the plain loop says.
"""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

from regrow.rng import uniform

__all__ = ["add_gram", "add_product", "add_squares", "added_up", "random_lines", "scale_lines", "take_outer", "times"]


@njit(cache=True)
def random_lines(key, first, weight, out):
    """Lines of uniform numbers in [-1, 1): line i is that of item first + i, and 0 where its weight is 0."""
    for i in range(out.shape[0]):
        for k in range(out.shape[1]):
            out[i, k] = 2.0 * uniform(key, first + i, k) - 1.0 if weight[i] else 0.0


@njit(cache=True)
def add_product(ptr, index, value, other, out):
    """out[i] += sum over the entries e of line i, in order, of value[e] * other[index[e]].

    ptr unsigned [lines + 1], index int32, value float32 or float64 (empty: all are 1), other and out float64 of the same width.
    """
    width = out.shape[1]
    ones = value.size == 0
    for i in range(out.shape[0]):
        line = out[i]
        e, end = np.int64(ptr[i]), np.int64(ptr[i + 1])
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
        for e in range(np.int64(ptr[i]), np.int64(ptr[i + 1])):
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
    """gram += lines^T lines, its upper triangle; in the order of the lines."""
    width = lines.shape[1]
    i, end = 0, lines.shape[0]
    while i + 4 <= end:
        a, b, c, d = lines[i], lines[i + 1], lines[i + 2], lines[i + 3]
        for j in range(width):
            row, aj, bj, cj, dj = gram[j], a[j], b[j], c[j], d[j]
            for k in range(j, width):
                row[k] = (((row[k] + aj * a[k]) + bj * b[k]) + cj * c[k]) + dj * d[k]
        i += 4
    while i < end:
        a = lines[i]
        for j in range(width):
            row, aj = gram[j], a[j]
            for k in range(j, width):
                row[k] += aj * a[k]
        i += 1


@njit(cache=True)
def times(lines, table, out):
    """out = lines times table: [lines, width] times [width, k]; each sum in the order of the width."""
    width, columns = table.shape
    for i in range(lines.shape[0]):
        line, target = lines[i], out[i]
        for k in range(columns):
            target[k] = 0.0
        j = 0
        while j + 4 <= width:
            a, b, c, d = table[j], table[j + 1], table[j + 2], table[j + 3]
            va, vb, vc, vd = line[j], line[j + 1], line[j + 2], line[j + 3]
            for k in range(columns):
                target[k] = (((target[k] + va * a[k]) + vb * b[k]) + vc * c[k]) + vd * d[k]
            j += 4
        while j < width:
            a, va = table[j], line[j]
            for k in range(columns):
                target[k] += va * a[k]
            j += 1
