"""Every format of rows: what is read is what stands there, and what is broken is named with its line."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regrow.data.clicks import ClickOptions, Plan, describe_clicks, parse
from regrow.data.clicks.number_kernels import decimal
from regrow.data.clicks.parsed import Parsed
from regrow.data.ingest import ingest
from regrow.errors import DataError, UsageError
from regrow.program import Fixed

Row = tuple[int, list[tuple[str, str, float]]]
Read = Callable[..., tuple[list[Row], list[Parsed]]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Write a file, read it: rows as (label, [(field, value, number)]), and the parts."""

    def reading(name: str, content: str | bytes, *, part_bytes: int | None = None, needs_label: bool = True, **options: Any) -> Any:
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return read_file(tmp_path / name, part_bytes, needs_label, options)

    return reading


def read_file(path: Path, part_bytes: int | None, needs_label: bool, options: dict[str, Any]) -> tuple[list[Row], list[Parsed]]:
    asked = ClickOptions(**options)
    source, _ = describe_clicks([str(path)], asked, needs_label=needs_label)
    parts: list[Any] = []
    ingest(source, lambda _, __, arrays: parts.append(Fixed(arrays)), part_bytes_target=part_bytes)
    plan = Plan.from_json(source.plan)
    found = [parse(part, source.format, plan, needs_label=needs_label, skip=asked.bad_rows == "skip") for part in parts]
    return [row for parsed in found for row in rows_of(parsed)], found


def rows_of(parsed: Parsed) -> list[Row]:
    rows = []
    for r in range(len(parsed.label)):
        cells = []
        for j in range(parsed.row_ptr[r], parsed.row_ptr[r + 1]):
            number = int(parsed.feature[j])
            cells.append((parsed.names[parsed.field[number]], parsed.value_of[number], float(parsed.value[j])))
        rows.append((int(parsed.label[r]), cells))
    return rows


def test_libsvm(read: Read) -> None:
    rows, (parsed,) = read("a.libsvm", "+1 qid:3 1:0.5 007:1 12345678901234:2e-1 # a remark\n\n# nothing\n-1 7:1\r\n0\n")
    assert rows == [
        (1, [("", "1", 0.5), ("", "7", 1.0), ("", "12345678901234", pytest.approx(0.2))]),
        (0, [("", "7", 1.0)]),
        (0, []),
    ]
    assert parsed.counts.tolist() == [1, 2, 1]


def test_libffm(read: Read) -> None:
    rows, _ = read("a.ffm", "1 0:3:1 17:3:0.5\n0 17:3:1\n")
    assert rows == [(1, [("0", "3", 1.0), ("17", "3", 0.5)]), (0, [("17", "3", 1.0)])]


def test_vowpal_wabbit(read: Read) -> None:
    rows, (parsed,) = read("a.vw", "1 2.5 'tag|user:2 name:3 age |item i:1.5 j\n-1 |user name\n1 0.5 tag|user name\n")
    assert rows[0] == (1, [("user", "name", 6.0), ("user", "age", 2.0), ("item", "i", 1.5), ("item", "j", 1.0)])
    assert rows[1:] == [(0, [("user", "name", 1.0)]), (1, [("user", "name", 1.0)])]
    assert parsed.weight.tolist() == [2.5, 1.0, 0.5]
    rows, _ = read("b.vw", "|user name\n", needs_label=False)
    assert rows == [(255, [("user", "name", 1.0)])]


TABLE = 'click,user,tags,age,price\n1,"a ""b"", c",x|y|x,30,100\nno, u2 ,,-1.5,2\n0,"two\nlines",z,0,\n'


def test_csv_with_quotes_several_values_numbers_and_bins(read: Read) -> None:
    rows, (parsed,) = read("a.csv", TABLE, label="click", multi=["tags:|"], numeric=["age"], binned=["price"])
    assert rows == [
        (
            1,
            [
                ("user", 'a "b", c', 1.0),
                ("tags", "x", 1.0),
                ("tags", "y", 1.0),
                ("tags", "x", 1.0),
                ("age", "#", pytest.approx(math.log(31))),
                ("price", ">21", 1.0),
            ],
        ),
        (0, [("user", "u2", 1.0), ("tags", "", 1.0), ("age", "#", pytest.approx(-math.log(2.5))), ("price", "2", 1.0)]),
        (0, [("user", "two\nlines", 1.0), ("tags", "z", 1.0), ("price", "", 1.0)]),
    ]
    assert parsed.missing == 2
    x = next(i for i, value in enumerate(parsed.value_of) if value == "x")
    assert parsed.counts[x] == 1, "a row that has a feature twice is one row"


