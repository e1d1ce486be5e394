"""Parquet files that pyarrow wrote: texts, words, names, and the place of whatever is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.preparing import documents_of, parts_of, read_back, tokens_of, write
from regrow.data import Source, TextOptions, content_digest, describe
from regrow.errors import DataError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)


def made(folder: Path, columns: dict[str, Any], name: str = "docs.parquet", **how: Any) -> str:
    pq.write_table(pa.table(columns), folder / name, **how)
    return str(folder / name)


@given(
    st.lists(st.tuples(TEXT, TEXT, st.integers(-9, 2**62)), min_size=1, max_size=30),
    st.integers(1, 50),
    st.integers(1, 9),
    st.sampled_from([pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())]),
)
@settings(max_examples=60, deadline=None)
def test_texts_and_names_come_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, int]], part: int, group: int, type: pa.DataType
) -> None:
    texts, titles, keys = (list(column) for column in zip(*rows, strict=True))
    columns = {"title": titles, "id": keys, "text": pa.array(texts).cast(type)}
    path = made(tmp_path_factory.mktemp("docs"), columns, row_group_size=group, compression="zstd")
    assert read_back([path], None, part) == (texts, [str(key) for key in keys])
    both = [f"{title} {text}" for title, text in zip(titles, texts, strict=True)]
    assert read_back([path], TextOptions(text_field="title,text", id_field="title"), part) == (both, titles)


def test_cuts_depend_on_the_content_alone(tmp_path: Path) -> None:
    texts = [f"document {i} " * (i % 50) for i in range(3000)]
    cuts = []
    for group in (7, 1000, 10**6):
        path = made(tmp_path, {"text": texts}, f"{group}.parquet", row_group_size=group)
        layouts, facts = parts_of([path], None, 20_000)
        cuts.append([(part["source"].tolist(), part["text"].tobytes()) for part in layouts["text"]])
        assert facts.lines == 3000
        assert facts.digest == content_digest([path])
        assert facts.bytes_read == Path(path).stat().st_size
    assert cuts[0] == cuts[1] == cuts[2]
    assert len(cuts[0]) > 20


@pytest.mark.parametrize(
    "type",
    [pa.list_(pa.string()), pa.large_list(pa.large_string()), pa.list_(pa.dictionary(pa.int8(), pa.string())), pa.list_(pa.string(), 2)],
)
def test_lists_of_strings_are_words_as_they_are(tmp_path: Path, type: pa.DataType) -> None:
    words = [["New York", "x"], ["NEW", "New York"]] if type == pa.list_(pa.string(), 2) else [["New York", "x"], [], ["NEW"]]
    path = made(tmp_path, {"text": pa.array(words, type)})
    for part in (1, 1000):
        assert documents_of(tokens_of([path], None, part)) == words


def test_no_names_no_ids(tmp_path: Path) -> None:
    path = made(tmp_path, {"text": ["a", "b"], "id": [1.5, 2.5], "key": ["x", None]})
    assert read_back([path])[1] == ["", ""]
    assert read_back([path], TextOptions(id_field="key"))[1] == ["x", ""]
    assert "ids" not in parts_of([path], TextOptions(id_field=""))[0]["text"][0]
    source = describe([path], TextOptions(id_field="key"))
    assert Source.from_json(source.to_json()) == source


@pytest.mark.parametrize(
    ("columns", "options", "says"),
    [
        ({"body": ["a"], "n": [1]}, {}, 'docs.parquet: no column "text" (columns: body, n)'),
        ({"text": [[1, 2]]}, {}, 'docs.parquet: the column "text" is list<element: int64>, neither strings nor lists of strings'),
        ({"text": [b"a"]}, {}, 'docs.parquet: the column "text" is binary, neither strings'),
        ({"text": [1.0]}, {}, 'docs.parquet: the column "text" is double, neither strings'),
        ({"text": ["a"], "words": [["a"]]}, {"text_field": "text,words"}, "docs.parquet: the columns text, words are text, words"),
        ({"text": ["a"], "n": [1.0]}, {"id_field": "n"}, 'docs.parquet: the column "n" is double'),
        ({"text": ["a"]}, {"id_field": "n"}, 'docs.parquet: no column "n" (columns: text)'),
        ({"text": ["a"] * 3000 + [None]}, {}, 'docs.parquet, column "text", row 3,001: the value is null'),
        ({"text": [["a"], None]}, {}, 'docs.parquet, column "text", row 2: the value is null'),
        ({"text": [["a"], ["b", None]]}, {}, 'docs.parquet, column "text", row 2: a word is null'),
        ({"text": [["a"], [], ["b\0c"]]}, {}, 'docs.parquet, column "text", row 3: a word has a zero byte'),
        ({"text": pa.array([], pa.string())}, {}, "docs.parquet holds no rows"),
    ],
)
def test_what_is_wrong_has_a_place(tmp_path: Path, columns: dict[str, Any], options: dict[str, str], says: str) -> None:
    path = made(tmp_path, columns)
    with pytest.raises(DataError) as caught:
        tokens_of([path], TextOptions(**options), 500)  # type: ignore[arg-type]
    assert says in caught.value.message
    assert caught.value.advice


def test_a_file_that_was_cut_off_or_damaged(tmp_path: Path) -> None:
    path = Path(made(tmp_path, {"text": [f"document {i}" for i in range(5000)]}, use_dictionary=False, row_group_size=1000))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match=r"docs.parquet is not a whole parquet file"):
        describe([str(path)])
    middle = len(data) // 2
    path.write_bytes(data[:middle] + b"\xff" * 6000 + data[middle + 6000 :])
    with pytest.raises(DataError, match=r"docs.parquet, row .* or a later one: the file is broken"):
        tokens_of([str(path)])


def test_strings_that_are_not_utf8_have_a_row(tmp_path: Path) -> None:
    bad = pa.array([b"fine", b"fine", b"caf\xe9"]).view(pa.string())
    with pytest.raises(DataError, match=r"docs.parquet, row 3: 0xe9 is not UTF-8"):
        tokens_of([made(tmp_path, {"text": bad})], None, 1)


def test_parquet_is_known_by_its_signature(tmp_path: Path) -> None:
    data = Path(made(tmp_path, {"text": ["a b"]})).read_bytes()
    assert describe([write(tmp_path, "part-0", data)]).format == "parquet"
    with pytest.raises(DataError, match=r"docs.csv is csv by its name and parquet by its content"):
        describe([write(tmp_path, "docs.csv", data)])
    with pytest.raises(DataError, match=r"text.parquet is not a whole parquet file"):
        describe([write(tmp_path, "text.parquet", "plain text")])
