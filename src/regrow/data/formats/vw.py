"""Vowpal Wabbit, and BigARTM: `label importance 'name|space word word:count ... |space ...`, a document on each line.

Words are strings and are taken as they are; the same word in two name spaces is the same word. A document's name is its tag, or the
first thing on the line if that is not a number. A word that is there twice counts twice as much.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from regrow.data.formats.counted_lines import head_lines
from regrow.data.formats.cutting import LineEnd, cut
from regrow.data.formats.facts import Documents, SourceFile
from regrow.data.formats.format import Arrays, TextFormat
from regrow.data.formats.txt import utf8_of
from regrow.data.formats.wrong_counts import broken, told_of_count
from regrow.data.given_kernels import given_words
from regrow.data.readonly import read_only
from regrow.data.streams import Stream
from regrow.packed import Strings, strings
from regrow.program import Fixed

__all__ = ["VW"]

_NUMBER = rb"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_LEAD = rb"(?:[^\s|]+\s+|(?:" + _NUMBER + rb"\s+){1,3}(?:'[^\s|]*\s+|[^\s|]*)|'[^\s|]*)?"
_LINE = re.compile(rb"\s*" + _LEAD + rb"\|(?:[^\s|]|(?:\s+[^\s|:]+:[\d.eE+]+)+\s*$)")
_IS_NUMBER = re.compile(_NUMBER)


class Vw(TextFormat):
    """A line holds a bar; what is between it and the next white space is a name space."""

    name = "vw"
    suffixes = (".vw",)

    def sniff(self, name: str, head: bytes, has_vocabulary: bool) -> bool:
        """Whether all lines have at most a label, a weight and a name before a bar, and a name space or counts behind it."""
        lines = head_lines(head)
        return bool(lines) and all(_LINE.match(line) for line in lines)

    def parts(self, file: SourceFile, stream: Stream, target: int) -> Iterator[Arrays]:
        """Cut after lines."""
        for text in cut(stream.blocks(), LineEnd(target)):
            yield {"text": np.frombuffer(text, np.uint8)}

    def warm(self) -> None:
        """Compile or load the kernels."""
        given_words(read_only(np.frombuffer(b"1 |a b", np.uint8)))

    def documents(self, part: Fixed, wanted: Sequence[str], id_field: str | None) -> Documents:
        """Each word as often as it counts."""
        text = utf8_of(part)
        words, starts, ends, leads, lead_ends, kind, line, start, end = given_words(text)
        if kind:
            told = told_of_count(kind, text[start:end].tobytes(), "`label |space word word:count ...`")
            raise broken(part, kind, line, told, "write a bar before the words of each document, and counts after colons")
        ids = None if id_field == "" else _names(text.tobytes(), leads.tolist(), lead_ends.tolist())
        return Documents(words, starts, ends, 1, words_given=True, ids=ids)


def _names(text: bytes, starts: list[int], ends: list[int]) -> Strings | None:
    """The documents' names; None if none has one."""
    names = [_name(text[start:end]) for start, end in zip(starts, ends, strict=True)]
    return strings(name.decode("utf-8") for name in names) if any(names) else None


def _name(lead: bytes) -> bytes:
    """The tag, which begins with a quote or touches the bar, or else the first thing that is no number."""
    pieces = lead.split()
    if not pieces:
        return b""
    if pieces[-1].startswith(b"'") or not lead[-1:].isspace():
        return pieces[-1].removeprefix(b"'")
    return b"" if _IS_NUMBER.fullmatch(pieces[0]) else pieces[0]


VW = Vw()
