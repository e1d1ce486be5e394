"""The programs that make data to go on with: the tokens of an earlier run with their topics, and new documents after them.

Again       rows, columns and kept topics -> the tokens in the order of the text, as before they became a grid
Renumber    the words of new documents -> the numbers that the earlier run gave them; words that it never saw come after
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.vocabulary import WordSet, read_only, taken
from regrow.data.word_kernels import map_stream
from regrow.packed import Strings, strings
from regrow.program import Data, Message, Partition, Program, Role, Roles

__all__ = ["Again", "Renumber"]


@dataclass(frozen=True)
class Again(Program):
    """The grid of an earlier run -> its tokens, with what it kept of each.

    Data: the layouts `rows`, `columns` and `vocabulary` of `Grid`, and `kept`: for each row `pairs` (unsigned) [N_r], one of each
    token in the order of the row's cells. Results: as of `TextTokens`, and `pairs` in each part of "tokens", in the order of the
    text. Metrics: tokens, documents, words.
    """

    def roles(self, data: Data) -> Roles:
        """One round."""
        return Roles(
            1,
            columns=Role(data["columns"], data="columns"),
            kept=Role(data["rows"], data="kept"),
            tokens=Role(data["rows"], data="rows", reads={"columns": 0, "kept": 0}),
            vocabulary=Role(data["vocabulary"], data="vocabulary"),
        )

    def columns(self, part: Partition) -> None:
        """Tell each row the words of the tokens in their common cell."""
        words = part.fixed["words"].astype(np.int32)
        for row, slices in enumerate(part.fixed["slices"]):
            part.send("tokens", row, words=np.repeat(words, np.diff(slices.astype(np.int64))))

    def kept(self, part: Partition) -> None:
        """Hand the topics of a row over to it."""
        part.send("tokens", part.index, pairs=part.fixed["pairs"])

    def tokens(self, part: Partition) -> None:
        """Put words and topics into the order of the text."""
        cell, (kept,) = part.fixed["cell"], part.inbox("kept")
        words = np.concatenate([message["words"] for message in part.inbox("columns")])
        part.result(words=words[cell], doc_ptr=part.fixed["doc_ptr"], pairs=kept["pairs"][cell])
        part.metric("tokens", len(cell))
        part.metric("documents", len(part.fixed["doc_ptr"]) - 1)

    def vocabulary(self, part: Partition) -> None:
        """The words stay as they are."""
        part.result(**part.fixed)
        part.metric("words", len(part.fixed["words"]))


@dataclass(frozen=True)
class Renumber(Program):
    """New tokens with numbers of their own -> with the numbers of an old vocabulary, which grows.

    min_count   new words with fewer occurrences are dropped, as the earlier run did

    Data: the layouts `old` and `new`, two vocabularies, and `tokens` with the numbers of `new`. Results: "tokens", and
    "vocabulary", one part: the old words with their numbers and the counts of both, then the new ones in the order of `new`. Words
    that the earlier run dropped for good (`dropped`) are dropped here. Metrics: tokens, documents, words.
    """

    min_count: int = 1

    def roles(self, data: Data) -> Roles:
        """One round."""
        return Roles(
            1,
            old=Role(data["old"], data="old"),
            new=Role(data["new"], data="new"),
            vocabulary=Role(1, reads={"old": 0, "new": 0}),
            tokens=Role(data["tokens"], data="tokens", reads={"vocabulary": 0}),
        )

    def old(self, part: Partition) -> None:
        """Send the words that have numbers."""
        part.send("vocabulary", 0, **part.fixed)

    def new(self, part: Partition) -> None:
        """Send the words that ask for numbers."""
        part.send("vocabulary", 0, **part.fixed)

    def vocabulary(self, part: Partition) -> None:
        """Number the words: those that are known keep their numbers."""
        words, counts, documents, dropped = _joined(part.inbox("old"))
        new, new_counts, new_documents, _ = _joined(part.inbox("new"))
        known, barred = WordSet(), WordSet()
        known.add(words)
        barred.add(dropped)
        size, bars = len(words), len(barred)
        first = known.add(new)  # old words: their number; others: one after another from `size`
        wanted = (first < size) | ((new_counts >= self.min_count) & (barred.add(new) >= bars))
        added = np.flatnonzero(wanted & (first >= size))
        numbers = np.where(first < size, first, -1).astype(np.int32)
        numbers[added] = np.arange(size, size + len(added), dtype=np.int32)
        total = [np.concatenate([now, np.zeros(len(added), np.int64)]) for now in (counts, documents)]
        for column, more in zip(total, (new_counts, new_documents), strict=True):
            column[numbers[wanted]] += more[wanted]
        part.broadcast("tokens", numbers=numbers)
        words = Strings.concatenate([words, taken(new, added)])
        part.result(words=words, counts=total[0], documents=total[1], dropped=dropped)
        part.metric("words", len(words))

    def tokens(self, part: Partition) -> None:
        """Take the numbers."""
        (message,) = part.inbox("vocabulary")
        words, doc_ptr = map_stream(read_only(part.fixed["words"]), read_only(part.fixed["doc_ptr"]), read_only(message["numbers"]))
        part.result(words=words, doc_ptr=doc_ptr)
        part.metric("tokens", len(words))
        part.metric("documents", len(doc_ptr) - 1)

    def warm(self) -> None:
        """Compile or load the kernels."""
        zero, ptr = read_only(np.zeros(1, np.int32)), read_only(np.array([0, 1], np.int64))
        map_stream(zero, ptr, zero)
        WordSet().add(strings([""]))


def _joined(inbox: Iterable[Message]) -> tuple[Strings, npt.NDArray[np.int64], npt.NDArray[np.int64], Strings]:
    """A vocabulary from its parts: words, counts, documents, dropped words."""
    parts: list[dict[str, Any]] = [dict(message) for message in inbox]
    dropped = [part["dropped"] for part in parts if "dropped" in part]
    return (
        Strings.concatenate([part["words"] for part in parts]),
        np.concatenate([part["counts"] for part in parts]),
        np.concatenate([part["documents"] for part in parts]),
        Strings.concatenate(dropped) if dropped else strings([]),
    )
