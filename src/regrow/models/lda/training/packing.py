"""Arrays as the kernels of LDA are compiled for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Packing", "steady"]

Array = npt.NDArray[Any]


class Packing:
    """The types that a number of topics asks for: 32 bits a token below 65,536 topics, else 64.

    half: bits of half a pair; pair: of a topic and a candidate; topic: of one alone.
    """

    def __init__(self, topics: int) -> None:
        small = topics < 1 << 16  # 65,536 topics would make a pair of all bits set, which marks a token without topic
        self.half = 16 if small else 32
        self.pair: type[np.unsignedinteger[Any]] = np.uint32 if small else np.uint64
        self.topic: type[np.unsignedinteger[Any]] = np.uint16 if small else np.uint32

    def entry(self, tokens: int) -> type[np.unsignedinteger[Any]]:
        """Of a topic and a count, in documents of up to so many tokens."""
        return np.uint32 if self.half == 16 and tokens < 1 << 16 else np.uint64


def steady(array: Array) -> Array:
    """The array as kernels are compiled for it, wherever it comes from: read-only, aligned, contiguous."""
    view = np.require(array, requirements=["C", "A"]).view()
    view.flags.writeable = False
    return view
