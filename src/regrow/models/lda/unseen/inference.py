"""Topics of documents that a model has not seen: in this process (`infer_bags`), and as a program whose results are lines.

    tables      what follows from the model alone, broadcast: stored once, mapped by every task (and `names`, see `unseen`)
    sizes       how many documents each part has: reads no more of the text than it takes to count them
    offsets     the number of each part's first document
    documents   topics of a part's documents, as lines of JSON

Two methods. argmax gives each token the topic that is best for it, until nothing changes; sampling draws, and averages over sweeps.
Either way  theta_k = (mean C_dk + a_k) / (N_d + sum a), the mean over restarts, or samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from regrow.data.bag import bag_tokens
from regrow.data.known import Reading
from regrow.data.record_kernels import filled_lines
from regrow.data.records import documents
from regrow.errors import UsageError
from regrow.models.lda.unseen import Unseen, checked
from regrow.models.lda.unseen.inference_kernels import best_topics
from regrow.models.lda.unseen.inference_lines import ordered, topic_lines
from regrow.models.lda.unseen.inference_sampling import sampled_topics
from regrow.models.lda.unseen.inference_tables import Tables, steady, table_arrays, tables_from, tables_of
from regrow.packed import strings
from regrow.program import Data, Fixed, Partition, Role, Roles

__all__ = ["Inference", "Inferred", "Method", "dense_topics", "infer_bags", "inference_tables"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Method:
    """How topics are found.

    name        "argmax" or "sampling"
    restarts    argmax: how often each document is begun; the first time with the best topic of each word, then with drawn ones
    sweeps      argmax: visits of a document's tokens at most, in each restart; it ends as soon as one changes nothing
    samples     sampling: sweeps that are averaged; burn_in: sweeps before them
    """

    name: str = "argmax"
    restarts: int = 1
    sweeps: int = 50
    samples: int = 20
    burn_in: int = 20

    def __post_init__(self) -> None:
        if self.name not in ("argmax", "sampling"):
            raise UsageError(f'there is no method "{self.name}"', "the methods are argmax and sampling")
        for value, least, option in (
            (self.restarts, 1, "restarts"),
            (self.sweeps, 1, "sweeps"),
            (self.samples, 1, "samples"),
            (self.burn_in, 0, "burn-in"),
        ):
            if not least <= value <= 1_000_000:
                raise UsageError(f"--{option} {value}", f"a number from {least} to 1,000,000")

    @property
    def draws(self) -> bool:
        """Whether topics are drawn, for which tables need running sums."""
        return self.name == "sampling" or self.restarts > 1

    @property
    def times(self) -> int:
        """How many counts are added up."""
        return self.samples if self.name == "sampling" else self.restarts


class Inferred(NamedTuple):
    """Topics of D documents.

    ptr             int64 [D + 1]: document d's topics are [ptr[d], ptr[d + 1]) of
    topics, shares  int32 and float64: topics that some token has, by descending theta_k, of equal ones the smaller first
    tokens          int64 [D]: known tokens
    """

    ptr: Array
    topics: Array
    shares: Array
    tokens: Array


def inference_tables(model: Mapping[str, Any], method: Method | None = None) -> Tables:
    """The tables of a topic model's arrays for a method. Raises DataError for arrays that do not fit together."""
    return tables_of(checked(model), (method or Method()).draws)


def infer_bags(tables: Tables, words: Array, doc_ptr: Array, keys: Array, method: Method | None = None) -> Inferred:
    """Topics of documents given as numbers of the model's words.

    tables      of `inference_tables`, for the same method
    words       int32: below 0, or words of which the model has no token, are unknown and say nothing; document d is
    doc_ptr     int64 [D + 1]: words[doc_ptr[d]:doc_ptr[d + 1]]
    keys        uint64 [D]: of each document's random numbers, a function of its text; argmax with one start draws none

    A document's result is a function of the model, its words, its key and the method. Raises UsageError for words beyond the model's.
    """
    method = method or Method()
    if len(words) and int(words.max()) >= len(tables.facts):
        raise UsageError(f"word {int(words.max())} of {len(tables.facts)}", "number words from 0 as the model does; unknown ones are -1")
    words, doc_ptr, keys = (steady(np.asarray(array, kind)) for array, kind in ((words, np.int32), (doc_ptr, np.int64), (keys, np.uint64)))
    size = len(doc_ptr) - 1
    room = int(np.minimum(np.diff(doc_ptr) * method.times, len(tables.alpha)).sum())
    ptr, tokens = np.empty(size + 1, np.int64), np.empty(size, np.int64)
    topics, counts = np.empty(room, np.int32), np.empty(room, np.int64)
    if method.name == "sampling":
        sampled_topics(tables, words, doc_ptr, keys, method.burn_in, method.samples, ptr, topics, counts, tokens)
    else:
        best_topics(tables, words, doc_ptr, keys, method.restarts, method.sweeps, ptr, topics, counts, tokens)
    topics = topics[: ptr[-1]].copy()
    shares = _shares(tables.alpha, ptr, topics, counts, tokens, method.times)
    ordered(ptr, topics, shares)
    return Inferred(ptr, topics, shares, tokens)


