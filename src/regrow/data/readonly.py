"""Arrays as kernels know them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["read_only"]


def read_only(array: Any) -> npt.NDArray[Any]:
    """The array as kernels know it: one type, whether it came from a file, a message or this task, so that they compile once."""
    if type(array) is np.ndarray and array.flags.aligned and not array.flags.writeable:
        return array  # it is that already
    view: npt.NDArray[Any] = np.asarray(array).view(np.ndarray)
    if not view.flags.aligned:
        view = view.copy()
    view = view[:]
    view.flags.writeable = False
    return view
