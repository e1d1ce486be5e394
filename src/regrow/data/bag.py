"""The program that prepares bags of words: documents of words by number -> tokens, and the vocabulary as it was given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regrow.data.bag_kernels import decimals
from regrow.data.formats import bag_format
from regrow.data.record_kernels import counts_of
from regrow.data.vocabulary import WordSet, no_words, nothing_left, read_only, take_numbers, taken
from regrow.data.word_kernels import map_stream
from regrow.errors import DataError
from regrow.packed import Strings, strings
from regrow.program import Data, Fixed, Partition, Program, Role, Roles

__all__ = ["BagTokens", "bag_tokens", "numbered_words", "warm_bags"]


@dataclass(frozen=True)
class BagTokens(Program):
    """Bags of words -> tokens; a document's tokens are in the order of the file, each word as often as it counts.

    format      as in `Source`

    Data: the layouts "text" and "words" of `ingest`. Results and metrics as of `TextTokens`, but word w is number w of the vocabulary,
    or, without one, of the file, where it is called by its number there: the filters drop tokens and leave a word's number as it is,
    with count 0. There are as many words as the vocabulary or the file says, or else as the largest number asks for.
    """

    format: str = "bag"
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
        """Read the part; then, when it is known which words are kept, drop the others."""
        if part.round == 0:
            format = bag_format(self.format)
            stream, doc_ptr = format.tokens(part.fixed)
            counts, shares = counts_of(stream, doc_ptr, int(stream.max(initial=-1)) + 1)
            words = np.flatnonzero(counts)
            part.keep(stream=stream, doc_ptr=doc_ptr)
            about = [np.count_nonzero(np.diff(doc_ptr)), max(format.words(part.fixed), len(counts)), format.first_word(part.fixed)]
            part.send("vocabulary", 0, words=words, counts=counts[words], shares=shares[words], about=about)
            return
        (message,) = part.inbox("vocabulary")
        take_numbers(part, read_only(part.state["stream"]), read_only(part.state["doc_ptr"]), message["numbers"])

    def vocabulary(self, part: Partition) -> None:
        """Add up counts, and say which words the filters keep."""
        about = np.stack([message["about"] for message in part.inbox("tokens")])
        words = part.fixed["words"]
        if not len(words):
            words = _numbers(int(about[0, 2]), int(about[:, 1].max()))
        counts, shares = np.zeros(len(words), np.int64), np.zeros(len(words), np.int64)
        for message in part.inbox("tokens"):
            counts[message["words"]] += message["counts"]
            shares[message["words"]] += message["shares"]
        _check_missing(part.fixed, counts, int(about[0, 2]))
        frequent = shares > self.max_doc_share * int(about[:, 0].sum())
        keep = (counts >= self.min_count) & ~frequent
        if self.stop_words:
            known = WordSet()
            known.add(words)
            stop = known.add(strings(self.stop_words))
            keep[stop[stop < len(words)]] = False
        if not (keep & (counts > 0)).any():
            raise nothing_left(int(np.count_nonzero(counts)), self)
        part.broadcast("tokens", numbers=np.where(keep, np.arange(len(words)), -1).astype(np.int32))
        dropped = no_words(self.stop_words, taken(words, np.flatnonzero(frequent)))
        part.result(words=words, counts=np.where(keep, counts, 0), documents=np.where(keep, shares, 0), dropped=dropped)
        part.metric("words", len(words))
        part.metric("dropped_words", int(np.count_nonzero(~keep & (counts > 0))))

    def warm(self) -> None:
        """Compile or load the kernels."""
        warm_bags(self.format)
        stream, doc_ptr = np.zeros(1, np.int32), np.array([0, 1], np.int64)
        counts_of(stream, doc_ptr, 1)
        decimals(0, 1)
        map_stream(read_only(stream), read_only(doc_ptr), read_only(stream))
        WordSet().add(strings([""]))
        taken(strings([""]), np.zeros(1, np.int64))


def _check_missing(fixed: Fixed, counts: npt.NDArray[np.int64], first: int) -> None:
    """Raise DataError if a number occurs that the dictionary leaves out."""
    missing = np.asarray(fixed["missing"])
    used = missing[counts[missing] > 0]
    if len(used):
        raise DataError(
            f"the dictionary has no word with the number {used[0]:,}, and {counts[used[0]]:,} tokens have it",
            f"give the dictionary that the bags were made with (in the files that number is {first + used[0]:,})",
        )


def bag_tokens(part: Fixed, format: str) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """The tokens of a part of a bag: (words int32, from 0; doc_ptr int64 [documents + 1])."""
    return bag_format(format).tokens(part)


def numbered_words(part: Fixed, format: str, stream: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.int32], Strings]:
    """Tokens whose words have no vocabulary -> (the same by place among the words that occur, int32; what these are called)."""
    there = np.zeros(int(stream.max(initial=-1)) + 1, np.bool_)
    there[stream] = True
    places = (np.cumsum(there) - 1).astype(np.int32)
    first = bag_format(format).first_word(part)
    return places[stream], strings(str(number + first) for number in np.flatnonzero(there).tolist())


def warm_bags(format: str) -> None:
    """Compile or load the kernels that read a format."""
    bag_format(format).warm()


def _numbers(first: int, size: int) -> Strings:
    """The numbers from `first` as words."""
    offsets, utf8 = decimals(first, size)
    return Strings(offsets, utf8)
