"""Rows of a part as all formats give them, and errors of lines that are broken."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt

from regrow.data.clicks import state_kernels as kinds
from regrow.data.formats.facts import shown_line
from regrow.errors import DataError
from regrow.packed import Strings

__all__ = ["Broken", "Parsed"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Broken:
    """A line that cannot be read: how, and the bytes that are wrong."""

    line: int
    kind: int
    text: bytes
    about: str = ""
    unit: str = "line"

    def why(self) -> str:
        """What is wrong, and what was expected."""
        shown = shown_line(self.text)
        if self.kind == kinds.VALUE and not self.text:
            return "there is nothing after a colon: expected the value of a feature"
        if self.kind == kinds.TIME and not self.text:
            return f"there is no time to compare with {self.about}"
        return {
            kinds.LABEL: f"the label is {shown}: expected 1 or 0 (or -1)",
            kinds.FORM: f"{shown} is no feature: expected {self.about or 'id:value'}",
            kinds.VALUE: f"{shown} is no number that float32 can hold: expected the value of a feature",
            kinds.WEIGHT: f"the weight is {shown}: expected a number from 0 on that float32 can hold",
            kinds.FIELDS: self.about,
            kinds.QUOTE: f"a quote is opened and never closed{self.about}",
            kinds.NUMBER: f"{shown} is no number, and its column was said to be numeric",
            kinds.NO_LABEL: "there is no label",
            kinds.TIME: f"the time is {shown}, which cannot be compared with {self.about}: it is written otherwise",
        }[self.kind]

    def error(self, file: str) -> DataError:
        """The error that names file and line."""
        advice = {
            kinds.LABEL: "say which label means 1 (--label COLUMN=VALUE; lines: --label =VALUE), or leave such rows out: --bad-rows skip",
            kinds.FIELDS: "every line needs as many fields as the first; or leave such rows out: --bad-rows skip",
            kinds.QUOTE: 'close it (quotes inside fields are doubled: ""): rows after it cannot be told from what it quotes',
            kinds.TIME: "write --since and --until as the times are written (2024-01 will do for 2024-01-31), "
            "or leave such rows out: --bad-rows skip",
        }
        return DataError(
            f"{file}, {self.unit} {self.line:,}: {self.why()}", advice.get(self.kind, "mend it, or leave such rows out: --bad-rows skip")
        )


@dataclass(frozen=True)
class Parsed:
    """N rows with features numbered within the part.

    row_ptr int64 [N + 1], feature int32, value float32 (row r has those from row_ptr[r] on), label uint8 [N] (255: none), weight float32
    [N], moment uint64 [N]: a hash of the time (0 where there is none)
    hash uint64, field int32 (into `names`), value_of Strings, counts int64 (rows that have it): the features
    missing     empty fields; left_out: rows outside of --since and --until
    """

    row_ptr: Array
    feature: Array
    value: Array
    label: Array
    weight: Array
    moment: Array
    hash: Array
    field: Array
    value_of: Strings
    counts: Array
    names: tuple[str, ...]
    broken: tuple[Broken, ...] = ()
    missing: int = 0
    left_out: int = 0

    def numbered(self, lines: Array, unit: str) -> Parsed:
        """With the lines of broken records, which were numbers of records."""
        return replace(self, broken=tuple(replace(bad, line=int(lines[bad.line]), unit=unit) for bad in self.broken))
