"""What travels between the roles of LDA, packed and unpacked.

A cell of the grid travels as one array `pairs`, topic and proposal of each of its tokens; every sender broadcasts once
its share `totals` of the topic totals, the number `tokens` of its tokens, and the `vocabulary` size that it knows of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.models.lda.likelihood import DENSE, Histogram, added, joint_log_likelihood, sparse
from regrow.program import Message, Partition

__all__ = ["Packing", "Received", "Tally", "keys", "log_likelihood", "received", "send_histogram", "steady"]

Array = npt.NDArray[Any]

_INT32_TOKENS = 1 << 31


class Packing:
    """The types that a number of topics asks for: 32 bits a token up to 65,536 topics, else 64."""

    def __init__(self, topics: int) -> None:
        small = topics <= 1 << 16
        self.half = 16 if small else 32
        self.pair: type[np.unsignedinteger[Any]] = np.uint32 if small else np.uint64
        self.topic: type[np.unsignedinteger[Any]] = np.uint16 if small else np.uint32


@dataclass(frozen=True, slots=True)
class Received:
    """An inbox, put together: the pairs of all cells, the topic totals of the corpus (int32 below 2^31 tokens), its vocabularies.

    senders     how many there were: none before the first round
    vocabulary  what the senders knew, one number each
    """

    pairs: Array
    totals: Array
    vocabulary: list[int]

    @property
    def senders(self) -> int:
        return len(self.vocabulary)


def received(inbox: Iterable[Message], size: int, topics: int) -> Received:
    """Put together an inbox of cells with `size` tokens in all, one message at a time."""
    pairs = np.empty(size, Packing(topics).pair)
    totals: Array = np.zeros(topics, np.int32)
    vocabulary: list[int] = []
    end = tokens = 0
    for message in inbox:
        start, end = end, end + len(message["pairs"])
        pairs[start:end] = message["pairs"]
        tokens += int(message["tokens"])
        if tokens >= _INT32_TOKENS:
            totals = totals.astype(np.int64, copy=False)
        np.add(totals, message["totals"], out=totals)
        vocabulary.append(int(message["vocabulary"]))
    return Received(pairs, totals, vocabulary)


def keys(part: Partition) -> Array:
    """The random keys of acceptance and proposals in this round: uint64 [2]."""
    return np.array([part.key("accept"), part.key("propose")], np.uint64)


def steady(array: Array) -> Array:
    """The array as kernels are compiled for it, wherever it comes from: read-only, aligned, contiguous."""
    view = np.require(array, requirements=["C", "A"]).view()
    view.flags.writeable = False
    return view


class Tally:
    """Room for a histogram of counts below `tokens`; if it is not due, the arrays are empty and kernels count nothing."""

    def __init__(self, due: bool, tokens: int) -> None:
        self.dense = np.zeros(min(DENSE, tokens + 1) if due else 0, np.int64)
        self.large = np.zeros(1 + tokens // DENSE if due else 1, np.int64)

    def histogram(self) -> Histogram:
        return sparse(self.dense, self.large)


def send_histogram(part: Partition, reader: str, histogram: Histogram) -> None:
    """Send a histogram of counts to a role of one partition that makes the likelihood of it."""
    part.send(reader, 0, values=histogram[0], numbers=histogram[1])


def log_likelihood(documents: Iterable[Mapping[str, Any]], words: Iterable[Mapping[str, Any]], alpha: float, beta: float) -> float:
    """The joint log-likelihood per token from the messages of the documents' and the words' partitions."""
    documents = list(documents)
    totals = sum(message["totals"].astype(np.int64) for message in documents)
    assert isinstance(totals, np.ndarray)
    nats = joint_log_likelihood(
        totals,
        words=added((message["values"], message["numbers"]) for message in words),
        documents=added((message["values"], message["numbers"]) for message in documents),
        lengths=added((message["lengths"], message["documents"]) for message in documents),
        vocabulary=int(documents[0]["vocabulary"]),
        alpha=alpha,
        beta=beta,
    )
    return nats / int(totals.sum())
