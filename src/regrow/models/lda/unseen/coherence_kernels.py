"""The inner loops of coherence: which top words stand in the same documents, and what that says of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from regrow.arithmetic import log

__all__ = ["count_together", "npmi"]

Array = npt.NDArray[Any]


@njit(cache=True)
def count_together(words: Array, doc_ptr: Array, listed_as: Array, pair_ptr: Array, partners: Array, alone: Array, together: Array) -> None:
    """In how many documents each listed word stands, and each pair.

    words, doc_ptr  int32 [N], int64 [D + 1]: tokens of the documents; -1: unknown
    listed_as       int32 [V]: the place of a word in the list, -1 if it is not listed
    pair_ptr, partners  int64 [T + 1], int32 [P]: the pairs of listed word x are (x, y) for y in partners[pair_ptr[x]:pair_ptr[x + 1]],
                    ascending, y > x
    alone           int32 [T], `together` int32 [P]: are added to

    A document with m listed words costs, for each of these, its pairs or m searches among them, whichever is less.
    """
    last_seen = np.full(alone.size, -1, np.int64)  # the last document with this word
    longest = 0
    for d in range(doc_ptr.size - 1):
        longest = max(longest, doc_ptr[d + 1] - doc_ptr[d])
    present = np.empty(longest, np.int32)
    for d in range(doc_ptr.size - 1):
        m = 0
        for i in range(doc_ptr[d], doc_ptr[d + 1]):
            x = listed_as[words[i]] if words[i] >= 0 else -1
            if x >= 0 and last_seen[x] != d:
                last_seen[x] = d
                present[m] = x
                m += 1
        for i in range(m):
            x = present[i]
            alone[x] += 1
            start, end = pair_ptr[x], pair_ptr[x + 1]
            if end - start <= 16 * m:
                for pair in range(start, end):
                    together[pair] += last_seen[partners[pair]] == d
            else:
                for j in range(m):
                    pair = start + np.searchsorted(partners[start:end], present[j])
                    if pair < end and partners[pair] == present[j]:
                        together[pair] += 1


@njit(cache=True)
def npmi(alone: Array, together: Array, pair_ptr: Array, partners: Array, documents: int, values: Array) -> None:
    """values[pair] = the normalised pointwise mutual information of each pair, not a number where a word stands nowhere.

    alone, together int64 [T] and [P]: documents with each word and each pair, of `documents` in all; values: float64 [P]
    """
    for x in range(alone.size):
        for pair in range(pair_ptr[x], pair_ptr[x + 1]):
            one, other, both = float(alone[x]), float(alone[partners[pair]]), float(together[pair])
            if one == 0.0 or other == 0.0:
                values[pair] = np.nan
            elif both == 0.0:
                values[pair] = -1.0
            elif both == documents:
                values[pair] = 1.0
            else:
                together_log = log(both / documents)  # so that words that are only together have 1 exactly
                values[pair] = (together_log - log(one / documents) - log(other / documents)) / -together_log
