"""Files of edges -> parts of the layout "text", each file in its format; and the edges of a part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.columns import from_arrow
from regrow.data.formats.cutting import LineEnd, cut, without_lines
from regrow.data.formats.facts import SourceFile, shown_line, undecodable
from regrow.data.formats.format import Arrays, Format
from regrow.data.graphs import line_kernels as lines
from regrow.data.graphs.looking import Looked, parquet_file
from regrow.data.ordering_kernels import picked
from regrow.data.readonly import read_only
from regrow.data.streams import Stream
from regrow.errors import DataError
from regrow.packed import Strings, strings
from regrow.program import Fixed

__all__ = ["GraphReader", "Part", "read_part", "warm_parts"]

Array = npt.NDArray[Any]
BATCH_ROWS = 1 << 16
EDGE_BYTES = 16
"""What an edge of a parquet file counts, where parts have a size in bytes."""


class GraphReader(Format):
    """Files of edges, and of names, each in its format."""

    name = "graph"
    kind = "graph"

    def __init__(self, files: Mapping[str, Looked]) -> None:
        self.files = files

    def parts(self, file: SourceFile, stream: Stream, target: int) -> Iterator[Arrays]:
        """Lines are cut after lines, parquet after batches."""
        about = self.files[file.name]
        if about.format == "parquet":
            yield from _parquet_parts(file.name, about, stream, target)
            return
        for text in cut(without_lines(stream.blocks(), file.header_lines), LineEnd(target)):
            yield {"text": np.frombuffer(text, np.uint8)}

    def lines(self, arrays: Arrays) -> int:
        """Lines, or rows of a parquet file."""
        return len(arrays["source_id"]) if "source_id" in arrays else super().lines(arrays)


@dataclass(frozen=True)
class Part:
    """The edges of a part, or the nodes that a file of names names.

    ids         int64 [rows, 2] (of names [rows, 1]), where ids are numbers; else empty, and
    texts       the ids as strings: those of source, then those of target (of names: of the nodes)
    weight      float64 [rows], or empty: all are 1
    name        of names: one for each row; else None
    """

    ids: Array
    texts: tuple[Strings, ...]
    weight: Array
    name: Strings | None

    def __len__(self) -> int:
        return len(self.texts[0]) if self.texts else len(self.ids)


def read_part(part: Fixed, about: Looked) -> Part:
    """The edges of a part of the layout "text". Raises DataError, with file and line, for what is broken."""
    return _rows_of_parquet(part, about) if "source_id" in part else _rows_of_lines(part, about)


def _rows_of_lines(part: Fixed, about: Looked) -> Part:
    text = read_only(part["text"])
    rows = int(np.count_nonzero(text == 10)) + 1
    numeric = np.array([about.numbers, about.numbers and not about.names])
    columns = np.array(about.columns, np.int64)
    ids = np.empty((rows if numeric.any() else 0, 2), np.int64)
    places = np.empty((2, 0 if numeric.all() else rows, 2), np.int64)
    weight, bad = np.empty(rows if columns[2] >= 0 else 0), np.full(4, -1, np.int64)
    found = lines.edge_lines(text, about.delimiter, columns, numeric, about.nodes, ids, places[0], places[1], weight, bad)
    if bad[0] >= 0:
        raise _broken(part, text, about, *bad.tolist())
    texts = [Strings(*picked_texts(text, places[0, :found, k], places[1, :found, k])) for k in (0, 1) if not numeric[k]]
    if texts:
        _check_utf8(part, text)
    name = texts.pop() if about.names else None
    return Part(ids[:found, : 1 if about.names else 2], tuple(texts), weight[:found], name)


def picked_texts(text: Array, starts: Array, ends: Array) -> tuple[Array, Array]:
    """Pieces of a text as packed strings: offsets and bytes."""
    offsets = np.zeros(len(starts) + 1, np.int64)
    np.cumsum(ends - starts, out=offsets[1:])
    utf8 = np.empty(int(offsets[-1]), np.uint8)
    lines.copy_pieces(text, read_only(starts), read_only(offsets), utf8)
    return offsets, utf8


def _check_utf8(part: Fixed, text: Array) -> None:
    data = text.tobytes()
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise undecodable(part["file"][0], data, error, int(part["source"][1])) from error


def _broken(part: Fixed, text: Array, about: Looked, what: int, line: int, start: int, end: int) -> DataError:
    """The error for a line that is no edge."""
    piece = bytes(text[start:end])
    shown = f"{part['file'][0]}, line {int(part['source'][1]) + line:,}"
    if what == lines.FIELDS:
        fields = max(about.columns) + 1
        wanted = "an id and a name" if about.names else "source and target" if fields == 2 else f"{fields} fields"
        return DataError(
            f"{shown}: {wanted} are expected, and the line is {shown_line(piece)}", "mend the line, or begin it with # to leave it out"
        )
    if what == lines.NO_ID and piece.removeprefix(b"-").isdigit():
        told = f"node {piece.decode()} is too large: numbers of nodes are below 2^63 - 1"
        return DataError(f"{shown}: {told}", "say --ids text: any name will do")
    if what == lines.NO_ID:
        advice = "say --ids text if nodes have names; or name other columns with --source and --target"
        return DataError(f"{shown}: a whole number is expected for a node, and there is {shown_line(piece)}", advice)
    if what == lines.OUTSIDE:
        return DataError(f"{shown}: node {piece.decode()} is not in 1..{about.nodes:,}", "fetch or write the file again")
    if what == lines.NEGATIVE:
        return DataError(
            f"{shown}: the weight {piece.decode()} is below 0", "a weight says how much of a rank goes along an edge: 0 or more"
        )
    return DataError(f"{shown}: a number is expected for the weight, and there is {shown_line(piece)}", "mend it, or name another --weight")


# Parquet


def _parquet_parts(name: str, about: Looked, stream: Stream, target: int) -> Iterator[Arrays]:
    """Parts with `source_id` and `target_id` (or `name`), and `weight` if there is one."""
    stream.raw_whole()
    parquet = parquet_file(name)
    columns = [column for column in about.columns if column]
    held: list[Any] = []
    rows = before = 0
    try:
        for batch in parquet.iter_batches(BATCH_ROWS, columns=list(dict.fromkeys(columns))):
            held.append(batch)
            rows += len(batch)
            if rows * EDGE_BYTES >= target:
                yield _parquet_part(name, about, held, before)
                before += rows
                held, rows = [], 0
    except OSError as error:
        raise DataError(f"{name} is broken: {str(error).splitlines()[0]}", "write it again, or fetch it again") from None
    if held:
        yield _parquet_part(name, about, held, before)


def _parquet_part(name: str, about: Looked, batches: list[Any], before: int) -> Arrays:
    import pyarrow as pa
    import pyarrow.compute as pc

    table = pa.Table.from_batches(batches)

    def column(place: int, kind: Any, what: str) -> Any:
        own = table[about.columns[place]]
        if own.null_count:
            row = before + int(np.flatnonzero(np.asarray(pc.is_null(own)))[0]) + 1
            raise DataError(f'{name}, row {row:,}: "{about.columns[place]}" is null', f"{what} is expected")
        try:
            return own.cast(kind).combine_chunks()
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            advice = "say --ids text if nodes have names; or name other columns with --source and --target"
            raise DataError(
                f'{name}: the column "{about.columns[place]}" is {own.type}, and {what} is expected ({error})', advice
            ) from None

    def ids(place: int) -> Any:
        if about.numbers:
            return np.array(from_arrow(column(place, pa.int64(), "a whole number")))
        return from_arrow(column(place, pa.large_string(), "a text"))

    found: Arrays = {"source_id": ids(0)}
    if about.names:
        return found | {"name": from_arrow(column(1, pa.large_string(), "a text"))}
    found["target_id"] = ids(1)
    if about.columns[2]:
        found["weight"] = np.array(from_arrow(column(2, pa.float64(), "a number")))
    return found


def _rows_of_parquet(part: Fixed, about: Looked) -> Part:
    weight = np.asarray(part["weight"]) if "weight" in part else np.empty(0)
    if len(weight) and not (wrong := np.isfinite(weight) & (weight >= 0)).all():
        at = int(np.argmin(wrong))
        row = int(part["source"][1]) + at
        raise DataError(f"{part['file'][0]}, row {row:,}: the weight is {weight[at]:g}", "a weight is a number, 0 or more")
    ends = [part[name] for name in ("source_id", "target_id") if name in part]
    name = part["name"] if about.names else None
    if about.numbers:
        return Part(np.stack([np.asarray(end) for end in ends], axis=1), (), weight, name)
    return Part(np.empty((0, 2), np.int64), tuple(ends), weight, name)


def warm_parts() -> None:
    """Compile or load the kernels."""
    text = read_only(np.frombuffer(b"1 2 1\n", np.uint8))
    for delimiter in (lines.BLANKS,):
        about = np.array([0, 1, 2], np.int64), np.array([True, True])
        places = np.empty((2, 1, 2), np.int64)
        lines.edge_lines(text, delimiter, *about, 0, np.empty((1, 2), np.int64), places[0], places[1], np.empty(1), np.empty(4, np.int64))
    lines.copy_pieces(text, read_only(np.zeros(1, np.int64)), read_only(np.array([0, 1])), np.empty(1, np.uint8))
    lines.shown_numbers(np.zeros(1, np.int64))
    packed = strings(["a"])
    picked(read_only(packed.offsets), read_only(packed.utf8), read_only(np.zeros(1, np.int64)))
