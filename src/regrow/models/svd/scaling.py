"""What is factored: the matrix with a weight for each row and each column, and for chi-square less what is expected.

chi2    a_ij / sqrt(R_i C_j) - sqrt(R_i C_j) / N, with the sums R_i of rows, C_j of columns, N of all: Pearson's residuals of the
        hypothesis that rows and columns are independent (correspondence analysis: Benzecri; Greenacre 1984). Their squares add up to
        chi^2 / N. Least squares takes all entries for equally uncertain, so frequent words, whose counts vary most, own the
        components; residuals have variance 1 under the hypothesis, whatever the frequency.
tfidf   a_ij idf_j over the row's length, idf_j = log((1 + D) / (1 + d_j)) + 1: as scikit-learn's TfidfVectorizer
none    a_ij
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.arithmetic import log

__all__ = ["SCALINGS", "column_weights", "expected", "inverse_roots", "row_weights"]

Array = npt.NDArray[Any]

SCALINGS = ("auto", "chi2", "tfidf", "none")


def column_weights(scaling: str, total: Array, entries: Array, documents: int) -> Array:
    """The weight of each column: float64. total: the sums of its entries; entries: how many; documents: of the matrix."""
    if scaling == "chi2":
        return inverse_roots(total)
    if scaling == "tfidf":
        known: dict[int, float] = {}
        for number in entries.tolist():
            if number not in known:
                known[number] = float(log((1.0 + documents) / (1.0 + number))) + 1.0
        return np.array([known[number] if number else 0.0 for number in entries.tolist()])
    return (entries > 0).astype(np.float64)


def row_weights(scaling: str, total: Array, entries: Array, squares: Array) -> Array:
    """The weight of each row: float64. squares: the sums of the squares of its entries with the columns' weights."""
    if scaling == "chi2":
        return inverse_roots(total)
    if scaling == "tfidf":
        return inverse_roots(squares)
    return (entries > 0).astype(np.float64)


def expected(scaling: str, total: Array, everything: float) -> Array:
    """sqrt(total / everything): the lines' part of what is expected, which is taken away; zeros where nothing is."""
    if scaling != "chi2":
        return np.zeros(len(total))
    return np.sqrt(total / everything)


def inverse_roots(values: Array) -> Array:
    """1 / sqrt(value), and 0 where the value is not above 0."""
    found = np.zeros(len(values))
    there = values > 0
    found[there] = 1.0 / np.sqrt(values[there])
    return found
