"""Files are read ahead by threads: what comes of them is the same, in the same order, and an error is that of the first bad file."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from data.preparing import write
from regrow.data import Ingested, describe, ingest
from regrow.data.ahead import ahead
from regrow.errors import DataError


def read(paths: list[str], readers: int) -> tuple[list[tuple[str, int, bytes, list[int]]], Ingested]:
    parts: list[tuple[str, int, bytes, list[int]]] = []
    found = ingest(
        describe(paths),
        lambda layout, index, arrays: parts.append((layout, index, arrays["text"].tobytes(), arrays["source"].tolist())),
        None,
        200,
        readers,
    )
    return parts, found


def test_parts_do_not_depend_on_how_many_files_are_read_at_a_time(tmp_path: Path) -> None:
    paths = []
    for i in range(9):
        text = "".join(f"file {i} line {j}\n" for j in range(200 * (i % 3) + 1))
        paths.append(write(tmp_path, f"{i}.txt", gzip.compress(text.encode()) if i % 2 else text.encode()))
    alone = read(paths, 1)
    assert alone == read(paths, 2) == read(paths, 20)
    assert [index for _, index, _, _ in alone[0]] == list(range(len(alone[0])))


@pytest.mark.parametrize("readers", [1, 2, 5])
def test_the_first_broken_file_is_named(tmp_path: Path, readers: int) -> None:
    good = "a b c\n" * 1000
    paths = [write(tmp_path, f"{i}.txt", good) for i in range(3)]
    cut = gzip.compress(np.random.default_rng(1).bytes(50_000).hex().encode())
    paths += [write(tmp_path, f"{i}.txt", cut[:-2000]) for i in (3, 4)]
    paths += [write(tmp_path, "5.txt", good)]
    before = threading.active_count()
    with pytest.raises(DataError, match=r"3\.txt: the gzip stream ends early"):
        read(paths, readers)
    assert threading.active_count() == before, "nobody goes on reading"


def test_at_most_so_many_are_begun_and_each_is_a_few_parts_ahead() -> None:
    begun: list[int] = []
    made: list[int] = []

    def parts(i: int) -> Iterator[int]:
        begun.append(i)
        for part in range(50):
            made.append(i)
            yield 100 * i + part

    taken = []
    for i, mine in enumerate(ahead([lambda i=i: parts(i) for i in range(6)], 2)):
        assert len(begun) <= i + 2
        taken += list(mine)
        assert made.count(i + 2) == 0
        assert made.count(i + 1) <= 4
    assert taken == [100 * i + part for i in range(6) for part in range(50)]
