"""The topics of the training text, token by token, as a run has kept them: for the exports that tell of documents.

Words come from the columns of the grid, topics from what the run kept of each row of it. One row is in memory at a time;
columns are mapped files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.errors import DataError
from regrow.models.lda.training.exchange import Packing

__all__ = ["Block", "TokenTopics"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Block:
    """Documents that follow each other in the text.

    first       the number of the first, from 0
    doc_ptr     int64 [D_r + 1]: document i has the tokens from doc_ptr[i] to doc_ptr[i + 1]
    words       int32 [N_r]: word ids in the order of the text
    topics      uint16 (uint32 from 65,536 topics on) [N_r]
    """

    first: int
    doc_ptr: Array
    words: Array
    topics: Array

    def counts(self, topics: int) -> tuple[Array, Array, Array]:
        """How often each topic stands in each document: (ptr int64 [D_r + 1], topics int32, counts int32), topics ascending."""
        documents = len(self.doc_ptr) - 1
        document = np.repeat(np.arange(documents, dtype=np.int64), np.diff(self.doc_ptr))
        cells, counts = np.unique(document * topics + self.topics, return_counts=True)
        ptr = np.searchsorted(cells, np.arange(documents + 1, dtype=np.int64) * topics)
        return ptr.astype(np.int64), (cells % topics).astype(np.int32), counts.astype(np.int32)


class TokenTopics:
    """All tokens of the training text with their topics.

    part        (layout, number) -> arrays: of the layouts "rows" and "columns" of the run's data (see data.Grid), and of "kept",
                for each row an array `pairs` in the order of its cells, a token's topic in the lower half of each
    rows, columns   how many parts there are of each
    topics      K
    documents   D: as the run's data says
    """

    def __init__(self, part: Callable[[str, int], Mapping[str, Any]], rows: int, columns: int, topics: int, documents: int) -> None:
        self._part, self.rows, self.topics, self.documents = part, rows, topics, documents
        self._columns = [part("columns", c) for c in range(columns)]

    def blocks(self) -> Iterator[Block]:
        """The documents in the order of the text, row by row. Raises DataError if the parts do not fit each other."""
        packing, first = Packing(self.topics), 0
        for r in range(self.rows):
            row, pairs = self._part("rows", r), self._part("kept", r)["pairs"]
            cell, doc_ptr = row["cell"], row["doc_ptr"]
            words = np.concatenate([_repeated(column["words"], column["slices"][r]) for column in self._columns])
            if not len(words) == len(pairs) == len(cell):
                raise DataError(
                    f"row {r} of the run has {len(cell):,} tokens, {len(words):,} words and {len(pairs):,} topics",
                    "these are parts of different runs: train again",
                )
            topics = (pairs & pairs.dtype.type((1 << packing.half) - 1)).astype(packing.topic)
            yield Block(first, doc_ptr, words[cell], topics[cell])
            first += len(doc_ptr) - 1


def _repeated(words: Array, slices: Array) -> Array:
    """The word of each token of a cell."""
    sizes: Array = np.diff(slices.astype(np.int64))
    return np.repeat(words.astype(np.int32), sizes)
