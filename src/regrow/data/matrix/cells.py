"""The program that prepares matrices of numbers: files -> entries by row, and what the columns are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.bag_kernels import decimals
from regrow.data.matrix.readers import number_format
from regrow.data.vocabulary import WordSet, no_words, nothing_left, taken
from regrow.errors import DataError
from regrow.packed import Strings, strings
from regrow.program import Data, Partition, Program, Role, Roles

__all__ = ["MatrixCells"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class MatrixCells(Program):
    """Matrices of numbers -> the layouts that `MatrixLayout` reads, with `values`.

    format      as in `Source`
    The others are those of `BagTokens`; a column's count is the sum of its values if all are whole numbers from 0, else how many it has.

    Data: the layouts "text" and "words" of `ingest`.
    """

    format: str = "matrixmarket"
    stop_words: Sequence[str] = ()
    min_count: int = 1
    max_doc_share: float = 1.0

    def roles(self, data: Data) -> Roles:
        """One round: entries, what the columns are called and which stay, entries of those."""
        parts = data["text"]
        return Roles(
            1,
            cells=Role(parts, data="text"),
            vocabulary=Role(1, data="words", reads={"cells": 0}),
            tokens=Role(parts, reads={"cells": 0, "vocabulary": 0}),
        )

    def cells(self, part: Partition) -> None:
        """Read the part."""
        format = number_format(self.format)
        columns, doc_ptr, values = format.cells(part.fixed)
        there = values != 0  # a zero that is written down is no entry
        if not there.all():
            before = np.concatenate([np.zeros(1, np.int64), np.cumsum(there)])
            columns, doc_ptr, values = columns[there], before[doc_ptr], values[there]
        size = int(columns.max(initial=-1)) + 1
        counts, sums = np.bincount(columns, minlength=size), np.bincount(columns, values, minlength=size)
        used = np.flatnonzero(counts)
        whole = bool((values >= 0).all() and (values == np.rint(values)).all())
        about = [len(doc_ptr) - 1, max(format.words(part.fixed), size), format.first_word(part.fixed), whole]
        part.send("vocabulary", 0, words=used, counts=counts[used], sums=sums[used], about=about)
        part.send("tokens", part.index, words=columns, doc_ptr=doc_ptr, values=values)

    def vocabulary(self, part: Partition) -> None:
        """Add up, and say which columns the filters keep."""
        inbox = list(part.inbox("cells"))
        about = np.stack([message["about"] for message in inbox])
        words, first = part.fixed["words"], int(about[0, 2])
        if not len(words):
            words = Strings(*decimals(first, int(about[:, 1].max())))
        counts, sums = np.zeros(len(words), np.int64), np.zeros(len(words))
        for message in inbox:
            counts[message["words"]] += message["counts"]
            sums[message["words"]] += message["sums"]
        missing = np.asarray(part.fixed["missing"])
        if len(used := missing[counts[missing] > 0]):
            raise DataError(
                f"the dictionary has no word with the number {used[0]:,}, and {counts[used[0]]:,} entries have it",
                f"give the dictionary that the files were made with (in them that number is {first + used[0]:,})",
            )
        occurrences = np.rint(sums).astype(np.int64) if about[:, 3].all() and sums.max(initial=0) < 2**62 else counts
        frequent = counts > self.max_doc_share * int(about[:, 0].sum())
        keep = (occurrences >= self.min_count) & ~frequent
        if self.stop_words:
            known = WordSet()
            known.add(words)
            stop = known.add(strings(self.stop_words))
            keep[stop[stop < len(words)]] = False
        if len(words) and counts.any() and not (keep & (counts > 0)).any():
            raise nothing_left(int(np.count_nonzero(counts)), self)
        part.broadcast("tokens", keep=keep)
        dropped = no_words(self.stop_words, taken(words, np.flatnonzero(frequent)))
        part.result(words=words, counts=np.where(keep, occurrences, 0), documents=np.where(keep, counts, 0), dropped=dropped)
        part.metric("words", len(words))

    def tokens(self, part: Partition) -> None:
        """Leave out the columns that are dropped."""
        (cells,), (vocabulary,) = part.inbox("cells"), part.inbox("vocabulary")
        words, doc_ptr, values = cells["words"], cells["doc_ptr"], cells["values"]
        kept = vocabulary["keep"][words] if len(words) else np.zeros(0, np.bool_)
        before = np.concatenate([np.zeros(1, np.int64), np.cumsum(kept)])
        part.result(words=words[kept], doc_ptr=before[doc_ptr], values=values[kept])
        part.metric("tokens", int(before[-1]))
        part.metric("documents", len(doc_ptr) - 1)

    def warm(self) -> None:
        """Compile or load the kernels."""
        number_format(self.format).warm()
        decimals(0, 1)
        WordSet().add(strings([""]))
        taken(strings([""]), np.zeros(1, np.int64))
