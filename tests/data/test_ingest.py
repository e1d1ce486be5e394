"""Files of every format become the same documents, however they are stored and wherever they are cut."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from pathlib import Path

import numpy as np
import pytest

from data.preparing import documents_of, parts_of, tokens_of, write
from regrow.data import Source, SourceFile, TextOptions, content_digest, describe, ingest, part_bytes
from regrow.data.records import documents
from regrow.errors import UsageError
from regrow.program import Fixed

TEXTS = ["Plain words", 'quotes "inside" and, commas', "two\nlines\r\nof text", "naïve 漢字 ’round", "tab\tbed", "", '"', "last one"]


def texts_of(paths: list[str], options: TextOptions | None = None, part_bytes: int | None = None) -> list[str]:
    source = describe(paths, options)
    return [
        text
        for part in parts_of(paths, options, part_bytes)[0]["text"]
        for text in documents(Fixed(part), source.format, source.text_fields).texts()
    ]


def as_csv(texts: list[str], end: str = "\r\n") -> str:
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator=end)
    writer.writerow(["id", "text", "more"])
    writer.writerows([str(i), text, "x,y" if i % 2 else "z"] for i, text in enumerate(texts))
    return file.getvalue()


@pytest.mark.parametrize("part", [1, 7, 30, 1000])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_with_quoted_newlines_stays_whole_across_parts(tmp_path: Path, part: int, end: str) -> None:
    path = write(tmp_path, "docs.csv", as_csv(TEXTS, end))
    assert texts_of([path], None, part) == TEXTS
    assert texts_of([path], TextOptions(text_field="more,text"), part) == [
        ("x,y " if i % 2 else "z ") + text for i, text in enumerate(TEXTS)
    ]


@pytest.mark.parametrize("seed", range(20))
def test_csv_is_read_as_python_reads_it(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    rows = ["".join(draw.choice(["a", "b", ",", '"', "\n", " ", "é"]) for _ in range(draw.randrange(12))) for _ in range(40)]
    path = write(tmp_path, "docs.csv", as_csv(rows))
    assert texts_of([path], None, draw.randrange(1, 200)) == rows


def test_stray_quotes_inside_a_csv_field_are_only_characters(tmp_path: Path) -> None:
    path = write(tmp_path, "docs.csv", 'id,text\n1,5" pipe\n2,"a\nb"\n3,a "b" c\n')
    assert texts_of([path], None, 1) == ['5" pipe', "a\nb", 'a "b" c']


def test_tsv_has_no_quoting(tmp_path: Path) -> None:
    path = write(tmp_path, "docs.tsv", 'id\ttext\tx\r\n1\t"open\t2\r\n\r\n2\tb"c\t3\r\n3\t\t')
    assert texts_of([path], None, 1) == ['"open', 'b"c', ""]
    assert texts_of([path], TextOptions(text_field="x, text")) == ['2 "open', '3 b"c', " "]


def test_jsonl_gives_the_named_field(tmp_path: Path) -> None:
    path = write(
        tmp_path, "docs.jsonl", "".join(json.dumps({"id": i, "text": text, "more": {}}) + "\n" for i, text in enumerate(TEXTS)) + "\n"
    )
    for part in (1, 50, 1000):
        assert texts_of([path], None, part) == TEXTS
    lone = write(tmp_path, "lone.jsonl", '{"text": "a \\ud800 b"}')
    assert documents_of(tokens_of([lone])) == [["a", "b"]]


@pytest.mark.parametrize("name", ["docs.txt", "docs.tsv", "docs.csv", "docs.jsonl"])
def test_gzip_byte_order_mark_line_ends_and_the_last_newline_change_nothing(tmp_path: Path, name: str) -> None:
    texts = ["one two", "three naïve", "", "four four", "漢字 five"]
    lines = {
        "docs.txt": texts,
        "docs.tsv": ["id\ttext", *(f"{i}\t{text}" for i, text in enumerate(texts))],
        "docs.csv": ["id,text", *(f'{i},"{text}"' for i, text in enumerate(texts))],
        "docs.jsonl": [json.dumps({"text": text}) for text in texts],
    }[name]
    plain = "\n".join(lines) + "\n"
    forms = {
        "plain": plain.encode(),
        "crlf": plain.replace("\n", "\r\n").encode(),
        "bom": b"\xef\xbb\xbf" + plain.encode(),
        "open": plain[:-1].encode(),
    }
    forms["gz"] = gzip.compress(plain.encode())
    forms["members"] = gzip.compress(plain[:9].encode()) + gzip.compress(plain[9:].encode()) + b"\0" * 7
    expected = [["one", "two"], ["three", "naïve"], [], ["four", "four"], ["漢", "字", "five"]]
    for form, content in forms.items():
        (tmp_path / form).mkdir()
        path = write(tmp_path / form, name + (".gz" if form in ("gz", "members") else ""), content)
        for part in (1, 20, 4000):
            assert documents_of(tokens_of([path], TextOptions(segment="characters"), part)) == expected, form


def test_files_are_read_in_the_order_of_their_names_and_never_share_a_part(tmp_path: Path) -> None:
    paths = [write(tmp_path, f"{name}.txt", f"{name} one\n{name} two\n") for name in ("b", "a", "c")]
    layouts, facts = parts_of(paths)
    assert [part["file"][0] for part in layouts["text"]] == sorted(paths)
    assert [part["source"].tolist() for part in layouts["text"]] == [[0, 1], [1, 1], [2, 1]]
    assert facts.parts == 3
    assert facts.lines == 6
    assert facts.digest == content_digest(paths) == content_digest(paths[::-1])
    (tmp_path / "b.txt").write_text("b one\nb 2wo\n")
    assert facts.digest != content_digest(paths)


def test_parts_know_their_first_line(tmp_path: Path) -> None:
    path = write(tmp_path, "docs.csv", 'id,"te\nxt"\n1,a\n2,"b\nb"\n3,c\n')
    layouts, facts = parts_of([path], TextOptions(text_field="te\nxt"), 1)
    assert [part["source"].tolist() for part in layouts["text"]] == [[0, 3], [0, 4], [0, 6]]
    assert facts.lines == 4


def test_a_description_goes_through_json(tmp_path: Path) -> None:
    source = describe([write(tmp_path, "docs.csv", as_csv(TEXTS))], TextOptions(text_field="text,more"))
    assert source.files[0].columns == (1, 2)
    assert Source.from_json(json.loads(json.dumps(source.to_json()))) == source


@pytest.mark.parametrize(
    ("name", "content", "format"),
    [("a.ndjson", '{"text": 1}', "jsonl"), ("README.md", "# x\n", "txt"), ("records", '{"text": "x"}\n', "jsonl"),
     ("x.txt", "1\n2\n3\n", "txt"),     ("x.txt", "3\n9\n2\n1 2 3\n", "bag"), ("a.tab.gz", gzip.compress(b"text\nx\n", mtime=0), "tsv"),
     ("list.txt", '{"a": 1}', "txt")],
)  # fmt: skip
def test_the_format_is_seen(tmp_path: Path, name: str, content: str | bytes, format: str) -> None:
    assert describe([write(tmp_path, name, content)]).format == format


@pytest.mark.parametrize(
    ("size", "gzipped", "expected"),
    [(10, False, 1 << 18), (1 << 26, False, 1 << 20), (1 << 26, True, 1 << 22), (1 << 31, False, 1 << 23), (1 << 40, True, 1 << 26)],
)
def test_part_sizes_come_from_the_size_of_the_files(size: int, gzipped: bool, expected: int) -> None:
    assert part_bytes(Source("txt", (SourceFile("x", size, gzipped),))) == expected


BAG = "5\n4\n6\n1 1 2\n1 3 1\n3 2 1\n3 1 1\n3 4 3\n4 1 1\n"


@pytest.mark.parametrize("part", [1, 9, 1000])
@pytest.mark.parametrize("content", [BAG, BAG.replace("\n", "\r\n"), BAG[:-1], BAG + "\n\n", BAG.replace(" ", "\t")])
def test_bags_of_words_keep_their_numbers_and_their_empty_documents(tmp_path: Path, part: int, content: str) -> None:
    path, vocabulary = write(tmp_path, "docword.x.txt", content), write(tmp_path, "vocab.txt", "apple\npear\nfig\nplum")
    tokens = tokens_of([path], TextOptions(vocabulary=vocabulary), part)
    expected = [["apple", "apple", "fig"], [], ["pear", "apple", "plum", "plum", "plum"], ["apple"], []]
    assert documents_of(tokens) == expected
    assert tokens["vocabulary"][0]["counts"].tolist() == [4, 1, 1, 3]
    assert tokens["vocabulary"][0]["documents"].tolist() == [3, 1, 1, 1]
    assert tokens.metrics == {"tokens": 9, "documents": 5, "empty_documents": 2, "words": 4, "dropped_tokens": 0, "dropped_words": 0}
    assert list(tokens_of([path], None, part)["vocabulary"][0]["words"]) == ["1", "2", "3", "4"]


def test_filters_leave_the_numbers_of_a_bag_as_they_are(tmp_path: Path) -> None:
    path, vocabulary = write(tmp_path, "docword.x.txt", BAG), write(tmp_path, "vocab.txt", "apple\npear\nfig\nplum\n")
    stop = write(tmp_path, "stop.txt", "FIG quince")
    tokens = tokens_of([path], TextOptions(vocabulary=vocabulary, stop_words=stop, max_doc_share=0.9), 1)
    assert documents_of(tokens) == [[], [], ["pear", "plum", "plum", "plum"], [], []]
    assert tokens["vocabulary"][0]["counts"].tolist() == [0, 1, 0, 3]
    assert tokens.metrics["dropped_words"] == 2
    assert documents_of(tokens_of([path], TextOptions(min_count=3)))[2] == ["1", "4", "4", "4"]


def test_several_bags_follow_each_other(tmp_path: Path) -> None:
    paths = [write(tmp_path, f"docword.{name}.txt", BAG) for name in "ab"]
    assert len(documents_of(tokens_of(paths, None, 5))) == 10


def test_filters_of_text(tmp_path: Path) -> None:
    path = write(tmp_path, "docs.txt", "the Cat sat\nthe cat\nthe dog's\nthe\n\nrare\n")
    assert documents_of(tokens_of([path]))[0] == ["the", "cat", "sat"]
    assert documents_of(tokens_of([path], TextOptions(stop_words="english"))) == [["cat", "sat"], ["cat"], ["dog's"], [], [], ["rare"]]
    assert documents_of(tokens_of([path], TextOptions(min_count=2)))[0] == ["the", "cat"]
    assert documents_of(tokens_of([path], TextOptions(max_doc_share=0.5)))[0] == ["cat", "sat"]
    assert documents_of(tokens_of([path], TextOptions(lower=False)))[0] == ["the", "Cat", "sat"]
    metrics = tokens_of([path], TextOptions(min_count=2), 5).metrics
    assert metrics == {"tokens": 6, "documents": 6, "empty_documents": 2, "words": 2, "dropped_tokens": 3, "dropped_words": 3}


def test_rare_words_are_kept_unless_someone_says_otherwise(tmp_path: Path) -> None:
    tokens = tokens_of([write(tmp_path, "docs.txt", "tail tail head head head once")])
    assert list(tokens["vocabulary"][0]["words"]) == ["head", "tail", "once"]
    assert tokens["vocabulary"][0]["counts"].dtype == np.int64


def test_progress_counts_the_bytes_on_disk(tmp_path: Path) -> None:
    paths = [write(tmp_path, "a.txt.gz", gzip.compress(b"a b\n" * 999)), write(tmp_path, "b.txt", "b\n")]
    source, seen = describe(paths), []
    ingest(source, lambda *_: None, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (source.bytes, source.bytes)


def test_a_file_named_twice_is_a_slip(tmp_path: Path) -> None:
    path = write(tmp_path, "a.txt", "a")
    with pytest.raises(UsageError, match="named twice"):
        describe([path, path])
