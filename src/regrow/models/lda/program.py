"""LDA as a program: words and documents take turns, and only the tokens' topics and proposals travel between them.

    words (C partitions, one set of words each)     accept what the documents proposed, propose by words
    docs  (R partitions, one block of documents)    accept what the words proposed, propose by documents

The corpus is a grid of R x C cells. Each partition sends each partition of the other kind one array `pairs`, the tokens of
their common cell, and broadcasts its share of the topic totals. No table of words by topics exists until the end.
Counts are rebuilt from the tokens at every visit, so a partition needs no state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.arithmetic import log_gamma
from regrow.errors import DataError, UsageError
from regrow.models.lda import kernels
from regrow.models.lda.exchange import Packing, Tally, keys, log_likelihood, received, send_histogram, steady
from regrow.models.lda.likelihood import histogram_of
from regrow.models.lda.model import TopicModel
from regrow.program import Data, Partition, Program, Results, Role, Roles

__all__ = ["LDA"]

Array = npt.NDArray[Any]

TOPICS_MAX = 1 << 31


@dataclass(frozen=True)
class LDA(Program):
    """Latent Dirichlet allocation with symmetric priors.

    topics              K, from 2 on
    alpha_sum           the prior of topics in a document, summed over topics; short documents want little (5, not 50)
    beta                the prior of one word in a topic
    rounds              visits of all words and all documents
    likelihood_every    rounds between two reports of the metric `log_likelihood`; 0: only at the end

    Data: the layouts `rows`, `columns` and `vocabulary`, the fact `tokens`. Metrics: `log_likelihood`, the joint log-likelihood
    per token after as many rounds as the number of the round in which it is reported, and `final_log_likelihood` at the end.
    """

    topics: int = 100
    alpha_sum: float = 5.0
    beta: float = 0.01
    rounds: int = 200
    likelihood_every: int = 10

    def __post_init__(self) -> None:
        if not 2 <= self.topics <= TOPICS_MAX:
            raise UsageError(f"{self.topics} topics", f"the number of topics is from 2 to {TOPICS_MAX:,}, e.g. --topics 100")
        if self.rounds < 1:
            raise UsageError(f"{self.rounds} rounds", "training takes at least one, e.g. --rounds 200")
        if self.likelihood_every < 0:
            raise UsageError(f"a likelihood every {self.likelihood_every} rounds", "give a number of rounds, or 0 for only at the end")
        for name, value in (("alpha sum", self.alpha_sum), ("beta", self.beta)):
            if not 0 < value < float("inf"):
                raise UsageError(f"the {name} is {value}", "a Dirichlet prior is greater than 0, e.g. --alpha-sum 5 --beta 0.01")

    def roles(self, data: Data) -> Roles:
        if data.facts.get("tokens") == 0:
            raise DataError("there is not one word in the documents", "check the input, the token pattern and the minimum count")
        rows, columns = data["rows"], data["columns"]
        roles = {
            "words": Role(columns, data="columns", reads={"docs": -1}),
            "docs": Role(rows, data="rows", reads={"words": 0}),
            "counts": Role(columns, data="columns", when="last", states=("docs",)),
            "end": Role(1, when="last", reads={"docs": 0, "counts": 0}),
            "vocabulary": Role(1, data="vocabulary", when="last"),
        }
        if 0 < self.likelihood_every < self.rounds:
            roles["likelihood"] = Role(1, reads={"words": 0, "docs": -1}, every=self.likelihood_every)
        return Roles(self.rounds, **roles)

    # Every round

    def words(self, part: Partition) -> None:
        tokens, row_ptr = steady(part.fixed["tokens"]), steady(part.fixed["row_ptr"])
        inbox = received(part.inbox("docs"), tokens.size, self.topics)
        pairs, half = inbox.pairs, Packing(self.topics).half
        if not inbox.senders:
            kernels.first_pairs(pairs, tokens, self.topics, half, part.key("first"))
        due = bool(inbox.senders) and self._likelihood_due(part.round)
        tally = Tally(due, tokens.size)
        priors = np.array([self.beta, self.beta * max(inbox.vocabulary, default=0)])
        slices = steady(part.fixed["slices"])
        fresh = kernels.visit_words(pairs, half, tokens, slices, row_ptr, inbox.totals, priors, keys(part), tally.dense, tally.large)
        part.broadcast("docs", totals=fresh, tokens=tokens.size, vocabulary=slices.shape[1] - 1)
        for r in range(len(row_ptr) - 1):
            part.send("docs", r, pairs=pairs[row_ptr[r] : row_ptr[r + 1]])
        if due:
            send_histogram(part, "likelihood", tally.histogram())

    def docs(self, part: Partition) -> None:
        doc_ptr, cell = steady(part.fixed["doc_ptr"]), steady(part.fixed["cell"])
        inbox = received(part.inbox("words"), cell.size, self.topics)
        pairs, half, vocabulary = inbox.pairs, Packing(self.topics).half, sum(inbox.vocabulary)
        last = part.round == part.rounds - 1
        due = last or self._likelihood_due(part.round + 1)
        tally = Tally(due, cell.size)
        priors = np.array([self.alpha_sum / self.topics, self.beta * vocabulary])
        first = int(part.fixed["first_token"][0])
        fresh = kernels.visit_documents(pairs, half, first, doc_ptr, cell, inbox.totals, priors, keys(part), tally.dense, tally.large)
        cells = np.split(pairs, part.fixed["cell_ptr"][1:-1])
        if last:
            part.keep(**{f"z{c}": self._topics_of(cell) for c, cell in enumerate(cells)})
        else:
            part.broadcast("words", totals=fresh, tokens=cell.size, vocabulary=vocabulary)
            for c, own in enumerate(cells):
                part.send("words", c, pairs=own)
        if due:
            lengths, documents = histogram_of(np.diff(doc_ptr))
            reader = "end" if last else "likelihood"
            part.broadcast(reader, totals=fresh, vocabulary=vocabulary, lengths=lengths, documents=documents)
            send_histogram(part, reader, tally.histogram())

    def likelihood(self, part: Partition) -> None:
        documents = list(part.inbox("docs"))
        if documents:
            part.metric("log_likelihood", log_likelihood(documents, part.inbox("words"), self.alpha_sum / self.topics, self.beta))

    def _likelihood_due(self, round: int) -> bool:
        return self.likelihood_every > 0 and round < self.rounds and round % self.likelihood_every == 0

    def _topics_of(self, pairs: Array) -> Array:
        topics = np.empty(pairs.size, Packing(self.topics).topic)
        kernels.topics_of(pairs, topics)
        return topics

    # After the last round

    def counts(self, part: Partition) -> None:
        fixed = part.fixed
        slices, row_ptr = steady(fixed["slices"]), steady(fixed["row_ptr"])
        topic = np.concatenate([state[f"z{part.index}"] for state in part.states("docs")])
        room = int(np.minimum((slices[:, 1:] - slices[:, :-1]).sum(axis=0, dtype=np.int64), self.topics).sum())
        ptr, topics, counts = np.empty(slices.shape[1], np.int64), np.empty(room, Packing(self.topics).topic), np.empty(room, np.int32)
        totals = kernels.word_topics(topic, slices, row_ptr, self.topics, ptr, topics, counts)
        topics, counts = topics[: ptr[-1]], counts[: ptr[-1]]
        part.result(words=fixed["words"], ptr=ptr, topics=topics, counts=counts, totals=totals)
        send_histogram(part, "end", histogram_of(counts))

    def end(self, part: Partition) -> None:
        value = log_likelihood(part.inbox("docs"), part.inbox("counts"), self.alpha_sum / self.topics, self.beta)
        part.metric("final_log_likelihood", value)
        part.result(log_likelihood=value)

    def vocabulary(self, part: Partition) -> None:
        part.result(words=part.fixed["words"], counts=part.fixed["counts"])

    def model(self, results: Results) -> Mapping[str, Any]:
        """The arrays of the trained model, words in the order of the vocabulary.

        word_ptr            int64 [V + 1]: word w's cells are [word_ptr[w], word_ptr[w + 1]) of
        topics, counts      uint16 (uint32 beyond 65,536 topics) and int32: only cells with a count, topics ascending
        topic_totals        int64 [K]
        vocabulary.word     Strings [V]; vocabulary.count: int64 [V], how often each word stands in the training text
        alpha, beta         float64 [K] and [1]: the priors
        log_likelihood      float64 [1]: joint, in nats per token
        """
        vocabulary, parts = results["vocabulary"][0], results["counts"]
        word_ptr, topics, counts = _by_word(parts, len(vocabulary["words"]))
        return {
            "word_ptr": word_ptr,
            "topics": topics,
            "counts": counts,
            "topic_totals": np.sum([np.asarray(part["totals"]) for part in parts], axis=0),
            "vocabulary.word": vocabulary["words"],
            "vocabulary.count": vocabulary["counts"],
            "alpha": np.full(self.topics, self.alpha_sum / self.topics),
            "beta": np.array([self.beta]),
            "log_likelihood": np.atleast_1d(np.asarray(results["end"][0]["log_likelihood"])),
        }

    def report(self, model: Mapping[str, Any]) -> str:
        """The first topics by their most frequent words."""
        return TopicModel(model, self.parameters()).summary()

    def warm(self) -> None:
        """Run every kernel on a corpus of one token, with the types that this number of topics asks for."""
        half, one = Packing(self.topics).half, steady(np.array([0, 1], np.int64))
        pairs, totals = np.zeros(1, Packing(self.topics).pair), np.ones(self.topics, np.int32)
        priors, random = np.ones(2), np.ones(2, np.uint64)
        ids, slices, tally = steady(np.zeros(1, np.uint32)), steady(np.array([[0, 1]], np.uint32)), Tally(True, 1)
        kernels.first_pairs(pairs, ids, self.topics, half, random[0])
        kernels.visit_words(pairs, half, ids, slices, one, totals, priors, random, tally.dense, tally.large)
        kernels.visit_documents(pairs, half, 0, one, ids, totals, priors, random, tally.dense, tally.large)
        topic = self._topics_of(pairs)
        kernels.word_topics(topic, slices, one, self.topics, np.empty(2, np.int64), np.empty(1, topic.dtype), np.empty(1, np.int32))
        log_gamma(1.0)


def _by_word(parts: Sequence[Mapping[str, Any]], words: int) -> tuple[Array, Array, Array]:
    """Join the sparse counts of sets of words to one table in the order of the vocabulary: word_ptr, topics, counts."""
    sizes = np.zeros(words, np.int64)
    for part in parts:
        sizes[part["words"]] = np.diff(part["ptr"])
    word_ptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    topics, counts = np.empty(word_ptr[-1], parts[0]["topics"].dtype), np.empty(word_ptr[-1], np.int32)
    for part in parts:
        where = np.repeat(word_ptr[part["words"]] - part["ptr"][:-1], np.diff(part["ptr"])) + np.arange(part["ptr"][-1])
        topics[where], counts[where] = part["topics"], part["counts"]
    return word_ptr, topics, counts
