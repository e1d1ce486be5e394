"""csv and tsv: names of documents, and tables without a header line."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.preparing import documents_of, read_back, tokens_of, write
from regrow.data import TextOptions, describe
from regrow.errors import DataError, UsageError

CELLS = st.text(st.sampled_from(['"', ",", "\n", "a", "é", " "]), max_size=5)
LONG = "1\tA title\tthe text of the first document is this\n2\tAnother\tand this is the second\n"


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=8), st.booleans(), st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_csv_gives_texts_and_names_as_python_reads_them(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]], header: bool, part: int
) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([*([("text", "x", "id")] if header else []), *rows])
    path = write(tmp_path_factory.mktemp("docs"), "docs.csv", file.getvalue())
    options = TextOptions() if header else TextOptions(text_field="1", id_field="3", header="no")
    if header or file.getvalue().strip():
        assert read_back([path], options, part) == ([text for text, _, _ in rows], [name for _, _, name in rows])


def test_names_are_found_asked_for_or_left_alone(tmp_path: Path) -> None:
    path = write(tmp_path, "docs.tsv", "text\tid\tkey\na\t1\tx\nb\t2\ty\n")
    assert read_back([path]) == (["a", "b"], ["1", "2"])
    assert read_back([path], TextOptions(id_field="key"))[1] == ["x", "y"]
    assert read_back([path], TextOptions(id_field="text", text_field="key,text")) == (["x a", "y b"], ["a", "b"])
    assert read_back([path], TextOptions(id_field=""))[1] == ["", ""]
    with pytest.raises(DataError, match=r'docs.tsv, line 1: no field "name" \(fields: text, id, key\)'):
        describe([path], TextOptions(id_field="name"))
    path = write(tmp_path, "short.tsv", "text\tid\na\t1\nb\n")
    with pytest.raises(DataError, match=r"short.tsv, line 3: 1 field, and the id is in field 2"):
        read_back([path])


def test_without_a_header_fields_are_numbers_and_the_last_is_the_text(tmp_path: Path) -> None:
    path = write(tmp_path, "docs.tsv", LONG)
    texts, titles = ["the text of the first document is this", "and this is the second"], ["A title", "Another"]
    assert read_back([path], TextOptions(header="no")) == (texts, ["", ""])
    assert read_back([path], TextOptions(header="no", text_field="2", id_field="1")) == (titles, ["1", "2"])
    both = [" ".join(pair) for pair in zip(texts, titles, strict=True)]
    assert read_back([path], TextOptions(header="no", text_field="3,2", id_field="2"), 1) == (both, titles)
    with pytest.raises(DataError, match=r"docs.tsv, line 1: 3 fields, and --text-field names field 4"):
        describe([path], TextOptions(header="no", text_field="4"))
    for options in (TextOptions(header="no", text_field="text"), TextOptions(header="no", id_field="0")):
        with pytest.raises(UsageError, match="with --header no"):
            describe([path], options)


def test_a_first_line_that_is_no_header_is_recognised(tmp_path: Path) -> None:
    path = write(tmp_path, "docs.tsv", LONG)
    with pytest.raises(DataError, match=r'docs.tsv, line 1: no field "text"') as caught:
        describe([path])
    assert "--header no --text-field 3" in caught.value.advice
    path = write(tmp_path, "docs.csv", "key,title,body\n1,2,3\n")
    with pytest.raises(DataError) as caught:
        describe([path])
    assert "--text-field body" in caught.value.advice
    with pytest.raises(UsageError, match="--header maybe"):
        describe([path], TextOptions(header="maybe"))


@pytest.mark.parametrize(
    ("name", "content", "line", "advice"),
    [
        ("a.csv", "id,text\n1,good words\n2,c d,e\n", 3, "a text with commas stands in quotes"),
        ("a.tsv", "text\tid\nc d\t1\ne\tf\tg\n", 3, "tabs inside a text must go"),
        ("b.csv", 'text\n"a, b"\na, b\n', 3, "a text with commas stands in quotes"),
    ],
    ids=["comma", "tab", "one column"],
)
def test_more_fields_than_the_first_line_has_are_no_text_to_lose(tmp_path: Path, name: str, content: str, line: int, advice: str) -> None:
    with pytest.raises(DataError, match=rf"{name}, line {line}: more fields than the [12] of the first line") as error:
        tokens_of([write(tmp_path, name, content)])
    assert advice in error.value.advice


def test_empty_fields_beyond_the_first_line_are_none(tmp_path: Path) -> None:
    assert documents_of(tokens_of([write(tmp_path, "a.csv", "id,text\n1,a b,\n2,c,,\r\n")])) == [["a", "b"], ["c"]]
