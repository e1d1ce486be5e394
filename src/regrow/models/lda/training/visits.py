"""The two visits of a round: arrays in, arrays out, with the room that kernels need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.models.lda.training import count_kernels, document_kernels, spread_kernels, word_kernels
from regrow.models.lda.training.likelihood import Histogram
from regrow.models.lda.training.packing import Packing, steady
from regrow.models.lda.training.priors import Priors

__all__ = ["Known", "Lists", "Words", "visit_documents"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Known:
    """What all senders together say of the corpus: topic totals C_k (int32 below 2^31 tokens, else int64), and V, the number of its
    words."""

    totals: Array
    vocabulary: int


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


def visit_documents(fixed: Mapping[str, Array], pairs: Array, corpus: Known, priors: Priors, key: np.uint64) -> Lists:
    """Visit the documents of a part of the layout "rows". pairs [N]: of its tokens."""
    topics, doc_ptr = len(corpus.totals), steady(fixed["doc_ptr"])
    sizes, packing = np.diff(doc_ptr), Packing(topics)
    blocks_max = int((-(-np.minimum(sizes, topics) // document_kernels.BLOCK)).sum())
    blocks = np.empty(len(doc_ptr), np.uint32 if blocks_max < 1 << 32 else np.uint64)
    entries = np.empty(blocks_max * document_kernels.BLOCK, packing.entry(int(sizes.max(initial=0))))
    places, fresh = np.empty(len(pairs), packing.topic), np.zeros(topics, np.int64)
    size = document_kernels.visit_documents(
        steady(pairs), packing.half, int(fixed["first_token"][0]), doc_ptr, steady(fixed["cell"]),
        corpus.totals + priors.beta * corpus.vocabulary, priors.each, key, blocks, entries, places, fresh,
    )  # fmt: skip
    return Lists(places, blocks, entries[:size], fresh)


class Words:
    """The words of a part of the layout "columns" in one round.

    fixed       the part; messages: of all rows, in their order (places of the common cell, blocks, entries)
    counts      (ptr, columns, counts) of its words on arrival, as `count_kernels.word_topics` makes them
    """

    def __init__(self, fixed: Mapping[str, Array], messages: Sequence[Mapping[str, Array]], topics: int) -> None:
        self.tokens, self.documents, self.slices, self.row_ptr = (steady(fixed[n]) for n in ("tokens", "documents", "slices", "row_ptr"))
        self._lists = [(steady(message["blocks"]), steady(message["entries"])) for message in messages]
        self._places = [steady(message["places"]) for message in messages]
        self.topics = topics
        self.topic = np.empty(len(self.tokens), Packing(topics).topic)
        for r, places in enumerate(self._places):
            cell = slice(int(self.row_ptr[r]), int(self.row_ptr[r + 1]))
            count_kernels.topics_of_cell(places, self.documents[cell], *self._lists[r], self.topic[cell])
        self.counts = self.counted()

    def counted(self) -> tuple[Array, Array, Array]:
        """The counts of the topics as they are now."""
        room = int(np.minimum((self.slices[:, 1:] - self.slices[:, :-1]).sum(axis=0, dtype=np.int64), self.topics).sum())
        ptr, columns, counts = np.empty(self.slices.shape[1], np.int64), np.empty(room, self.topic.dtype), np.empty(room, np.int32)
        count_kernels.word_topics(self.topic, self.slices, self.row_ptr, self.topics, ptr, columns, counts)
        return ptr, columns[: ptr[-1]], counts[: ptr[-1]]

    def visit(self, corpus: Known, priors: Priors, key: np.uint64) -> Array:
        """Draw all topics anew, row by row: `topic` is rewritten. Returns the new topic totals of these tokens, int64 [K]."""
        fresh, (alpha, inverse, f) = np.zeros(self.topics, np.int64), _tables(corpus, priors)
        for cell, slices, lists, places in self._cells():
            word_kernels.visit_words(
                places, self.documents[cell], self.tokens[cell], slices, lists, self.counts,
                alpha, inverse, f, key, self.topic[cell], fresh,
            )  # fmt: skip
        return fresh

    def spread(self, corpus: Known, priors: Priors, key: np.uint64, draws: int) -> tuple[Array, Array, Array]:
        """Sparse counts of these words by topic if each token is drawn so many times as it was in this round: (ptr int64 [W + 1],
        topics ascending, counts unsigned); if once, as it is. To be called after `visit`, with what it was called with."""
        if draws == 1:
            as_they_are = self.topic, np.ones(len(self.topic), np.uint64)
            return self._summed([as_they_are], self.slices.astype(np.int64), self.row_ptr.astype(np.int64), 1)
        alpha, inverse, f = _tables(corpus, priors)
        found: list[tuple[Array, Array]] = []
        slices, row_ptr = np.zeros(self.slices.shape, np.int64), np.zeros(len(self.row_ptr), np.int64)
        for cell, own_slices, lists, places in self._cells():
            room = int(np.minimum(draws * np.diff(own_slices.astype(np.int64)), self.topics).sum()) + 1
            columns, counts, row = np.empty(room, self.topic.dtype), np.empty(room, np.uint64), len(found)
            spread_kernels.spread_words(
                places, self.documents[cell], self.tokens[cell], own_slices, lists, self.counts,
                alpha, inverse, f, key, steady(self.topic[cell]), draws, slices[row], columns, counts,
            )  # fmt: skip
            size = int(slices[row, -1])
            found.append((columns[:size].copy(), counts[:size].copy()))
            row_ptr[len(found)] = row_ptr[len(found) - 1] + size
        return self._summed(found, slices, row_ptr, draws)

    def _summed(self, found: Sequence[tuple[Array, Array]], slices: Array, row_ptr: Array, draws: int) -> tuple[Array, Array, Array]:
        columns, counts = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
        largest = int(np.diff(self.slices.astype(np.int64), axis=1).sum(axis=0).max(initial=0)) * draws
        ptr, made = np.empty(self.slices.shape[1], np.int64), np.empty(len(columns), columns.dtype)
        sums = np.empty(len(columns), np.uint32 if largest < 1 << 32 else np.uint64)
        count_kernels.summed_counts((columns, counts), slices, row_ptr, self.topics, ptr, made, sums)
        return ptr, made[: ptr[-1]], sums[: ptr[-1]]

    def _cells(self) -> Iterator[tuple[slice, Array, tuple[Array, Array, Array], Array]]:
        """Row by row (where the tokens of the cell are, where those of each word are in it, the lists of the documents, the places)."""
        for r, places in enumerate(self._places):
            blocks, entries = self._lists[r]
            cell = slice(int(self.row_ptr[r]), int(self.row_ptr[r + 1]))
            yield cell, self.slices[r], (blocks, entries, word_kernels.prefixes_of_long(blocks, entries)), places

    def pairs(self, beta: float, key: np.uint64) -> Array:
        """Every token's topic with a candidate."""
        packing = Packing(self.topics)
        pairs = np.empty(len(self.tokens), packing.pair)
        topic, slices, row_ptr = steady(self.topic), self.slices, self.row_ptr
        word_kernels.propose(topic, self.tokens, slices, row_ptr, self.topics, beta, key, packing.half, pairs)
        return pairs


def _tables(corpus: Known, priors: Priors) -> tuple[tuple[Array, Array, float], tuple[Array, Array], Array]:
    """What the words' kernels know of topics: priors, frozen, f (see `word_kernels.visit_words`)."""
    alpha, inverse = priors.each, 1.0 / (corpus.totals + priors.beta * corpus.vocabulary)
    f, below, alpha_below = priors.beta * inverse, np.zeros(len(alpha) + 1), np.zeros(len(alpha) + 1)
    np.cumsum(alpha, out=alpha_below[1:])
    np.cumsum(alpha * f, out=below[1:])
    return (alpha, alpha_below, priors.beta), (inverse, below), f
