"""A vocabulary of any size, counted and ordered by many tasks, none of which holds all its words.

    text        a part of the text: its words, by bucket                    words go to buckets by a hash
    counts      a bucket adds up the counts of its words, and drops some    it knows how often they occur in all the text
    order       a sample of all kept words -> splitters                     ranges of the order with about as many words each
    split       a bucket's words, by range
    vocabulary  sorts its range: a part of the vocabulary; numbers          a range's first number is the size of those before
    answers     a bucket's words with their numbers -> the parts of the text

The order is by descending count, then by bytes, so that even words that occur once, half of most vocabularies, are cut into ranges.
Whatever the sample is, the numbers are the same: it only balances. (Sample sort: Frazer and McKellar, JACM 17(3), 1970.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from regrow.data.ordering_kernels import buckets_of, grouped, ranges_of
from regrow.data.vocabulary import WordSet, by_count, read_only, taken
from regrow.data.wordset_kernels import hashes_of
from regrow.packed import Strings, strings
from regrow.program import Message, Partition

__all__ = [
    "Filters",
    "Found",
    "add_up",
    "answers",
    "by_bucket",
    "choose_splitters",
    "number_all",
    "send_bucket",
    "send_to_ranges",
    "sort_range",
    "warm_ordering",
]

Counts = npt.NDArray[np.int64]

SAMPLE = 4096
"""Words of each bucket from which the splitters are chosen: ranges then differ by a few percent."""


class Filters(Protocol):
    """What drops words: the parameters of a program."""

    @property
    def stop_words(self) -> Any: ...
    @property
    def min_count(self) -> int: ...
    @property
    def max_doc_share(self) -> float: ...


@dataclass(frozen=True)
class Found:
    """The words of a bucket (or of the whole text), with their counts over all parts.

    words           in the order of their first appearance; counts, shares: occurrences, and documents with the word, int64
    which           for each part of the text the positions of the words that it sent, int32
    kept            positions of the words that the filters keep, ascending
    frequent        the words that are in too many documents
    """

    words: Strings
    counts: Counts
    shares: Counts
    which: list[npt.NDArray[np.int32]]
    kept: npt.NDArray[np.int64]
    frequent: Strings


def by_bucket(words: Strings, buckets: int) -> tuple[npt.NDArray[np.int32], Counts]:
    """Positions of words by bucket, and where each bucket begins."""
    order, ptr = grouped(buckets_of(hashes_of(read_only(words.offsets), read_only(words.utf8)), buckets), buckets)
    return order, ptr


def add_up(inbox: Iterable[Message], filters: Filters) -> Found:
    """Add up what the parts of the text found (`words`, `counts`, `shares`, `filled`: documents with words), and filter it."""
    found, which = WordSet(), []
    counts = shares = np.zeros(0, np.int64)
    filled = 0
    for message in inbox:
        which.append(found.add(message["words"]))
        counts, shares = _longer(counts, len(found)), _longer(shares, len(found))
        counts[which[-1]] += message["counts"]  # each word is in a message at most once
        shares[which[-1]] += message["shares"]
        filled += int(message["filled"][0])
    words, counts, shares = found.words(), counts[: len(found)], shares[: len(found)]
    frequent = shares > filters.max_doc_share * filled
    keep = (counts >= filters.min_count) & ~frequent
    stop = found.add(strings(filters.stop_words))
    keep[stop[stop < len(words)]] = False
    return Found(words, counts, shares, which, np.flatnonzero(keep), taken(words, np.flatnonzero(frequent)))


def _longer(array: Counts, size: int) -> Counts:
    """The array with zeros after it, at least twice as long if it is too short."""
    return array if size <= len(array) else np.concatenate([array, np.zeros(max(size - len(array), len(array)), np.int64)])


def number_all(found: Found) -> tuple[npt.NDArray[np.int32], dict[str, Any]]:
    """Number all words in one task: (the number of each word found, -1 for those that are dropped; words, counts, documents)."""
    counts = found.counts[found.kept]
    order = found.kept[by_count(taken(found.words, found.kept), counts)]
    numbers = np.full(len(found.words), -1, np.int32)
    numbers[order] = np.arange(len(order), dtype=np.int32)
    return numbers, {"words": taken(found.words, order), "counts": found.counts[order], "documents": found.shares[order]}


def send_bucket(part: Partition, found: Found) -> None:
    """What a bucket found, to who needs it: a sample to `order`, its words to `split`, who asked for which to `answers`."""
    kept = found.kept
    stride = max(1, -(-len(kept) // SAMPLE))
    words, counts = taken(found.words, kept[::stride]), found.counts[kept[::stride]]
    part.send("order", 0, words=words, counts=counts, stride=[stride], found=[len(found.words)], frequent=found.frequent)
    part.send("split", part.index, words=taken(found.words, kept), counts=found.counts[kept], documents=found.shares[kept])
    sizes = np.array([len(which) for which in found.which], np.int64)
    which = np.concatenate([*found.which, np.empty(0, np.int32)])
    part.send("answers", part.index, found=[len(found.words)], kept=kept.astype(np.int32), which=which, sizes=sizes)


def choose_splitters(inbox: Iterable[Message], ranges: int) -> tuple[Strings, Counts]:
    """Words with counts that cut the order into ranges of about as many words: (words, counts), from 1 to ranges - 1 of them.

    None, if there are no words.
    """
    samples, strides = [], []
    for message in inbox:
        samples.append((message["words"], np.array(message["counts"])))
        strides.append(np.full(len(message["counts"]), message["stride"][0], np.int64))
    words = Strings.concatenate([words for words, _ in samples])
    if not len(words):
        return words, np.empty(0, np.int64)
    counts, weights = np.concatenate([counts for _, counts in samples]), np.concatenate(strides)
    order = by_count(words, counts)
    reached = np.cumsum(weights[order])
    chosen = order[np.unique(np.searchsorted(reached, reached[-1] * np.arange(1, ranges) // ranges, "right"))]
    return taken(words, chosen), counts[chosen]


def send_to_ranges(part: Partition, message: Message, splitters: Message, ranges: int) -> None:
    """A bucket's kept words to the ranges of the order: to each `words`, `counts`, `documents`; to all how many each gets (`sizes`)."""
    words, counts, documents = message["words"], message["counts"], message["documents"]
    split = splitters["words"]
    arrays = (words.offsets, words.utf8, counts, split.offsets, split.utf8, splitters["counts"])
    order, ptr = grouped(ranges_of(*(read_only(array) for array in arrays)), ranges)
    for index in range(ranges):
        mine = order[ptr[index] : ptr[index + 1]]
        part.send("vocabulary", index, words=taken(words, mine), counts=counts[mine], documents=documents[mine])
    part.broadcast("vocabulary", sizes=np.diff(ptr))
    part.send("answers", part.index, order=order)


