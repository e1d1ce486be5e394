"""From the user's files to the parts of the layout "text": a stream with bounded memory, cut where records end.

Where the cuts are depends on the sizes of the files alone, so the parts of the same input are always the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from regrow.data.source import Source
from regrow.data.streams import Streams, file_digest, joined_digest
from regrow.data.vocabulary_files import read_vocabulary

__all__ = ["Ingested", "ingest", "part_bytes"]

Sink = Callable[[str, int, dict[str, Any]], None]
Progress = Callable[[int, int], None]

EXPANDS = 4
"""How many times larger than its file a compressed text is taken to be."""


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
    total = sum(file.bytes * (EXPANDS if file.compressed else 1) for file in source.files)
    return max(1 << 18, min(1 << 22, total // 64), min(1 << 26, total // 256))


def ingest(
    source: Source, sink: Sink, progress: Progress | None = None, part_bytes_target: int | None = None, readers: int = 1
) -> Ingested:
    """Read all files and call `sink(layout, index, arrays)` for each part, in order.

    Parts of "text": `text` uint8; `file` strings, one: its name; `source` int64 [2]: the file's place in the list and the
    number of the part's first line, from 1; and what the format's `parts` says. Bags have a second layout, "words", of one
    part: what `read_vocabulary` says.

    `progress(bytes_read, bytes_total)` is called for each part, with bytes on disk. `readers` files are read at the same time: that
    changes nothing but how long it takes.
    Raises DataError for a file that is broken, or holds no records, or another number of triples than it says.
    """
    format, streams, files, parts = source.reader, Streams(readers), source.files, 0
    if format.kind == "bag":
        given = read_vocabulary(source)
        sink("words", 0, given)
        files = tuple(replace(file, words=file.words or len(given["words"])) for file in files)
    for arrays in format.read(files, streams, part_bytes_target or part_bytes(source)):
        sink("text", parts, arrays)
        parts += 1
        if progress:
            progress(streams.bytes_read, source.bytes)
    digests = streams.digests()
    if source.vocabulary:
        digests.append(file_digest(source.vocabulary))
    return Ingested(parts, streams.bytes_read, streams.bytes_text, streams.lines, joined_digest(digests))
