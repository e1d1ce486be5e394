"""Documents under a known vocabulary, against a slow twin of dictionaries."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.preparing import parts_of, write
from regrow.data import TextOptions, describe
from regrow.data.formats.facts import Documents
from regrow.data.known import DROPPED, UNKNOWN, KnownDocuments, Reading, known_documents, lexicon, names
from regrow.packed import strings
from regrow.program import Fixed

WORDS = st.sampled_from(["a", "b", "it's", "naïve", "漢", "tail", "x1", "a-very-long-word-of-more-than-one-line".replace("-", "")])


def known(path: str, model: list[str], dropped: list[str], options: TextOptions | None = None, part_bytes: int | None = None) -> list[Any]:
    """(words or numbers, hash) of each document."""
    layouts, _ = parts_of([path], options, part_bytes)
    source = describe([path], options)
    table = lexicon(strings(model), strings(dropped))
    more: dict[str, Any] = names(layouts["words"][0]["words"], table) if "words" in layouts else {}
    found = [known_documents(Fixed(part), Reading(source.format, source.text_fields), table, **more) for part in layouts["text"]]
    return list(itertools.chain.from_iterable(documents_of(documents) for documents in found))


def documents_of(found: KnownDocuments) -> list[tuple[list[int], int]]:
    assert found.words.dtype == np.int32
    assert found.texts_sha.dtype == np.uint64
    cut = [found.words[start:end].tolist() for start, end in itertools.pairwise(found.doc_ptr)]
    return list(zip(cut, found.texts_sha.tolist(), strict=True))


def twin(words: list[str], model: list[str], dropped: list[str]) -> list[int]:
    return [model.index(word) if word in model else UNKNOWN for word in words if word not in dropped]


def sha(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None, max_examples=60)
@given(
    st.lists(st.lists(WORDS, max_size=9), min_size=1, max_size=9).filter(any),
    st.lists(WORDS, unique=True),
    st.lists(WORDS, unique=True),
    st.integers(1, 90),
)
def test_words_are_those_of_the_model_for_any_size_of_parts(
    tmp_path: Path, documents: list[list[str]], model: list[str], dropped: list[str], part_bytes: int
) -> None:
    path = write(tmp_path, "new.txt", "".join(" ".join(words) + "\n" for words in documents))
    expected = [(twin(words, model, dropped), sha(" ".join(words))) for words in documents]
    assert known(path, model, dropped, None, part_bytes) == expected


@settings(deadline=None)
@given(st.lists(st.text(max_size=20), unique=True), st.lists(st.text(max_size=20), unique=True), st.lists(st.text(max_size=20)))
def test_a_lexicon_finds_what_a_dictionary_finds(words: list[str], dropped: list[str], asked: list[str]) -> None:
    words, dropped, asked = ([word.encode("utf-8", "replace").decode() for word in each] for each in (words, dropped, asked))
    numbers = {word: number for number, word in reversed(list(enumerate(words)))} | dict.fromkeys(dropped, DROPPED)
    table = lexicon(strings(words), strings(dropped))
    assert all(name.startswith("lexicon_") for name in table)
    asked += words[:5] + dropped[:5]
    assert names(strings(asked), table)["numbers"].tolist() == [numbers.get(word, UNKNOWN) for word in asked]


def test_the_text_of_a_record_is_its_fields_joined_by_a_space(tmp_path: Path) -> None:
    options = TextOptions(text_field="title,body")
    content = 'id,title,body\n7,"a ""b""",c\n8,,a\n'
    assert known(write(tmp_path, "new.csv", content), ["a"], ["c"], options) == [([0, -1], sha('a "b" c')), ([0], sha(" a"))]
    content = '{"title": "A", "body": "b\\n\\u00e9"}\n\n{"body": "", "title": ""}\n'
    assert known(write(tmp_path, "new.jsonl", content), ["é"], ["b"], options) == [([-1, 0], sha("A b\né")), ([], sha(" "))]
    content = "A b\r\n\r\nb\r\n"  # an empty line is an empty document
    assert known(write(tmp_path, "new.txt", content), ["b"], []) == [([-1, 0], sha("A b")), ([], sha("")), ([0], sha("b"))]


def test_the_text_of_a_bag_is_its_words_each_as_often_as_it_says(tmp_path: Path) -> None:
    vocabulary = write(tmp_path, "vocab.txt", "tail\nthe\nhead\nnew\n")
    path = write(tmp_path, "docword.txt", "3\n4\n5\n1 1 2\n1 2 1\n1 4 1\n3 3 1\n3 2 3\n")
    options = TextOptions(vocabulary=vocabulary)
    expected = [([1, 1, -1], sha("tail tail the new")), ([], sha("")), ([0], sha("head the the the"))]
    assert known(path, ["head", "tail"], ["the"], options) == expected


def test_words_that_are_given_are_looked_up_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"New York\0the\0tail\0\0The\0tail"
    cuts = np.array([0, 17, 17, 17, 27], np.int64)
    found = Documents(np.frombuffer(text, np.uint8), cuts[:-1], cuts[1:], 2, words_given=True, ids=strings(["x", "y"]))
    monkeypatch.setattr("regrow.data.known.documents", lambda *asked: found)
    table = lexicon(strings(["tail", "New York", "the"]), strings(["The"]))
    known = known_documents(Fixed({}), Reading("txt", ("a", "b"), token_pattern="[a-z]"), table)
    assert documents_of(known) == [([1, 2, 0], sha("New York the tail")), ([0], sha("The tail"))]
    assert known.ids == strings(["x", "y"])


def test_a_reading_travels_as_json() -> None:
    reading = Reading("csv", ("title", "body"), "id", False, r"\w+")
    assert Reading(**reading.to_json()) == reading


@pytest.mark.parametrize("size", [0, 1, 5000])
def test_a_lexicon_of_any_size_is_read_only_and_whole(size: int) -> None:
    words = [f"w{i * i}" for i in range(size)]
    table = lexicon(strings(words), strings([]))
    for array in table.values():
        array.flags.writeable = False
    assert names(strings([*words, "v"]), table)["numbers"].tolist() == [*range(size), UNKNOWN]
