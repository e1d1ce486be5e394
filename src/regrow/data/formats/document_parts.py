"""Files whose lines are entries `document word ...` in the order of the documents -> parts that end where a document ends."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from regrow.data.formats.cutting import cut, without_lines
from regrow.data.formats.facts import SourceFile
from regrow.data.formats.format import Arrays
from regrow.data.formats.wrong_counts import mismatched
from regrow.data.record_kernels import filled_lines
from regrow.data.streams import Stream

__all__ = ["document_parts"]


def document_parts(file: SourceFile, stream: Stream, target: int, things: str) -> Iterator[Arrays]:
    """Parts of about `target` bytes: `text` uint8 and `documents` int64 [4]: the first one, the end (both from 1), and the header's
    documents and words. A part's documents go on to the next part's, so that documents without words belong to one, too.

    Raises DataError for another number of lines (`things`) than the header says.
    """
    texts = cut(without_lines(stream.blocks(), file.header_lines), DocumentEnd(target))
    first, found = 1, 0
    for text, after in itertools.pairwise(itertools.chain(texts, [None])):
        assert text is not None
        array = np.frombuffer(text, np.uint8)
        end = max(first, _last_document(text) + 1) if after is not None else file.documents + 1
        yield {"text": array, "documents": np.array([first, end, file.documents, file.words], np.int64)}
        found += int(filled_lines(array))
        first = end
    if found and found != file.triples:
        raise mismatched(file.name, file.header_lines, things, file.triples, found)


def _last_document(text: bytes) -> int:
    """The document of the last line; 0 if it is none (whoever reads the line says so)."""
    words = text.rstrip().rpartition(b"\n")[2].split()
    return int(words[0]) if words and words[0].isdigit() and len(words[0]) < 18 else 0


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
