"""A finished run's tokens and topics come back as they were, and new documents find their words under the old numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.preparing import documents_of, grid_of, tokens_of, words_by_token, write
from reference import Reference
from regrow.data import Again, Grid, Renumber, TextOptions
from regrow.packed import strings
from regrow.program import Results

OLD = "the tail grows back\n\nthe head does not\na tail a tail\nback to the head\n"
NEW = "a new tail\nnot one word\nnew new heads grow on the tail\n"


def with_pairs(tokens: Results, dtype: str) -> list[dict[str, Any]]:
    """Each token's own id as what a run kept of it."""
    parts, first = [], 0
    for part in tokens["tokens"]:
        parts.append({**part, "pairs": np.arange(first, first + len(part["words"])).astype(dtype)})
        first += len(part["words"])
    return parts


@pytest.mark.parametrize("dtype", ["uint32", "uint64"])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 2), (2, 5)])
def test_what_a_run_kept_of_a_token_comes_back_to_that_token(tmp_path: Path, rows: int, columns: int, dtype: str) -> None:
    tokens = tokens_of([write(tmp_path, "old.txt", OLD)], None, 20)
    grid = grid_of(tokens, rows, columns)
    firsts = [int(row["first_token"][0]) for row in grid["rows"]]
    kept = []
    for row, first in zip(grid["rows"], firsts, strict=True):
        pairs = np.empty(len(row["cell"]), dtype)
        pairs[row["cell"]] = first + np.arange(len(row["cell"]))
        kept.append({"pairs": pairs})
    layouts = {name: list(grid[name]) for name in ("rows", "columns", "vocabulary")} | {"kept": kept}
    again = Reference(Again(), layouts).run()
    assert documents_of(again) == documents_of(tokens)
    assert np.concatenate([part["pairs"] for part in again["tokens"]]).tolist() == list(
        range(sum(len(row["cell"]) for row in grid["rows"]))
    )
    assert {again.metrics[name] for name in ("tokens", "documents", "words")} == {
        tokens.metrics[n] for n in ("tokens", "documents", "words")
    }

    new = Reference(Grid(columns, rows, dtype), {name: list(again[name]) for name in ("tokens", "vocabulary")}).run()
    for column in new["columns"]:
        assert column["pairs"].dtype == dtype
        assert column["pairs"].tolist() == column["tokens"].tolist()
    assert words_by_token(new) == words_by_token(grid)


def test_documents_without_topics_have_all_bits_set(tmp_path: Path) -> None:
    tokens = tokens_of([write(tmp_path, "old.txt", OLD)], None, 20)
    parts = with_pairs(tokens, "uint32")
    size = sum(len(part["words"]) for part in parts[:1])
    parts = [parts[0], *({name: part[name] for name in ("words", "doc_ptr")} for part in parts[1:])]
    grid = Reference(Grid(2, 2, "uint32"), {"tokens": parts, "vocabulary": list(tokens["vocabulary"])}).run()
    for column in grid["columns"]:
        expected = np.where(column["tokens"] < size, column["tokens"], 2**32 - 1)
        assert column["pairs"].tolist() == expected.tolist()


def renumbered(tmp_path: Path, min_count: int = 1, dropped: tuple[str, ...] = ()) -> tuple[Results, Results, Results]:
    old = tokens_of([write(tmp_path, "old.txt", OLD)], None, 20)
    new = tokens_of([write(tmp_path, "new.txt", NEW)], None, 20)
    vocabulary = [{**part, "dropped": strings(dropped if not i else ())} for i, part in enumerate(old["vocabulary"])]
    layouts = {"old": vocabulary, "new": list(new["vocabulary"]), "tokens": list(new["tokens"])}
    return old, new, Reference(Renumber(min_count), layouts).run()


def test_old_words_keep_their_numbers_and_new_ones_come_after(tmp_path: Path) -> None:
    old, new, both = renumbered(tmp_path)
    words, known = list(both["vocabulary"][0]["words"]), [word for part in old["vocabulary"] for word in part["words"]]
    assert words[: len(known)] == known
    assert words[len(known)] == "new", "new words by descending count"
    assert len(set(words)) == len(words)
    assert documents_of(both) == documents_of(new)
    counts = dict(zip(words, both["vocabulary"][0]["counts"].tolist(), strict=True))
    text = (OLD + NEW).split()
    assert counts == {word: text.count(word) for word in words}
    in_documents = dict(zip(words, both["vocabulary"][0]["documents"].tolist(), strict=True))
    assert in_documents == {word: sum(word in line.split() for line in (OLD + NEW).splitlines()) for word in words}


def test_rare_new_words_and_words_that_the_run_dropped_stay_out(tmp_path: Path) -> None:
    old, new, both = renumbered(tmp_path, 2, ("new",))
    known = {word for part in old["vocabulary"] for word in part["words"]}
    assert set(both["vocabulary"][0]["words"]) == known
    assert documents_of(both) == [[word for word in words if word in known] for words in documents_of(new)]
    assert list(both["vocabulary"][0]["dropped"]) == ["new"]


def test_options_of_the_old_text_do_not_matter_to_its_numbers(tmp_path: Path) -> None:
    old = tokens_of([write(tmp_path, "old.txt", OLD)], TextOptions(min_count=2), 20)
    vocabulary = {"old": list(old["vocabulary"]), "new": list(old["vocabulary"]), "tokens": list(old["tokens"])}
    both = Reference(Renumber(), vocabulary).run()
    assert documents_of(both) == documents_of(old)
    assert (both["vocabulary"][0]["counts"] == 2 * np.concatenate([part["counts"] for part in old["vocabulary"]])).all()
