"""What travels between the roles of LDA, packed and unpacked.

Words send documents the `pairs` of each common cell, topic and candidate of its tokens. Documents broadcast what topics
each of them has (`blocks`, `entries`), and send words the `places` of each common cell: which entry is a token's topic.
Every sender broadcasts once its share `totals` of the topic totals, the number `tokens` of its tokens, and the
`vocabulary` size that it knows of. Histograms travel sparse, to roles of one partition that learn from them or make the
likelihood of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.models.lda.training.likelihood import Histogram, histogram_in, histogram_of, joint_log_likelihood, lengths_in
from regrow.models.lda.training.packing import Packing, steady
from regrow.models.lda.training.priors import Priors
from regrow.models.lda.training.visits import Known
from regrow.program import Message, Partition

__all__ = ["Packing", "known", "log_likelihood", "pairs_of", "send_documents", "send_histogram", "share_of", "steady"]

Array = npt.NDArray[Any]

_INT32_TOKENS = 1 << 31


def share_of(totals: Array, tokens: int, vocabulary: int) -> dict[str, Any]:
    """A sender's share of it, as arrays of a message."""
    return {"totals": totals.astype(np.int32) if tokens < _INT32_TOKENS else totals, "tokens": tokens, "vocabulary": vocabulary}


def known(inbox: Iterable[Message], topics: int, words: Callable[[Iterable[int]], int]) -> Known:
    """Put the shares together.

    words: what makes the size of the vocabulary of the senders' numbers: `sum` of their own words, or `max` if all know the sum.
    """
    totals: Array = np.zeros(topics, np.int32)
    vocabulary: list[int] = []
    tokens = 0
    for message in inbox:
        tokens += int(message["tokens"])
        if tokens >= _INT32_TOKENS:
            totals = totals.astype(np.int64, copy=False)
        if "totals" in message:
            np.add(totals, message["totals"], out=totals)
        vocabulary.append(int(message["vocabulary"]))
    return Known(totals, words(vocabulary or [0]))


def pairs_of(inbox: Iterable[Message], size: int, topics: int) -> Array:
    """The pairs of all cells of an inbox with `size` tokens, one after the other."""
    pairs, end = np.empty(size, Packing(topics).pair), 0
    for message in inbox:
        if "pairs" in message:
            start, end = end, end + len(message["pairs"])
            pairs[start:end] = message["pairs"]
    return pairs


def send_histogram(part: Partition, reader: str, histogram: Histogram) -> None:
    """Send a histogram to a role of one partition."""
    part.send(reader, 0, values=histogram[0], numbers=histogram[1])


def send_documents(part: Partition, reader: str, share: Mapping[str, Any], doc_ptr: Array, counts: Histogram) -> None:
    """Send what documents tell a role of one partition: their share, their lengths, and the histogram of topics in them."""
    lengths, documents = histogram_of(np.diff(doc_ptr))
    part.broadcast(reader, **share, lengths=lengths, documents=documents)
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
