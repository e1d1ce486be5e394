"""What rows and columns have in common: lines with entries in cells, and products with what the other side sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.readonly import read_only
from regrow.models.svd import kernels
from regrow.program import Message

__all__ = ["added", "gram_of", "lines_of", "product", "scaled", "squares", "times"]

Array = npt.NDArray[Any]


def lines_of(fixed: Mapping[str, Any]) -> int:
    """How many rows or columns a part has."""
    return len(fixed["total"])


def product(fixed: Mapping[str, Any], inbox: Iterable[Message], name: str, width: int) -> Array:
    """The part's entries times what the partitions of the other side sent, in their order: float64 [lines, width]."""
    found = np.zeros((lines_of(fixed), width))
    starts, index, value = fixed["starts"], read_only(fixed["index"]), read_only(fixed["value"])
    for message in inbox:
        kernels.add_product(read_only(starts[message.sender]), index, value, read_only(message[name]), found)
    return found


def squares(fixed: Mapping[str, Any], inbox: Iterable[Message], name: str) -> Array:
    """The sums of the squares of each line's entries, weighted by what the other side sent: float64 [lines]."""
    found = np.zeros(lines_of(fixed))
    starts, index, value = fixed["starts"], read_only(fixed["index"]), read_only(fixed["value"])
    for message in inbox:
        kernels.add_squares(read_only(starts[message.sender]), index, value, read_only(message[name]), found)
    return found


def added(inbox: Iterable[Message], name: str) -> Array:
    """The sum of an array of all senders, in their order."""
    total: Array | None = None
    for message in inbox:
        total = np.array(message[name]) if total is None else total + message[name]
    assert total is not None
    return total


def gram_of(lines: Array) -> Array:
    """The upper triangle of lines^T lines."""
    gram = np.zeros((lines.shape[1], lines.shape[1]))
    kernels.add_gram(read_only(lines), gram)
    return gram


def times(lines: Array, table: Array, *, upper: bool = False) -> Array:
    """lines times a small table, which may be upper triangular: float64."""
    found = np.empty((len(lines), table.shape[1]))
    kernels.times(read_only(lines), read_only(table), upper, found)
    return found


def scaled(lines: Array, weight: Array) -> Array:
    """Each line times its weight."""
    found = np.empty_like(lines)
    kernels.scale_lines(read_only(lines), read_only(weight), found)
    return found
