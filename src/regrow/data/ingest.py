"""From the user's files to the parts of the layout "text": a stream with bounded memory, cut where records end.

Where the cuts are depends on the sizes of the files alone, so the parts of the same input are always the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from regrow.data.record_kernels import csv_end, filled_lines
from regrow.data.source import Source, SourceFile
from regrow.data.streams import Stream, file_digest, joined_digest
from regrow.data.vocabulary import read_vocabulary
from regrow.errors import DataError
from regrow.packed import strings

__all__ = ["Ingested", "ingest", "part_bytes"]

Sink = Callable[[str, int, dict[str, Any]], None]
Progress = Callable[[int, int], None]

GZIP_EXPANDS = 4
"""How many times larger than its file a gzipped text is taken to be."""
RECORD_BYTES_MAX = 1 << 28
"""A csv record longer than this is taken for a quote that was never closed."""


@dataclass(frozen=True)
class Ingested:
    """What was read: parts of the layout "text", bytes of text, lines of records, and `content_digest` of the files."""

    parts: int
    bytes_read: int
    bytes_text: int
    lines: int
    digest: str


def part_bytes(source: Source) -> int:
    """The size of a part of text: 256 KiB to 4 MiB, about 64 parts; more only where there would be over 256 parts."""
    total = sum(file.bytes * (GZIP_EXPANDS if file.gzipped else 1) for file in source.files)
    return max(1 << 18, min(1 << 22, total // 64), min(1 << 26, total // 256))


def ingest(source: Source, sink: Sink, progress: Progress | None = None, part_bytes_target: int | None = None) -> Ingested:
    """Read all files and call `sink(layout, index, arrays)` for each part, in order.

    Parts of "text": `text` uint8; `file` strings, one: its name; `source` int64 [2]: the file's place in the list and the
    number of the part's first line, from 1; csv and tsv also `columns` int64: the wanted columns in the order asked, and
    `width` int64 [1]; bags also `documents` int64 [4]: the first document of the part, the end (both from 1), and the
    header's numbers of documents and words. Bags have a second layout, "words", of one part: `words` strings, one for
    each word of the vocabulary (their numbers where there is none).

    `progress(bytes_read, bytes_total)` is called for each part, with bytes on disk.
    Raises DataError for a file that is broken, or holds no records, or another number of triples than it says.
    """
    target = part_bytes_target or part_bytes(source)
    parts = lines = bytes_read = bytes_text = 0
    digests = []
    if source.format == "bag":
        sink("words", 0, {"words": read_vocabulary(source)})
    for number, file in enumerate(source.files):
        stream = Stream(file.name)
        line = file.header_lines + 1
        before = parts
        for arrays in _parts(file, source.format, stream, target):
            text = arrays["text"]
            sink("text", parts, {**arrays, "file": strings([file.name]), "source": np.array([number, line], np.int64)})
            parts += 1
            line += int(np.count_nonzero(text == 10)) + int(text[-1] != 10)
            if progress:
                progress(bytes_read + stream.bytes_read, source.bytes)
        if parts == before:
            raise DataError(
                f"{file.name} holds {'no text' if not file.header_lines else 'a header and nothing else'}", "leave it out, or fill it"
            )
        lines += line - file.header_lines - 1
        bytes_read += stream.bytes_read
        bytes_text += stream.bytes_text
        digests.append(stream.digest)
    if source.vocabulary:
        digests.append(file_digest(source.vocabulary))
    return Ingested(parts, bytes_read, bytes_text, lines, joined_digest(digests))


def _parts(file: SourceFile, format: str, stream: Stream, target: int) -> Iterator[dict[str, Any]]:
    """The arrays of the parts of one file that depend on its format."""
    blocks = _without_lines(stream.blocks(), file.header_lines)
    if format == "bag":
        yield from _bag_parts(file, _cut(blocks, DocumentEnd(target)))
        return
    end = CsvEnd(target, file) if format == "csv" else LineEnd(target)
    more: dict[str, Any] = {}
    if format in ("csv", "tsv"):
        more = {"columns": np.array(file.columns, np.int64), "width": np.array([file.width], np.int64)}
    for text in _cut(blocks, end):
        yield {"text": np.frombuffer(text, np.uint8), **more}


def _bag_parts(file: SourceFile, texts: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    """A part's documents go on to the next part's, so that documents without words belong to one, too."""
    first, found = 1, 0
    for text, after in itertools.pairwise(itertools.chain(texts, [None])):
        assert text is not None
        array = np.frombuffer(text, np.uint8)
        end = max(first, _last_document(text) + 1) if after is not None else file.documents + 1
        yield {"text": array, "documents": np.array([first, end, file.documents, file.words], np.int64)}
        found += int(filled_lines(array))
        first = end
    if found and found != file.triples:
        raise DataError(
            f"{file.name}, line 3: the header says {file.triples:,} triples, and the file holds {found:,}",
            "the file was cut off or edited: fetch it again, or put the right number there",
        )


def _last_document(text: bytes) -> int:
    """The document of the last line; 0 if it is none (whoever reads the line says so)."""
    words = text.rstrip().rpartition(b"\n")[2].split()
    return int(words[0]) if words and words[0].isdigit() and len(words[0]) < 18 else 0


def _without_lines(blocks: Iterator[bytes], lines: int) -> Iterator[bytes]:
    """The blocks without the first lines."""
    for block in blocks:
        start = 0
        while lines and (at := block.find(b"\n", start)) >= 0:
            start, lines = at + 1, lines - 1
        if not lines:
            yield block[start:] if start else block


def _cut(blocks: Iterator[bytes], end: LineEnd | CsvEnd | DocumentEnd) -> Iterator[bytes]:
    """The stream in pieces; `end(buffer)` is where the piece that begins the buffer ends, or 0 if that is not yet known."""
    buffer = bytearray()
    for block in blocks:
        buffer += block
        while stop := end(buffer):
            yield bytes(memoryview(buffer)[:stop])
            del buffer[:stop]
    if buffer:
        yield bytes(buffer)


class LineEnd:
    """The first end of a line at or after `target` bytes."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.seen = 0

    def __call__(self, buffer: bytearray) -> int:
        stop = buffer.find(b"\n", max(self.seen, self.target - 1)) + 1
        self.seen = 0 if stop else len(buffer)
        return stop