@njit(cache=True)
def _shares(alpha, ptr, topics, counts, tokens, times):  # type: ignore[no-untyped-def]
    """theta of the topics: float64, as long as `topics`."""
    total = 0.0
    for k in range(alpha.size):
        total += alpha[k]
    shares = np.empty(topics.size)
    for d in range(ptr.size - 1):
        for i in range(ptr[d], ptr[d + 1]):
            shares[i] = (counts[i] / times + alpha[topics[i]]) / (tokens[d] + total)
    return shares


def dense_topics(tables: Tables, found: Inferred) -> Array:
    """theta of all topics: float64 [D, K]; a document without known tokens has the prior's."""
    theta: Array = _dense(tables.alpha, found.ptr, found.topics, found.shares, found.tokens)
    return theta


@njit(cache=True)
def _dense(alpha, ptr, topics, shares, tokens):  # type: ignore[no-untyped-def]
    total = 0.0
    for k in range(alpha.size):
        total += alpha[k]
    theta = np.empty((tokens.size, alpha.size))
    for d in range(tokens.size):
        for k in range(alpha.size):
            theta[d, k] = alpha[k] / (tokens[d] + total)
        for i in range(ptr[d], ptr[d + 1]):
            theta[d, topics[i]] = shares[i]
    return theta


@dataclass(frozen=True)
class Inference(Unseen):
    """The topics of documents, one line of JSON for each, in order (see `inference_lines`).

    reading     see `Unseen`
    method, restarts, sweeps, samples, burn_in      see `Method`
    top         only so many topics of each document, the largest; 0: all that some token has
    min_share   only topics with at least this share

    A line's "tokens" are those that the model knows, its "unknown" those that it has never seen; stop words and others that it
    dropped on purpose are neither. Metrics: documents, tokens, unknown.
    """

    method: str = "argmax"
    restarts: int = 1
    sweeps: int = 50
    samples: int = 20
    burn_in: int = 20
    top: int = 0
    min_share: float = 0.0

    results_streamed: ClassVar[str] = "documents"

    def __post_init__(self) -> None:
        self.how  # noqa: B018 (it checks itself)
        if self.top < 0:
            raise UsageError(f"--top {self.top}", "a number of topics, or 0 for all that a document has")
        if not 0 <= self.min_share <= 1:
            raise UsageError(f"--min-share {self.min_share:g}", "a share is from 0 to 1, e.g. --min-share 0.05")

    @property
    def how(self) -> Method:
        """How topics are found."""
        return Method(self.method, self.restarts, self.sweeps, self.samples, self.burn_in)

    def roles(self, data: Data) -> Roles:
        """One round."""
        return Roles(
            1,
            **self.shared(data),
            sizes=Role(data["text"], data="text"),
            offsets=Role(1, reads={"sizes": 0}),
            documents=self.on_documents(data, offsets=0),
        )

    def tables_of(self, model: Mapping[str, Any]) -> Mapping[str, Any]:
        """The tables of `inference_tables`."""
        return table_arrays(tables_of(model, self.how.draws))

    def sizes(self, part: Partition) -> None:
        """How many documents the part has."""
        part.send("offsets", 0, documents=_documents_in(part.fixed, self.read_as, self.reads_bags))

    def offsets(self, part: Partition) -> None:
        """Where each part's documents begin."""
        first = 0
        for index, message in enumerate(part.inbox("sizes")):
            part.send("documents", index, first=first)
            first += int(message["documents"])

    def documents(self, part: Partition) -> None:
        """The lines of a part."""
        table, known = self.known(part)
        (offset,) = part.inbox("offsets")
        found = infer_bags(tables_from(table), known.words, known.doc_ptr, known.texts_sha, self.how)
        unknown = np.diff(known.doc_ptr) - found.tokens
        lines = topic_lines(int(offset["first"]), known.ids, *found, unknown, self.top, self.min_share)
        part.result(lines=lines)
        for name, number in (("documents", len(unknown)), ("tokens", found.tokens.sum()), ("unknown", unknown.sum())):
            part.metric(name, int(number))

    def warm(self) -> None:
        """Compile or load the kernels: a document of one word, a model of one cell."""
        super().warm()
        one, ptr = np.ones(1, np.int32), np.array([0, 1], np.int64)
        model = {"word_ptr": ptr, "topics": np.zeros(1, np.uint16), "counts": one, "topic_totals": np.ones(1, np.int64)}
        tables = tables_of({**model, "alpha": np.ones(1), "beta": np.ones(1)}, self.how.draws)
        found = infer_bags(tables, one - 1, ptr, np.zeros(1, np.uint64), self.how)
        topic_lines(0, strings([""]), *found, found.tokens, 0, 0.0)
        filled_lines(steady(np.zeros(1, np.uint8)))


def _documents_in(part: Fixed, reading: Reading, bag: bool) -> int:
    """How many documents a part has, without parsing more than that takes."""
    if bag:
        return len(bag_tokens(part, reading.format)[1]) - 1
    if reading.format == "jsonl":
        return int(filled_lines(steady(part["text"])))
    return len(documents(part, reading.format, reading.text_fields, ""))
