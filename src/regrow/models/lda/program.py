"""LDA as a program: documents and words take turns, and only the tokens' topics and candidates travel between them.

    docs  (R partitions, one block of documents)    accept what the words proposed, list what topics each document has
    words (C partitions, one set of words each)     draw every token's topic from its document's list and its word's counts, propose

The corpus is a grid of R x C cells. Between the two kinds travel topics and candidates of the tokens of each common cell, the lists of the
documents, once for all words, and everybody's share of the topic totals. No table of words by topics exists until the end.
Counts are rebuilt from the tokens at every visit, so a partition needs no state. In the last round words also spread every token over the
topics that it might have had; the model counts these shares.

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
from regrow.models.lda.model import TopicModel
from regrow.models.lda.training import merging
from regrow.models.lda.training.exchange import (
    Packing,
    known,
    log_likelihood,
    pairs_of,
    send_documents,
    send_histogram,
    share_of,
)
from regrow.models.lda.training.likelihood import histogram_of
from regrow.models.lda.training.priors import PRIOR_MIN, Priors
from regrow.models.lda.training.schedule import Calendar, Schedule
from regrow.models.lda.training.starting import Start, begun
from regrow.models.lda.training.table import joined, joined_vocabulary
from regrow.models.lda.training.visits import Known, Words, visit_documents
from regrow.models.lda.training.warming import warm
from regrow.program import Data, Partition, Program, Results, Role, Roles

__all__ = ["LDA"]

Array = npt.NDArray[Any]

TOPICS_MAX = 1 << 31
DRAWS_MAX = 1024
PRIOR_MAX = 1e12
"""Of one topic in a document and of one word in a topic: beyond it shares would be lost in the rounding of the others."""
STEEP_ROUNDS, STEEP_ALPHA = 20, 0.15
"""In the first rounds no topic's prior counts for more than this: with few topics the usual one is so large that documents are slow to take
sides."""


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
    start               what the first round begins with: "minhash" gives documents that share informative words the same topics, "random"
                        gives every token its own
    draws               the model counts so many draws of each token's topic, evenly from its conditional in the last round, and divides by
                        their number: what rare words say is then not left to chance (1: the topics as they are)
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
    reported and a visit of the documents, and `final_log_likelihood` at the end; `alpha_sum` and `beta` if they are learned;
    `merged_topics`, how many so far.
    """

    topics: int = 100
    alpha_sum: float = 5.0
    beta: float = 0.01
    rounds: int = 200
    likelihood_every: int = 10
    start: str = "minhash"
    draws: int = 16
    learn_alpha: bool = False
    learn_beta: bool = False
    learn_every: int = 10
    learn_from: int = 20
    merge_every: int = 0
    first_round: int = 0
    continued: bool = False

    results_kept: ClassVar[tuple[str, ...]] = ("topics_of_tokens",)

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
        if self.start not in ("minhash", "random"):
            raise UsageError(f'a start called "{self.start}"', "begin with --start minhash or --start random")
        if not 1 <= self.draws <= DRAWS_MAX:
            raise UsageError(f"{self.draws} draws of each token", f"take 1 to {DRAWS_MAX}, e.g. --draws 16")
        for name, value, one in (("alpha sum", self.alpha_sum, self.alpha_sum / self.topics), ("beta", self.beta, self.beta)):
            if not (PRIOR_MIN <= one <= PRIOR_MAX and value > 0):
                raise UsageError(
                    f"the {name} is {value}",
                    f"a Dirichlet prior is greater than 0, from {PRIOR_MIN:g} to {PRIOR_MAX:g} each, e.g. --alpha-sum 5 --beta 0.01",
                )

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
        priors = {"priors": 0} if step else {}
        roles = {
            "first": Role(columns, data="columns", reads={"sizes": 0}, every=self.rounds),
            "sizes": Role(rows, data="rows", every=self.rounds),
            "docs": Role(rows, data="rows", reads={"words": -1, "first": 0, **priors}),
            "words": Role(columns, data="columns", reads={"docs": 0, **priors}),
            "topics_of_tokens": Role(rows, data="rows", when="last", reads={"words": 0, **priors}),
            "end": Role(1, when="last", reads={"topics_of_tokens": 0, "words": 0, **priors}),
            "vocabulary": Role(data["vocabulary"], data="vocabulary", when="last"),
        }
        if step:
            layout = "priors" if self.continued else None
            roles["priors"] = Role(1, data=layout, reads={"words": -1, "docs": -1}, every=step)
        if self._calendar.measures:
            roles["likelihood"] = Role(1, reads={"words": 0, "docs": 0, **priors}, every=self.likelihood_every)
        return Roles(self.rounds, **roles)

    # Before the first round

    def sizes(self, part: Partition) -> None:
        part.broadcast("first", documents=len(part.fixed["doc_ptr"]) - 1)

    def first(self, part: Partition) -> None:
        Start(part, self.topics, self.start, self.first_round, self.continued).send()

    # Every round

    def docs(self, part: Partition) -> None:
        calendar, next_round = self._calendar, part.round + 1
        inbox = list(part.inbox("words")) if part.round else list(part.inbox("first"))
        corpus = known(inbox, self.topics, max if part.round else sum)
        if part.round == 0 and not self.continued:
            pairs = begun(part, inbox, self.topics, self.start)
        else:
            pairs = pairs_of(inbox, len(part.fixed["cell"]), self.topics)
        if calendar.merges(part.round):
            merging.follow(next(part.inbox("priors")), pairs, corpus.totals, Packing(self.topics).half)
        priors = self._newest(part)
        lists = visit_documents(part.fixed, pairs, corpus, priors, part.key("accept", self.first_round))
        share = share_of(lists.totals, len(pairs), corpus.vocabulary)
        part.broadcast("words", **share, blocks=lists.blocks, entries=lists.entries)
        for c, places in enumerate(np.split(lists.places, part.fixed["cell_ptr"][1:-1])):
            part.send("words", c, places=places)
        readers = ["likelihood"] * calendar.measured(part.round) + ["priors"] * (self.learn_alpha and calendar.learns(next_round))
        for reader in readers:
            send_documents(part, reader, share, part.fixed["doc_ptr"], lists.histogram(self.learn_alpha))

    def words(self, part: Partition) -> None:
        inbox = list(part.inbox("docs"))
        corpus, priors = known(inbox, self.topics, max), self._newest(part)
        visit = Words(part.fixed, inbox, self.topics)
        self._tell_words(part, visit, corpus)
        fresh = visit.visit(corpus, priors, part.key("draw", self.first_round))
        pairs = visit.pairs(priors.beta, part.key("propose", self.first_round))
        last = part.round == part.rounds - 1
        reader = "topics_of_tokens" if last else "docs"
        part.broadcast(reader, **share_of(fresh, len(pairs), corpus.vocabulary))
        for r, own in enumerate(np.split(pairs, part.fixed["row_ptr"][1:-1])):
            part.send(reader, r, pairs=own)
        if last:
            sums = visit.spread(corpus, priors, part.key("spread", self.first_round), self.draws)
            part.result(words=part.fixed["words"], **dict(zip(("ptr", "topics", "counts"), sums, strict=True)))
            send_histogram(part, "end", histogram_of(visit.counted()[2]))

    def _tell_words(self, part: Partition, visit: Words, corpus: Known) -> None:
        """Tell the roles of one partition what the words are like on arrival."""
        calendar, next_round = self._calendar, part.round + 1
        learning = self.learn_beta and calendar.learns(next_round)
        if calendar.merges(next_round):
            part.send("priors", 0, **merging.top_words(*visit.counts, corpus.totals, part.fixed["words"]).packed())
        if (learning or calendar.merges(next_round)) and part.index == 0:
            part.send("priors", 0, totals=corpus.totals, vocabulary=corpus.vocabulary)
        for reader in ["likelihood"] * calendar.measured(part.round) + ["priors"] * learning:
            send_histogram(part, reader, histogram_of(visit.counts[2]))

    def likelihood(self, part: Partition) -> None:
        if part.round:
            part.metric("log_likelihood", log_likelihood(part.inbox("docs"), part.inbox("words"), self._newest(part)))

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
        part.broadcast("docs", **priors.packed(), **map_)
        for reader in ["likelihood"] * self._calendar.measures + ["topics_of_tokens", "end"]:
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
        priors = Priors.of(message, self.topics) if message else self._first_priors({})
        return priors.at_most(STEEP_ALPHA) if self.first_round + part.round < STEEP_ROUNDS and part.role in ("docs", "words") else priors

    # After the last round

    def topics_of_tokens(self, part: Partition) -> None:
        inbox = list(part.inbox("words"))
        corpus, packing = known(inbox, self.topics, max), Packing(self.topics)
        pairs = pairs_of(inbox, len(part.fixed["cell"]), self.topics)
        part.result(pairs=pairs)
        topics = pairs & pairs.dtype.type((1 << packing.half) - 1)
        settled = topics | topics << pairs.dtype.type(packing.half)  # nothing is accepted, and each document is listed as it is
        lists = visit_documents(part.fixed, settled, corpus, self._newest(part), np.uint64(0))
        share = share_of(lists.totals, len(pairs), corpus.vocabulary)
        send_documents(part, "end", share, part.fixed["doc_ptr"], lists.histogram(self.learn_alpha))

    def end(self, part: Partition) -> None:
        value = log_likelihood(part.inbox("topics_of_tokens"), part.inbox("words"), self._newest(part))
        part.metric("final_log_likelihood", value)
        part.result(log_likelihood=value)

    def vocabulary(self, part: Partition) -> None:
        part.result(**{name: part.fixed[name] for name in ("words", "counts", "dropped") if name in part.fixed})

    def model(self, results: Results) -> Mapping[str, Any]:
        """The arrays of the trained model, words in the order of the vocabulary.

        word_ptr            int64 [V + 1]: word w's cells are [word_ptr[w], word_ptr[w + 1]) of
        topics, counts      uint16 (uint32 from 65,536 topics on) and int32: only cells with a count, topics ascending
        topic_totals        int64 [K]; if there are several draws of each token, the counts are float32 and these float64
        vocabulary.word     Strings [V]; vocabulary.count: int64 [V], how often each word stands in the training text
        dropped.word        Strings: words that were dropped for good, and are no unknown words in other text
        alpha, beta         float64 [K] and [1]: the priors, as they were learned last
        log_likelihood      float64 [1]: joint, in nats per token
        """
        words, counts, dropped = joined_vocabulary(results["vocabulary"])
        priors = Priors.of(results["priors"][0], self.topics) if "priors" in results else self._first_priors({})
        return {
            **joined(results["words"], len(words), self.topics, self.draws),
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
        warm(self.topics, merging_too=self.merge_every > 0, continued=self.continued)
