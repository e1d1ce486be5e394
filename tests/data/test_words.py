"""The tokeniser against its slow twin: a regular expression."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regrow.data.records import Documents
from regrow.data.text import count_words
from regrow.data.unicode import RUN, character_classes
from regrow.data.vocabulary import WordSet, by_count, taken
from regrow.data.word_kernels import map_stream
from regrow.packed import Strings, strings

SCRIPTS = (
    "CJK UNIFIED", "CJK COMPATIBILITY IDEOGRAPH", "IDEOGRAPHIC ITERATION", "IDEOGRAPHIC CLOSING", "IDEOGRAPHIC NUMBER", "HANGZHOU", "MASU",
    "VERTICAL KANA", "VERTICAL IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "HENTAIGANA", "HALFWIDTH KATAKANA", "THAI", "LAO", "MYANMAR", "KHMER",
    "TAI", "NEW TAI", "BALINESE", "JAVANESE",
)  # fmt: skip


def without_spaces(c: str) -> bool:
    """Whether a letter is of a script that is written without spaces, by its name; digits make numbers everywhere."""
    return unicodedata.name(c, "").startswith(SCRIPTS) and unicodedata.category(c) != "Nd"


def twin(text: str, lower: bool, segment: str = "auto") -> list[str]:
    """A run of letters, digits and marks, with apostrophes inside; characters and pairs where there are no spaces."""
    kinds = {"L": "l", "N": "l", "M": "m"}
    classes = ""
    for c in text:
        kind = kinds.get(unicodedata.category(c)[0], "'" if c in "'’" else " ")
        run = segment != "none" and kind == "l" and without_spaces(c)
        classes += "r" if run else kind
    words = []
    for m in re.finditer(r"r[rm]*|l[lm]*(?:'l[lm]*)*", classes):
        word = text[m.start() : m.end()].replace("’", "'")
        words += of_run(word, classes[m.start() : m.end()], segment) if m[0][0] == "r" else [word]
    return ["".join(c.lower() for c in word) for word in words] if lower else words


def of_run(run: str, classes: str, segment: str) -> list[str]:
    characters = [run[m.start() : m.end()] for m in re.finditer("rm*", classes)]
    pairs = [a + b for a, b in itertools.pairwise(characters)]
    if segment == "characters" or not pairs:
        return characters
    if segment == "bigrams":
        return pairs
    return [word for both in zip(characters, [*pairs, ""], strict=True) for word in both if word]


def cut(
    texts: list[str], lower: bool = True, pattern: str | None = None, segment: str = "auto", given: bool = False
) -> tuple[list[list[str]], Counter[str], Counter[str]]:
    encoded = [text.encode() for text in texts]
    ends = np.cumsum([len(text) for text in encoded], dtype=np.int64)
    starts = ends - np.array([len(text) for text in encoded], np.int64)
    found = Documents(np.frombuffer(b"".join(encoded), np.uint8), starts, ends, 1, words_given=given)
    stream, doc_ptr, words, counts, shares = count_words(found, lower, pattern, segment)
    names = list(words)
    documents = [[names[w] for w in stream[a:b]] for a, b in itertools.pairwise(doc_ptr)]
    return documents, Counter(dict(zip(names, counts.tolist(), strict=True))), Counter(dict(zip(names, shares.tolist(), strict=True)))


LETTERS = st.sampled_from("abzABZ09 _-.'’éÉßñłŁ\u0301\u0308жЖאश्रี漢字ひらカタ々𠀀ΩωȺ̈İ𐐀🙂\n\t") | st.characters(
    exclude_categories=["Cs"], exclude_characters="Σ"
)


@settings(deadline=None)
@given(
    st.lists(st.text(LETTERS, max_size=40), min_size=1, max_size=6),
    st.booleans(),
    st.sampled_from(["auto", "characters", "bigrams", "none"]),
)
def test_words_are_those_of_the_slow_twin(texts: list[str], lower: bool, segment: str) -> None:
    documents, counts, shares = cut(texts, lower, None, segment)
    assert documents == [twin(text, lower, segment) for text in texts]
    assert counts == Counter(word for words in documents for word in words)
    assert shares == Counter(word for words in documents for word in set(words))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't stop: l’État, 'quoted' rock'n'roll''s", ["don't", "stop", "l'état", "quoted", "rock'n'roll", "s"]),
        ("snake_case state-of-the-art 3.14 x2", ["snake", "case", "state", "of", "the", "art", "3", "14", "x2"]),
        ("ΟΔΟΣ ΣΑΣ Σ σ ΣΣ", ["οδος", "σας", "σ", "σ", "σς"]),
        ("İstanbul naïve cafe\u0301", ["i\u0307stanbul", "naïve", "cafe\u0301"]),
        ("हिन्दी العَرَبيّة", ["हिन्दी", "العَرَبيّة"]),
        ("", []),
        ("' ’ \u0301 ...", []),
    ],
)
def test_words_of_many_scripts_stay_whole(text: str, words: list[str]) -> None:
    assert cut([text])[0] == [words]


def test_the_scripts_without_spaces_are_found_by_their_names() -> None:
    table = character_classes()
    letters = [c for c in range(0xFFFFF) if unicodedata.category(chr(c))[0] in "LN"]
    assert [hex(c) for c in letters if (table[c] == RUN) != without_spaces(chr(c))] == []
    assert {unicodedata.category(chr(c))[0] for c in np.flatnonzero(table == RUN)} <= {"L", "N"}


WORDS_GIVEN = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12), max_size=9)


@settings(deadline=None)
@given(st.lists(WORDS_GIVEN, min_size=1, max_size=6), st.booleans())
def test_words_that_are_given_are_taken_as_they_are(documents: list[list[str]], lower: bool) -> None:
    found, counts, shares = cut(["\0".join(words) for words in documents], lower, r"\w", "characters", given=True)
    assert found == documents
    assert counts == Counter(word for words in documents for word in words)
    assert shares == Counter(word for words in documents for word in set(words))


def test_a_text_with_more_distinct_words_than_any_table_begins_with() -> None:
    texts = [" ".join(f"w{i * i}x{i}" for i in range(k * 3000, (k + 2) * 3000)) for k in range(4)]
    documents, counts, _ = cut(texts)
    assert documents == [text.split() for text in texts]
    assert len(counts) == 15_000


def test_a_pattern_of_the_user_decides_what_a_word_is() -> None:
    documents, counts, shares = cut(["a-b C-d a-b", "", "a-b"], pattern=r"\w-\w")
    assert documents == [["a-b", "c-d", "a-b"], [], ["a-b"]]
    assert counts == {"a-b": 3, "c-d": 1}
    assert shares == {"a-b": 2, "c-d": 1}
    assert cut(["x=1 Y=2"], lower=False, pattern=r"(\w)=")[0] == [["x", "Y"]]


@settings(deadline=None)
@given(st.lists(st.lists(st.text(max_size=12), max_size=20), max_size=5))
def test_a_set_of_words_numbers_them_as_a_dictionary_does(lists: list[list[str]]) -> None:
    lists = [[word.encode("utf-8", "replace").decode() for word in words] for words in lists]
    numbers: dict[str, int] = {}
    known = WordSet()
    for words in lists:
        assert known.add(strings(words)).tolist() == [numbers.setdefault(word, len(numbers)) for word in words]
    assert list(known.words()) == list(numbers)


def test_a_vocabulary_descends_by_count_and_ties_go_by_bytes() -> None:
    words, counts = strings(["b", "é", "z", "a", "zz", "𐐀", "ﬀ"]), np.array([1, 1, 7, 1, 3, 1, 1])
    order = by_count(words, counts)
    assert list(taken(words, order)) == ["z", "zz", "a", "b", "é", "ﬀ", "𐐀"]
    sliced = Strings(words.offsets[2:], words.utf8)
    assert list(taken(sliced, np.array([1, 0]))) == ["a", "z"]


@settings(deadline=None)
@given(st.lists(st.tuples(st.text("ab\u00e9", max_size=30), st.integers(1, 3)), unique_by=lambda pair: pair[0]))
def test_the_order_of_a_vocabulary_is_that_of_the_slow_twin(pairs: list[tuple[str, int]]) -> None:
    order = by_count(strings(word for word, _ in pairs), np.array([count for _, count in pairs], np.int64))
    assert [pairs[i] for i in order] == sorted(pairs, key=lambda pair: (-pair[1], pair[0].encode()))


def test_dropped_tokens_leave_their_documents() -> None:
    stream, pointers = np.array([0, 1, 2, 1, 1], np.int32), np.array([0, 2, 2, 4, 5])
    words, moved = map_stream(stream, pointers, np.array([5, -1, 3], np.int32))
    assert words.tolist() == [5, 3]
    assert moved.tolist() == [0, 1, 1, 2, 2]
