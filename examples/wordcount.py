"""Count words: the smallest program. Two roles and one round, which is MapReduce (Dean and Ghemawat, 2004).

    regrow run examples/wordcount.py:WordCount README.md
    python examples/wordcount.py          # the docstrings of Python's own modules

`lines` is the map, `words` the reduce, and `hash64` the shuffle: it says which bucket counts a word, the same in every process.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from regrow import Data, Partition, Program, Role, Roles, hash64, strings


@dataclass(frozen=True)
class WordCount(Program):
    """Count words; each word is counted by one of a few buckets, found by a hash that is the same everywhere."""

    buckets: int = 4

    def roles(self, data: Data) -> Roles:
        """Lines send counts to words."""
        return Roles(lines=Role(data.partitions, data="text"), words=Role(self.buckets, reads={"lines": 0}))

    def lines(self, part: Partition) -> None:
        """Count the words of one part of the text, and send each bucket its own."""
        counts = Counter(word for line in part.fixed.lines() for word in re.findall(r"\w+", line.lower()))
        words = sorted(counts)
        bucket = hash64(words) % np.uint64(self.buckets)
        for receiver in range(self.buckets):
            mine = [words[i] for i in np.flatnonzero(bucket == receiver)]
            part.send("words", receiver, words=strings(mine), counts=np.array([counts[word] for word in mine], np.int64))

    def words(self, part: Partition) -> None:
        """Add up the counts of the words of one bucket."""
        total: Counter[str] = Counter()
        for message in part.inbox("lines"):
            total.update(dict(zip(message["words"], message["counts"].tolist(), strict=True)))
        words = sorted(total)
        part.result(word=strings(words), count=np.array([total[word] for word in words], np.int64))
        part.metric("words", sum(total.values()))

    def report(self, model: Mapping[str, Any]) -> str:
        """The most frequent words, and how long the tail is."""
        counts = model["words.count"]
        counted = sorted(zip(counts.tolist(), model["words.word"], strict=True), key=lambda pair: (-pair[0], pair[1]))
        head = "\n".join(f"{count}\t{word}" for count, word in counted[:20])
        return f"{head}\n{len(counts):,} words; {int((counts == 1).sum()):,} of them occur once, and each is counted"


def main() -> None:
    """Count the words of some docstrings."""
    texts = [text for file in modules()[:80] for text in docstrings(file)]
    with tempfile.TemporaryDirectory() as folder:
        run_twice(WordCount(), write_parts(folder, texts, 8), 0.2)


if __name__ == "__main__":
    from docstrings import docstrings, modules
    from twice import run_twice, write_parts

    main()
