"""Bags of words as SVMlight and libsvm have them: `target qid:n id:count id:count ... # comment`; also LightLDA's `name<TAB>id:count ...`.

Whether ids begin with 0 or 1 is nowhere written. As in scikit-learn's loader, they begin with 0 if any id of any file is 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np

from regrow.data.bag_kernels import has_zero
from regrow.data.formats.counted_lines import CountedLines, head_lines
from regrow.data.formats.cutting import LineEnd, cut
from regrow.data.formats.facts import SourceFile
from regrow.data.formats.format import Arrays
from regrow.data.formats.ldac import looks_like_ldac
from regrow.data.streams import Stream, Streams

__all__ = ["SVMLIGHT", "SVMLIGHT0", "SVMLIGHT1", "Svmlight", "SvmlightFromOne", "SvmlightFromZero"]

_PAIR = rb"-?\d+:[-+.\daefinEIN]+"
_LINE = re.compile(rb"\s*([-+]?[\d.][\d.,eE+-]*(?:\s+qid:\d+)?(?=\s|$)|[^\s:|]+\t)?(\s*" + _PAIR + rb"(?=\s|$))*\s*")


class Svmlight(CountedLines):
    """The lead is a target, or several with commas between them, or missing: what it is does not matter."""

    name = "svmlight"
    suffixes: ClassVar[tuple[str, ...]] = (".svmlight", ".svm", ".libsvm")
    counted = False

    def sniff(self, name: str, head: bytes, has_vocabulary: bool) -> bool:
        """Whether all lines look like that, with a lead and pairs in one of them, and do not look like LDA-C."""
        lines = [_LINE.fullmatch(line) for line in head_lines(head, b"#")]
        return all(lines) and any(line and line[1] and line[2] for line in lines) and not looks_like_ldac(head)

    def read(self, files: Sequence[SourceFile], streams: Streams, target: int) -> Iterator[Arrays]:
        """See with which number ids begin, then read."""
        first = self.first(files)
        yield from super().read([replace(file, first_word=first) for file in files], streams, target)

    def first(self, files: Sequence[SourceFile]) -> int:
        """0 if any id is 0, otherwise 1."""
        return 0 if any(map(_has_zero, files)) else 1


class SvmlightFromZero(Svmlight):
    """Ids are said to begin with 0."""

    name = "svmlight0"
    suffixes: ClassVar[tuple[str, ...]] = ()

    def sniff(self, name: str, head: bytes, has_vocabulary: bool) -> bool:
        """Only who knows it can say it."""
        return False

    def first(self, files: Sequence[SourceFile]) -> int:
        """As was said."""
        return 0


class SvmlightFromOne(SvmlightFromZero):
    """Ids are said to begin with 1."""

    name = "svmlight1"

    def first(self, files: Sequence[SourceFile]) -> int:
        """As was said."""
        return 1


def _has_zero(file: SourceFile) -> bool:
    """Whether the id 0 is in the file. Reads it, but not beyond the first that is."""
    return any(has_zero(np.frombuffer(text, np.uint8)) for text in cut(Stream(file.name).blocks(), LineEnd(1 << 20)))


SVMLIGHT = Svmlight()
SVMLIGHT0 = SvmlightFromZero()
SVMLIGHT1 = SvmlightFromOne()