def test_tsv_and_columns_without_names(read: Read) -> None:
    rows, _ = read("a.tsv", '1\tx\t"q"\n0\ty\tz\n', label="1", header="no")
    assert rows == [(1, [("2", "x", 1.0), ("3", '"q"', 1.0)]), (0, [("2", "y", 1.0), ("3", "z", 1.0)])]


def test_criteo_as_it_is(read: Read) -> None:
    line = ["1", *map(str, range(-1, 12)), *[f"{i:08x}" for i in range(25)], ""]
    rows, (parsed,) = read("day_0", "\t".join(line) + "\n")
    cells = {field: value for field, value, _ in rows[0][1]}
    assert len(cells) == 39
    assert (cells["I1"], cells["I4"], cells["I5"], cells["I13"]) == ("-1", "2", ">1", ">5")
    assert (cells["C1"], cells["C26"]) == ("00000000", "")
    assert parsed.missing == 1


def test_parquet_is_read_as_the_same_table(tmp_path: Path, read: Read) -> None:
    columns = {
        "click": [True, False, False],
        "user": ["a", None, "b"],
        "age": [1, 2, 3],
        "tags": pa.array([["x", "y"], [], None], pa.list_(pa.string())),
        "kind": pa.array(["k", "k", "l"]).dictionary_encode(),
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    rows, _ = read_file(tmp_path / "a.parquet", None, True, {"label": "click"})
    assert rows == [
        (1, [("user", "a", 1.0), ("age", "1", 1.0), ("tags", "x", 1.0), ("tags", "y", 1.0), ("kind", "k", 1.0)]),
        (0, [("user", "", 1.0), ("age", "2", 1.0), ("tags", "", 1.0), ("kind", "k", 1.0)]),
        (0, [("user", "b", 1.0), ("age", "3", 1.0), ("tags", "", 1.0), ("kind", "l", 1.0)]),
    ]
    (tmp_path / "b.parquet").write_bytes(b"PAR1 and nothing")
    with pytest.raises(DataError, match=r"b\.parquet is no parquet file"):
        read_file(tmp_path / "b.parquet", None, True, {"label": "click"})
    with pytest.raises(DataError, match="row 2: the label is"):
        read_file(_broken_parquet(tmp_path), None, True, {"label": "y"})


def _broken_parquet(folder: Path) -> Path:
    pq.write_table(pa.table({"y": ["1", "maybe"], "a": ["b", "c"]}), folder / "broken.parquet")
    return folder / "broken.parquet"


def test_rows_are_the_same_however_files_are_cut(read: Read) -> None:
    text = "y,a,b\n" + "".join(f"{i % 2},v{i % 50},{'w' * (i % 7)}\n" for i in range(3_000))
    whole, (one,) = read("a.csv", text, label="y")
    cut, many = read("a.csv", text, label="y", part_bytes=1_000)
    assert cut == whole
    assert len(many) > 10
    assert len(one.counts) == 57


BROKEN = [
    ("a.libsvm", "1 1:1\nmaybe 1:1\n", {}, 'line 2: the label is "maybe"'),
    ("a.libsvm", "1 1:1\n\n3 1:1\n", {}, 'line 3: the label is "3"'),
    ("a.libsvm", "1 1:1\n1 a:1\n", {}, 'line 2: "a:1" is no feature: expected id:value'),
    ("a.libsvm", "1 1:1\n1 1:x\n", {}, 'line 2: "x" is no number'),
    ("a.libsvm", "1 1:1\n1 1:nan\n", {}, 'line 2: "nan" is no number'),
    ("a.libsvm", "1 1:1\n1:1 2:1\n", {}, "line 2: there is no label"),
    ("a.ffm", "1 1:1:1\n1 1:1\n", {}, "line 2: .* is no feature: expected field:id:value"),
    ("a.ffm", "1 70000:1:1\n", {}, "line 1: .* is no feature"),
    ("a.vw", "1 |a b\n|a b\n", {}, "line 2: there is no label"),
    ("a.vw", "1 |a b\n1 |a b:x\n", {}, 'line 2: "x" is no number'),
    ("a.vw", "1 |a b\n1 -2 |a b\n", {}, 'line 2: the weight is "-2"'),
    ("a.vw", "1 |a :2\n", {}, "line 1: .* is no feature"),
    ("a.csv", "y,a\n1,b\n1\n", {"label": "y"}, "line 3: 1 field, and the first line has 2"),
    ("a.csv", "y,a\n1,b\n1,b,c\n", {"label": "y"}, "line 3: 3 fields, and the first line has 2"),
    ("a.csv", 'y,a\n1,"b\nb"\nperhaps,b\n', {"label": "y"}, 'line 4: the label is "perhaps"'),
    ("a.csv", 'y,a\n1,"b\n', {"label": "y"}, "line 2: a quote is opened and never closed"),
    ("a.csv", "y,a\n,b\n", {"label": "y"}, "line 2: there is no label"),
    ("a.csv", "y,a,w\n1,b,2\n1,b,-2\n", {"label": "y", "weight": "w"}, 'line 3: the weight is "-2"'),
    ("a.csv", "y,a\n1,2\n1,two\n", {"label": "y", "numeric": ["a"]}, 'line 3: "two" is no number, and its column was said to be numeric'),
]


@pytest.mark.parametrize(("name", "text", "options", "said"), BROKEN, ids=lambda value: value if isinstance(value, str) else "")
def test_a_broken_row_is_named_with_its_line_or_left_out(read: Read, name: str, text: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said) as error:
        read(name, text, **options)
    assert name in str(error.value)
    assert error.value.advice
    rows, parts = read(name, text, bad_rows="skip", **options)
    assert sum(len(parsed.broken) for parsed in parts) == 1
    assert all(label in (0, 1) for label, _ in rows)


def test_options_that_do_not_fit_are_refused(read: Read) -> None:
    for options, said in (
        ({"features": ["a"]}, "no columns"),
        ({"label": "y"}, "no columns"),
        ({"label": "=x"}, "labels of libsvm files are numbers"),
        ({"time": "t"}, "no columns"),
        ({"format": "xlsx"}, "--format is one of"),
        ({"min_count": 0}, "--min-count"),
        ({"admit": 2.0}, "--admit"),
        ({"hash_bits": 60}, "--hash-bits"),
        ({"since": "x"}, "--time"),
    ):
        with pytest.raises(UsageError, match=said):
            read("a.libsvm", "1 1:1\n", **options)
    for options, said in (
        ({"label": "y", "multi": ["a:ab"]}, "one character"),
        ({"label": "y", "cross": ["ab"]}, "--cross NAME:COLUMN"),
        ({"label": "y", "features": ["a", "a"]}, "twice"),
    ):
        with pytest.raises(UsageError, match=said):
            read("a.csv", "y,a,b\n1,b,c\n", **options)
    with pytest.raises(DataError, match='two columns are called "a"'):
        read("a.csv", "y,a,a\n1,b,c\n", label="y")
    with pytest.raises(DataError, match='no column "z"'):
        read("a.csv", "y,a,b\n1,b,c\n", label="y", cross=["ab:a,z"])


def test_a_positive_label_can_be_named(read: Read) -> None:
    rows, _ = read("a.csv", "y,a\nK,b\nOUT,b\n", label="y=K")
    assert [label for label, _ in rows] == [1, 0]
    rows, _ = read("a.libsvm", "3 1:1\n2 1:1\n", label="=3")
    assert [label for label, _ in rows] == [1, 0]


def test_many_features_and_fields_find_room(read: Read) -> None:
    lines = "".join(f"1 {i % 300}:{i}:1 {i % 299}:{i + 1}:1\n" for i in range(20_000))
    rows, (parsed,) = read("a.ffm", lines, part_bytes=1 << 24)
    assert rows[12_345] == (1, [(str(12_345 % 300), "12345", 1.0), (str(12_345 % 299), "12346", 1.0)])
    assert len(set(zip(parsed.field.tolist(), parsed.value_of, strict=True))) == len(parsed.counts)
    assert parsed.counts.sum() == 40_000


def test_a_row_may_be_longer_than_the_room_for_one(read: Read) -> None:
    values, long = "|".join(map(str, range(20_000))), "b" * 70_000
    rows, (parsed,) = read("a.tsv", f"y\ta\tb\n1\t{values}\t{long}\n0\t7\tb\n", label="y", multi=["a:|"], cross=["c:a,b"])
    assert [value for _, value, _ in rows[0][1]] == [*values.split("|"), long, f"{values}\x1f{long}"]
    assert rows[1] == (0, [("a", "7", 1.0), ("b", "b", 1.0), ("c", "7\x1fb", 1.0)])
    assert parsed.counts[7] == 2


@settings(deadline=None)  # the first compiles
@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_numbers_are_read_as_python_reads_them(number: float) -> None:
    for text in (repr(number), f"{number:.9g}", f"{number:e}"):
        data = np.frombuffer(text.encode(), np.uint8)
        value, fine = decimal(data, 0, len(data))
        assert fine
        assert value == pytest.approx(float(text), rel=1e-15, abs=0)


@pytest.mark.parametrize("text", ["", "-", ".", "1e", "1.2.3", "0x1", "nan", "inf", "1e999", " 1", "1_0"])
def test_what_is_no_number_is_none(text: str) -> None:
    data = np.frombuffer(text.encode(), np.uint8)
    assert not decimal(data, 0, len(data))[1]
