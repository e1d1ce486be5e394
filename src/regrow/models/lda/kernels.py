"""The inner loops that read finished topics: bare functions over arrays. Twins in tests/models/lda/naive.py."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
from numba import njit

__all__ = ["top_cells"]

Array = npt.NDArray[Any]


@njit(cache=True)
def top_cells(word_ptr: Array, topics: Array, counts: Array, place: Array, words: Array, most: Array) -> None:
    """words[p, :], most[p, :] = the words with the largest counts in topic k and these, descending; of equal counts the lower word.

    word_ptr, topics, counts: sparse counts by word; place: int32 [K], p of each topic, -1: it is not asked for; words: int64 [P, n],
    most: as counts, [P, n], all 0 before; 0 counts end a list.
    """
    last = most.shape[1] - 1
    for w in range(word_ptr.size - 1):
        for i in range(word_ptr[w], word_ptr[w + 1]):
            p, c = place[topics[i]], counts[i]
            if p < 0 or c <= most[p, last]:
                continue
            at = last
            while at > 0 and most[p, at - 1] < c:
                most[p, at], words[p, at] = most[p, at - 1], words[p, at - 1]
                at -= 1
            most[p, at], words[p, at] = c, w
