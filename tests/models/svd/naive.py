"""What the kernels and the program say, in the plainest way."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def product(ptr: Array, index: Array, value: Array, other: Array, out: Array) -> None:
    """Line by line, entry by entry, column by column."""
    for i in range(len(out)):
        for e in range(int(ptr[i]), int(ptr[i + 1])):
            for k in range(out.shape[1]):
                out[i, k] = out[i, k] + float(value[e]) * other[index[e], k] if len(value) else out[i, k] + other[index[e], k]


def gram(lines: Array) -> Array:
    """The upper triangle of lines^T lines, line by line."""
    found = np.zeros((lines.shape[1], lines.shape[1]))
    for line in lines:
        for j in range(len(line)):
            for k in range(j, len(line)):
                found[j, k] = found[j, k] + line[j] * line[k]
    return found


def times(lines: Array, table: Array) -> Array:
    """Term by term."""
    found = np.zeros((len(lines), table.shape[1]))
    for i in range(len(lines)):
        for j in range(table.shape[0]):
            for k in range(table.shape[1]):
                found[i, k] = found[i, k] + lines[i, j] * table[j, k]
    return found


def cosine(line: Array, weight: Array, target: Array) -> float:
    """In four sums, each of every fourth entry; what is left over at the end goes to the first."""
    whole = len(target) // 4 * 4
    dot, square, own = [0.0] * 4, [0.0] * 4, 0.0
    for k in range(len(target)):
        one, turn = float(line[k]) * float(weight[k]), k % 4 if k < whole else 0
        dot[turn] += one * float(target[k])
        square[turn] += one * one
        own += float(target[k]) ** 2
    length = math.sqrt(((square[0] + square[1]) + (square[2] + square[3])) * own)
    return ((dot[0] + dot[1]) + (dot[2] + dot[3])) / length if length > 0 else 0.0


def factored(matrix: Array, scaling: str) -> Array:
    """What is factored of a dense matrix of counts."""
    if scaling == "none":
        return matrix.astype(np.float64)
    if scaling == "tfidf":
        documents = (matrix > 0).sum(axis=0)
        weighted = matrix * (np.log((1 + len(matrix)) / (1 + documents)) + 1)
        length = np.sqrt((weighted**2).sum(axis=1, keepdims=True))
        return np.divide(weighted, length, out=np.zeros_like(weighted), where=length > 0)
    expected = np.outer(matrix.sum(axis=1), matrix.sum(axis=0)) / matrix.sum()
    return np.divide(matrix - expected, np.sqrt(expected * matrix.sum()), out=np.zeros(matrix.shape), where=expected > 0)
