"""Matrix Market: a header, then entries `document word count`, numbered from 1, in any order. gensim and scipy write it.

Of a symmetric matrix one triangle is written: the other one is made while the file is read.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from regrow.data.bag_kernels import DOCUMENT, ORDER, WORD
from regrow.data.formats.cutting import LineEnd, cut, without_lines
from regrow.data.formats.document_parts import document_parts
from regrow.data.formats.facts import SourceFile, TextOptions, shown_line
from regrow.data.formats.format import Arrays, BagFormat
from regrow.data.formats.matrix_parts import matrix_parts, matrix_tokens, warm_matrices
from regrow.data.formats.wrong_counts import broken, mismatched, told_of_count
from regrow.data.matrix_kernels import descends, entries, expanded_entries, placed
from regrow.data.readonly import read_only
from regrow.data.streams import Stream, Streams
from regrow.errors import DataError
from regrow.packed import strings
from regrow.program import Fixed

__all__ = ["MATRIXMARKET", "MatrixMarket"]

Entries = tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[Any]]
"""Documents, words and values, from 0."""

ENTRIES_HELD = 1 << 25
"""How many entries are held in memory (256 MiB) to put them into the order of the documents: there is a pass for so many."""

ENTRY_BYTES = 8
"""About as long as an entry is as text."""

_START = b"%%matrixmarket"
_NUMBERS = (b"real", b"integer", b"unsigned-integer", b"pattern")
_MIRRORED = {b"general": 0, b"symmetric": 1, b"hermitian": 1, b"skew-symmetric": -1}
"""What the value at (j, i) is of that at (i, j): nothing, the same, or less than nothing. Hermitian numbers that are real are symmetric."""


class MatrixMarket(BagFormat):
    """Rows are documents, columns are words. A file in another order is put into that of the documents while it is read."""

    name = "matrixmarket"
    suffixes = (".mtx", ".mm")
    magic = True
    exact = False
    number: ClassVar[Any] = np.int32
    """What the values of entries are."""
    read_entries: ClassVar[Any] = staticmethod(entries)
    """The kernel that reads them."""
    told: ClassVar[Any] = staticmethod(told_of_count)
    """What is wrong with one."""
    lines_are: ClassVar[tuple[str, str]] = ("document", "word")
    """What a row is, and a column."""
    signed: ClassVar[bool] = False
    """Whether values may be below 0."""

    def sniff(self, name: str, head: bytes, has_vocabulary: bool) -> bool:
        """By its first word."""
        return head[: len(_START)].lower() == _START

    def look(self, file: SourceFile, head: bytes, options: TextOptions) -> SourceFile:
        """Read the header: what the numbers are, and how many."""
        lines = head.split(b"\n")
        kinds = lines[0].lower().split()
        if kinds[:1] != [_START] or len(kinds) != 5:
            raise DataError(
                f"{file.name}, line 1: `%%MatrixMarket matrix coordinate ...` is expected, and the line is {shown_line(lines[0])}",
                "give a file that scipy.io.mmwrite or gensim's MmCorpus wrote, or say another --format",
            )
        if kinds[1:3] != [b"matrix", b"coordinate"] or kinds[3] not in _NUMBERS or kinds[4] not in _MIRRORED:
            raise DataError(
                f"{file.name}, line 1: {shown_line(lines[0])} is no sparse matrix of real numbers",
                "write rows (documents) x columns (words) as `matrix coordinate integer general` (`real` for other numbers), "
                "e.g. scipy.io.mmwrite(file, scipy.sparse.csr_matrix(X))",
            )
        size = next((i for i, line in enumerate(lines) if line.strip() and not line.startswith(b"%")), len(lines) - 1)
        numbers = lines[size].split()
        if len(numbers) != 3 or not all(number.isdigit() and len(number) < 16 for number in numbers):
            raise DataError(
                f"{file.name}, line {size + 1:,}: the numbers of rows (documents), columns (words) and entries are expected, "
                f"and the line is {shown_line(lines[size])}",
                "fetch or write the file again",
            )
        documents, words, count = map(int, numbers)
        if not 0 < documents < 2**31 or not 0 < words < 2**31:
            raise DataError(
                f"{file.name}, line {size + 1:,}: a matrix of {documents:,} rows by {words:,} columns",
                "both must be in 1..2,147,483,647",
            )
        mirrored = _MIRRORED[kinds[4]]
        if mirrored and documents != words:
            raise DataError(
                f"{file.name}, line {size + 1:,}: {documents:,} rows by {words:,} columns, and line 1 says {kinds[4].decode()}",
                "such a matrix has as many rows as columns: write it as general, or fetch the file again",
            )
        if mirrored < 0 and kinds[3] == b"pattern":
            raise DataError(
                f"{file.name}, line 1: {shown_line(lines[0])}: entries without values have no sign", "write them as real, or as symmetric"
            )
        width = 2 if kinds[3] == b"pattern" else 3
        return replace(file, header_lines=size + 1, documents=documents, words=words, triples=count, width=width, mirrored=mirrored)

    def look_together(self, files: Sequence[SourceFile]) -> Sequence[SourceFile]:
        """Files may say different numbers of words, as gensim counts up to the last that it met: the largest is that of all."""
        words = max(file.words for file in files)
        return [replace(file, words=words) for file in files]

    def read(self, files: Sequence[SourceFile], streams: Streams, target: int) -> Iterator[Arrays]:
        """One file after the other, so that the arrays of one alone are in memory."""
        streams.readers = 1
        return super().read(files, streams, target)

    def parts(self, file: SourceFile, stream: Stream, target: int) -> Iterator[Arrays]:
        """Cut between documents: `width` int64 [1]: 2 without counts, otherwise 3, and the arrays of `document_parts`.

        A file that is not in the order of the documents, or has one triangle, is put into it first, and has the arrays of `matrix_parts`.
        """
        if file.mirrored < 0 and not self.signed:
            raise DataError(
                f"{file.name}, line 1: a skew-symmetric matrix has as many values below 0 as above, and counts are expected",
                "topics are learned from counts: write how often each word occurs",
            )
        if not file.mirrored and _in_order(file):
            for part in document_parts(file, stream, target, "entries"):
                yield {**part, "width": np.array([file.width], np.int64)}
        else:
            yield from self._ordered(file, stream, target)

    def lines(self, arrays: Arrays) -> int:
        """Lines, or documents of a file in another order."""
        return len(arrays["indptr"]) - 1 if "indptr" in arrays else super().lines(arrays)

    def tokens(self, part: Fixed) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """Read the entries; a document's tokens are in the order of its entries."""
        if "indptr" in part:
            return matrix_tokens(part)
        first, end = int(part["documents"][0]) - 1, int(part["documents"][1]) - 1
        documents, words, counts = self.ascending(part)
        stream, doc_ptr = expanded_entries(documents, words, counts, first, end)
        return stream, doc_ptr

    def ascending(self, part: Fixed) -> Entries:
        """The entries of a part of a file in the order of the documents. Raises DataError if they are not."""
        first, end = int(part["documents"][0]) - 1, int(part["documents"][1]) - 1
        found = self.entries(part)
        documents = found[0]
        if len(documents) and (documents[0] < first or documents[-1] >= end or (np.diff(documents) < 0).any()):
            raise broken(part, ORDER, 0, "documents do not ascend here, and they did before", "")
        return found

    def warm(self) -> None:
        """Compile or load the kernels."""
        documents, words, counts, *_ = entries(read_only(np.frombuffer(b"1 1 1", np.uint8)), 3, 1, 1)
        expanded_entries(documents, words, counts, 0, 1)
        warm_matrices()

    def first_word(self, part: Fixed) -> int:
        """Always."""
        return 1

    def words(self, part: Fixed) -> int:
        """As the header says."""
        return int(part["documents"][3])

    def entries(self, part: Fixed) -> Entries:
        """The entries of a part: documents, words, counts, from 0. Raises DataError for a line that is broken."""
        text = read_only(part["text"])
        columns, (documents, words) = int(part["width"][0]), (int(number) for number in part["documents"][2:])
        rows, columns_, counts, kind, line, start, end = self.read_entries(text, columns, documents, words)
        if not kind:
            return rows, columns_, counts
        piece = text[start:end].tobytes()
        if kind == DOCUMENT:
            told = f"the {self.lines_are[0]} is not in 1..{documents:,}, the number in the header: {shown_line(piece)}"
        elif kind == WORD:
            told = f"the {self.lines_are[1]} is not in 1..{words:,}, the number in the header: {shown_line(piece)}"
        else:
            told = self.told(kind, piece, "`document word count`" if columns == 3 else "`document word`")
        raise broken(part, kind, line, told, "the header belongs to another file, or the line was edited: write the file again")

    def _pieces(self, file: SourceFile, stream: Stream, target: int) -> Iterator[Entries]:
        """The entries of a file as it has them, a piece at a time."""
        line, words = file.header_lines + 1, file.documents if file.mirrored else file.words
        for text in cut(without_lines(stream.blocks(), file.header_lines), LineEnd(target)):
            about = {"documents": np.array([0, 0, file.documents, words]), "width": np.array([file.width])}
            about |= {"text": np.frombuffer(text, np.uint8), "source": np.array([0, line])}
            found = self.entries(Fixed({**about, "file": strings([file.name])}))
            if file.mirrored < 0 and (wrong := (found[0] == found[1]) & (found[2] != 0)).any():
                raise DataError(
                    f"{file.name}, line {line + _filled_line(text, int(wrong.argmax())):,}: a value on the diagonal, "
                    "and the matrix is skew-symmetric",
                    "all values there are 0: leave the line out",
                )
            yield found
            line += text.count(b"\n")

    def _ordered(self, file: SourceFile, stream: Stream, target: int) -> Iterator[Arrays]:
        """The parts of a file in any order: one pass to count the entries of each document, then passes that put them in their places."""
        indptr, written = np.zeros(file.documents + 1, np.int64), 0
        for piece in self._pieces(file, stream, target):
            np.add.at(indptr, _both(piece, file.mirrored)[0] + 1, 1)
            written += len(piece[0])
        np.cumsum(indptr, out=indptr)
        if written != file.triples:
            raise mismatched(file.name, file.header_lines, "entries", file.triples, written)
        first = 0
        while first < file.documents:
            end = max(first + 1, int(np.searchsorted(indptr, indptr[first] + ENTRIES_HELD, "right")) - 1)
            size = int(indptr[end] - indptr[first])
            places, indices, data = indptr[first:end] - indptr[first], np.empty(size, np.int32), np.empty(size, self.number)
            found = 0
            for piece in self._pieces(file, Stream(file.name), target):
                found += placed(*_both(piece, file.mirrored), first, end, places, indices, data)
            if found != size:
                raise DataError(f"{file.name} changed while it was read", "begin again when it is whole")
            yield from matrix_parts(file, first, indptr[first : end + 1], indices, data, target // ENTRY_BYTES)
            first = end


def _both(entries: Entries, mirrored: int) -> Entries:
    """Entries with their images beyond the diagonal, each behind its own."""
    if not mirrored:
        return entries
    rows, columns, values = entries
    each = np.repeat(np.arange(len(rows)), 1 + (rows != columns))
    image = np.concatenate([np.zeros(1, np.bool_), each[1:] == each[:-1]])[: len(each)]
    rows, columns, values = rows[each], columns[each], values[each]
    turned = np.where(image, columns, rows).astype(np.int64), np.where(image, rows, columns).astype(np.int32)
    return *turned, np.where(image, mirrored * values, values).astype(values.dtype)


def _filled_line(text: bytes, wanted: int) -> int:
    """How many lines lie before the line number `wanted` of those that are not empty."""
    filled = (number for number, line in enumerate(text.split(b"\n")) if line.strip())
    return next(itertools.islice(filled, wanted, None))


def _in_order(file: SourceFile) -> bool:
    """Whether the documents ascend. Reads the file, but not beyond the first that does not."""
    last = 0
    for text in cut(without_lines(Stream(file.name).blocks(), file.header_lines), LineEnd(1 << 20)):
        down, last = descends(np.frombuffer(text, np.uint8), last)
        if down:
            return False
    return True


MATRIXMARKET = MatrixMarket()
