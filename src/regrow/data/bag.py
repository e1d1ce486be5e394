"""The program that prepares bags of words: triples (document, word, count) -> tokens, and the vocabulary as it was given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regrow.data.record_kernels import counts_of, triples
from regrow.data.source import shown_line
from regrow.data.text import nothing_left
from regrow.data.vocabulary import WordSet, read_only, take_numbers
from regrow.data.word_kernels import map_stream
from regrow.errors import DataError
from regrow.packed import strings
from regrow.program import Data, Partition, Program, Role, Roles

__all__ = ["BagTokens"]

_TOLD = {
    1: "three integers `document word count` are expected, and the line is {line}",
    2: "document {bad:,} is not in 1..{documents:,}, the number in the header",
    3: "document {bad:,} comes after a later one: documents must ascend",
    4: "word {bad:,} is not in 1..{words:,}, the number in the header",
    5: "the count {bad:,} is not in 1..2,147,483,647",
}


@dataclass(frozen=True)
class BagTokens(Program):
    """Bags of words -> tokens; a document's tokens are in the order of its lines, `count` times each.

    Data: the layouts "text" and "words" of `ingest`. Results and metrics as of `TextTokens`, but word w is line w + 1 of
    the vocabulary: the filters drop tokens and leave a word's number as it is, with count 0.
    """

    stop_words: Sequence[str] = ()
    min_count: int = 1
    max_doc_share: float = 1.0

    def roles(self, data: Data) -> Roles:
        """Round 0: tokens and how often words occur; round 1: without those that the filters drop."""
        return Roles(
            2,
            tokens=Role(data["text"], data="text", reads={"vocabulary": -1}),
            vocabulary=Role(1, data="words", reads={"tokens": 0}, every=2),
        )

    def tokens(self, part: Partition) -> None:
        """Read the triples; then, when it is known which words are kept, drop the others."""
        if part.round == 0:
            stream, doc_ptr = _tokens(part)
            counts, shares = counts_of(stream, doc_ptr, int(part.fixed["documents"][3]))
            words = np.flatnonzero(counts)
            part.keep(stream=stream, doc_ptr=doc_ptr)
            part.send("vocabulary", 0, words=words, counts=counts[words], shares=shares[words], filled=[np.count_nonzero(np.diff(doc_ptr))])
            return
        take_numbers(part)

    def vocabulary(self, part: Partition) -> None:
        """Add up counts, and say which words the filters keep."""
        words = part.fixed["words"]
        counts, shares = np.zeros(len(words), np.int64), np.zeros(len(words), np.int64)
        filled = 0
        for message in part.inbox("tokens"):
            counts[message["words"]] += message["counts"]
            shares[message["words"]] += message["shares"]
            filled += int(message["filled"][0])
        keep = (counts >= self.min_count) & (shares <= self.max_doc_share * filled)
        if self.stop_words:
            known = WordSet()
            known.add(words)
            stop = known.add(strings(self.stop_words))
            keep[stop[stop < len(words)]] = False
        if not (keep & (counts > 0)).any():
            raise nothing_left(int(np.count_nonzero(counts)), self)
        part.broadcast("tokens", numbers=np.where(keep, np.arange(len(words)), -1).astype(np.int32))
        part.result(words=words, counts=np.where(keep, counts, 0), documents=np.where(keep, shares, 0))
        part.metric("words", len(words))
        part.metric("dropped_words", int(np.count_nonzero(~keep & (counts > 0))))

    def warm(self) -> None:
        """Compile or load the kernels."""
        stream, doc_ptr, *_ = triples(read_only(np.frombuffer(b"1 1 1", np.uint8)), 1, 2, 1, 1)
        counts_of(stream, doc_ptr, 1)
        map_stream(read_only(stream), read_only(doc_ptr), read_only(np.zeros(1, np.int32)))
        WordSet().add(strings([""]))


def _tokens(part: Partition) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    text = read_only(part.fixed["text"])
    first, end, documents, words = (int(number) for number in part.fixed["documents"])
    stream, doc_ptr, error, line, bad = triples(text, first, end, documents, words)
    if error:
        shown = shown_line(text.tobytes().split(b"\n", line + 1)[line])
        told = _TOLD[error].format(bad=bad, documents=documents, words=words, line=shown)
        where = f"{part.fixed['file'][0]}, line {int(part.fixed['source'][1]) + line:,}"
        raise DataError(f"{where}: {told}", "give a UCI docword file: `document word count`, numbered from 1, sorted by document")
    return stream, doc_ptr
