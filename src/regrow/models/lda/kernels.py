"""The inner loops that read finished topics: bare functions over arrays. Twins in tests/models/lda/naive.py."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
from numba import njit

__all__ = ["top_cells"]

Array = npt.NDArray[Any]


@njit(cache=True)
def top_cells(word_ptr: Array, topics: Array, counts: Array, words: Array, most: Array) -> None:
    """words[k, :], most[k, :] = the words with the largest counts in topic k and these, descending; of equal counts the lower word.

    word_ptr, topics, counts: sparse counts by word; words: int64 [K, n], most: as counts, [K, n], all 0 before; 0 counts end a list.
    """
    last = most.shape[1] - 1
    for w in range(word_ptr.size - 1):
        for i in range(word_ptr[w], word_ptr[w + 1]):
            k, c = topics[i], counts[i]
            if c <= most[k, last]:
                continue
            place = last
            while place > 0 and most[k, place - 1] < c:
                most[k, place], words[k, place] = most[k, place - 1], words[k, place - 1]
                place -= 1
            most[k, place], words[k, place] = c, w
