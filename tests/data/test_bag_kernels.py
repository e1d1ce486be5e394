"""Kernels of bags against slow twins."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regrow.data import bag_kernels as kernels
from regrow.data import matrix_kernels
from regrow.data.bag_kernels import COUNT, COUNT_MAX, FINE, FORM, FRACTION
from regrow.packed import Strings

NUMBERS = st.from_regex(r"\A[-+]?[0-9]{0,30}\.?[0-9]{0,30}([eE][-+]?[0-9]{1,3})?\Z")


def twin(written: str) -> tuple[int, int]:
    try:
        value = Decimal(written)
    except InvalidOperation:
        return 0, FORM
    if value <= 0 or written.startswith("-"):
        return 0, COUNT
    if value > COUNT_MAX and value != value.to_integral_value():
        return 0, -1  # either is true
    if value > COUNT_MAX:
        return 0, COUNT
    return (int(value), FINE) if value == value.to_integral_value() else (0, FRACTION)


@settings(deadline=None, max_examples=400)
@given(NUMBERS | st.integers(-9, 2**33).map(str) | st.floats(0.001, 2**33).map(repr) | st.integers(1, 2**31).map(lambda n: f"{n:.20e}"))
def test_a_count_is_read_as_the_decimal_that_it_is(written: str) -> None:
    text = np.frombuffer(b" " + written.encode() + b" ", np.uint8)
    found, expected = kernels.whole(text, 1, len(text) - 1), twin(written)
    assert found == expected or (expected == (0, -1) and found in ((0, COUNT), (0, FRACTION)))


@pytest.mark.parametrize(
    "written", ["", ".", "+", "-", "e5", "1e", "1e+", "1..2", "1.2.3", "nan", "inf", "1_000", "0x1", "1,5", "--1", "1-"]
)
def test_what_is_no_number_is_told_from_one(written: str) -> None:
    text = np.frombuffer((written + " ").encode(), np.uint8)
    assert kernels.whole(text, 0, len(written)) == (0, FORM)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1), st.integers(0, 1200))
def test_numbers_are_spelled_as_python_spells_them(first: int, size: int) -> None:
    assert list(Strings(*kernels.decimals(first, size))) == [str(number) for number in range(first, first + size)]


@pytest.mark.parametrize(
    ("text", "found"),
    [("1 0:1", True), ("1\t00:1", True), ("0:1", True), ("1 1:1\n0:2", True), ("1 10:1 2:0", False), ("1 1:1 # 0:1\n", False),
     ("# 0:1\n1 0:1", True), ("0\n", False), ("qid:0 1:1", False), ("", False)],
)  # fmt: skip
def test_the_id_0_is_found_outside_of_comments(text: str, found: bool) -> None:
    assert kernels.has_zero(np.frombuffer(text.encode(), np.uint8)) == found


Rows = list[list[tuple[int, int]]]
BLANKS = st.sampled_from([" ", "  ", "\t", " \t "])
ENDS = st.sampled_from(["\n", "\r\n", " \n", "\n\n", "\n \n"])
ROWS = st.lists(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 4)), max_size=5), max_size=8)


@settings(deadline=None, max_examples=200)
@given(ROWS, BLANKS, ENDS, st.booleans(), st.integers(0, 1))
def test_lines_of_pairs_are_tokens_whatever_is_between_them(rows: Rows, blank: str, end: str, counted: bool, base: int) -> None:
    lines = [blank.join([str(len(row) if counted else "-1.5"), *(f"{w + base}:{n}" for w, n in row)]) for row in rows]
    text = np.frombuffer(end.join(lines).encode(), np.uint8)
    stream, pointers, kind, *_ = kernels.pairs(text, counted, base, 41)
    assert kind == FINE
    assert [part.tolist() for part in np.split(stream, pointers[1:-1])][: len(rows)] == [
        [w for w, n in row for _ in range(n)] for row in rows
    ]
    assert len(pointers) == len(rows) + 1


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 9), st.integers(1, 4)), max_size=20), BLANKS, ENDS)
def test_entries_are_put_where_they_belong(triples: list[tuple[int, int, int]], blank: str, end: str) -> None:
    text = np.frombuffer(end.join(blank.join(map(str, (d + 1, w + 1, n))) for d, w, n in triples).encode(), np.uint8)
    documents, words, counts, kind, *_ = matrix_kernels.entries(text, 3, 7, 10)
    assert kind == FINE
    assert list(zip(documents.tolist(), words.tolist(), counts.tolist(), strict=True)) == triples
    down, last = matrix_kernels.descends(text, 0)
    assert down == (sorted(documents.tolist()) != documents.tolist())
    assert down or last == (triples[-1][0] + 1 if triples else 0)
    expected = sorted(triples, key=lambda triple: triple[0])
    ends = np.searchsorted([d for d, _, _ in expected], np.arange(8))
    places, its_words, its_counts = ends[:-1].copy(), np.empty(len(triples), np.int32), np.empty(len(triples), np.int32)
    matrix_kernels.placed(documents, words, counts, 0, 7, places, its_words, its_counts)
    assert its_words.tolist() == [w for _, w, _ in expected]
    assert its_counts.tolist() == [n for _, _, n in expected]
    assert places.tolist() == ends[1:].tolist()
