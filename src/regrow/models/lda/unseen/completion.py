"""Document completion as a program: how well a topic model serves documents that it has not seen.

    tables      what follows from the model alone (see `unseen`)
    documents   one half of every document tells its topics, the other half is scored; which top words stand together
    coherence   adds up the latter over all documents
    about       priors, and how many topics of the model are different

The measure is that of INTERFACE ("Words for measures"): token i of a document is observed if the lowest bit of a hash of (SHA-256 of
the document's text, i) is 0. So the halves are a function of the document alone, and all models that cut text into words
in the same way are measured on the same tokens.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.known import KnownDocuments
from regrow.errors import DataError
from regrow.evaluation import LOWEST
from regrow.models.lda.training.exchange import steady
from regrow.models.lda.training.merging import distinct_topics
from regrow.models.lda.unseen import Unseen, checked
from regrow.models.lda.unseen.coherence import Pairs, npmi_of_topics, pairs_of_topics
from regrow.models.lda.unseen.coherence_kernels import count_together
from regrow.models.lda.unseen.completion_kernels import NAT, complete, moments_of
from regrow.models.lda.unseen.completion_report import text_of
from regrow.program import Data, Partition, Results, Role, Roles

__all__ = ["Completion", "completed"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Completion(Unseen):
    """Measure a topic model on documents. Parameters and data: see `Unseen`; the arrays that it makes: see `model`."""

    def roles(self, data: Data) -> Roles:
        """One round."""
        return Roles(
            1,
            **self.shared(data),
            documents=self.on_documents(data),
            coherence=Role(1, data="model", reads={"documents": 0}),
            about=Role(1, data="model"),
        )

    def tables_of(self, model: Mapping[str, Any]) -> Mapping[str, Any]:
        """The sparse counts, the classes of topics, the priors, the pairs of top words."""
        word_ptr, topics, counts, totals = (model[name] for name in ("word_ptr", "topics", "counts", "topic_totals"))
        pairs = pairs_of_topics(word_ptr, topics, counts, len(totals))
        return {
            "word_ptr": word_ptr,
            "topics": topics.astype(np.uint32, copy=False),  # one type for all models, so that kernels are compiled before they are needed
            "counts": counts.astype(np.float32, copy=False),
            "word_counts": model["vocabulary.count"],
            **_shared(model),
            "listed_as": pairs.listed_as,
            "pair_ptr": pairs.pair_ptr,
            "partners": pairs.partners,
        }

    def documents(self, part: Partition) -> None:
        """The losses of the scored halves; the documents with top words, and with pairs of them."""
        table, known = self.known(part)
        units, losses = completed(table, known)
        scored = units.sum(axis=1) > 0
        part.result(units=units[scored], loss=losses[0, scored], baseline=losses[1].sum(axis=0), seen=[len(scored), len(known.words)])
        listed, pair_ptr, partners = (steady(table[name]) for name in ("listed_as", "pair_ptr", "partners"))
        alone, together = np.zeros(len(pair_ptr) - 1, np.int32), np.zeros(len(partners), np.int32)
        count_together(steady(known.words), steady(known.doc_ptr), listed, pair_ptr, partners, alone, together)
        some = np.count_nonzero(np.diff(known.doc_ptr))
        part.send("coherence", 0, documents=some, **_sparse("alone", alone), **_sparse("together", together))

    def coherence(self, part: Partition) -> None:
        """The coherence of every topic."""
        model = part.fixed
        pairs = pairs_of_topics(model["word_ptr"], model["topics"], model["counts"], len(model["topic_totals"]))
        documents, counts = 0, {"alone": np.zeros(len(pairs.pair_ptr) - 1, np.int64), "together": np.zeros(len(pairs.partners), np.int64)}
        for message in part.inbox("documents"):
            documents += int(message["documents"])
            for name, total in counts.items():
                total[message[f"{name}_at"]] += message[name]
        part.result(of_topics=npmi_of_topics(pairs, counts["alone"], counts["together"], documents))

    def about(self, part: Partition) -> None:
        """What is said of the model beside its losses."""
        model = checked(part.fixed)
        alpha_sum = math.fsum(model["alpha"].tolist())
        distinct = distinct_topics(model["word_ptr"], model["topics"], model["counts"], model["topic_totals"])
        part.result(topics=len(model["alpha"]), alpha_sum=alpha_sum, beta=float(model["beta"][0]), distinct=distinct)

    def model(self, results: Results) -> Mapping[str, Any]:
        """What was measured.

        units           int32 [D, bands]: scored tokens of every document that has any, by the training count of the word
        loss            int64 [D, bands]: the sums of their losses, in units of 2^-32 nats
        baseline        float64 [bands]: the sums of the baseline's losses over all documents, in nats
        documents, tokens   int64 [1]: of the input, scored or not
        coherence       float64 [K]: NPMI of the topics' top words, not a number where nothing can be said
        topics, distinct_topics, alpha_sum, beta    of the model

        Raises DataError if there is nothing to score.
        """
        parts, about = results["documents"], results["about"][0]
        units = results.concatenated("documents", "units")
        seen = np.sum([np.asarray(part["seen"]) for part in parts], axis=0)
        if not len(units):
            raise DataError(
                f"there is nothing to score: {seen[1]:,} words in {seen[0]:,} documents",
                "half of a document's words tell its topics, and the others are scored: name documents of several words each",
            )
        baseline = [sum(int(part["baseline"][band]) for part in parts) for band in range(len(LOWEST))]
        return {
            "units": units,
            "loss": results.concatenated("documents", "loss"),
            "baseline": np.array([total / NAT for total in baseline]),
            "documents": seen[:1],
            "tokens": seen[1:],
            "coherence": results["coherence"][0]["of_topics"],
            "topics": np.atleast_1d(about["topics"]),
            "distinct_topics": np.atleast_1d(about["distinct"]),
            "alpha_sum": np.atleast_1d(about["alpha_sum"]),
            "beta": np.atleast_1d(about["beta"]),
        }

    def report(self, model: Mapping[str, Any]) -> str:
        """The measures and the table by band."""
        return text_of(model)

    def warm(self) -> None:
        """Compile or load the kernels: a document of one word, a model of one cell."""
        super().warm()
        one, ptr = np.ones(1, np.int32), np.array([0, 1], np.int64)
        total = ptr[1:]
        for kind in (np.uint16, np.uint32):
            distinct_topics(ptr, np.zeros(1, kind), one, total)
        model = {"word_ptr": ptr, "topics": np.zeros(1, np.uint32), "counts": one, "topic_totals": total, "vocabulary.count": total}
        table = self.tables_of({**model, "alpha": np.ones(1), "beta": np.ones(1)})
        completed(table, KnownDocuments(np.zeros(1, np.int32), ptr, np.zeros(1, np.uint64)))
        pairs = Pairs(*(steady(np.zeros(size, kind)) for size, kind in ((1, np.int32), (2, np.int64), (0, np.int32), (0, np.int32))))
        counts = np.zeros(1, np.int32), np.zeros(0, np.int32)
        count_together(steady(one - 1), steady(ptr), pairs.listed_as, pairs.pair_ptr, pairs.partners, *counts)
        npmi_of_topics(pairs, counts[0].astype(np.int64), counts[1].astype(np.int64), 1)


def completed(table: Mapping[str, Any], known: KnownDocuments) -> tuple[Array, Array]:
    """Complete documents by the arrays of `Completion.tables_of`.

    Returns, for each document and band, how many tokens were scored, int32 [D, bands], and the sums of the losses of the model and of
    the baseline in units of 1 / NAT nats, int64 [2, D, bands].
    """
    size = (len(known.doc_ptr) - 1, len(LOWEST))
    units, losses = np.empty(size, np.int32), np.empty((2, *size), np.int64)
    complete(
        steady(known.words), steady(known.doc_ptr), steady(known.texts_sha),
        steady(table["word_ptr"]), steady(table["topics"]), steady(table["counts"]), steady(table["word_counts"]),
        steady(table["class_of"]), steady(table["classes"]), steady(table["moments"]), steady(table["priors"]), np.array(LOWEST, np.int64),
        units, losses,
    )  # fmt: skip
    return units, losses


def _shared(model: Mapping[str, Any]) -> dict[str, Array]:
    """What `complete` reads of a model besides its counts. Topics with one prior and one total are a class."""
    alpha, totals, beta = model["alpha"], np.asarray(model["topic_totals"]), float(model["beta"][0])
    extra = (int(np.count_nonzero(model["vocabulary.count"])) + 1) * beta
    order = np.lexsort((totals, alpha))
    fresh = np.ones(len(order), bool)
    fresh[1:] = (alpha[order[1:]] != alpha[order[:-1]]) | (totals[order[1:]] != totals[order[:-1]])
    first, class_of = np.flatnonzero(fresh), np.empty(len(order), np.int32)
    class_of[order] = np.cumsum(fresh) - 1
    rates = 1.0 / (totals[order[first]] + extra)
    classes = np.stack([alpha[order[first]], rates / rates.max()])
    tokens = int(model["vocabulary.count"].sum())
    return {
        "class_of": class_of,
        "classes": classes,
        "moments": moments_of(classes, np.diff(np.append(first, len(order))), 1.0 / len(order)),
        "priors": np.array([math.fsum(alpha.tolist()), beta, rates.max(), tokens + extra]),
    }


def _sparse(name: str, counts: Array) -> dict[str, Array]:
    """The counts above 0 and where they are."""
    at = np.flatnonzero(counts).astype(np.int32)
    return {name: counts[at], f"{name}_at": at}