def sort_range(part: Partition) -> dict[str, Any]:
    """Sort the words of a range, tell each bucket the numbers of its own, and return the range: words, counts, documents."""
    messages = [dict(message) for message in part.inbox("split")]
    words = Strings.concatenate([message["words"] for message in messages])
    counts, documents = (np.concatenate([message[name] for message in messages]) for name in ("counts", "documents"))
    first = sum(int(message["sizes"][: part.index].sum()) for message in messages)
    order = by_count(words, counts)
    numbers = np.empty(len(words), np.int32)
    numbers[order] = np.arange(first, first + len(words), dtype=np.int32)
    at = 0
    for bucket, message in enumerate(messages):
        part.send("answers", bucket, numbers=numbers[at : at + len(message["counts"])])
        at += len(message["counts"])
    return {"words": taken(words, order), "counts": counts[order], "documents": documents[order]}


def answers(part: Partition) -> Iterator[npt.NDArray[np.int32]]:
    """For each part of the text the numbers of the words that it sent to this bucket, -1 for those that are dropped."""
    (asked,), (split,) = part.inbox("counts"), part.inbox("split")
    numbers = np.full(int(asked["found"][0]), -1, np.int32)
    numbers[asked["kept"][split["order"]]] = np.concatenate([message["numbers"] for message in part.inbox("vocabulary")])
    at = 0
    for size in asked["sizes"].tolist():
        yield numbers[asked["which"][at : at + size]]
        at += size


def warm_ordering() -> None:
    """Compile or load the kernels."""
    words, counts = strings(["a"]), read_only(np.ones(1, np.int64))
    offsets, utf8 = read_only(words.offsets), read_only(words.utf8)
    order, _ = by_bucket(words, 1)
    taken(words, order)
    grouped(ranges_of(offsets, utf8, counts, offsets, utf8, counts), 2)
    taken(words, by_count(words, np.ones(1, np.int64)))
    found = WordSet()
    found.add(words)
    found.words()
