"""Every bad input gets a message that names the file and the line, and says what was expected and what to do."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from data.preparing import tokens_of, write
from regrow.data import TextOptions
from regrow.errors import DataError, UsageError

LONG = gzip.compress(b"".join(b"document number %d says %d\n" % (i, i * i) for i in range(20_000)))
HEAD = "3\n4\n2\n"

BAD = [
    # name, content, options, what the message says
    ("docs.txt", b"", {}, "docs.txt is empty"),
    ("docs.txt", b"\n \n", {}, "docs.txt holds no text"),
    ("docs.txt", b"...\n--\n", {}, "no words were found in any document"),
    ("docs.txt", b"a b\na c", {"min_count": 3}, "no documents are left: the filters drop all 3 words"),
    ("docs.txt", b"fine\nfine\nbad \xff byte\n", {}, "docs.txt, line 3: byte 5 of the line is 0xff, which is not UTF-8"),
    ("docs.csv", b'id,text\n1,"two\nlines"\n2,caf\xe9\n', {}, "docs.csv, line 4: byte 6 of the line is 0xe9"),
    ("docs.csv", b"id,te\xe9xt\n1,x\n", {}, "docs.csv, line 1: byte 6 of the line is 0xe9"),
    ("docs.csv", b"id,title,body\n1,x,y\n", {}, 'docs.csv, line 1: no field "text" (fields: id, title, body)'),
    ("docs.tsv", b"id\tbody\n1\tx\n", {"text_field": "body,title"}, 'docs.tsv, line 1: no field "title" (fields: id, body)'),
    ("docs.tsv", b"id\ttext\n1\tx\n2\n", {}, "docs.tsv, line 3: 1 field, and the text is in field 2"),
    ("docs.csv", b'id,x,text\n1,"a\nb",c\n2,x\n', {}, "docs.csv, line 4: 2 fields, and the text is in field 3"),
    ("docs.csv", b'id,text\n1,x\n2,"open\n3,y\n', {}, "docs.csv, line 3: a quote is opened and never closed"),
    ("docs.csv", b"id,text\n", {}, "docs.csv holds a header and nothing else"),
    ("docs.jsonl", b'{"text": "a"}\n{"text": \n', {}, "docs.jsonl, line 2: not a JSON object at character"),
    ("docs.jsonl", b'{"text": "a"}\n\n[1]\n', {}, "docs.jsonl, line 3: not a JSON object but a list"),
    (
        "docs.jsonl",
        b'{"text": "a"}\n{"id": 1, "body": "y"}\n',
        {},
        'docs.jsonl, line 2: no field "text" (fields: id, body)',
    ),
    ("docs.jsonl", b'{"text": 5}\n', {}, 'docs.jsonl, line 1: the field "text" is a number, not a string'),
    ("docs.txt.gz", LONG[:60_000], {}, "the gzip stream ends early: 60,000 bytes read"),
    ("docs.txt.gz", LONG[:20_000] + b"\x07" * 30 + LONG[20_030:], {}, "docs.txt.gz: the gzip stream is broken after"),
    ("docs.txt.gz", LONG + b"rubbish", {}, "docs.txt.gz: the gzip stream is broken after"),
    ("docs.txt.gz", b"plain text", {}, "docs.txt.gz is not a gzip file"),
    (
        "docword.x.txt",
        b"3\nfour\n2\n1 1 1\n",
        {},
        'line 2: a bag of words begins with the number of words there, and the line is "four"',
    ),
    ("docword.x.txt", b"3\n", {}, "line 2: a bag of words begins with the number of words there, and the line is empty"),
    (
        "docword.x.txt",
        HEAD + "1 1 1\n1 x 1\n",
        {},
        'line 5: three integers `document word count` are expected, and the line is "1 x 1"',
    ),
    ("docword.x.txt", HEAD + "1 1 1\n1 2\n", {}, "docword.x.txt, line 5: three integers"),
    ("docword.x.txt", HEAD + "1 1 1\n1 2 3 4\n", {}, "docword.x.txt, line 5: three integers"),
    ("docword.x.txt", HEAD + "1 1 1\n1 -2 3\n", {}, "docword.x.txt, line 5: three integers"),
    ("docword.x.txt", HEAD + "1 1 1\n4 1 1\n", {}, "docword.x.txt, line 5: document 4 is not in 1..3"),
    ("docword.x.txt", HEAD + "0 1 1\n1 1 1\n", {}, "docword.x.txt, line 4: document 0 is not in 1..3"),
    ("docword.x.txt", HEAD + "1 1 1\n2 5 1\n", {}, "docword.x.txt, line 5: word 5 is not in 1..4"),
    ("docword.x.txt", HEAD + "1 1 1\n2 0 1\n", {}, "docword.x.txt, line 5: word 0 is not in 1..4"),
    ("docword.x.txt", HEAD + "1 1 1\n2 1 0\n", {}, "docword.x.txt, line 5: the count 0 is not in 1.."),
    ("docword.x.txt", HEAD + "2 1 1\n1 1 1\n", {}, "docword.x.txt, line 5: document 1 comes after a later one"),
    ("docword.x.txt", HEAD + "1 1 1\n", {}, "docword.x.txt, line 3: the header says 2 triples, and the file holds 1"),
    ("docword.x.txt", HEAD + "1 1 1\n2 1 1\n3 1 1", {}, "docword.x.txt, line 3: the header says 2 triples, and the file holds 3"),
    ("docword.x.txt", HEAD, {}, "docword.x.txt holds a header and nothing else"),
]


@pytest.mark.parametrize(("name", "content", "options", "says"), BAD, ids=[says[:60] for *_, says in BAD])
@pytest.mark.parametrize("part_bytes", [1, 1 << 16])
def test_bad_data_is_named(tmp_path: Path, name: str, content: str | bytes, options: dict[str, object], says: str, part_bytes: int) -> None:
    path = write(tmp_path, name, content)
    with pytest.raises(DataError) as caught:
        tokens_of([path], TextOptions(**options), part_bytes)  # type: ignore[arg-type]
    assert says in caught.value.message
    assert caught.value.advice


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("a\nb\nc", "vocab.txt has 3 lines, and the header of"),
        ("a\nb\nc\na\n", 'vocab.txt, line 4: "a" is already on line 1'),
        ("a\n\nb\nc\n", "vocab.txt, line 2: the line is empty"),
        (b"a\nb\n\xff\nc\n", "vocab.txt, line 3: byte 1 of the line is 0xff"),
        ("", "vocab.txt is empty"),
        (None, "vocab.txt: no such file"),
    ],
)
def test_a_bad_vocabulary_is_named(tmp_path: Path, lines: str | bytes | None, says: str) -> None:
    path = write(tmp_path, "docword.x.txt", HEAD + "1 1 1\n2 4 1\n")
    vocabulary = write(tmp_path, "vocab.txt", lines) if lines is not None else str(tmp_path / "vocab.txt")
    with pytest.raises(DataError) as caught:
        tokens_of([path], TextOptions(vocabulary=vocabulary))
    assert says in caught.value.message


def test_bags_with_different_vocabularies_do_not_mix(tmp_path: Path) -> None:
    paths = [write(tmp_path, "docword.a.txt", HEAD + "1 1 1\n2 4 1\n"), write(tmp_path, "docword.b.txt", "1\n5\n1\n1 1 1\n")]
    with pytest.raises(DataError, match=r"docword.b.txt, line 2: 5 words, but .*docword.a.txt has 4"):
        tokens_of(paths)


def test_files_that_are_not_there_or_no_files(tmp_path: Path) -> None:
    for path, says in ((tmp_path / "gone.txt", "no such file"), (tmp_path, "holds no files")):
        with pytest.raises(DataError, match=says):
            tokens_of([str(path)])
    with pytest.raises(UsageError, match="no input file"):
        tokens_of([])
    mixed = [write(tmp_path, "a.txt", "a"), write(tmp_path, "b.csv", "text\nx\n")]
    with pytest.raises(DataError, match=r"looks like txt but .*b.csv like csv"):
        tokens_of(mixed)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"token_pattern": "(["}, "is no regular expression: unterminated"),
        ({"token_pattern": r"(a)(b)"}, "has 2 groups"),
        ({"token_pattern": r"\w*"}, "matches the empty word"),
        ({"min_count": 0}, "--min-count 0"),
        ({"max_doc_share": 0.0}, "--max-doc-share 0"),
        ({"max_doc_share": 1.5}, "--max-doc-share 1.5"),
        ({"text_field": "text"}, "--text-field has no meaning for txt"),
        ({"text_field": "a,,b", "format": "csv"}, "names an empty field"),
        ({"vocabulary": "v.txt", "format": "txt"}, "--vocab belongs to bags of words"),
        ({"format": "xml"}, 'there is no format "xml"'),
    ],
)
def test_bad_options_are_the_users_to_change(tmp_path: Path, options: dict[str, object], says: str) -> None:
    path = write(tmp_path, "docs.txt", "text a\nb c\n")
    with pytest.raises(UsageError) as caught:
        tokens_of([path], TextOptions(**options))  # type: ignore[arg-type]
    assert says in caught.value.message
    assert caught.value.advice


def test_a_missing_file_of_stop_words(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"stop\.txt: no such file"):
        tokens_of([write(tmp_path, "docs.txt", "a")], TextOptions(stop_words=str(tmp_path / "stop.txt")))
