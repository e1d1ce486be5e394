"""The program that finds what documents of text are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from regrow.data.formats import named
from regrow.data.records import documents
from regrow.packed import Strings
from regrow.program import Data, Partition, Program, Role, Roles

__all__ = ["DocumentNames"]


@dataclass(frozen=True)
class DocumentNames(Program):
    """Text -> the layout "names": `names` strings, one for each document of a part, "" for one without.

    format, text_fields, id_field    as in `TextTokens` and `TextOptions`
    Data: the layout "text" of `ingest`. Metrics: named, how many have one.
    """

    format: str = "txt"
    text_fields: Sequence[str] = ()
    id_field: str | None = None

    def roles(self, data: Data) -> Roles:
        """One round."""
        return Roles(1, names=Role(data["text"], data="text"))

    def names(self, part: Partition) -> None:
        """Those of a part."""
        found = documents(part.fixed, self.format, self.text_fields, self.id_field)
        names = found.ids if found.ids is not None else Strings(np.zeros(len(found) + 1, np.int64), np.empty(0, np.uint8))
        part.result(names=names)
        part.metric("named", int(np.count_nonzero(np.diff(names.offsets))))

    def warm(self) -> None:
        """Compile or load the kernels."""
        named(self.format).warm()
