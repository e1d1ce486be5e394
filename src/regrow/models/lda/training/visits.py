"""The two visits of a round: arrays in, arrays out, with the room that kernels need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.models.lda.training import document_kernels, word_kernels
from regrow.models.lda.training.likelihood import Histogram
from regrow.models.lda.training.packing import Packing, steady
from regrow.models.lda.training.priors import Priors

__all__ = ["Lists", "Words", "visit_documents"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Lists:
    """What a visit of documents made; see `document_kernels.visit_documents`.

    places [N] as the topics; blocks uint32 or uint64 [D + 1], entries uint32 or uint64; totals int64 [K]
    """

    places: Array
    blocks: Array
    entries: Array
    totals: Array

    def histogram(self, by_topic: bool) -> Histogram:
        """How many (document, topic) cells have which count; by topic, of each topic (see likelihood.Histogram)."""
        width = self.entries.dtype.type(4 * self.entries.itemsize)
        filled = self.entries[self.entries != 0]
        counts = (filled >> width).astype(np.uint64)
        if not by_topic:
            values, numbers = np.unique(counts, return_counts=True)
            return values.astype(np.int64), numbers.astype(np.int64)
        topics = (filled & (self.entries.dtype.type(1) << width) - self.entries.dtype.type(1)).astype(np.uint64)
        keys, numbers = np.unique(topics << np.uint64(32) | counts, return_counts=True)
        return keys, numbers.astype(np.int64)


def visit_documents(fixed: Mapping[str, Array], pairs: Array, totals: Array, vocabulary: int, priors: Priors, key: np.uint64) -> Lists:
    """Visit the documents of a part of the layout "rows". pairs [N]: of its tokens; totals [K]: of all; vocabulary: V."""
    topics, doc_ptr = len(totals), steady(fixed["doc_ptr"])
    sizes, packing = np.diff(doc_ptr), Packing(topics)
    blocks_max = int((-(-np.minimum(sizes, topics) // document_kernels.BLOCK)).sum())
    blocks = np.empty(len(doc_ptr), np.uint32 if blocks_max < 1 << 32 else np.uint64)
    entries = np.empty(blocks_max * document_kernels.BLOCK, packing.entry(int(sizes.max(initial=0))))
    places, fresh = np.empty(len(pairs), packing.topic), np.zeros(topics, np.int64)
    size = document_kernels.visit_documents(
        steady(pairs), packing.half, int(fixed["first_token"][0]), doc_ptr, steady(fixed["cell"]), totals + priors.beta * vocabulary,
        priors.each, key, blocks, entries, places, fresh,
    )  # fmt: skip
    return Lists(places, blocks, entries[:size], fresh)


class Words:
    """The words of a part of the layout "columns" in one round.

    fixed       the part; messages: of all rows, in their order (places of the common cell, blocks, entries)
    counts      (ptr, columns, counts) of its words on arrival, as `word_kernels.word_topics` makes them
    """

    def __init__(self, fixed: Mapping[str, Array], messages: Sequence[Mapping[str, Array]], topics: int) -> None:
        self.tokens, self.documents, self.slices, self.row_ptr = (steady(fixed[n]) for n in ("tokens", "documents", "slices", "row_ptr"))
        self._lists = [(steady(message["blocks"]), steady(message["entries"])) for message in messages]
        self._places = [steady(message["places"]) if "places" in message else None for message in messages]
        self.topics = topics
        self.topic = np.empty(len(self.tokens), Packing(topics).topic)
        for r, places in enumerate(self._places):
            if places is not None:
                cell = slice(int(self.row_ptr[r]), int(self.row_ptr[r + 1]))
                word_kernels.topics_of_cell(places, self.documents[cell], *self._lists[r], self.topic[cell])
        self.counts = self._counted()

    @property
    def room(self) -> int:
        """How many cells the counts of these words may have."""
        return int(np.minimum((self.slices[:, 1:] - self.slices[:, :-1]).sum(axis=0, dtype=np.int64), self.topics).sum())

    def _counted(self) -> tuple[Array, Array, Array]:
        ptr, room = np.empty(self.slices.shape[1], np.int64), self.room
        columns, counts = np.empty(room, self.topic.dtype), np.empty(room, np.int32)
        word_kernels.word_topics(self.topic, self.slices, self.row_ptr, self.topics, ptr, columns, counts)
        return ptr, columns[: ptr[-1]], counts[: ptr[-1]]

    def visit(self, totals: Array, vocabulary: int, priors: Priors, key: np.uint64) -> Array:
        """Draw all topics anew, row by row: `topic` is rewritten. Returns the new topic totals of these tokens, int64 [K]."""
        alpha, alpha_below, inverse = priors.each, np.zeros(self.topics + 1), 1.0 / (totals + priors.beta * vocabulary)
        f, below, fresh = priors.beta * inverse, np.zeros(self.topics + 1), np.zeros(self.topics, np.int64)
        np.cumsum(alpha, out=alpha_below[1:])
        np.cumsum(alpha * f, out=below[1:])
        for r, places in enumerate(self._places):
            if places is None or not len(places):
                continue
            cell, (blocks, entries) = slice(int(self.row_ptr[r]), int(self.row_ptr[r + 1])), self._lists[r]
            lists = (blocks, entries, word_kernels.prefixes_of_long(blocks, entries))
            word_kernels.visit_words(
                places, self.documents[cell], self.tokens[cell], self.slices[r], lists, self.counts,
                (alpha, alpha_below, priors.beta), (inverse, below), f, key, self.topic[cell], fresh,
            )  # fmt: skip
        return fresh

    def pairs(self, beta: float, key: np.uint64) -> Array:
        """Every token's topic with a candidate."""
        packing = Packing(self.topics)
        pairs = np.empty(len(self.tokens), packing.pair)
        topic, slices, row_ptr = steady(self.topic), self.slices, self.row_ptr
        word_kernels.propose(topic, self.tokens, slices, row_ptr, self.topics, beta, key, packing.half, pairs)
        return pairs

    def added_to(self, sums: tuple[Array, Array, Array] | None) -> tuple[Array, Array, Array]:
        """Sparse counts of these words by topic, topics ascending, with those of the tokens added: (ptr int64, topics, counts uint32)."""
        if sums is None:
            sums = np.zeros(self.slices.shape[1], np.int64), np.empty(0, self.topic.dtype), np.empty(0, np.uint32)
        room = self.room + len(sums[1])
        new = np.empty(self.slices.shape[1], np.int64), np.empty(room, self.topic.dtype), np.empty(room, np.uint32)
        old = (steady(sums[0]), steady(sums[1]), steady(sums[2]))
        size = word_kernels.added_counts(steady(self.topic), self.slices, self.row_ptr, self.topics, old, new)
        return new[0], new[1][:size], new[2][:size]
