"""Which topics say the same.

With many topics duplicates are nearly unavoidable. Two topics are compared by what they say beyond what all text says: the words
whose share of the topic exceeds their share of the corpus, weighted by that excess,  C_wk / C_k - n_w / N,  so that words which
every topic has make none alike. Of each topic the `WORDS` words of largest excess count; words that it has only once do not, and
a topic with fewer than `WORDS_MIN` is too small to be compared. The similarity of two is  sum_w min / sum_w max  of the weights (a
weighted Jaccard index, as in Familia's TopicFastMerge: Jiang et al., 2018). From the largest topic down, each joins the most
similar one of those that lead a group so far, if they are similar enough, else leads a group of its own: all in a group are
like its leader, and no chain of small steps joins what differs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.models.lda.training import merging_kernels as kernels
from regrow.models.lda.training.packing import steady

__all__ = ["SAME", "WORDS", "TopWords", "changes", "distinct_topics", "follow", "leaders_of", "top_words"]

Array = npt.NDArray[Any]

WORDS = 30
"""How many words of a topic are compared."""
WORDS_MIN = 5
"""Topics with fewer are compared with none: one or two words that a handful of tokens happen to share say nothing."""
SAME = 0.5
"""The similarity from which on two topics are one."""


@dataclass(frozen=True)
class TopWords:
    """The words that tell topics from the rest of the text: those of topic k are at [ptr[k], ptr[k + 1]).

    ptr: int64 [K + 1]; words: int32, weights: float64, descending.
    """

    ptr: Array
    words: Array
    weights: Array

    def packed(self) -> dict[str, Array]:
        """As arrays of a message: one byte a topic, 12 a word."""
        return {"sizes": np.diff(self.ptr).astype(np.uint8), "words": self.words, "weights": self.weights}

    @staticmethod
    def joined(messages: Iterable[Mapping[str, Any]]) -> TopWords:
        """The top words of all from those of parts of the vocabulary, packed; one message at a time is in memory."""
        made: TopWords | None = None
        for message in messages:
            ptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(message["sizes"], dtype=np.int64)])
            own = TopWords(ptr, np.array(message["words"]), np.array(message["weights"]))
            if made is not None:
                own = TopWords(*kernels.merged_tops(made.ptr, made.words, made.weights, own.ptr, own.words, own.weights, WORDS))
            made = own
        assert made is not None
        return made


def top_words(word_ptr: Array, topics: Array, counts: Array, totals: Array, words: Array | None = None) -> TopWords:
    """The top words of each topic in a table of counts by word.

    word_ptr int64 [W + 1], topics unsigned, counts int32: all cells of W words; totals int32 or int64 [K]: C_k of the corpus, which may
    have more words; words int32 [W]: their numbers, ascending (from 0 if not given).
    """
    word_ptr, topics, counts, totals = (steady(array) for array in (word_ptr, topics, counts, totals))
    tokens = int(totals.sum(dtype=np.int64))
    ptr = kernels.room_of_tops(word_ptr, topics, counts, totals, tokens, WORDS)
    rows, weights = np.zeros(ptr[-1], np.int32), np.zeros(ptr[-1], np.float64)
    kernels.top_excess(word_ptr, topics, counts, totals, tokens, ptr, rows, weights)
    return TopWords(ptr, rows if words is None else words[rows].astype(np.int32), weights)


def leaders_of(top: TopWords, totals: Array, same: float | None = None) -> Array:
    """int32 [K]: the topic that leads each topic's group, the largest, of equal ones the lowest; who is not compared leads itself."""
    same = SAME if same is None else same
    found, where, often = np.unique(top.words, return_inverse=True, return_counts=True)
    rank = np.empty(len(found), np.int32)
    rank[np.argsort(often, kind="stable")] = np.arange(len(found), dtype=np.int32)  # rare words first: their lists are short
    ranks, weights, sums = rank[where], np.array(top.weights), np.empty(len(totals), np.float64)
    ends = kernels.prefixes(top.ptr, ranks, weights, same, sums)
    order = np.argsort(-np.asarray(totals, np.int64), kind="stable")
    order = order[np.diff(top.ptr)[order] >= WORDS_MIN]
    return kernels.leaders(order, top.ptr, ranks, weights, sums, ends, same, len(found))


def changes(leader: Array) -> dict[str, Array]:
    """The topics that join others and those that they join, as arrays of a message."""
    merged = np.flatnonzero(leader != np.arange(len(leader)))
    return {"merged": merged, "into": leader[merged]}


def follow(message: Mapping[str, Any], pairs: Array, totals: Array, half: int) -> None:
    """Move tokens, candidates and topic totals of topics that have joined others, as `changes` says: pairs and totals [K] are rewritten."""
    leader = np.arange(len(totals), dtype=np.int32)
    leader[message["merged"]] = message["into"]
    kernels.map_pairs(pairs, half, leader)
    np.add.at(totals, message["into"], totals[message["merged"]])
    totals[message["merged"]] = 0


def distinct_topics(word_ptr: Array, topics: Array, counts: Array, topic_totals: Array) -> int:
    """How many groups the topics that have tokens fall into, if topics that say the same (see above) are one.

    The arrays of a model: word_ptr int64 [V + 1], topics unsigned and counts int32 by word, topic_totals int64 [K]; means are rounded.
    """
    whole, totals = np.rint(counts).astype(np.int32), np.rint(topic_totals).astype(np.int64)
    leader = leaders_of(top_words(word_ptr, topics, whole, np.maximum(totals, 1)), totals)
    return len(np.unique(leader[np.asarray(topic_totals) > 0]))
