"""Files, directories and patterns stand for the same files in the same order, and what stands for nothing says so."""

from __future__ import annotations

import gzip
import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from data.preparing import read_back, write
from regrow.data import TextOptions, content_digest, describe, frozen
from regrow.data.streams import spool
from regrow.errors import DataError, UsageError


def tree(root: Path, files: dict[str, str | bytes]) -> str:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        write(root, name, content)
    return str(root)


def test_a_directory_is_all_files_below_it_but_hidden_ones(tmp_path: Path) -> None:
    root = tree(tmp_path, {"b/2": "x", "b/1": "x", "a-b/3": "x", "a.txt": "x", ".git/config": "x", "b/.swp": "x"})
    found = [os.path.relpath(name, root) for name in frozen([root])]
    assert found == ["a-b/3", "a.txt", "b/1", "b/2"]
    assert frozen([root + "/"]) == frozen([root])


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    root = tree(tmp_path / "docs", {"a/1": "x", "b/2": "x"})
    (tmp_path / "docs" / "a" / "up").symlink_to(tmp_path / "docs")
    (tmp_path / "docs" / "c").symlink_to(tmp_path / "docs" / "b")
    assert [os.path.relpath(name, root) for name in frozen([root])] == ["a/1", "b/2", "c/2"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.txt", ["a.txt", "b.txt"]), ("?.txt", ["a.txt", "b.txt"]), ("[b-z].txt", ["b.txt"]), ("**/*.txt", ["a.txt", "b.txt", "d/c.txt"]),
        ("d/**", ["d/c.txt", "d/e/f"]), ("d/*", ["d/c.txt", "d/e/f"]), ("*", ["[b].txt", "a.txt", "b.txt", "d/c.txt", "d/e/f"]),
        ("[b].txt", ["[b].txt"]),
    ],
)  # fmt: skip
def test_patterns_find_what_the_shell_finds(tmp_path: Path, pattern: str, expected: list[str]) -> None:
    root = tree(tmp_path, {"a.txt": "a", "b.txt": "b", "d/c.txt": "c", "d/e/f": "f", ".h.txt": "h"})
    if "[" in expected[0]:
        write(tmp_path, "[b].txt", "a name, not a pattern")
    assert [os.path.relpath(name, root) for name in frozen([f"{root}/{pattern}"])] == expected


def test_what_stands_for_nothing_says_so(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name, says in (("*.nope", "no file matches the pattern"), ("empty", "holds no files"), ("gone", "no such file")):
        with pytest.raises(DataError, match=says):
            describe([str(tmp_path / name)])
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="is not a regular file"):
        describe([str(tmp_path / "pipe")])
    with pytest.raises(UsageError, match="standard input"):
        describe(["-"])


def test_a_file_is_named_once_also_through_its_directory(tmp_path: Path) -> None:
    root = tree(tmp_path, {"a": "x", "b": "x"})
    with pytest.raises(UsageError, match="a is named twice"):
        describe([root, f"{root}/a"])


def test_names_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/caf\xe9", "wb") as file:
        file.write(b"x")
    with pytest.raises(DataError, match="the name is not UTF-8"):
        describe([str(tmp_path)])


def test_the_digest_covers_a_directory_file_by_file(tmp_path: Path) -> None:
    root = tree(tmp_path, {"a": "one two", "b": "", "c": "three"})
    names = frozen([root])
    before = content_digest(names)
    assert before == content_digest(names[::-1])
    write(tmp_path, "a", "one ")
    write(tmp_path, "b", "two")
    assert content_digest(names) != before


def test_the_standard_input_is_copied_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = gzip.compress(b'{"text": "a b"}\n' * 3)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
    path = spool(tmp_path / "stdin")
    assert Path(path).read_bytes() == data
    assert read_back([path])[0] == ["a b"] * 3
    with pytest.raises(DataError, match="the standard input is empty"):
        spool(tmp_path / "again")


def test_formats_of_a_directory(tmp_path: Path) -> None:
    record = '{"text": "x"}\n'
    for number, (files, format) in enumerate(
        [
            ({"a": "plain\n", "b.txt": "plain"}, "files"),
            ({"a": "plain\n", "b": record, "c": "1 1:2\n"}, "files"),  # one that only happens to look like a record
            ({"part-0": record, "part-1": record, "_SUCCESS": ""}, "jsonl"),
            ({"a.csv": "text\nx\n", "d/b.csv": "text\ny\n"}, "csv"),
            ({"a.txt.gz": gzip.compress(b"x\ny\n")}, "txt"),
            ({"a": "", "b": ""}, "files"),
        ]
    ):
        assert describe([tree(tmp_path / str(number), files)]).format == format
    mixed = tree(tmp_path / "mixed", {"a.csv": "text\nx\n", "README.md": "about"})
    with pytest.raises(
        DataError, match=r"README.md looks like plain text \(each file a document\) but .*a.csv like csv|a.csv looks like csv"
    ) as caught:
        describe([mixed])
    assert "/*.csv'" in caught.value.advice
    assert read_back([mixed], TextOptions(format="txt"))[0] == ["about", "text", "x"]


def test_a_file_that_may_be_two_things_is_not_guessed_at(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"docword.x may be jsonl or bag") as caught:
        describe([write(tmp_path, "docword.x", '{"text": "x"}\n')])
    assert "--format jsonl" in caught.value.advice


def test_marks_of_other_systems_are_no_data(tmp_path: Path) -> None:
    root = tree(tmp_path, {"part-0.jsonl": '{"text": "x"}\n', "_SUCCESS": "", "_metadata": "what?"})
    assert [os.path.basename(file.name) for file in describe([root]).files] == ["part-0.jsonl"]
