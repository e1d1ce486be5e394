"""LDA as a program: words and documents take turns, and only the tokens' topics and proposals travel between them.

    words (C partitions, one set of words each)     accept what the documents proposed, propose by words
    docs  (R partitions, one block of documents)    accept what the words proposed, propose by documents

The corpus is a grid of R x C cells. Each partition sends each partition of the other kind one array `pairs`, the tokens of
their common cell, and broadcasts its share of the topic totals. No table of words by topics exists until the end.
Counts are rebuilt from the tokens at every visit, so a partition needs no state.

Now and then one partition, `priors`, learns priors and finds topics that say the same, from what the last round sent it; both kinds
read the newest. Documents then move the tokens of merged topics to those that they joined.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from regrow.errors import DataError, UsageError
from regrow.models.lda import kernels
from regrow.models.lda.model import TopicModel
from regrow.models.lda.training import merging
from regrow.models.lda.training.exchange import (
    Packing,
    Received,
    Tally,
    keys,
    log_likelihood,
    received,
    send_documents,
    send_histogram,
    steady,
)
from regrow.models.lda.training.likelihood import histogram_of
from regrow.models.lda.training.priors import Priors, cells_of_documents
from regrow.models.lda.training.schedule import Calendar, Schedule
from regrow.models.lda.training.table import joined, joined_vocabulary, word_counts
from regrow.models.lda.training.warming import warm
from regrow.program import Data, Partition, Program, Results, Role, Roles

__all__ = ["LDA"]

Array = npt.NDArray[Any]

TOPICS_MAX = 1 << 31


@dataclass(frozen=True)
class LDA(Program):
    """Latent Dirichlet allocation.

    topics              K, from 2 on
    alpha_sum           the prior of topics in a document, summed over topics; short documents want little (5, not 50)
    beta                the prior of one word in a topic
    rounds              visits of all words and all documents
    likelihood_every    rounds between two reports of the metric `log_likelihood`; 0: only at the end
    learn_alpha         learn a prior of each topic, beginning with `alpha_sum`
    learn_beta          learn beta; likelier in training, but where most words are rare it came out so small that held-out text suffered
    learn_every         rounds between two steps of learning, of which the first is in round `learn_from` or soon after (what topics are
                        like before that, from a random start, says little of how frequent they will be)
    merge_every         rounds between two mergers of topics that say the same (see merging.py); 0: never. None in the last quarter of
                        the rounds, so that topics whose tokens went to others find new ones. Larger topics keep their numbers
    first_round         rounds of the runs that this one goes on from; `continued`: whether there are any

    Data: the layouts `rows`, `columns` and `vocabulary`, the fact `tokens`. If it is continued, `columns` has `pairs`, one of each of its
    `tokens` as an earlier run kept it (all bits set: a token without topic yet), and `priors`, one part, has `alpha` [K] and `beta` [1].
    120 rounds and 80 more give the same bytes as 200, unless the first run leaves out what 200 rounds would do: learning right after
    its last round (see schedule.py), mergers in its last quarter.

    Metrics: `log_likelihood`, the joint log-likelihood per token after as many rounds as the number of the round in which it is
    reported, and `final_log_likelihood` at the end; `alpha_sum` and `beta` if they are learned; `merged_topics`, how many so far.
    """

    topics: int = 100
    alpha_sum: float = 5.0
    beta: float = 0.01
    rounds: int = 200
    likelihood_every: int = 10
    learn_alpha: bool = False
    learn_beta: bool = False
    learn_every: int = 10
    learn_from: int = 20
    merge_every: int = 0
    first_round: int = 0
    continued: bool = False

    results_kept: ClassVar[tuple[str, ...]] = ("docs",)

    def __post_init__(self) -> None:
        if not 2 <= self.topics <= TOPICS_MAX:
            raise UsageError(f"{self.topics} topics", f"the number of topics is from 2 to {TOPICS_MAX:,}, e.g. --topics 100")
        if self.rounds < 1:
            raise UsageError(f"{self.rounds} rounds", "training takes at least one, e.g. --rounds 200")
        if self.likelihood_every < 0:
            raise UsageError(f"a likelihood every {self.likelihood_every} rounds", "give a number of rounds, or 0 for only at the end")
        if self.learn_every < 1 or self.learn_from < 2:
            raise UsageError(
                f"learning every {self.learn_every} rounds from round {self.learn_from} on",
                "learn every round or less often, from round 2 on",
            )
        if self.merge_every < 0:
            raise UsageError(f"mergers every {self.merge_every} rounds", "give a number of rounds, e.g. --merge-every 50, or 0 for none")
        for name, value in (("alpha sum", self.alpha_sum), ("beta", self.beta)):
            if not 0 < value < float("inf"):
                raise UsageError(f"the {name} is {value}", "a Dirichlet prior is greater than 0, e.g. --alpha-sum 5 --beta 0.01")

    @property
    def learns(self) -> bool:
        """Whether there is a round in which priors are learned: a short run may end before."""
        return any(self._calendar.learns(round) for round in range(self.rounds))

    @property
    def _calendar(self) -> Calendar:
        total = self.first_round + self.rounds
        learning = Schedule(self.learn_every if self.learn_alpha or self.learn_beta else 0, self.learn_from, total)
        return Calendar(self.rounds, self.first_round, self.likelihood_every, learning, Schedule(self.merge_every, 2, 3 * total // 4))

    def roles(self, data: Data) -> Roles:
        if data.facts.get("tokens") == 0:
            raise DataError("there is not one word in the documents", "check the input, the token pattern and the minimum count")
        rows, columns, step = data["rows"], data["columns"], self._calendar.step
        priors, start = {"priors": 0} if step else {}, {"start": 0} if self.continued else {}
        roles = {
            "words": Role(columns, data="columns", reads={"docs": -1, **priors, **start}),
            "docs": Role(rows, data="rows", reads={"words": 0, **priors}),
            "counts": Role(columns, data="columns", when="last", states=("docs",)),
            "end": Role(1, when="last", reads={"docs": 0, "counts": 0, **priors}),
            "vocabulary": Role(data["vocabulary"], data="vocabulary", when="last"),
        }
        if self.continued:
            roles["start"] = Role(columns, data="columns", every=self.rounds)
        if step:
            layout = "priors" if self.continued else None
            roles["priors"] = Role(1, data=layout, reads={"words": -1, "docs": -1}, every=step)
        if self._calendar.measures:
            reads = {"words": 0, "docs": -1, **dict.fromkeys(priors, -1)}
            roles["likelihood"] = Role(1, reads=reads, every=self.likelihood_every)
        return Roles(self.rounds, **roles)

    # Every round

    def words(self, part: Partition) -> None:
        tokens, row_ptr, slices = (steady(part.fixed[name]) for name in ("tokens", "row_ptr", "slices"))
        inbox, half = self._pairs_of_words(part), Packing(self.topics).half
        calendar, next_round = self._calendar, part.round + 1
        measured, learning = calendar.measured(part.round), self.learn_beta and calendar.learns(next_round)
        if calendar.merges(next_round):
            part.send("priors", 0, **self._top_words(part, inbox).packed())
        if (learning or calendar.merges(next_round)) and part.index == 0:
            part.send("priors", 0, totals=inbox.totals, vocabulary=inbox.vocabulary)
        beta, tally = self._newest(part).beta, Tally(measured or learning, tokens.size)
        priors, random = np.array([beta, beta * inbox.vocabulary]), keys(part, self.first_round)
        fresh = kernels.visit_words(inbox.pairs, half, tokens, slices, row_ptr, inbox.totals, priors, random, tally.dense, tally.large)
        part.broadcast("docs", totals=fresh, tokens=tokens.size, vocabulary=slices.shape[1] - 1)
        for r in range(len(row_ptr) - 1):
            part.send("docs", r, pairs=inbox.pairs[row_ptr[r] : row_ptr[r + 1]])
        for reader in ["likelihood"] * measured + ["priors"] * learning:
            send_histogram(part, reader, tally.histogram())

    def docs(self, part: Partition) -> None:
        doc_ptr, cell = steady(part.fixed["doc_ptr"]), steady(part.fixed["cell"])
        inbox, half = received(part.inbox("words"), cell.size, self.topics, sum), Packing(self.topics).half
        calendar, next_round, last = self._calendar, part.round + 1, part.round == part.rounds - 1
        measured, learning = last or calendar.measured(next_round), self.learn_alpha and calendar.learns(next_round)
        if calendar.merges(part.round):
            merging.follow(next(part.inbox("priors")), inbox.pairs, inbox.totals, half)
        newest, tally = self._newest(part), Tally(measured and not self.learn_alpha, cell.size)
        priors, first = np.array([newest.base, newest.beta * inbox.vocabulary]), int(part.fixed["first_token"][0])
        fresh = kernels.visit_documents(
            inbox.pairs, half, first, doc_ptr, cell, inbox.totals,
            priors, newest.unequal, newest.alias, keys(part, self.first_round), tally.dense, tally.large,
        )  # fmt: skip
        cells = np.split(inbox.pairs, part.fixed["cell_ptr"][1:-1])
        if last:
            part.keep(**{f"z{c}": self._topics_of(cell) for c, cell in enumerate(cells)})
            part.result(pairs=inbox.pairs)
        else:
            part.broadcast("words", totals=fresh, tokens=cell.size, vocabulary=inbox.vocabulary)
            for c, own in enumerate(cells):
                part.send("words", c, pairs=own)
        if measured or learning:
            counts = cells_of_documents(inbox.pairs, half, doc_ptr, cell, self.topics) if self.learn_alpha else tally.histogram()
            for reader in ["end" if last else "likelihood"] * measured + ["priors"] * learning:
                send_documents(part, reader, fresh, inbox.vocabulary, doc_ptr, counts)

    def likelihood(self, part: Partition) -> None:
        documents = list(part.inbox("docs"))
        if documents:
            part.metric("log_likelihood", log_likelihood(documents, part.inbox("words"), self._newest(part)))

    def _pairs_of_words(self, part: Partition) -> Received:
        """What the documents sent, or what the first round begins with."""
        tokens, half = steady(part.fixed["tokens"]), Packing(self.topics).half
        if part.round == 0 and self.continued:
            inbox = received(part.inbox("start"), tokens.size, self.topics, sum)
            inbox.pairs[:] = self._continued(part, next(part.inbox("start"))["key"])
            return inbox
        inbox = received(part.inbox("docs"), tokens.size, self.topics, max)
        if part.round == 0:
            kernels.first_pairs(inbox.pairs, tokens, self.topics, half, part.key("first"))
        return inbox

    def _topics_of(self, pairs: Array) -> Array:
        topics = np.empty(pairs.size, Packing(self.topics).topic)
        kernels.topics_of(pairs, topics)
        return topics

    # Now and then

    def priors(self, part: Partition) -> None:
        state = part.state or (part.fixed if self.continued else {})
        priors, merged = self._first_priors(state), int(np.asarray(state.get("merged", 0)))
        words, map_ = list(part.inbox("words")), {}
        if self._calendar.learns(part.round):
            priors = priors.learned(words, list(part.inbox("docs")), self.learn_alpha, self.learn_beta)
        if self._calendar.merges(part.round):
            leader = merging.leaders_of(merging.TopWords.joined(words), words[0]["totals"])
            map_, priors = merging.changes(leader), priors.merged(leader)
            merged += len(map_["merged"])
        part.keep(**priors.packed(), merged=merged)
        part.result(**priors.packed())
        part.broadcast("words", **priors.packed())
        part.broadcast("docs", **priors.packed(), **priors.table(), **map_)
        for reader in ["likelihood"] * self._calendar.measures + ["end"]:
            part.broadcast(reader, **priors.packed())
        calendar = self._calendar
        final = part.round + calendar.step >= part.rounds
        if calendar.learns(part.round) or (final and (self.learn_alpha or self.learn_beta)):
            part.metric("alpha_sum", priors.alpha_sum)
            part.metric("beta", priors.beta)
        if calendar.merges(part.round) or (final and self.merge_every):
            part.metric("merged_topics", merged)

    def _first_priors(self, state: Mapping[str, Any]) -> Priors:
        """Those of a state of this role or of an earlier run, else those that were asked for; what is not learned is one number."""
        alpha: Array | float = self.alpha_sum / self.topics
        if self.learn_alpha:
            alpha = np.array(state["alpha"]) if "alpha" in state else np.full(self.topics, alpha)
        beta = float(np.asarray(state["beta"]).reshape(())) if self.learn_beta and "beta" in state else self.beta
        return Priors(alpha, beta, self.topics)

    def _newest(self, part: Partition) -> Priors:
        """The priors that are current where this partition reads them."""
        message = next(part.inbox("priors"), None) if self._calendar.step else None
        return Priors.of(message, self.topics) if message else self._first_priors({})

    def _top_words(self, part: Partition, inbox: Received) -> merging.TopWords:
        slices, row_ptr = steady(part.fixed["slices"]), steady(part.fixed["row_ptr"])
        ptr, topics, counts, _ = word_counts(self._topics_of(inbox.pairs), slices, row_ptr, self.topics)
        return merging.top_words(ptr, topics, counts, inbox.totals, part.fixed["words"])

    # Before the first round of a run that goes on from another

    def start(self, part: Partition) -> None:
        key, slices = part.key("start", self.first_round), part.fixed["slices"]
        totals = np.bincount(self._topics_of(self._continued(part, key)), minlength=self.topics)
        part.broadcast("words", totals=totals, tokens=len(part.fixed["tokens"]), vocabulary=slices.shape[1] - 1, key=key)

    def _continued(self, part: Partition, key: np.uint64) -> Array:
        """The pairs of words as they were kept; tokens of new documents have topics like those of old ones of the same words."""
        pairs = np.array(part.fixed["pairs"])
        tokens, slices, row_ptr = (steady(part.fixed[name]) for name in ("tokens", "slices", "row_ptr"))
        kernels.continued_pairs(pairs, tokens, slices, row_ptr, self.topics, Packing(self.topics).half, np.uint64(key))
        return pairs

    # After the last round

    def counts(self, part: Partition) -> None:
        topic = np.concatenate([state[f"z{part.index}"] for state in part.states("docs")])
        slices, row_ptr = steady(part.fixed["slices"]), steady(part.fixed["row_ptr"])
        ptr, topics, counts, totals = word_counts(topic, slices, row_ptr, self.topics)
        part.result(words=part.fixed["words"], ptr=ptr, topics=topics, counts=counts, totals=totals)
        send_histogram(part, "end", histogram_of(counts))

    def end(self, part: Partition) -> None:
        value = log_likelihood(part.inbox("docs"), part.inbox("counts"), self._newest(part))
        part.metric("final_log_likelihood", value)
        part.result(log_likelihood=value)

    def vocabulary(self, part: Partition) -> None:
        part.result(**{name: part.fixed[name] for name in ("words", "counts", "dropped") if name in part.fixed})

    def model(self, results: Results) -> Mapping[str, Any]:
        """The arrays of the trained model, words in the order of the vocabulary.

        word_ptr            int64 [V + 1]: word w's cells are [word_ptr[w], word_ptr[w + 1]) of
        topics, counts      uint16 (uint32 beyond 65,536 topics) and int32: only cells with a count, topics ascending
        topic_totals        int64 [K]
        vocabulary.word     Strings [V]; vocabulary.count: int64 [V], how often each word stands in the training text
        dropped.word        Strings: words that were dropped for good, and are no unknown words in other text
        alpha, beta         float64 [K] and [1]: the priors, as they were learned last
        log_likelihood      float64 [1]: joint, in nats per token
        """
        words, counts, dropped = joined_vocabulary(results["vocabulary"])
        priors = Priors.of(results["priors"][0], self.topics) if "priors" in results else self._first_priors({})
        return {
            **joined(results["counts"], len(words)),
            "vocabulary.word": words,
            "vocabulary.count": counts,
            "dropped.word": dropped,
            "alpha": np.array(np.broadcast_to(priors.alpha, self.topics)),
            "beta": np.array([priors.beta]),
            "log_likelihood": np.atleast_1d(np.asarray(results["end"][0]["log_likelihood"])),
        }

    def report(self, model: Mapping[str, Any]) -> str:
        """The first topics by their most frequent words."""
        return TopicModel(model, self.parameters()).summary()

    def warm(self) -> None:
        """Run every kernel on a corpus of one token, with the types that this number of topics asks for."""
        warm(self.topics, unequal=self.learn_alpha, merging_too=self.merge_every > 0, continued=self.continued)
