"""Documents that a model has not seen, read and given topics in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy.typing as npt

from regrow.data import TextOptions, describe, ingest
from regrow.data.known import KnownDocuments, Reading, known_documents, lexicon, names
from regrow.models.lda.unseen import checked
from regrow.models.lda.unseen.inference import Method, dense_topics, infer_bags, inference_tables
from regrow.models.lda.unseen.inference_tables import Tables
from regrow.packed import strings
from regrow.program import Fixed

__all__ = ["Reader"]

Array = npt.NDArray[Any]


class Reader:
    """A model with the tables that reading takes, made when they are first needed.

    arrays      of a topic model, as `LDA.model` makes them
    """

    def __init__(self, arrays: Mapping[str, Any]) -> None:
        self.arrays = arrays
        self._tables: dict[bool, Tables] = {}

    @cached_property
    def _lexicon(self) -> Mapping[str, Any]:
        arrays = checked(self.arrays)
        return lexicon(arrays["vocabulary.word"], arrays.get("dropped.word", strings([])))

    def each(self, files: Sequence[str], options: TextOptions, work: Callable[[KnownDocuments], None]) -> None:
        """Do something with the documents of files, as numbers of the model's words, part by part: one part is in memory at a time.

        options     how to read them: as the model does
        """
        source = describe(files, options)
        reading = Reading(source.format, source.text_fields, "", options.lower, options.token_pattern, options.segment)
        bag: dict[str, Any] = {}

        def sink(layout: str, index: int, arrays: dict[str, Any]) -> None:
            if layout == "words":
                bag.update(names(arrays["words"], self._lexicon))
            else:
                work(known_documents(Fixed(arrays), reading, self._lexicon, bag.get("numbers"), bag.get("words")))

        ingest(source, sink)

    def topics_of(self, known: KnownDocuments, method: Method) -> Array:
        """The topics of documents: float64 [documents, K], rows sum to 1; of one without known words the prior's."""
        if method.draws not in self._tables:
            self._tables[method.draws] = inference_tables(self.arrays, method)
        tables = self._tables[method.draws]
        return dense_topics(tables, infer_bags(tables, known.words, known.doc_ptr, known.texts_sha, method))
