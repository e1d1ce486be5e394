"""Text: each line is a document."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.formats.cutting import LineEnd, cut
from regrow.data.formats.facts import Documents, SourceFile, undecodable
from regrow.data.formats.format import Arrays, TextFormat
from regrow.data.readonly import read_only
from regrow.data.record_kernels import fields
from regrow.data.streams import Stream
from regrow.program import Fixed

__all__ = ["TXT", "utf8_of"]


class Txt(TextFormat):
    """Every line is a document, also an empty one."""

    name = "txt"

    def parts(self, file: SourceFile, stream: Stream, target: int) -> Iterator[Arrays]:
        """Cut after lines."""
        for text in cut(stream.blocks(), LineEnd(target)):
            yield {"text": np.frombuffer(text, np.uint8)}

    def documents(self, part: Fixed, wanted: Sequence[str], id_field: str | None) -> Documents:
        """A table of one column."""
        text = utf8_of(part)
        starts, ends, *_ = fields(text, -1, -1, np.zeros(1, np.int64), 1, 1, 1, True)
        return Documents(text, starts.reshape(-1), ends.reshape(-1), 1)


def utf8_of(part: Fixed) -> npt.NDArray[np.uint8]:
    """The text of a part, checked. Raises DataError with the line for bytes that are not UTF-8."""
    text: npt.NDArray[np.uint8] = read_only(part["text"])
    checked: Any = text
    try:
        codecs.utf_8_decode(checked, "strict", True)
    except UnicodeDecodeError as error:
        raise undecodable(part["file"][0], text.tobytes(), error, int(part["source"][1])) from error
    return text


TXT = Txt()
