"""A directory of plain text: each file is one document, named by its path, and many share a part."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.formats.test_inputs import tree
from data.preparing import documents_of, parts_of, read_back, tokens_of, write
from regrow.data import Source, TextOptions, content_digest, describe
from regrow.errors import DataError, UsageError

FILES = TextOptions(format="files")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), min_size=1, max_size=12), st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_every_file_comes_back_whole_wherever_parts_end(tmp_path_factory: pytest.TempPathFactory, texts: list[str], part: int) -> None:
    root = tree(tmp_path_factory.mktemp("docs"), {f"{i % 3}/{i:02}": text for i, text in enumerate(texts)})
    expected = {f"{i % 3}/{i:02}": text.removeprefix("\ufeff") for i, text in enumerate(texts)}
    assert dict(zip(*read_back([root], FILES, part)[::-1], strict=True)) == expected


def test_many_files_share_a_part(tmp_path: Path) -> None:
    root = tree(tmp_path, {f"{i % 7}/{i}": f"document {i}" for i in range(500)})
    layouts, facts = parts_of([root])
    assert facts.parts == 1
    assert facts.lines == 500
    assert facts.digest == content_digest([file.name for file in describe([root]).files])
    assert len(parts_of([root], None, 1000)[0]["text"]) > 5
    assert np.array_equal(layouts["text"][0]["source"], [0, 1])


def test_empty_files_are_documents_without_words(tmp_path: Path) -> None:
    root = tree(tmp_path, {"a": "one two", "b": "", "c": "two", "d": "\n"})
    assert documents_of(tokens_of([root])) == [["one", "two"], [], ["two"], []]
    assert read_back([root])[1] == ["a", "b", "c", "d"]
    with pytest.raises(DataError, match="b is empty"):
        describe([root], TextOptions(format="txt"))


def test_named_files_are_documents_if_someone_says_so(tmp_path: Path) -> None:
    paths = [write(tmp_path, "a.txt", "one\ntwo"), write(tmp_path, "b.txt", "three")]
    assert read_back(paths) == (["one", "two", "three"], ["", "", ""])
    assert read_back(paths, FILES) == (["one\ntwo", "three"], paths)
    assert read_back([f"{tmp_path}/*.txt"], FILES) == (["one\ntwo", "three"], paths)
    assert read_back([str(tmp_path)], TextOptions(format="txt"))[0] == ["one", "two", "three"]


def test_the_file_with_the_bad_byte_is_named(tmp_path: Path) -> None:
    for bad, says in (
        (b"fine\ncaf\xe9 noir", r"b, line 2: byte 4 of the line is 0xe9"),
        (b"caf\xc3", r"b, line 1: byte 4 of the line is 0xc3"),
    ):
        root = tree(tmp_path, {"a": "é", "b": bad, "c": b"\xa9"[:0] + b"x"})
        with pytest.raises(DataError, match=says):
            tokens_of([root])
    with pytest.raises(DataError) as caught:
        tokens_of([tree(tmp_path, {"b": "wide".encode("utf-16")})])
    assert "iconv -f UTF-16" in caught.value.advice


def test_files_have_no_fields(tmp_path: Path) -> None:
    root = tree(tmp_path, {"a": "x"})
    for options in (TextOptions(text_field="x"), TextOptions(id_field="x"), TextOptions(header="no")):
        with pytest.raises(UsageError, match="has no meaning for files files"):
            describe([root], options)


def test_a_description_of_many_files_is_small_and_goes_through_json(tmp_path: Path) -> None:
    source = describe([tree(tmp_path, {"a": "x", "b/c": "y"})])
    value = source.to_json()
    assert Source.from_json(value) == source
    assert value["files"][0] == {"name": os.path.join(tmp_path, "a"), "bytes": 1, "root": f"{tmp_path}/"}
