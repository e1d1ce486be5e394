"""Lines `name label text` are read as `mallet import-file` reads them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.preparing import documents_of, read_back, tokens_of, write
from regrow.data import TextOptions
from regrow.errors import DataError, UsageError

MALLET = TextOptions(format="mallet")


def test_the_first_two_words_are_name_and_label(tmp_path: Path) -> None:
    path = write(tmp_path, "docs.txt", "d1 en The quick fox\r\nd2\ten\tthe\ttail\n\n  \nd3\nd4 en\nd5, x, y z")
    assert read_back([path], MALLET, 1) == (["The quick fox", "the\ttail", "", "", "y z"], ["d1", "d2", "d3", "d4", "d5,"])
    assert documents_of(tokens_of([path], MALLET))[0] == ["the", "quick", "fox"]


@given(st.lists(st.text("ab,\t é\r", max_size=12), min_size=1, max_size=6), st.integers(1, 30))
@settings(max_examples=60, deadline=None)
def test_lines_are_split_by_mallets_expression(tmp_path_factory: pytest.TempPathFactory, lines: list[str], part: int) -> None:
    path = write(tmp_path_factory.mktemp("docs"), "docs", "\n".join(["n l text", *lines]) + "\n")
    expected = [
        re.fullmatch(r"(\S*)[\s,]*(\S*)[\s,]*(.*)", line.removesuffix("\r"), re.ASCII | re.DOTALL) for line in lines if line.strip()
    ]
    found = [(match[3], match[1]) for match in expected if match]
    assert list(zip(*read_back([path], MALLET, part), strict=True))[1:] == found


def test_broken_lines_and_fields(tmp_path: Path) -> None:
    path = write(tmp_path, "docs.txt", b"a b c\nd e f\xff\n")
    with pytest.raises(DataError, match=r"docs.txt, line 2: byte 6 of the line is 0xff"):
        tokens_of([path], MALLET)
    with pytest.raises(UsageError, match="has no meaning for mallet files"):
        tokens_of([path], TextOptions(format="mallet", text_field="3"))
