"""JSON lines: text, words, or counts of words; names; and every broken form with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.preparing import documents_of, parts_of, read_back, tokens_of, write
from regrow.data import TextOptions, describe
from regrow.data.records import documents
from regrow.errors import DataError
from regrow.program import Fixed


def lines(*records: object) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def test_lists_of_strings_are_words_as_they_are(tmp_path: Path) -> None:
    path = write(tmp_path, "docs.jsonl", lines({"text": ["New York", "NEW", "x-y"]}, {"text": []}, {"text": ["NEW", ""]}))
    assert documents_of(tokens_of([path])) == [["New York", "NEW", "x-y"], [], ["NEW"]]
    assert documents_of(tokens_of([path], TextOptions(stop_words="english"), 1))[0][0] == "New York"


def test_objects_are_words_with_their_counts(tmp_path: Path) -> None:
    path = write(tmp_path, "docs.jsonl", lines({"text": {"b": 2, "a": 1, "no": 0}}, {"text": {}}, {"text": ["a"]}))
    assert documents_of(tokens_of([path])) == [["b", "b", "a"], [], ["a"]]


def test_several_fields_of_words(tmp_path: Path) -> None:
    path = write(tmp_path, "docs.jsonl", lines({"a": ["x", "y"], "b": ["z"]}, {"a": [], "b": ["w"]}))
    assert documents_of(tokens_of([path], TextOptions(text_field="b,a"))) == [["z", "x", "y"], ["w"]]


@given(
    st.lists(
        st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"]))),
        min_size=1,
        max_size=8,
    ),
    st.integers(1, 60),
)
@settings(max_examples=40, deadline=None)
def test_texts_and_names_come_back(tmp_path_factory: pytest.TempPathFactory, records: list[tuple[str, str]], part: int) -> None:
    path = write(tmp_path_factory.mktemp("docs"), "docs.jsonl", lines(*({"id": name, "text": text} for name, text in records)))
    assert read_back([path], None, part) == ([text for _, text in records], [name for name, _ in records])


def test_names_are_found_asked_for_or_left_alone(tmp_path: Path) -> None:
    path = write(
        tmp_path, "docs.jsonl", lines({"id": 7, "url": "u", "text": "a"}, {"id": "x", "url": "v", "text": "b"}, {"url": "w", "text": "c"})
    )
    assert read_back([path])[1] == ["7", "x", ""]
    assert read_back([path], TextOptions(id_field="url"))[1] == ["u", "v", "w"]
    part = Fixed(parts_of([path])[0]["text"][0])
    assert documents(part, "jsonl", ("text",), "").ids is None
    assert documents(Fixed({**part, "text": part["text"][:0]}), "jsonl", ("text",)).ids is None
    with pytest.raises(DataError, match=r'docs.jsonl, line 3: no field "id" \(fields: url, text\)'):
        read_back([path], TextOptions(id_field="id"))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"text": NaN}', 'the field "text" is NaN, not a string'),
        ('{"text": null}', 'the field "text" is null, not a string'),
        ('{"text": ["a", NaN]}', 'the list in the field "text" holds NaN'),
        ('{"text": ["a", ["b"]]}', 'the list in the field "text" holds a list'),
        ('{"text": ["a", 1]}', 'the list in the field "text" holds a number'),
        ('{"text": ["a\\u0000b"]}', 'a word in the field "text" has a zero byte'),
        ('{"text": {"a\\u0000b": 1}}', 'a word in the field "text" has a zero byte'),
        ('{"text": {"a": -1}}', 'the count of "a" in the field "text" is -1'),
        ('{"text": {"a": 1.5}}', 'the count of "a" in the field "text" is 1.5'),
        ('{"text": {"a": NaN}}', 'the count of "a" in the field "text" is nan'),
        ('{"text": {"a": true}}', 'the count of "a" in the field "text" is a boolean'),
        ('{"text": {"a": 99999999999}}', "come to more than 16,777,216 words"),
        ('{"text": "text"}', 'the field "text" is text, and what comes before it is words'),
        ("[" * 50_000, "not a JSON object"),
        ('{"text": ["a"]', "not a JSON object at character"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str, says: str) -> None:
    path = write(tmp_path, "docs.jsonl", '{"text": ["fine"]}\n\n' + line + "\n")
    with pytest.raises(DataError) as caught:
        tokens_of([path])
    assert f"docs.jsonl, line 3: {says}" in caught.value.message or ("line 3" in caught.value.message and says in caught.value.message)
    assert caught.value.advice


def test_a_name_of_the_wrong_kind_is_an_error_only_if_it_was_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path, "docs.jsonl", lines({"id": {"a": 1}, "text": "a"}))
    assert read_back([path])[1] == [""]
    with pytest.raises(DataError, match='line 1: the field "id" is a JSON object'):
        read_back([path], TextOptions(id_field="id"))


def test_utf16_is_told_before_anything_is_read(tmp_path: Path) -> None:
    for name, encoding in (("marked", "utf-16"), ("big", "utf-16-be"), ("little", "utf-16-le")):
        path = write(tmp_path, f"{name}.jsonl", '{"text": "a b c"}\n'.encode(encoding))
        with pytest.raises(DataError, match=r"line 1: the file .* so it is not UTF-8") as caught:
            describe([path])
        assert f"iconv -f {'UTF-16' if name == 'marked' else 'UTF-16BE' if name == 'big' else 'UTF-16LE'} -t UTF-8" in caught.value.advice


def test_json_that_is_not_in_lines_is_no_text(tmp_path: Path) -> None:
    for content, says in (
        ('[{"text": "a"}]\n', "line 1: not a JSON object but a list"),
        ('[\n{"text": "a"}\n]\n', "line 1: not a JSON object"),
    ):
        with pytest.raises(DataError, match=says):
            tokens_of([write(tmp_path, "docs.json", content)])
