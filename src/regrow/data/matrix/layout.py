"""The program that lays documents out as a matrix in cells: blocks of rows by blocks of columns, from both sides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.matrix import layout_kernels as kernels
from regrow.data.readonly import read_only
from regrow.packed import Strings
from regrow.program import Data, Message, Partition, Program, Role, Roles

__all__ = ["MatrixLayout", "default_blocks"]

Array = npt.NDArray[Any]

SMALL = ((20_000_000, 1), (60_000_000, 2), (400_000_000, 4))
"""Below so many multiplications a visit there are so many blocks on a side."""
WORK_PER_TASK = 100_000_000
"""Beyond that a block has about so many, which is some 0.1 s, ..."""
SIDE = 64
"""... until there are so many blocks: every block of rows has a cell with every block of columns."""
LINE_COST = 48
"""What a column costs besides its entries, in entries: it is multiplied with tables of the sketch."""
EXACT_IN_FLOAT32 = 1 << 24


def default_blocks(entries: int, rank: int) -> tuple[int, int]:
    """(blocks of rows, blocks of columns) from the size of the work alone, never from workers or cores."""
    work = entries * (rank + 10)
    side = next((side for below, side in SMALL if work < below), 0) or min(SIDE, -(-work // WORK_PER_TASK))
    return side, side


@dataclass(frozen=True)
class MatrixLayout(Program):
    """Documents -> the layouts "rows" and "columns" of a matrix, documents by words.

    Data: the layouts "tokens" and "vocabulary" of `TextTokens`, `BagTokens` or `MatrixCells`: `words`, `doc_ptr` and, if the entries are
    not counts of words, `values` float64 for each word. If documents have names: `names` strings, there or, if it is `named`, in the
    layout "names". R, C: `row_blocks`, `column_blocks`.
    Results:
      rows          part r, a range of the documents, all with about as many words:
                      `starts` int64 [C, documents + 1]: document i's entries in cell c are [starts[c, i], starts[c, i + 1]) of
                      `index` int32, columns of the block from 0, ascending, and `value` float32 if they are whole and small, else
                      float64; empty if all are 1
                      `total` float64 and `entries` int64 [documents]: sum and number of each document's entries; `first` int64 [1]
                      `names` strings, if there are any
      columns       part c, a range of the words, all with about as much to do: the same, rows of block r in cell r
      vocabulary    as it was
    Metrics: cells (entries that are not 0), documents, words, total (their sum), fractions and negatives (entries that are no whole
    numbers, that are below 0).
    """

    row_blocks: int
    column_blocks: int
    named: bool = False

    def roles(self, data: Data) -> Roles:
        """One round: sizes of the parts, the plan, documents to rows, cells to columns."""
        parts = data["tokens"]
        named = {"names": Role(parts, data="names")} if self.named else {}
        return Roles(
            1,
            **named,
            sizes=Role(parts, data="tokens"),
            vocabulary=Role(data["vocabulary"], data="vocabulary"),
            plan=Role(1, reads={"sizes": 0, "vocabulary": 0}),
            tokens=Role(parts, data="tokens", reads={"plan": 0, **dict.fromkeys(named, 0)}),
            rows=Role(self.row_blocks, reads={"plan": 0, "tokens": 0}),
            columns=Role(self.column_blocks, reads={"plan": 0, "rows": 0}),
        )

    def sizes(self, part: Partition) -> None:
        """How much a part holds."""
        part.send("plan", 0, size=[len(part.fixed["words"]), len(part.fixed["doc_ptr"]) - 1])

    def names(self, part: Partition) -> None:
        """What the documents of a part are called."""
        part.send("tokens", part.index, names=part.fixed["names"])

    def vocabulary(self, part: Partition) -> None:
        """The words stay as they are; the plan needs to know how frequent they are."""
        part.send("plan", 0, documents=part.fixed["documents"])
        part.result(**part.fixed)
        part.metric("words", len(part.fixed["words"]))

    def plan(self, part: Partition) -> None:
        """Where each part begins, and which words each column has."""
        sizes = np.stack([message["size"] for message in part.inbox("sizes")])
        bases = np.zeros((len(sizes) + 1, 2), np.int64)
        np.cumsum(sizes, axis=0, out=bases[1:])
        part.broadcast("tokens", bases=bases)
        documents = np.concatenate([message["documents"] for message in part.inbox("vocabulary")])
        cost = np.cumsum(documents + LINE_COST)
        begins = np.searchsorted(cost, cost[-1] * np.arange(self.column_blocks + 1) // self.column_blocks, side="left")
        begins[0], begins[-1] = 0, len(documents)
        part.broadcast("rows", begins=begins)
        part.broadcast("columns", begins=begins)

    def tokens(self, part: Partition) -> None:
        """Add up the entries of each document, and send each row its documents: as `Grid` does."""
        (message,) = part.inbox("plan")
        bases, rows, fixed = message["bases"], self.row_blocks, part.fixed
        words, doc_ptr = read_only(fixed["words"]), read_only(fixed["doc_ptr"])
        if "values" in fixed:
            ptr, index, value = kernels.added_up(words, doc_ptr, read_only(fixed["values"]))
        else:
            ptr, index, value = kernels.counted(words, doc_ptr)
        first_token, first_document = (int(base) for base in bases[part.index])
        called = next(part.inbox("names")) if self.named else fixed
        names: Strings | None = called.get("names")
        row_of = np.minimum((first_token + doc_ptr[:-1]) * rows // max(1, int(bases[-1, 0])), rows - 1)
        cuts = np.searchsorted(row_of, np.arange(rows + 1))
        for row in np.unique(row_of).tolist():
            first, end = int(cuts[row]), int(cuts[row + 1])
            own = slice(int(ptr[first]), int(ptr[end]))
            about = {"ptr": ptr[first : end + 1] - ptr[first], "first": [first_document + first]}
            if names is not None:
                about["names"] = _some(names, first, end)
            part.send("rows", row, index=index[own], value=value[own], **about)

    def rows(self, part: Partition) -> None:
        """Cut the documents' entries into cells, and send each column its own."""
        (plan,) = part.inbox("plan")
        begins = read_only(plan["begins"])
        inbox = list(part.inbox("tokens"))
        ptr = _joined_ptr([message["ptr"] for message in inbox])
        index, value = _joined(inbox, "index", np.int32), _joined(inbox, "value", np.float64)
        starts, index, value = kernels.by_block(read_only(ptr), read_only(index), read_only(value), begins)
        for column in range(self.column_blocks):
            width = int(begins[column + 1] - begins[column])
            cell = kernels.transposed(read_only(starts[column]), read_only(index), read_only(value), width)
            part.send("columns", column, **dict(zip(("starts", "index", "value"), (cell[0], cell[1], _packed(cell[2])), strict=True)))
        first = int(inbox[0]["first"][0]) if inbox else 0
        names = {"names": Strings.concatenate([m["names"] for m in inbox])} if inbox and "names" in inbox[0] else {}
        cells = _cells(starts, index, value)
        part.result(**cells, first=[first], **names)
        part.metric("total", float(cells["total"].sum()))
        part.metric("cells", len(value))
        part.metric("documents", len(ptr) - 1)
        part.metric("fractions", int(np.count_nonzero(value != np.rint(value))))
        part.metric("negatives", int(np.count_nonzero(value < 0)))

    def columns(self, part: Partition) -> None:
        """Put the column's cells one after the other."""
        (plan,) = part.inbox("plan")
        width = int(plan["begins"][part.index + 1] - plan["begins"][part.index])
        inbox = list(part.inbox("rows"))
        starts, at = np.zeros((self.row_blocks, width + 1), np.int64), 0
        for message in inbox:
            starts[message.sender] = message["starts"] + at
            at += len(message["index"])
        values = [np.ones(len(m["index"])) if not len(m["value"]) else np.asarray(m["value"], np.float64) for m in inbox]
        value = np.concatenate([*values, np.empty(0)])
        part.result(**_cells(starts, _joined(inbox, "index", np.int32), value), first=plan["begins"][part.index : part.index + 1])

    def warm(self) -> None:
        """Compile or load the kernels."""
        words, ptr, one = read_only(np.zeros(1, np.int32)), read_only(np.array([0, 1], np.int64)), read_only(np.ones(1))
        kernels.counted(words, ptr)
        found = kernels.added_up(words, ptr, one)
        starts, index, value = kernels.by_block(read_only(found[0]), read_only(found[1]), read_only(found[2]), ptr)
        kernels.transposed(read_only(starts[0]), read_only(index), read_only(value), 1)
        kernels.line_totals(read_only(starts), read_only(value))


def _cells(starts: Array, index: Array, value: Array) -> dict[str, Array]:
    totals, entries = kernels.line_totals(read_only(starts), read_only(value))
    return {"starts": starts, "index": index, "value": _packed(value), "total": totals, "entries": entries}


def _packed(value: Array) -> Array:
    """Values in the least that holds them: nothing if all are 1."""
    if (value == 1.0).all():
        return np.empty(0, np.float32)
    whole = (value == np.rint(value)).all() and np.abs(value).max() < EXACT_IN_FLOAT32
    return value.astype(np.float32) if whole else value


def _joined(inbox: Sequence[Message], name: str, type: Any) -> Array:
    return np.concatenate([*(message[name] for message in inbox), np.empty(0, type)]).astype(type, copy=False)


def _joined_ptr(pointers: Iterable[Array]) -> Array:
    joined = [np.zeros(1, np.int64)]
    for pointer in pointers:
        joined.append(pointer[1:] + joined[-1][-1])
    return np.concatenate(joined)


def _some(names: Strings, first: int, end: int) -> Strings:
    start = int(names.offsets[first])
    return Strings(names.offsets[first : end + 1] - start, names.utf8[start : int(names.offsets[end])])
