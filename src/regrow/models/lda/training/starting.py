"""What the first round begins with, on both sides: columns say what they know of the documents, rows begin with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.models.lda.training import starting_kernels as kernels
from regrow.models.lda.training.exchange import share_of
from regrow.models.lda.training.packing import Packing, steady
from regrow.program import Partition

__all__ = ["RARE_PER_TOPIC", "Start", "begun"]

Array = npt.NDArray[Any]

RARE_PER_TOPIC = 2.0
"""Words speak for documents that are as frequent as this many times the documents of a topic (if topics were equal), but never words that
stand alone."""


class Start:
    """What a set of columns tells the rows.

    part        in round 0: of the layout "columns", with `pairs` if the run goes on from another; it reads `sizes` of the rows
    how         "minhash" or "random"; first_round: rounds of the runs before
    """

    def __init__(self, part: Partition, topics: int, how: str, first_round: int, continued: bool) -> None:
        self._part, self._topics, self._how = part, topics, how
        self._first_round, self._continued = first_round, continued
        self._fixed = {n: steady(part.fixed[n]) for n in ("words", "tokens", "documents", "slices", "row_ptr")}

    def send(self) -> None:
        """Tell all rows the number of words, and each what it needs of the common cell."""
        vocabulary, tokens = len(self._fixed["words"]), len(self._fixed["tokens"])
        if self._continued:
            pairs = self._pairs()
            topics = pairs & pairs.dtype.type((1 << Packing(self._topics).half) - 1)
            self._part.broadcast("docs", **share_of(np.bincount(topics.astype(np.int64), minlength=self._topics), tokens, vocabulary))
            for r, own in enumerate(np.split(pairs, self._fixed["row_ptr"][1:-1])):
                self._part.send("docs", r, pairs=own)
            return
        self._part.broadcast("docs", tokens=tokens, vocabulary=vocabulary)
        if self._how == "minhash":
            documents = [int(message["documents"]) for message in self._part.inbox("sizes")]
            for r, size in enumerate(documents):
                self._part.send("docs", r, minima=self._minima(r, size, sum(documents)))

    def _pairs(self) -> Array:
        """The pairs of words as they were kept; tokens of new documents have topics like those of old ones of the same words."""
        pairs, key = np.array(self._part.fixed["pairs"]), self._part.key("first", self._first_round)
        tokens, slices, row_ptr = (self._fixed[name] for name in ("tokens", "slices", "row_ptr"))
        kernels.continued_pairs(pairs, tokens, slices, row_ptr, self._topics, Packing(self._topics).half, key)
        return pairs

    def _minima(self, row: int, own: int, documents: int) -> Array:
        """The minima of the documents of a row over the words of these columns: float32 [own, HASHES]."""
        fixed = self._fixed
        sizes = np.diff(fixed["slices"].astype(np.int64), axis=1).sum(axis=0)
        minima = np.full((own, kernels.HASHES), 2.0, np.float32)
        cell = slice(int(fixed["row_ptr"][row]), int(fixed["row_ptr"][row + 1]))
        rarest = max(2.0, RARE_PER_TOPIC * documents / self._topics)
        key = self._part.key("minhash")
        kernels.minima_of_documents(fixed["words"], sizes, fixed["slices"][row], fixed["documents"][cell], rarest, key, minima)
        return minima


def begun(part: Partition, inbox: Sequence[Mapping[str, Any]], topics: int, how: str) -> Array:
    """The pairs that the tokens of a part of the layout "rows" begin with. inbox: what `Start` sent."""
    cell, half = steady(part.fixed["cell"]), Packing(topics).half
    pairs, first_token, key = np.empty(len(cell), Packing(topics).pair), int(part.fixed["first_token"][0]), part.key("first")
    if how == "random":
        kernels.random_pairs(pairs, half, topics, first_token, cell, key)
        return pairs
    minima = inbox[0]["minima"]
    for message in inbox[1:]:
        minima = np.minimum(minima, message["minima"])
    doc_ptr, first_document = steady(part.fixed["doc_ptr"]), int(part.fixed["first_document"][0])
    kernels.minhash_pairs(pairs, half, topics, first_token, first_document, doc_ptr, cell, steady(minima), key)
    return pairs
