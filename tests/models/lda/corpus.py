"""Small corpora, cut into a grid as the preparation does it, with plain numpy; and a planted one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from regrow.packed import strings

Layouts = dict[str, list[dict[str, Any]]]


def grid(docs: Sequence[Sequence[int]], n_words: int, rows: int, columns: int) -> Layouts:
    """Layouts rows, columns and vocabulary of documents given as lists of word ids."""
    words = np.array([w for doc in docs for w in doc], np.int64)
    return grid_of(words, np.array([len(doc) for doc in docs], np.int64), n_words, rows, columns)


def grid_of(words: Any, lengths: Any, n_words: int, rows: int, columns: int) -> Layouts:
    """The same of documents one after the other: words [N] and lengths [D], int64.

    Rows are contiguous blocks of documents, columns the words with the same id modulo `columns`. Inside a cell tokens are in the
    order (word, document, position).
    """
    doc_of = np.repeat(np.arange(len(lengths)), lengths)
    row_of_doc = np.arange(len(lengths)) * rows // max(len(lengths), 1)
    row, column, ids = row_of_doc[doc_of], words % columns, np.arange(len(words))
    first_of_row = np.searchsorted(row_of_doc, np.arange(rows))
    row_parts, slots = [], np.empty(len(words), np.int64)
    for r in range(rows):
        mine = ids[row == r]
        order = mine[np.lexsort((mine, words[mine], column[mine]))]
        slots[order] = np.arange(len(order))
        row_parts.append(
            {
                "doc_ptr": np.concatenate([[0], np.cumsum(lengths[row_of_doc == r])]).astype(np.int64),
                "cell": slots[mine].astype(np.uint32),
                "cell_ptr": np.searchsorted(column[order], np.arange(columns + 1)).astype(np.int64),
                "first_token": np.array([mine[0] if len(mine) else 0], np.int64),
                "first_document": np.array([first_of_row[r]], np.int64),
            }
        )
    column_parts = []
    for c in range(columns):
        own = np.arange(c, n_words, columns)
        cells = [ids[(row == r) & (column == c)] for r in range(rows)]
        cells = [cell[np.lexsort((cell, words[cell]))] for cell in cells]
        slices = np.array([[*np.searchsorted(words[cell], own), len(cell)] for cell in cells])
        column_parts.append(
            {
                "words": own.astype(np.int32),
                "slices": slices.astype(np.uint32),
                "tokens": np.concatenate(cells).astype(np.uint32),
                "documents": np.concatenate([doc_of[cell] - first_of_row[r] for r, cell in enumerate(cells)]).astype(np.uint32),
                "row_ptr": np.cumsum([0] + [len(cell) for cell in cells]).astype(np.int64),
            }
        )
    names = strings(f"word{w:04}" for w in range(n_words))
    counts = np.bincount(words, minlength=n_words).astype(np.int64)
    for part in row_parts + column_parts:  # as memory-mapped files are
        for array in part.values():
            array.flags.writeable = False
    return {"rows": row_parts, "columns": column_parts, "vocabulary": [{"words": names, "counts": counts}]}


def facts(docs: Sequence[Sequence[int]], n_words: int) -> dict[str, float]:
    return {"tokens": sum(map(len, docs)), "documents": len(docs), "words": n_words}


def random_docs(documents: int, n_words: int, length: int, seed: int = 0) -> list[list[int]]:
    """Documents of Zipf-distributed words; some are empty, some words are missing."""
    random = np.random.default_rng(seed)
    p = 1 / np.arange(1, n_words + 1)
    return [list(random.choice(n_words, random.integers(0, 2 * length), p=p / p.sum())) for _ in range(documents)]


def planted_docs(documents: int, topics: int, words_a_topic: int, length: int, seed: int = 0) -> list[list[int]]:
    """Topic k speaks of words [k * words_a_topic, (k + 1) * words_a_topic); each document of one or two topics."""
    random = np.random.default_rng(seed)
    docs = []
    for _ in range(documents):
        mine = random.choice(topics, random.integers(1, 3), replace=False)
        docs.append([int(random.choice(mine) * words_a_topic + random.integers(words_a_topic)) for _ in range(length)])
    return docs
