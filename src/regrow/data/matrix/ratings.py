"""Tables of ratings: each row of a parquet file is an entry, `user item value`, with names for both (csv and tsv: `rating_lines`).

Rows of the matrix are users in the order in which they first come, columns are items by descending number of ratings, then by name.
Ratings of one item by one user are added up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.columns import from_arrow
from regrow.data.formats.facts import SourceFile, TextOptions, shown_names
from regrow.data.formats.format import Arrays, Format
from regrow.data.formats.parquet import opened
from regrow.data.matrix.rating_lines import read_lines, warm_lines
from regrow.data.readonly import read_only
from regrow.data.streams import Stream
from regrow.data.vocabulary import WordSet, by_count, taken
from regrow.errors import DataError, UsageError
from regrow.packed import Strings, strings
from regrow.program import Data, Partition, Program, Role, Roles

__all__ = ["RATINGS", "USUAL", "RatingCells", "asked_columns", "has_ratings"]

Array = npt.NDArray[Any]

USUAL = ("user", "item", "rating")
"""The columns of a file that is taken for ratings without being told."""
BATCH_ROWS = 1 << 16
ENTRY_BYTES = 32
"""About as long as an entry is in memory."""


def asked_columns(ratings: str | None) -> tuple[str, ...]:
    """The columns that --ratings names. Raises UsageError."""
    names = tuple(name.strip() for name in ratings.split(",")) if ratings else USUAL
    if len(names) not in (2, 3) or not all(names) or len(set(names)) < len(names):
        raise UsageError(f"--ratings {ratings}", "two or three columns: row, column and value of an entry, e.g. --ratings user,item,rating")
    return names


def has_ratings(name: str) -> bool:
    """Whether a file is parquet with the usual columns."""
    with open(name, "rb") as file:
        if file.read(4) != b"PAR1":
            return False
    with opened(name) as parquet:
        return set(USUAL) <= set(parquet.schema_arrow.names)


class RatingsTable(Format):
    """Parquet with a column of users, one of items and, unless all values are 1, one of numbers. A null is an error."""

    name = "ratings"
    kind = "ratings"

    def find(self, file: SourceFile, wanted: Sequence[str]) -> SourceFile:
        """The file with the places of the wanted columns. Raises DataError."""
        import pyarrow as pa

        with opened(file.name) as parquet:
            schema, rows = parquet.schema_arrow, parquet.metadata.num_rows
        if not rows:
            raise DataError(f"{file.name} holds no rows", "leave it out")
        for name in wanted:
            if name not in schema.names:
                raise DataError(
                    f'{file.name}: no column "{name}" (columns: {shown_names(schema.names)})', "name them: --ratings USER,ITEM,VALUE"
                )
        for name in wanted[2:]:
            type = schema.field(name).type
            if not (pa.types.is_integer(type) or pa.types.is_floating(type) or pa.types.is_decimal(type) or pa.types.is_boolean(type)):
                raise DataError(
                    f'{file.name}: the column "{name}" is {type}, and a value is a number', "name another: --ratings USER,ITEM,VALUE"
                )
        return replace(file, columns=tuple(schema.names.index(name) for name in wanted))

    def look(self, file: SourceFile, head: bytes, options: TextOptions) -> SourceFile:
        """The usual columns."""
        return self.find(file, USUAL)

    def parts(self, file: SourceFile, stream: Stream, target: int) -> Iterator[Arrays]:
        """Cut after so many rows: `user` and `item` strings, `value` float64."""
        import pyarrow as pa

        stream.raw_whole()
        rows, row = max(1, min(BATCH_ROWS, target // ENTRY_BYTES)), 0
        held: list[tuple[Strings, Strings, Array]] = []
        with opened(file.name) as parquet:
            wanted = [parquet.schema_arrow.names[column] for column in file.columns]
            try:
                for batch in parquet.iter_batches(rows, columns=wanted, use_threads=False):
                    texts = [_texts(batch.column(name), f'{file.name}, column "{name}"', row) for name in wanted[:2]]
                    values = np.ones(batch.num_rows)
                    for name in wanted[2:]:
                        values = _values(batch.column(name), f'{file.name}, column "{name}"', row)
                    held.append((texts[0], texts[1], values))
                    row += batch.num_rows
                    if sum(len(entry[2]) for entry in held) * ENTRY_BYTES >= target:
                        yield _part(held)
                        held = []
            except (pa.ArrowException, OSError) as error:
                raise DataError(f"{file.name}, row {row + 1:,} or a later one: the file is broken", "fetch it or write it again") from error
        if held:
            yield _part(held)

    def lines(self, arrays: Arrays) -> int:
        """The number of rows."""
        return len(arrays["value"])


RATINGS = RatingsTable()


def _part(held: Sequence[tuple[Strings, Strings, Array]]) -> Arrays:
    users, items, values = zip(*held, strict=True)
    return {"user": Strings.concatenate(users), "item": Strings.concatenate(items), "value": np.concatenate(values)}


def _texts(column: Any, where: str, row: int) -> Strings:
    """Names: strings, or numbers as they are written. Raises DataError for nulls."""
    import pyarrow as pa

    _refuse_nulls(column, where, row)
    names = from_arrow(column.cast(pa.large_string()))
    assert isinstance(names, Strings)
    return Strings(names.offsets, names.utf8.copy())


def _values(column: Any, where: str, row: int) -> Array:
    import pyarrow as pa

    _refuse_nulls(column, where, row)
    values = np.asarray(from_arrow(column.cast(pa.float64())))
    _refuse(~np.isfinite(values), where, row, "the value is no finite number", "leave the row out")
    return values


def _refuse_nulls(column: Any, where: str, row: int) -> None:
    if column.null_count:
        _refuse(column.is_null().to_numpy(zero_copy_only=False), where, row, "the value is null", "leave the row out")


def _refuse(bad: Array, where: str, row: int, told: str, advice: str) -> None:
    if bad.any():
        raise DataError(f"{where}, row {row + int(bad.argmax()) + 1:,}: {told}", advice)


@dataclass(frozen=True)
class RatingCells(Program):
    """Ratings -> the layouts that `MatrixLayout` reads, with `values`, and `names` of the rows.

    Data: the layout "text" of `ingest`: `user`, `item`, `value`, or lines that hold them.
    """

    def roles(self, data: Data) -> Roles:
        """One round: names of each part, numbers for all of them, entries by row."""
        parts = data["text"]
        return Roles(
            1,
            ratings=Role(parts, data="text"),
            vocabulary=Role(1, reads={"ratings": 0}),
            moved=Role(parts, reads={"ratings": 0, "vocabulary": 0}),
            tokens=Role(parts, reads={"moved": 0, "vocabulary": 0}),
        )

    def ratings(self, part: Partition) -> None:
        """Number the names of a part."""
        fixed, users, items = part.fixed, WordSet(), WordSet()
        called, named, value = read_lines(fixed) if "text" in fixed else (fixed["user"], fixed["item"], fixed["value"])
        user, item = users.add(called), items.add(named)
        counts = {"users_counts": np.bincount(user, minlength=len(users)), "items_counts": np.bincount(item, minlength=len(items))}
        part.send("vocabulary", 0, users=users.words(), items=items.words(), **counts)
        part.send("moved", part.index, user=user, item=item, value=value)

    def vocabulary(self, part: Partition) -> None:
        """Numbers for all names, and which users each part gets."""
        users, items = WordSet(), WordSet()
        own = [(users.add(message["users"]), items.add(message["items"])) for message in part.inbox("ratings")]
        per_user, per_item = np.zeros(len(users), np.int64), np.zeros(len(items), np.int64)
        for (user, item), message in zip(own, part.inbox("ratings"), strict=True):
            per_user[user] += message["users_counts"]
            per_item[item] += message["items_counts"]
        names = items.words()
        order = by_count(names, per_item)
        place = np.empty(len(order), np.int32)
        place[order] = np.arange(len(order))
        for sender, (user, item) in enumerate(own):
            part.send("moved", sender, users=user, items=place[item])
        parts = len(own)
        total = np.cumsum(per_user)
        begins = np.searchsorted(total, total[-1] * np.arange(parts + 1) // parts, side="left")
        begins[0], begins[-1] = 0, len(users)
        part.broadcast("moved", begins=begins)
        called = users.words()
        for receiver in range(parts):
            mine = np.arange(begins[receiver], begins[receiver + 1])
            part.send("tokens", receiver, names=taken(called, mine), first=begins[receiver : receiver + 1])
        counts = per_item[order]
        part.result(words=taken(names, order), counts=counts, documents=counts, dropped=strings([]))
        part.metric("words", len(counts))
        part.metric("ratings", int(counts.sum()))

    def moved(self, part: Partition) -> None:
        """Send each entry to the part that has its user."""
        (ratings,), (numbers,) = part.inbox("ratings"), part.inbox("vocabulary")
        user, item = np.asarray(numbers["users"])[ratings["user"]], np.asarray(numbers["items"])[ratings["item"]]
        owner = np.searchsorted(numbers["begins"], user, side="right") - 1
        for receiver in np.unique(owner).tolist():
            mine = owner == receiver
            part.send("tokens", receiver, user=user[mine], item=item[mine], value=np.asarray(ratings["value"])[mine])

    def tokens(self, part: Partition) -> None:
        """Put entries in the order of their users."""
        (about,) = part.inbox("vocabulary")
        inbox = list(part.inbox("moved"))
        user = np.concatenate([*(message["user"] for message in inbox), np.empty(0, np.int32)]) - int(about["first"][0])
        item = np.concatenate([*(message["item"] for message in inbox), np.empty(0, np.int32)])
        value = np.concatenate([*(message["value"] for message in inbox), np.empty(0)])
        order = np.argsort(user, kind="stable")
        doc_ptr = np.zeros(len(about["names"]) + 1, np.int64)
        np.cumsum(np.bincount(user, minlength=len(about["names"])), out=doc_ptr[1:])
        part.result(words=item[order].astype(np.int32), doc_ptr=doc_ptr, values=value[order], names=about["names"])
        part.metric("tokens", len(item))
        part.metric("documents", len(about["names"]))

    def warm(self) -> None:
        """Compile or load the kernels."""
        warm_lines()
        read_only(WordSet().add(strings(["a"])))
        taken(strings(["a"]), np.zeros(1, np.int64))
