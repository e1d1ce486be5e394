"""What LDA training makes: sparse counts of topics by word, and what people ask of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.errors import DataError, UsageError
from regrow.models.lda.kernels import top_cells
from regrow.packed import Strings

__all__ = ["TopicModel", "shown"]

Array = npt.NDArray[Any]
_ARRAYS = ("word_ptr", "topics", "counts", "topic_totals", "vocabulary.word", "vocabulary.count", "alpha", "beta")


class TopicModel:
    """A trained topic model of K topics and V words: a view of its arrays, which may be memory-mapped.

    arrays      as `LDA.model` makes them: word_ptr int64 [V + 1], topics (unsigned) and counts (int32, or float32 if they are means
                over draws of each token) by word with topics ascending, topic_totals int64 or float64 [K], vocabulary.word Strings [V],
                vocabulary.count int64 [V], alpha float64 [K], beta float64 [1]
    parameters  those of the program that trained it
    """

    def __init__(self, arrays: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
        missing = [name for name in _ARRAYS if name not in arrays]
        if missing:
            raise DataError(f"a topic model without {', '.join(missing)}", f"it has {', '.join(sorted(arrays))}")
        self.arrays = arrays
        self.parameters = dict(parameters)

    @property
    def topics(self) -> int:
        """K."""
        return len(self.arrays["topic_totals"])

    @property
    def vocabulary(self) -> Strings:
        """The words, by word id."""
        words: Strings = self.arrays["vocabulary.word"]
        return words

    @property
    def topic_totals(self) -> Array:
        """How many tokens each topic has: int64 [K], or float64 if it counts several draws of each token."""
        totals: Array = self.arrays["topic_totals"]
        return totals

    def tokens_of_topics(self) -> list[float]:
        """How many tokens each topic has, as people are told it."""
        return [shown(total) for total in self.topic_totals.tolist()]

    def top_words(self, n: int = 10) -> list[list[tuple[str, float]]]:
        """The n most frequent words of each topic with their counts, most frequent first; of equal ones the lower word id first.

        One pass over the non-zero cells; a topic with fewer words gives fewer.
        """
        if n < 1:
            raise UsageError(f"{n} words a topic", "ask for at least one, e.g. --words 10")
        return self._top_words(n, np.arange(self.topics))

    def _top_words(self, n: int, chosen: Array) -> list[list[tuple[str, float]]]:
        """Those of the chosen topics, in their order."""
        words, counts = np.zeros((len(chosen), n), np.int64), np.zeros((len(chosen), n), self.arrays["counts"].dtype)
        place = np.full(self.topics, -1, np.int32)
        place[chosen] = np.arange(len(chosen), dtype=np.int32)
        top_cells(self.arrays["word_ptr"], self.arrays["topics"], self.arrays["counts"], place, words, counts)
        text = {int(w): self.vocabulary[int(w)] for w in np.unique(words[counts > 0])}
        lists = zip(words.tolist(), counts.tolist(), strict=True)
        return [[(text[w], shown(c)) for w, c in zip(own, most, strict=True) if c] for own, most in lists]

    def summary(self, topics: int = 20, words: int = 8) -> str:
        """The largest topics as lines of text: number, share of the tokens, most frequent words."""
        largest = np.argsort(-self.topic_totals, kind="stable")[:topics]
        share = self.topic_totals[largest] / max(float(self.topic_totals.sum()), 1.0)
        lines = zip(largest.tolist(), share.tolist(), self._top_words(words, largest), strict=True)
        return "\n".join(f"{k:>6} {100 * part:5.1f} %  {' '.join(word for word, _ in top)}" for k, part, top in lines)

    def to_scipy(self) -> Any:
        """The counts as a scipy.sparse CSR array of V words by K topics."""
        try:
            from scipy.sparse import csr_array
        except ImportError:
            raise UsageError("scipy is not installed", "pip install scipy, or take the arrays of the model as they are") from None
        return csr_array(self._csr(), shape=(len(self.vocabulary), self.topics))

    def _csr(self) -> tuple[Array, Array, Array]:
        """(data, indices, indptr) with the index type that scipy takes without copying."""
        ptr = self.arrays["word_ptr"]
        index = np.int32 if int(ptr[-1]) < 2**31 and self.topics <= 2**31 else np.int64
        return np.asarray(self.arrays["counts"]), self.arrays["topics"].astype(index), ptr.astype(index)

    def dense(self, cells_max: int, reader: str, advice: str) -> Array:
        """The counts as a table of topics by words, float64 [K, V]. Raises UsageError, with the figures, beyond so many cells."""
        if self.topics * len(self.vocabulary) > cells_max:
            raise UsageError(
                f"{reader} takes a dense table of {self.topics:,} topics by {len(self.vocabulary):,} words: "
                f"{8 * self.topics * len(self.vocabulary) / 2**30:,.1f} GiB, and more than {8 * cells_max / 2**30:,.1f} is refused",
                advice,
            )
        table = np.zeros((self.topics, len(self.vocabulary)))
        word = np.repeat(np.arange(len(self.vocabulary)), np.diff(self.arrays["word_ptr"]))
        table[self.arrays["topics"], word] = self.arrays["counts"]
        return table

    def export_npz(self, folder: str | Path) -> None:
        """Write counts.npz, which `scipy.sparse.load_npz` reads as V x K (CSR), and vocab.txt, one word per line and row."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        data, indices, indptr = self._csr()
        shape = np.array([len(self.vocabulary), self.topics])
        np.savez(folder / "counts.npz", indices=indices, indptr=indptr, format=np.array(b"csr"), shape=shape, data=data)
        with open(folder / "vocab.txt", "w", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{word}\n" for word in self.vocabulary)


def shown(count: float) -> float:
    """A count, which may be a mean, as people are told it: whole if it is, else to four digits."""
    return int(count) if count == int(count) else round(count, 4)
