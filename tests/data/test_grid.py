"""Any documents -> tokens -> grid -> the same documents, for any grid and any size of parts."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.preparing import documents_of, grid_of, pairs, tokens_of, words_by_place, words_by_token, write
from regrow.data import default_grid
from regrow.data.grid_kernels import columns_of_words
from regrow.prepared import LAYOUT
from regrow.store.model import digest_of

DOCUMENTS = st.lists(st.lists(st.sampled_from(["a", "b", "c", "it's", "naïve", "漢", "tail", "x1"]), max_size=12), min_size=1, max_size=25)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None, max_examples=60)
@given(DOCUMENTS.filter(any), st.integers(1, 5), st.integers(1, 5), st.integers(1, 60), st.integers(1, 60))
def test_rows_and_columns_hold_the_same_tokens_as_the_text(
    tmp_path: Path, documents: list[list[str]], rows: int, columns: int, part_bytes: int, other_bytes: int
) -> None:
    path = write(tmp_path, "docs.txt", "".join(" ".join(words) + "\n" for words in documents))
    tokens = tokens_of([path], None, part_bytes)
    assert documents_of(tokens) == documents
    names = list(tokens["vocabulary"][0]["words"])
    grid = grid_of(tokens, rows, columns)
    by_token = words_by_token(grid)
    assert [names[by_token[token]] for token in range(len(by_token))] == [word for words in documents for word in words]
    by_place = words_by_place(grid)
    assert pairs([[names[word] for word in words] for words in by_place]) == pairs(documents)
    assert by_place == words_by_place(grid_of(tokens_of([path], None, other_bytes), columns, rows)), "ids depend on parts or grid"
    assert grid.metrics == {"tokens": sum(map(len, documents)), "documents": len(documents), "words": len(names)}
    assert list(grid["vocabulary"][0]["words"]) == names
    assert [row["first_document"][0] for row in grid["rows"] if len(row["doc_ptr"]) > 1] == sorted(
        {row["first_document"][0] for row in grid["rows"] if len(row["doc_ptr"]) > 1}
    )
    for row in grid["rows"]:
        assert row["cell"].dtype == np.uint32
        assert row["doc_ptr"].dtype == row["cell_ptr"].dtype == row["first_token"].dtype == np.int64
    for column in grid["columns"]:
        assert column["slices"].dtype == column["tokens"].dtype == np.uint32
        assert column["words"].dtype == np.int32
        assert column["slices"].shape == (rows, len(column["words"]) + 1)


def test_rows_and_columns_are_balanced_by_tokens(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    lines = [" ".join(f"w{w}" for w in (random.pareto(0.8, 40) * 3).astype(int) % 500) for _ in range(1000)]
    grid = grid_of(tokens_of([write(tmp_path, "docs.txt", "\n".join(lines))], None, 9000), 8, 3)
    sizes = np.array([len(row["cell"]) for row in grid["rows"]])
    assert sizes.sum() == 40_000
    assert np.abs(sizes - 5000).max() <= 40
    sizes = np.array([len(column["tokens"]) for column in grid["columns"]])
    assert np.abs(sizes - sizes.mean()).max() <= 0.05 * sizes.mean()


def test_a_long_document_leaves_rows_empty_but_loses_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, "docs.txt", "a\n" + "b " * 1000 + "\n\nc c\n\n")
    grid = grid_of(tokens_of([path], None, 3), 6, 4)
    assert [len(row["doc_ptr"]) - 1 for row in grid["rows"]] == [2, 0, 0, 0, 0, 3]
    assert len(words_by_token(grid)) == 1003
    assert [len(words) for words in words_by_place(grid)] == [1, 1000, 0, 2, 0]


def test_words_without_tokens_are_in_no_column() -> None:
    column_of, loads = columns_of_words(np.array([3, 1, 0, 2]), np.array([5, 6, 0, 9]), 2)
    assert column_of.tolist() == [1, 1, -1, 0]
    assert loads.tolist() == [9, 11]


@pytest.mark.parametrize(
    ("tokens", "topics", "side"),
    [(1, None, 1), (19_999, 100, 1), (20_000, 100, 2), (100_000, 100, 4), (4_000_000, 100, 4), (20_000_000, 1000, 16),
     (80_000_000, 1000, 64), (500_000_000, 1000, 64), (2_000_000_000, 1000, 250), (2_000_000, 10**6, 1),
     (20_000_000, 10**7, 1), (5, 10, 1)],
)  # fmt: skip
def test_the_grid_comes_from_the_size_of_the_data_alone(tokens: int, topics: int | None, side: int) -> None:
    assert default_grid(tokens, topics) == (side, side)


def test_who_lays_tokens_out_otherwise_counts_the_layout_up(tmp_path: Path) -> None:
    path = write(tmp_path, "docs.txt", "the tail of the tail\n\nit's naïve 漢字\nhead head head tail\n")
    grid, sha = grid_of(tokens_of([path]), 2, 2), hashlib.sha256()
    for layout in sorted(grid):
        for part in grid[layout]:
            sha.update(digest_of(dict(part)).encode())
    assert (LAYOUT, sha.hexdigest()[:16]) == (1, "4b35b7f1413f5aff"), "runs go on from data like this: count LAYOUT up, and put both here"
