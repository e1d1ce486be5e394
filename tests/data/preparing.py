"""Files -> tokens -> grid, in memory, and back again."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from reference import Reference
from regrow.data import Grid, Ingested, TextOptions, describe, ingest, tokens_program
from regrow.data.records import documents
from regrow.program import Fixed, Results

Layouts = dict[str, list[dict[str, Any]]]


def write(directory: Path, name: str, content: str | bytes) -> str:
    path = directory / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def parts_of(paths: list[str], options: TextOptions | None = None, part_bytes: int | None = None) -> tuple[Layouts, Ingested]:
    layouts: Layouts = {}

    def sink(layout: str, index: int, arrays: dict[str, Any]) -> None:
        parts = layouts.setdefault(layout, [])
        assert index == len(parts)
        parts.append(arrays)

    return layouts, ingest(describe(paths, options), sink, None, part_bytes)


def read_back(paths: list[str], options: TextOptions | None = None, part_bytes: int | None = None) -> tuple[list[str], list[str]]:
    """The documents and their names ("" for none), as if someone had asked for names."""
    options = options or TextOptions()
    source, texts, ids = describe(paths, options), [], []
    for part in parts_of(paths, options, part_bytes)[0]["text"]:
        found = documents(Fixed(part), source.format, source.text_fields, options.id_field)
        texts += found.texts()
        ids += list(found.ids) if found.ids is not None else [""] * len(found)
    return texts, ids


def tokens_of(paths: list[str], options: TextOptions | None = None, part_bytes: int | None = None) -> Results:
    layouts, _ = parts_of(paths, options, part_bytes)
    return Reference(tokens_program(describe(paths, options), options), layouts).run()


def grid_of(tokens: Results, rows: int, columns: int) -> Results:
    return Reference(Grid(rows, columns), {"tokens": tokens["tokens"], "vocabulary": tokens["vocabulary"]}).run()


def documents_of(tokens: Results) -> list[list[str]]:
    """The words of each document."""
    words = [word for part in tokens["vocabulary"] for word in part["words"]]
    return [
        [words[w] for w in part["words"][start:end]]
        for part in tokens["tokens"]
        for start, end in zip(part["doc_ptr"][:-1], part["doc_ptr"][1:], strict=True)
    ]


def words_by_token(grid: Results) -> dict[int, int]:
    """Token id -> word, from the columns alone."""
    found: dict[int, int] = {}
    for column in grid["columns"]:
        for r, slices in enumerate(column["slices"]):
            cell = column["tokens"][column["row_ptr"][r] : column["row_ptr"][r + 1]]
            assert slices[-1] == len(cell)
            for i, word in enumerate(column["words"]):
                for token in cell[slices[i] : slices[i + 1]]:
                    assert int(token) not in found
                    found[int(token)] = int(word)
    return found


def words_by_place(grid: Results) -> list[list[int]]:
    """The words of each document, from the rows' places in the cells, where the columns say which word is at a place."""
    documents = []
    for r, row in enumerate(grid["rows"]):
        places: list[int] = []
        tokens: list[int] = []
        for c, column in enumerate(grid["columns"]):
            slices = column["slices"][r].astype(np.int64)
            places += np.repeat(column["words"], np.diff(slices)).tolist()
            tokens += column["tokens"][column["row_ptr"][r] : column["row_ptr"][r + 1]].tolist()
            assert len(places) == row["cell_ptr"][c + 1]
        assert [tokens[place] for place in row["cell"]] == list(range(row["first_token"][0], row["first_token"][0] + len(places)))
        for start, end in zip(row["doc_ptr"][:-1], row["doc_ptr"][1:], strict=True):
            documents.append([places[place] for place in row["cell"][start:end]])
    return documents


def pairs(documents: list[list[Any]]) -> Counter[tuple[int, Any]]:
    return Counter((d, word) for d, words in enumerate(documents) for word in words)
