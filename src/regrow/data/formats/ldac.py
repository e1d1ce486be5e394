"""Bags of words as Blei's lda-c has them: `pairs id:count id:count ...`, ids from 0; a document without words is `0`."""

from __future__ import annotations

import re
from dataclasses import replace

from regrow.data.formats.counted_lines import CountedLines, head_lines, is_cut
from regrow.data.formats.facts import SourceFile, TextOptions

__all__ = ["LDAC", "looks_like_ldac"]

_LINE = re.compile(rb"\s*(\d+)((?:\s+-?\d+:[-+.\daefinEIN]+)*)\s*")


class Ldac(CountedLines):
    """The lead is the number of pairs."""

    name = "ldac"
    suffixes = (".ldac", ".lda-c", ".blei")
    counted = True

    def sniff(self, name: str, head: bytes, has_vocabulary: bool) -> bool:
        """Whether lines look like that, and more than half of them have as many pairs as they say."""
        return looks_like_ldac(head)

    def look(self, file: SourceFile, head: bytes, options: TextOptions) -> SourceFile:
        """Ids begin with 0."""
        return replace(file, first_word=0)


def looks_like_ldac(head: bytes) -> bool:
    """Whether lines begin with the number of their pairs: most of them, so that an error in one is not taken for another format."""
    right, wrong, cut = 0, 0, is_cut(head)
    for line in head_lines(head):
        found = _LINE.fullmatch(line)
        if not found:
            return False
        says, pairs = int(found[1]), found[2].count(b":")
        right += says > pairs if cut else says == pairs > 0
        wrong += says <= pairs if cut else says != pairs
    return right > wrong


LDAC = Ldac()
