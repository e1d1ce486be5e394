"""What travels between the roles of LDA, packed and unpacked.

A cell of the grid travels as one array `pairs`, topic and proposal of each of its tokens; every sender broadcasts once
its share `totals` of the topic totals, the number `tokens` of its tokens, and the `vocabulary` size that it knows of.
Histograms travel sparse, to roles of one partition that learn from them or make the likelihood of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.models.lda.training.likelihood import DENSE, Histogram, histogram_in, histogram_of, joint_log_likelihood, lengths_in, sparse
from regrow.models.lda.training.packing import Packing, steady
from regrow.models.lda.training.priors import Priors
from regrow.program import Message, Partition

__all__ = [
    "Packing", "Received", "Tally", "keys", "log_likelihood", "received", "send_documents", "send_histogram", "steady",
]  # fmt: skip

Array = npt.NDArray[Any]

_INT32_TOKENS = 1 << 31


@dataclass(frozen=True, slots=True)
class Received:
    """An inbox, put together: the pairs of all cells, the topic totals of the corpus (int32 below 2^31 tokens), its vocabularies.

    vocabulary  the number of words in all
    """

    pairs: Array
    totals: Array
    vocabulary: int


def received(inbox: Iterable[Message], size: int, topics: int, words: Callable[[Iterable[int]], int]) -> Received:
    """Put together an inbox of cells with `size` tokens in all, one message at a time; before the first round it is empty.

    words: what makes the size of the vocabulary of the senders' numbers: `sum` of their own words, or `max` if all know the sum.
    """
    pairs = np.empty(size, Packing(topics).pair)
    totals: Array = np.zeros(topics, np.int32)
    vocabulary: list[int] = []
    end = tokens = 0
    for message in inbox:
        if "pairs" in message:
            start, end = end, end + len(message["pairs"])
            pairs[start:end] = message["pairs"]
        tokens += int(message["tokens"])
        if tokens >= _INT32_TOKENS:
            totals = totals.astype(np.int64, copy=False)
        np.add(totals, message["totals"], out=totals)
        vocabulary.append(int(message["vocabulary"]))
    return Received(pairs, totals, words(vocabulary or [0]))


def keys(part: Partition, later: int) -> Array:
    """The random keys of acceptance and proposals, `later` rounds from this one: uint64 [2]."""
    return np.array([part.key("accept", later), part.key("propose", later)], np.uint64)


class Tally:
    """Room for a histogram of counts below `tokens`; if it is not due, the arrays are empty and kernels count nothing."""

    def __init__(self, due: bool, tokens: int) -> None:
        self.dense = np.zeros(min(DENSE, tokens + 1) if due else 0, np.int64)
        self.large = np.zeros(1 + tokens // DENSE if due else 1, np.int64)

    def histogram(self) -> Histogram:
        return sparse(self.dense, self.large)


def send_histogram(part: Partition, reader: str, histogram: Histogram) -> None:
    """Send a histogram to a role of one partition."""
    part.send(reader, 0, values=histogram[0], numbers=histogram[1])


def send_documents(part: Partition, reader: str, totals: Array, vocabulary: int, doc_ptr: Array, counts: Histogram) -> None:
    """Send what documents tell a role of one partition: topic totals, their lengths, and the histogram of topics in them."""
    lengths, documents = histogram_of(np.diff(doc_ptr))
    part.broadcast(reader, totals=totals, vocabulary=vocabulary, lengths=lengths, documents=documents)
    send_histogram(part, reader, counts)


def log_likelihood(documents: Iterable[Mapping[str, Any]], words: Iterable[Mapping[str, Any]], priors: Priors) -> float:
    """The joint log-likelihood per token from the messages of the documents' and the words' partitions."""
    documents = list(documents)
    totals = sum(message["totals"].astype(np.int64) for message in documents)
    assert isinstance(totals, np.ndarray)
    nats = joint_log_likelihood(
        totals,
        words=histogram_in(words),
        documents=histogram_in(documents),
        lengths=lengths_in(documents),
        vocabulary=int(documents[0]["vocabulary"]),
        alpha=priors.alpha,
        beta=priors.beta,
    )
    return nats / int(totals.sum())