class CsvEnd:
    """The first end of a csv record at or after `target` bytes: newlines between quotes end none."""

    def __init__(self, target: int, file: SourceFile) -> None:
        self.target = target
        self.name = file.name
        self.line = file.header_lines + 1
        self.seen = self.state = 0

    def __call__(self, buffer: bytearray) -> int:
        stop, self.seen, self.state = csv_end(np.frombuffer(buffer, np.uint8), self.seen, self.state, self.target)
        if stop < 0 and len(buffer) > RECORD_BYTES_MAX + self.target:
            raise DataError(
                f"{self.name}: after line {self.line + buffer.count(10, 0, self.target):,} no record ends for {RECORD_BYTES_MAX >> 20} MiB",
                'a quote is not closed there: quotes inside fields are doubled ("")',
            )
        if stop > 0:
            self.seen = 0
            self.line += buffer.count(b"\n", 0, stop)
        return max(int(stop), 0)


class DocumentEnd:
    """The first line at or after `target` bytes whose document is not that of the line before."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.seen = 0

    def __call__(self, buffer: bytearray) -> int:
        stop = buffer.find(b"\n", max(self.seen, self.target - 1)) + 1
        if not stop:
            self.seen = len(buffer)
            return 0
        document = _first_word(buffer[buffer.rfind(b"\n", 0, stop - 1) + 1 : stop])
        while (after := buffer.find(b"\n", stop) + 1) and _first_word(buffer[stop:after]) == document:
            stop = after
        self.seen = 0 if after else stop - 1
        return stop if after else 0


def _first_word(line: bytearray) -> bytes:
    words = line.split(None, 1)
    return bytes(words[0]) if words else b""
