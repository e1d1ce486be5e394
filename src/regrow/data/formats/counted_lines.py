"""Bags of words with a document on each line, as `id:count id:count ...` after a lead: what LDA-C and SVMlight share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from regrow.data.bag_kernels import PAIRS, WORD, pairs
from regrow.data.formats.cutting import LineEnd, cut
from regrow.data.formats.facts import SourceFile
from regrow.data.formats.format import Arrays, BagFormat
from regrow.data.formats.wrong_counts import broken, told_of_count
from regrow.data.readonly import read_only
from regrow.data.streams import HEAD_BYTES, Stream
from regrow.program import Fixed

__all__ = ["WORDS_MAX", "CountedLines", "head_lines", "is_cut"]

WORDS_MAX = 1 << 27
"""The most words where neither the file nor a vocabulary says how many there are: a larger id is a slip."""


class CountedLines(BagFormat):
    """A document on each line. counted: whether the lead is the number of pairs."""

    counted: ClassVar[bool]

    def parts(self, file: SourceFile, stream: Stream, target: int) -> Iterator[Arrays]:
        """Cut after lines; `ids` int64 [2]: the number that the file gives to the first word, and how many words there are, or 0."""
        ids = np.array([file.first_word, file.words], np.int64)
        for text in cut(stream.blocks(), LineEnd(target)):
            yield {"text": np.frombuffer(text, np.uint8), "ids": ids}

    def tokens(self, part: Fixed) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """Read the pairs; a document's tokens are in the order of its line."""
        text = read_only(part["text"])
        first, words = (int(number) for number in part["ids"])
        limit = words or WORDS_MAX
        stream, doc_ptr, kind, line, start, end = pairs(text, self.counted, first, limit)
        if not kind:
            return stream, doc_ptr
        advice = "give ids and counts, e.g. 17:2, or say another --format"
        if kind == PAIRS:
            told = f"the line says {end:,} pairs `id:count`, and has {start:,}"
        elif kind == WORD:
            word = int(text[start:end].tobytes().partition(b":")[0])
            told = f"word {word:,} is not in {first}..{first + limit - 1:,}" + (f": the vocabulary has {words:,} words" if words else "")
            advice = "give the vocabulary that belongs to the file" if words else "number the words without gaps"
        else:
            told = told_of_count(kind, text[start:end].tobytes(), "`id:count`")
        raise broken(part, kind, line, told, advice)

    def warm(self) -> None:
        """Compile or load the kernels."""
        pairs(read_only(np.frombuffer(b"1 1:1", np.uint8)), self.counted, 1, 1)

    def first_word(self, part: Fixed) -> int:
        """As the part says."""
        return int(part["ids"][0])

    def words(self, part: Fixed) -> int:
        """As the part says."""
        return int(part["ids"][1])


def is_cut(head: bytes) -> bool:
    """Whether a head is the beginning of a single line."""
    return len(head) >= HEAD_BYTES and b"\n" not in head.strip()


def head_lines(head: bytes, comment: bytes = b"") -> list[bytes]:
    """The lines at the beginning of a file that hold more than white space and a comment; of a line that is cut, what is whole."""
    lines = head.split(b"\n")
    if len(head) >= HEAD_BYTES:
        lines[-1] = lines[-1].rpartition(b" ")[0] if is_cut(head) else b""
    if comment:
        lines = [line.partition(comment)[0] for line in lines]
    return [line for line in lines if line.strip()]
