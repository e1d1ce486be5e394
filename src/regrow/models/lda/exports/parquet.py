"""The export `parquet`: the sparse counts of words and of documents as tables, row group by row group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.models.lda.exports.documents import TokenTopics
from regrow.models.lda.model import TopicModel
from regrow.packed import Strings

__all__ = ["write_parquet"]

Array = npt.NDArray[Any]

CELLS = 1 << 20
"""About so many rows of a table are a row group; a word's cells are never cut."""


def write_parquet(model: TopicModel, tokens: TokenTopics | None, folder: Path) -> None:
    """words.parquet: word, word_id, topic, count; with tokens also documents.parquet: doc, topic, count. By word and by document."""
    _write(folder / "words.parquet", _words(model))
    if tokens is not None:
        _write(folder / "documents.parquet", _documents(tokens))


def _write(path: Path, groups: Iterator[Mapping[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    first = pa.table(dict(next(groups)))
    with pq.ParquetWriter(path, first.schema, compression="zstd") as writer:
        writer.write_table(first)
        for group in groups:
            writer.write_table(pa.table(dict(group), schema=first.schema))


def _words(model: TopicModel) -> Iterator[Mapping[str, Any]]:
    ptr, vocabulary = model.arrays["word_ptr"], model.vocabulary
    first = 0
    while first < len(vocabulary) or not first:
        end = max(int(np.searchsorted(ptr, ptr[first] + CELLS, "right")) - 1, first + 1)
        end = min(end, first + CELLS, len(vocabulary))
        cells = slice(int(ptr[first]), int(ptr[end]))
        word_id = np.repeat(np.arange(first, end, dtype=np.int64), np.diff(ptr[first : end + 1]))
        yield {
            "word": _spelled(vocabulary, first, end, word_id - first),
            "word_id": word_id,
            "topic": model.arrays["topics"][cells].astype(np.int64),
            "count": _whole_or_mean(model.arrays["counts"][cells]),
        }
        if end == first:
            return
        first = end


def _whole_or_mean(counts: Array) -> Array:
    return counts.astype(np.int64 if counts.dtype.kind == "i" else np.float64)


def _spelled(vocabulary: Strings, first: int, end: int, places: Array) -> Any:
    """The words first + places as an Arrow array of large strings."""
    import pyarrow as pa

    own = vocabulary.offsets[first : end + 1]
    offsets, utf8 = np.ascontiguousarray(own - own[0]), np.ascontiguousarray(vocabulary.utf8[own[0] : own[-1]])
    return pa.LargeStringArray.from_buffers(end - first, pa.py_buffer(offsets), pa.py_buffer(utf8)).take(pa.array(places))


def _documents(tokens: TokenTopics) -> Iterator[Mapping[str, Any]]:
    for block in tokens.blocks():
        ptr, topics, counts = block.counts(tokens.topics)
        doc = block.first + np.repeat(np.arange(len(ptr) - 1, dtype=np.int64), np.diff(ptr))
        yield {"doc": doc, "topic": topics.astype(np.int64), "count": counts.astype(np.int64)}
