"""What programs on documents that a model has not seen have in common.

    tables      (1, data "model")       what follows from the model alone, made once and broadcast: stored once, mapped by every task
    names       (1, data "words")       bags only: the words of their vocabulary -> the model's numbers
    documents   (data "text")           the work, one task for each part of the text; reads the two others

A program on unseen documents subclasses `Unseen`, says what its tables are and what `documents` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.formats import named
from regrow.data.known import KnownDocuments, Reading, known_documents, lexicon, names, warm_reading
from regrow.errors import DataError
from regrow.packed import strings
from regrow.program import Data, Message, Partition, Program, Role

__all__ = ["Unseen", "checked"]

Array = npt.NDArray[Any]

_ARRAYS = ("word_ptr", "topics", "counts", "topic_totals", "vocabulary.word", "vocabulary.count", "alpha", "beta")


@dataclass(frozen=True)
class Unseen(Program):
    """A program on documents that a topic model has not seen.

    reading     where the text is and how it is cut into words: a `Reading` as JSON values

    Data: the layouts "text" (and "words" of bags) of `ingest`, and "model", one part: the arrays of `LDA.model`.
    """

    reading: Mapping[str, Any] = field(default_factory=dict)

    # For `roles`

    def shared(self, data: Data) -> dict[str, Role]:
        """The roles `tables` and, for bags, `names`."""
        roles = {"tables": Role(1, data="model")}
        if "words" in data:
            roles["names"] = Role(1, data="words", reads={"tables": 0})
        return roles

    def on_documents(self, data: Data, **more: int) -> Role:
        """The role `documents`: one partition for each part of the text, which reads the shared roles and `more`."""
        return Role(data["text"], data="text", reads={**dict.fromkeys(self.shared(data), 0), **more})

    # What the shared roles do

    def tables(self, part: Partition) -> None:
        """Broadcast the vocabulary as a hash table, and what `tables_of` makes of the model."""
        model = checked(part.fixed)
        table = lexicon(model["vocabulary.word"], model.get("dropped.word", strings([])))
        part.broadcast("documents", **table, **self.tables_of(model))
        if self.reads_bags:
            part.broadcast("names", **table)

    def tables_of(self, model: Mapping[str, Any]) -> Mapping[str, Any]:
        """What `documents` needs of the model besides its vocabulary, by names that do not begin with "lexicon_"."""
        return {}

    def names(self, part: Partition) -> None:
        """Broadcast which words of the bag's vocabulary are which of the model's."""
        (table,) = part.inbox("tables")
        found = names(part.fixed["words"], table)
        part.broadcast("documents", numbers=found["numbers"], words=found["words"])

    # For `documents`

    def known(self, part: Partition) -> tuple[Message, KnownDocuments]:
        """The broadcast tables, and the documents of this part as numbers of the model's words."""
        (table,) = part.inbox("tables")
        if not self.reads_bags:
            return table, known_documents(part.fixed, self.read_as, table)
        (bag,) = part.inbox("names")
        return table, known_documents(part.fixed, self.read_as, table, bag["numbers"], bag["words"])

    @property
    def read_as(self) -> Reading:
        """How documents are read."""
        return Reading(**self.reading)

    @property
    def reads_bags(self) -> bool:
        """Whether the documents say words by number."""
        return named(self.reading["format"]).kind == "bag"

    def warm(self) -> None:
        """Compile or load the kernels."""
        warm_reading(self.read_as)


def checked(model: Mapping[str, Any]) -> Mapping[str, Any]:
    """The arrays of a topic model if they fit together. Raises DataError: kernels trust them.

    word_ptr int64 [V + 1] ascending from 0; topics unsigned and counts int32 or float32 by word, topics ascending and below K, counts above
    0; topic_totals int64 or float64 [K], not negative; alpha float64 [K] and beta float64 [1], finite and above 0; V words.
    """
    missing = [name for name in _ARRAYS if name not in model]
    if missing:
        raise DataError(f"the model has no {', '.join(missing)}", "name a run of: regrow lda train")
    word_ptr, topics, counts, totals, words, word_counts, alpha, beta = (model[name] for name in _ARRAYS)
    fits = (
        len(word_ptr) == len(words) + 1 == len(word_counts) + 1
        and len(alpha) == len(totals) > 0
        and len(beta) == 1
        and word_ptr[0] == 0
        and word_ptr[-1] == len(topics) == len(counts)
        and bool(np.all(np.diff(word_ptr) >= 0))
        and (len(topics) == 0 or int(topics.max()) < len(totals))
        and bool(np.all(counts > 0))
        and bool(np.all(totals >= 0))
        and _ascending(word_ptr, topics)
        and all(bool(np.all((prior > 0) & (prior < np.inf))) for prior in (alpha, beta))
    )
    if not fits:
        raise DataError("the arrays of the model do not fit together", "the model is damaged or was made by something else: train it again")
    return model


def _ascending(word_ptr: Array, topics: Array) -> bool:
    """Whether the topics of every word ascend."""
    rises = np.diff(topics.astype(np.int64)) > 0
    rises[np.asarray(word_ptr[1:-1])[(word_ptr[1:-1] > 0) & (word_ptr[1:-1] < len(topics))] - 1] = True
    return bool(np.all(rises))
