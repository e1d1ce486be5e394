"""Bags of words as the UCI repository has them: three lines with the numbers of documents, words and triples, then the triples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from regrow.data.formats.document_parts import document_parts
from regrow.data.formats.facts import SourceFile, TextOptions, shown_line
from regrow.data.formats.format import Arrays, BagFormat
from regrow.data.readonly import read_only
from regrow.data.record_kernels import triples
from regrow.data.streams import Stream
from regrow.errors import DataError
from regrow.program import Fixed

__all__ = ["BAG"]

_HEADER = ("the number of documents", "the number of words", "the number of triples")
_TOLD = {
    1: "three integers `document word count` are expected, and the line is {line}",
    2: "document {bad:,} is not in 1..{documents:,}, the number in the header",
    3: "document {bad:,} comes after a later one: documents must ascend",
    4: "word {bad:,} is not in 1..{words:,}, the number in the header",
    5: "the count {bad:,} is not in 1..2,147,483,647",
}


class Bag(BagFormat):
    """Triples `document word count`, numbered from 1, sorted by document."""

    name = "bag"

    def sniff(self, name: str, head: bytes, has_vocabulary: bool) -> bool:
        """Whether it is called docword..., or has three lines of one number each and then one of three."""
        numbers = [[word.isdigit() for word in line.split()] for line in head.split(b"\n", 4)[:4]]
        return Path(name).name.startswith("docword") or numbers == [[True]] * 3 + [[True] * 3]

    def look(self, file: SourceFile, head: bytes, options: TextOptions) -> SourceFile:
        """Read the header."""
        lines = head.split(b"\n", 3)[:3]
        numbers = []
        for i, meaning in enumerate(_HEADER):
            line = lines[i].strip() if i < len(lines) else b""
            if not line.isdigit() or len(line) > 18 or int(line) < 1:
                raise DataError(
                    f"{file.name}, line {i + 1}: a bag of words begins with {meaning} there, and the line is {shown_line(line)}",
                    "give a UCI docword file (three lines with one number each, then lines `document word count`), or say another --format",
                )
            numbers.append(int(line))
        if numbers[1] >= 2**31:
            raise DataError(
                f"{file.name}, line 2: {numbers[1]:,} words are more than 2,147,483,647", "number the words from 1 without gaps"
            )
        return replace(file, header_lines=3, documents=numbers[0], words=numbers[1], triples=numbers[2])

    def look_together(self, files: Sequence[SourceFile]) -> Sequence[SourceFile]:
        """All must number the same vocabulary."""
        for file in files:
            if file.words != files[0].words:
                raise DataError(
                    f"{file.name}, line 2: {file.words:,} words, but {files[0].name} has {files[0].words:,}",
                    "bags of words that are read together must number the same vocabulary",
                )
        return files

    def parts(self, file: SourceFile, stream: Stream, target: int) -> Iterator[Arrays]:
        """Cut between documents (see `document_parts`)."""
        return document_parts(file, stream, target, "triples")

    def tokens(self, part: Fixed) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """Read the triples; a document's tokens are in the order of its lines."""
        text = read_only(part["text"])
        first, end, documents, words = (int(number) for number in part["documents"])
        stream, doc_ptr, error, line, bad = triples(text, first, end, documents, words)
        if error:
            shown = shown_line(text.tobytes().split(b"\n", line + 1)[line])
            told = _TOLD[error].format(bad=bad, documents=documents, words=words, line=shown)
            where = f"{part['file'][0]}, line {int(part['source'][1]) + line:,}"
            raise DataError(f"{where}: {told}", "give a UCI docword file: `document word count`, numbered from 1, sorted by document")
        return stream, doc_ptr

    def warm(self) -> None:
        """Compile or load the kernels."""
        triples(read_only(np.frombuffer(b"1 1 1", np.uint8)), 1, 2, 1, 1)

    def first_word(self, part: Fixed) -> int:
        """Always."""
        return 1

    def words(self, part: Fixed) -> int:
        """As the header says."""
        return int(part["documents"][3])


BAG = Bag()
