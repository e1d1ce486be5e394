"""The export `parquet`: the sparse counts of words and of documents as tables, row group by row group."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.columns import to_arrow
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


def _write(path: Path, groups: Iterator[dict[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    first = pa.table(next(groups))
    with pq.ParquetWriter(path, first.schema, compression="zstd") as writer:
        writer.write_table(first)
        for group in groups:
            writer.write_table(pa.table(group, schema=first.schema))


def _words(model: TopicModel) -> Iterator[dict[str, Any]]:
    ptr, vocabulary = model.arrays["word_ptr"], model.vocabulary
    first = 0
    while first < len(vocabulary) or not first:
        end = max(int(np.searchsorted(ptr, ptr[first] + CELLS, "right")) - 1, first + 1)
        end = min(end, first + CELLS, len(vocabulary))
        cells = slice(int(ptr[first]), int(ptr[end]))
        word_id = np.repeat(np.arange(first, end, dtype=np.int64), np.diff(ptr[first : end + 1]))
        yield {
            "word": _spelled(vocabulary, first, end, word_id - first),
            "word_id": to_arrow(word_id),
            "topic": to_arrow(model.arrays["topics"][cells].astype(np.int64)),
            "count": to_arrow(_whole_or_mean(model.arrays["counts"][cells])),
        }
        if end == first:
            return
        first = end


def _whole_or_mean(counts: Array) -> Array:
    return counts.astype(np.int64 if counts.dtype.kind == "i" else np.float64)


def _spelled(vocabulary: Strings, first: int, end: int, places: Array) -> Any:
    """The words first + places as an Arrow array of large strings."""
    own = vocabulary.offsets[first : end + 1]
    return to_arrow(Strings(own - own[0], vocabulary.utf8[own[0] : own[-1]])).take(to_arrow(places))


def _documents(tokens: TokenTopics) -> Iterator[dict[str, Any]]:
    for block in tokens.blocks():
        ptr, topics, counts = block.counts(tokens.topics)
        doc = block.first + np.repeat(np.arange(len(ptr) - 1, dtype=np.int64), np.diff(ptr))
        yield {"doc": to_arrow(doc), "topic": to_arrow(topics.astype(np.int64)), "count": to_arrow(counts.astype(np.int64))}
