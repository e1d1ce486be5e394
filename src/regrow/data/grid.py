"""The program that lays tokens out as a grid: blocks of documents (rows) by blocks of words (columns).

A cell is what a row and a column share. Both layouts agree on the order of the tokens in a cell: by word, then by token.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.grid_kernels import columns_of_words, places_in_cells, words_by_column
from regrow.data.vocabulary import read_only
from regrow.program import Data, Partition, Program, Role, Roles

__all__ = ["Grid", "default_grid"]

SMALL = ((20_000, 1), (100_000, 2), (5_000_000, 4))
"""Below so many tokens a side of the grid has so many blocks."""
TOKENS_PER_TASK = 1_250_000
"""Beyond that a block has at most so many tokens, which is about 0.1 s of work, ..."""
SIDE = 64
"""... until a side has so many blocks (a round sends the square of it in messages); then blocks grow, ..."""
TOKENS_PER_TASK_MAX = 8_000_000
"""... up to so many tokens."""


def default_grid(tokens: int, topics: int | None = None) -> tuple[int, int]:
    """(rows, columns) from the size of the data alone, never from workers or cores.

    With `topics`, a side times the topics stays below the tokens, so that totals by topic cost less than the tokens.
    """
    side = next((side for below, side in SMALL if tokens < below), 0)
    if not side:
        side = max(min(SIDE, -(-tokens // TOKENS_PER_TASK)), -(-tokens // TOKENS_PER_TASK_MAX))
    if topics:
        side = max(1, min(side, (tokens - 1) // topics))
    return side, side


@dataclass(frozen=True)
class Grid(Program):
    """Tokens -> the layouts "rows" and "columns" of the same tokens.

    Data: the results of `TextTokens` or `BagTokens` as layouts "tokens" and "vocabulary", and their metrics as facts.

    A token's id is its place in the text, whatever the parts and the grid are. N: tokens, V: words of the vocabulary,
    R, C: `row_blocks` and `column_blocks`, N_r, D_r, N_c, W_c: tokens and documents of a row, tokens and words of a column.
    Results, which are the data of the models:
      rows          part r, a range of the documents, all with about N / R tokens:
                      `doc_ptr` int64 [D_r + 1]: documents in the tokens of the row, from 0
                      `cell` uint32 [N_r]: for each token its place in the row's cells, one after the other by column
                      `cell_ptr` int64 [C + 1]: where the cells begin
                      `first_token`, `first_document` int64 [1]: ids of the row's first token and document (0 if it has none)
      columns       part c, words of about N / C tokens together, heaviest first to the lightest column:
                      `words` int32 [W_c]: their numbers, ascending; words without tokens are in no column
                      `slices` uint32 [R, W_c + 1]: word i's tokens in cell r are [slices[r, i], slices[r, i + 1]) of it
                      `tokens` uint32 [N_c]: ids of the tokens, cell after cell by row
                      `documents` uint32 [N_c]: the document of each of them, from 0 in its row
                      `row_ptr` int64 [R + 1]: where the cells begin
      vocabulary    as it was, with as many parts: together `words` strings [V], `counts` int64 [V], `documents` int64 [V] ...
    If `pairs` names a type (uint32 or uint64), the tokens have an array `pairs` of it, one of each token, which "columns" get too, in
    the order of their `tokens`; parts without it are new to the model, and theirs have all bits set.
    The unsigned numbers have 64 bits where 32 do not suffice. Metrics: tokens, documents, words, rows, columns.
    """

    row_blocks: int
    column_blocks: int
    pairs: str = ""

    def roles(self, data: Data) -> Roles:
        """One round: sizes of the parts, the plan, tokens to rows, cells to columns."""
        parts = data["tokens"]
        return Roles(
            1,
            sizes=Role(parts, data="tokens"),
            vocabulary=Role(data["vocabulary"], data="vocabulary"),
            plan=Role(1, reads={"sizes": 0, "vocabulary": 0}),
            tokens=Role(parts, data="tokens", reads={"plan": 0}),
            rows=Role(self.row_blocks, reads={"plan": 0, "tokens": 0}),
            columns=Role(self.column_blocks, reads={"plan": 0, "rows": 0}),
        )

    def sizes(self, part: Partition) -> None:
        """How much a part holds."""
        part.send("plan", 0, size=[len(part.fixed["words"]), len(part.fixed["doc_ptr"]) - 1])

    def vocabulary(self, part: Partition) -> None:
        """The words stay as they are; the plan needs their counts."""
        part.send("plan", 0, counts=part.fixed["counts"])
        part.result(**part.fixed)
        part.metric("words", len(part.fixed["words"]))

    def plan(self, part: Partition) -> None:
        """Which token each part begins with, and which words are in which column. Of each word only numbers are here, about 24 bytes."""
        sizes = np.stack([message["size"] for message in part.inbox("sizes")])
        bases = np.zeros((len(sizes) + 1, 2), np.int64)
        np.cumsum(sizes, axis=0, out=bases[1:])
        part.broadcast("tokens", bases=bases)
        counts = np.concatenate([message["counts"] for message in part.inbox("vocabulary")])
        column_of, loads = columns_of_words(by_descending(counts), read_only(counts), self.column_blocks)
        words, column_ptr, rank = words_by_column(column_of, self.column_blocks)
        part.broadcast("rows", rank=rank, column_ptr=column_ptr)
        for column in range(self.column_blocks):
            mine = words[column_ptr[column] : column_ptr[column + 1]]
            part.send("columns", column, words=mine, size=[loads[column], bases[-1, 0]])

    def tokens(self, part: Partition) -> None:
        """Send each row its documents: document d belongs to row floor(first token of d * R / N)."""
        (message,) = part.inbox("plan")
        bases, rows = message["bases"], self.row_blocks
        words, doc_ptr = part.fixed["words"], part.fixed["doc_ptr"]
        first_token, first_document = (int(base) for base in bases[part.index])
        pairs = self._pairs(part.fixed)
        row_of = np.minimum((first_token + doc_ptr[:-1]) * rows // int(bases[-1, 0]), rows - 1)
        cuts = np.searchsorted(row_of, np.arange(rows + 1))
        for row in np.unique(row_of).tolist():
            first, end = cuts[row], cuts[row + 1]
            start = doc_ptr[first]
            part.send(
                "rows",
                row,
                words=words[start : doc_ptr[end]],
                doc_ptr=doc_ptr[first : end + 1] - start,
                first=[first_token + start, first_document + first],
                **{name: array[start : doc_ptr[end]] for name, array in pairs.items()},
            )

    def _pairs(self, fixed: Mapping[str, Any]) -> dict[str, npt.NDArray[Any]]:
        """The array `pairs` of a part of the tokens, if there are any."""
        if not self.pairs:
            return {}
        return {"pairs": fixed["pairs"] if "pairs" in fixed else np.full(len(fixed["words"]), np.iinfo(self.pairs).max, self.pairs)}

    def rows(self, part: Partition) -> None:
        """Sort the row's tokens into its cells, and send each column the ids of its own."""
        (plan,) = part.inbox("plan")
        words, doc_ptr, first = _joined(part)
        size = _unsigned(len(words) + 1)
        cell, tokens = np.empty(len(words), size), np.empty(len(words), _unsigned(int(first[0]) + len(words)))
        documents, column_ptr = np.empty(len(words), _unsigned(len(doc_ptr))), plan["column_ptr"]
        starts = places_in_cells(
            read_only(words), read_only(doc_ptr), read_only(plan["rank"]), int(column_ptr[-1]), cell, tokens, documents, int(first[0])
        )
        cell_ptr = starts[column_ptr].astype(np.int64)
        pairs = self._in_cells(part, cell)
        for column in range(self.column_blocks):
            start, end = cell_ptr[column], cell_ptr[column + 1]
            if start < end:
                slices = starts[column_ptr[column] : column_ptr[column + 1] + 1] - starts[column_ptr[column]]
                own = {name: array[start:end] for name, array in pairs.items()}
                part.send("columns", column, slices=slices, tokens=tokens[start:end], documents=documents[start:end], **own)
        part.result(doc_ptr=doc_ptr, cell=cell, cell_ptr=cell_ptr, first_token=first[:1], first_document=first[1:])
        part.metric("tokens", len(words))
        part.metric("documents", len(doc_ptr) - 1)

    def _in_cells(self, part: Partition, cell: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
        """The array `pairs` of a row, if there are any, in the order of its cells."""
        if not self.pairs:
            return {}
        pairs, at = np.empty(len(cell), self.pairs), 0
        for message in part.inbox("tokens"):
            count = len(message["pairs"])
            pairs[cell[at : at + count]] = message["pairs"]
            at += count
        return {"pairs": pairs}

    def columns(self, part: Partition) -> None:
        """Put the column's cells one after the other."""
        (plan,) = part.inbox("plan")
        size, total = (int(number) for number in plan["size"])
        slices = np.zeros((self.row_blocks, len(plan["words"]) + 1), np.uint32)
        by_token = {"tokens": np.empty(size, _unsigned(total)), "documents": np.empty(size, np.uint32)}
        if self.pairs:
            by_token["pairs"] = np.empty(size, self.pairs)
        row_ptr = np.zeros(self.row_blocks + 1, np.int64)
        at = 0
        for message in part.inbox("rows"):
            if message["slices"].dtype.itemsize > slices.itemsize:
                slices = slices.astype(np.uint64)
            slices[message.sender] = message["slices"]
            count = len(message["tokens"])
            for name, array in by_token.items():
                array[at : at + count] = message[name]
            row_ptr[message.sender + 1] = count
            at += count
        part.result(words=plan["words"], slices=slices, row_ptr=np.cumsum(row_ptr), **by_token)

    def warm(self) -> None:
        """Compile or load the kernels."""
        one, ptr = read_only(np.zeros(1, np.int32)), read_only(np.array([0, 1], np.int64))
        column_of, _ = columns_of_words(by_descending(np.ones(1, np.int64)), read_only(np.ones(1, np.int64)), 1)
        words_by_column(column_of, 1)
        for cell, tokens in ((np.uint32, np.uint32), (np.uint32, np.uint64)):
            places_in_cells(one, ptr, one, 1, np.zeros(1, cell), np.zeros(1, tokens), np.zeros(1, np.uint32), 0)


def by_descending(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The order of words by descending count, ties as they come. A vocabulary of text is in that order already."""
    if (counts[1:] <= counts[:-1]).all():
        return np.arange(len(counts))
    return np.argsort(-counts, kind="stable")


def _unsigned(numbers: int) -> type[np.unsignedinteger[Any]]:
    """The type for `numbers` different numbers."""
    return np.uint32 if numbers <= 2**32 else np.uint64


def _joined(part: Partition) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The documents of a row from the messages of all parts, one message at a time: (words, doc_ptr, [first token, first document])."""
    sizes = [(len(message["words"]), len(message["doc_ptr"]) - 1) for message in part.inbox("tokens")]
    words = np.empty(sum(size for size, _ in sizes), np.int32)
    doc_ptr = np.zeros(sum(size for _, size in sizes) + 1, np.int64)
    first = np.zeros(2, np.int64)
    token = document = 0
    for (tokens, documents), message in zip(sizes, part.inbox("tokens"), strict=True):
        if not document:
            first[:] = message["first"]
        words[token : token + tokens] = message["words"]
        doc_ptr[document : document + documents + 1] = token + message["doc_ptr"]
        token, document = token + tokens, document + documents
    return words, doc_ptr, first
