"""New documents as entries under the columns of a model, in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data import TextOptions, ingest
from regrow.data.known import Reading, known_documents, lexicon, names
from regrow.data.matrix import describe_matrix
from regrow.data.matrix.layout_kernels import added_up, counted
from regrow.data.matrix.readers import number_format
from regrow.data.readonly import read_only
from regrow.errors import UsageError
from regrow.packed import strings
from regrow.program import Fixed

__all__ = ["Reader"]

Array = npt.NDArray[Any]
Work = Callable[[Array, Array, Array], None]


class Reader:
    """A model's vocabulary, with the table that looking words up takes.

    left_out    how many words or entries of what was read are not in the model
    """

    def __init__(self, arrays: Mapping[str, Any]) -> None:
        self.arrays = arrays
        self.left_out = 0

    @cached_property
    def _lexicon(self) -> Mapping[str, Any]:
        return lexicon(self.arrays["vocabulary.word"], self.arrays["dropped.word"])

    def each(self, files: Sequence[str], options: TextOptions, work: Work) -> None:
        """Do something with the entries of the documents of files, (ptr, index, value), part by part; columns that are new are left out.

        options     how to read them: as the model does
        """
        source = describe_matrix(files, options)
        if source.kind == "ratings":
            raise UsageError(f"{files[0]} holds ratings", "give rows as a matrix, with columns in the order of the model's vocabulary")
        reading = Reading(source.format, source.text_fields, "", options.lower, options.token_pattern, options.segment)
        bag: dict[str, Any] = {}

        def sink(layout: str, index: int, arrays: dict[str, Any]) -> None:
            if layout == "words":
                bag.update(names(arrays["words"], self._lexicon))
            elif source.kind == "numbers":
                work(*self._numbers(Fixed(arrays), source.format, bag))
            else:
                known = known_documents(Fixed(arrays), reading, self._lexicon, bag.get("numbers"), bag.get("words"))
                words, doc_ptr = self._kept(known.words, known.doc_ptr)
                work(*counted(read_only(words), read_only(doc_ptr)))

        ingest(source, sink)

    def _numbers(self, part: Fixed, format: str, bag: Mapping[str, Any]) -> tuple[Array, Array, Array]:
        reader = number_format(format)
        columns, doc_ptr, values = reader.cells(part)
        numbers, words = bag["numbers"], bag["words"]
        if not len(words):  # columns are called by their numbers
            words = strings(str(reader.first_word(part) + number) for number in range(int(columns.max(initial=-1)) + 1))
            numbers = names(words, self._lexicon)["numbers"]
        own = np.asarray(numbers)[columns] if len(columns) else columns
        own, ptr, values = self._kept(own, doc_ptr, values)
        return added_up(read_only(own.astype(np.int32)), read_only(ptr), read_only(values))  # type: ignore[no-any-return]

    def _kept(self, words: Array, doc_ptr: Array, *others: Array) -> tuple[Array, ...]:
        """Without those that are not in the model: (words, doc_ptr, ...)."""
        there = words >= 0
        before = np.concatenate([np.zeros(1, np.int64), np.cumsum(there)])
        self.left_out += len(words) - int(before[-1])
        return words[there], before[doc_ptr], *(other[there] for other in others)
