"""Arrays that are used again for the next part: memory that is new comes from the kernel page by page, which takes as long as reading."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["BYTES_MAX", "give", "take"]

Array = npt.NDArray[Any]

BYTES_MAX = 1 << 26
"""An array that is larger is not kept."""
_held: dict[str, Array] = {}
"""One of each kind. It is taken out while somebody has it, so two threads never have the same."""


def take(name: str, kind: Any, least: int) -> Array:
    """An array of at least so many of something, with anything in it: one that was given under this name, or a new one."""
    held = _held.pop(name, None)
    return held if held is not None and len(held) >= least else np.empty(least, kind)


def give(name: str, array: Array) -> None:
    """Keep an array, or the one that it is a view of, at which nobody looks any more."""
    array = array if array.base is None else array.base
    if array.nbytes <= BYTES_MAX:
        _held[name] = array
