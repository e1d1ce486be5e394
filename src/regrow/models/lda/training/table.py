"""The sparse counts of words by topics, made from topics of tokens and joined from sets of words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.models.lda import kernels
from regrow.packed import Strings, strings

__all__ = ["joined", "joined_vocabulary", "word_counts"]

Array = npt.NDArray[Any]


def word_counts(topic: Array, slices: Array, row_ptr: Array, topics: int) -> tuple[Array, Array, Array, Array]:
    """(ptr int64 [W + 1], topics as of `topic`, counts int32, totals int64 [K]) of a set of words.

    topic: unsigned [N], of each token; slices, row_ptr: as in `visit_words`.
    """
    room = int(np.minimum((slices[:, 1:] - slices[:, :-1]).sum(axis=0, dtype=np.int64), topics).sum())
    ptr, columns, counts = np.empty(slices.shape[1], np.int64), np.empty(room, topic.dtype), np.empty(room, np.int32)
    totals = kernels.word_topics(topic, slices, row_ptr, topics, ptr, columns, counts)
    return ptr, columns[: ptr[-1]], counts[: ptr[-1]], totals


def joined(parts: Sequence[Mapping[str, Any]], words: int) -> dict[str, Array]:
    """Join the sparse counts of sets of words to one table in the order of the vocabulary: word_ptr, topics, counts, topic_totals.

    parts: `words` (their numbers), `ptr`, `topics`, `counts`, `totals` of each set; words: V.
    """
    sizes = np.zeros(words, np.int64)
    for part in parts:
        sizes[part["words"]] = np.diff(part["ptr"])
    word_ptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    topics, counts = np.empty(word_ptr[-1], parts[0]["topics"].dtype), np.empty(word_ptr[-1], np.int32)
    for part in parts:
        where = np.repeat(word_ptr[part["words"]] - part["ptr"][:-1], np.diff(part["ptr"])) + np.arange(part["ptr"][-1])
        topics[where], counts[where] = part["topics"], part["counts"]
    totals = np.sum([np.asarray(part["totals"]) for part in parts], axis=0)
    return {"word_ptr": word_ptr, "topics": topics, "counts": counts, "topic_totals": totals}


def joined_vocabulary(parts: Sequence[Mapping[str, Any]]) -> tuple[Strings, Array, Strings]:
    """(words, counts, dropped words) of a vocabulary of one part or more."""
    dropped = [part["dropped"] for part in parts if "dropped" in part]
    counts = np.concatenate([part["counts"] for part in parts])
    return Strings.concatenate([part["words"] for part in parts]), counts, Strings.concatenate(dropped) if dropped else strings([])
