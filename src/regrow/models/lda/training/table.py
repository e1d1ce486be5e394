"""The sparse counts of words by topics, joined from sets of words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.packed import Strings, strings

__all__ = ["joined", "joined_vocabulary"]

Array = npt.NDArray[Any]


def joined(parts: Sequence[Mapping[str, Any]], words: int, topics: int, draws: int) -> dict[str, Array]:
    """Join the sparse counts of sets of words to one table in the order of the vocabulary: word_ptr, topics, counts, topic_totals.

    parts: `words` (their numbers), `ptr`, `topics`, `counts` of each set, over so many `draws` of each token; words, topics: V, K.
    The counts are int32 (totals int64) if there is one, else the mean, float32 (totals float64).
    """
    sizes = np.zeros(words, np.int64)
    for part in parts:
        sizes[part["words"]] = np.diff(part["ptr"])
    word_ptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    columns, sums = np.empty(word_ptr[-1], parts[0]["topics"].dtype), np.empty(word_ptr[-1], np.int64)
    totals = np.zeros(topics, np.int64)
    for part in parts:
        where = np.repeat(word_ptr[part["words"]] - part["ptr"][:-1], np.diff(part["ptr"])) + np.arange(part["ptr"][-1])
        columns[where], sums[where] = part["topics"], part["counts"]
        np.add.at(totals, part["topics"], part["counts"].astype(np.int64))
    if draws == 1:
        return {"word_ptr": word_ptr, "topics": columns, "counts": sums.astype(np.int32), "topic_totals": totals}
    return {"word_ptr": word_ptr, "topics": columns, "counts": (sums / draws).astype(np.float32), "topic_totals": totals / draws}


def joined_vocabulary(parts: Sequence[Mapping[str, Any]]) -> tuple[Strings, Array, Strings]:
    """(words, counts, dropped words) of a vocabulary of one part or more."""
    dropped = [part["dropped"] for part in parts if "dropped" in part]
    counts = np.concatenate([part["counts"] for part in parts])
    return Strings.concatenate([part["words"] for part in parts]), counts, Strings.concatenate(dropped) if dropped else strings([])
