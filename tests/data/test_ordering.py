"""A vocabulary that many tasks count and order is the one that a slow twin counts and sorts, whatever the parts and the buckets."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.preparing import documents_of, parts_of, write
from reference import Reference
from regrow.data import Grid, TextOptions, describe, tokens_program
from regrow.data.ordering_kernels import buckets_of, grouped, picked, ranges_of
from regrow.data.prepare import BUCKET_BYTES, BUCKETS_MAX
from regrow.data.text import TextTokens
from regrow.data.vocabulary import read_only
from regrow.data.wordset_kernels import hashes_of
from regrow.errors import DataError
from regrow.packed import Strings, strings
from regrow.program import Results

ROOT = Path(__file__).parents[2]

WORDS = st.sampled_from(["a", "ab", "abc", "it's", "naïve", "漢", "tail", "x1", "longerthaneightbytes", "longerthaneightletters"])
DOCUMENTS = st.lists(st.lists(WORDS, max_size=12), min_size=1, max_size=20).filter(any)


def ordered(path: str, options: TextOptions, buckets: int, part_bytes: int) -> tuple[Results, Reference]:
    layouts, _ = parts_of([path], options, part_bytes)
    program = tokens_program(describe([path], options), options)
    assert isinstance(program, TextTokens)
    reference = Reference(replace(program, buckets=buckets), layouts)
    return reference.run(), reference


def whole(tokens: Results) -> dict[str, Any]:
    """The vocabulary of all parts together."""
    parts = tokens["vocabulary"]
    columns: dict[str, Any] = {name: np.concatenate([part[name] for part in parts]).tolist() for name in ("counts", "documents")}
    dropped = [word for part in parts for word in part.get("dropped", ())]
    return columns | {"words": [word for part in parts for word in part["words"]], "dropped": dropped}


def twin(documents: list[list[str]], options: TextOptions, stop: list[str]) -> dict[str, Any]:
    counts = Counter(word for words in documents for word in words)
    shares = Counter(word for words in documents for word in set(words))
    frequent = {word for word in counts if shares[word] > options.max_doc_share * sum(map(bool, documents))}
    kept = [word for word in counts if counts[word] >= options.min_count and word not in frequent and word not in stop]
    words = sorted(kept, key=lambda word: (-counts[word], word.encode()))
    found = {"words": words, "counts": [counts[word] for word in words], "documents": [shares[word] for word in words]}
    return found | {"dropped": sorted({*stop, *frequent})}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None, max_examples=60)
@given(DOCUMENTS, st.integers(1, 5), st.integers(1, 200), st.integers(1, 3), st.sampled_from([1.0, 0.6]), st.lists(WORDS, max_size=2))
def test_the_vocabulary_is_that_of_the_slow_twin(
    tmp_path: Path, documents: list[list[str]], buckets: int, part_bytes: int, min_count: int, max_doc_share: float, stop: list[str]
) -> None:
    path = write(tmp_path, "docs.txt", "".join(" ".join(words) + "\n" for words in documents))
    stop = [word for word in stop if word != "漢"]
    options = TextOptions(
        stop_words=write(tmp_path, "stop.txt", "\n".join(stop)) if stop else None,
        min_count=min_count,
        max_doc_share=max_doc_share,
    )
    expected = twin(documents, options, stop)
    if not expected["words"]:
        with pytest.raises(DataError, match=r"are left|were found"):
            ordered(path, options, buckets, part_bytes)
        return
    tokens, _ = ordered(path, options, buckets, part_bytes)
    assert whole(tokens) == expected
    assert len(tokens["vocabulary"]) == buckets
    kept = [[word for word in words if word in expected["words"]] for words in documents]
    assert documents_of(tokens) == kept
    found = {word for words in documents for word in words}
    assert tokens.metrics == {
        "tokens": sum(map(len, kept)),
        "documents": len(documents),
        "empty_documents": sum(not words for words in kept),
        "dropped_tokens": sum(map(len, documents)) - sum(map(len, kept)),
        "words": len(expected["words"]),
        "dropped_words": len(found) - len(expected["words"]),
    }


def test_ranges_hold_about_as_many_words_each_though_most_words_occur_once(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    numbers = (random.pareto(0.5, 60_000) * 100).astype(np.int64)
    path = write(tmp_path, "docs.txt", "\n".join(" ".join(f"w{n}" for n in line) for line in numbers.reshape(-1, 100).tolist()))
    tokens, reference = ordered(path, TextOptions(), 6, 40_000)
    sizes = np.array([len(part["words"]) for part in tokens["vocabulary"]])
    assert sizes.sum() > 10_000
    assert np.abs(sizes - sizes.mean()).max() < 0.1 * sizes.mean()
    assert whole(tokens) == whole(ordered(path, TextOptions(), 1, 40_000)[0])
    sent = [message for outputs in reference.history.values() for message in outputs.messages.values()]
    words_max = max(len(value) for message in sent for value in message.values() if isinstance(value, Strings))
    assert words_max < 0.3 * sizes.sum(), "no message holds a large part of all words"


def test_the_grid_of_a_vocabulary_in_parts_is_that_of_one_in_one_part(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    lines = [" ".join(f"w{n}" for n in (random.pareto(0.8, 30) * 3).astype(int)) for _ in range(200)]
    path = write(tmp_path, "docs.txt", "\n".join(lines))
    grids = []
    for buckets in (1, 4):
        tokens, _ = ordered(path, TextOptions(), buckets, 3000)
        grids.append(Reference(Grid(3, 2), {"tokens": tokens["tokens"], "vocabulary": tokens["vocabulary"]}).run())
        assert len(grids[-1]["vocabulary"]) == buckets
    assert whole(grids[0]) == whole(grids[1])
    assert grids[0].metrics == grids[1].metrics
    for role in ("rows", "columns"):
        for one, other in zip(grids[0][role], grids[1][role], strict=True):
            assert {name: (array.dtype, array.tolist()) for name, array in one.items()} == {
                name: (array.dtype, array.tolist()) for name, array in other.items()
            }


@settings(deadline=None)
@given(st.lists(st.tuples(st.text("ab\u00e9", max_size=9), st.integers(1, 3)), unique=True), st.data())
def test_a_word_is_in_the_range_between_its_splitters(words: list[tuple[str, int]], data: st.DataObject) -> None:
    words.sort(key=lambda pair: (-pair[1], pair[0].encode()))
    places = sorted(data.draw(st.sets(st.sampled_from(range(len(words))), max_size=4))) if words else []

    def arrays(pairs: list[tuple[str, int]]) -> list[Any]:
        text = strings(word for word, _ in pairs)
        return [read_only(array) for array in (text.offsets, text.utf8, np.array([count for _, count in pairs], np.int64))]

    found = ranges_of(*arrays(words), *arrays([words[place] for place in places]))
    assert found.tolist() == [sum(place <= i for place in places) for i in range(len(words))]


MIX = 0x9E3779B97F4A7C15


def hash_twin(word: bytes) -> int:
    """Eight bytes at a time, the last with zeros behind."""
    value = 0xCBF29CE484222325
    for i in range(0, len(word), 8):
        value = (value ^ int.from_bytes(word[i : i + 8], "little")) * MIX % 2**64
        value ^= value >> 32
    return value


@settings(deadline=None)
@given(st.lists(st.text(max_size=20)), st.integers(1, 7))
def test_words_go_to_buckets_by_their_bytes_alone(words: list[str], buckets: int) -> None:
    words = [word.encode("utf-8", "replace").decode() for word in words]
    text = strings(words)
    found = buckets_of(hashes_of(text.offsets, text.utf8), buckets)
    assert found.tolist() == [int(hash_twin(word.encode()) * MIX % 2**64 // 2**32 * buckets // 2**32) for word in words]
    assert ((found >= 0) & (found < buckets)).all()
    order, ptr = grouped(found, buckets)
    assert [order[ptr[b] : ptr[b + 1]].tolist() for b in range(buckets)] == [np.flatnonzero(found == b).tolist() for b in range(buckets)]
    assert list(Strings(*picked(text.offsets, text.utf8, order))) == [words[i] for i in order]


def test_buckets_are_even() -> None:
    text = strings(f"w{i}" for i in range(20_000))
    sizes = np.bincount(buckets_of(hashes_of(text.offsets, text.utf8), 7), minlength=7)
    assert np.abs(sizes - sizes.mean()).max() < 0.1 * sizes.mean()


@pytest.mark.parametrize(
    ("size", "buckets"), [(0, 1), (1, 1), (BUCKET_BYTES, 1), (BUCKET_BYTES + 1, 2), (7 * BUCKET_BYTES, 7), (1 << 50, BUCKETS_MAX)]
)
def test_the_number_of_buckets_comes_from_the_size_of_the_text_alone(tmp_path: Path, size: int, buckets: int) -> None:
    source = describe([write(tmp_path, "docs.txt", "a\n")])
    assert tokens_program(source, TextOptions(), size).parameters()["buckets"] == buckets


WARMED = """
import sys
sys.path.insert(0, "tests")
from pathlib import Path
from numba.core.registry import CPUDispatcher
from data.test_ordering import ordered, write
from reference import Reference
from regrow.data import Grid, TextOptions
from regrow.data.known import Reading, known_documents, lexicon, warm_reading
from regrow.packed import strings

def signatures():
    modules = [module for name, module in sys.modules.items() if name.startswith("regrow.data")]
    kernels = {id(value): value for module in modules for value in vars(module).values() if isinstance(value, CPUDispatcher)}
    return sorted((kernel.py_func.__name__, len(kernel.signatures)) for kernel in kernels.values())

path = write(Path(sys.argv[1]), "docs.txt", "a b it's 漢字\\n" * 50)
from regrow.data import describe, tokens_program
tokens_program(describe([path])).warm()
Grid(2, 2).warm()
warm_reading(Reading("txt"))
before = signatures()
for buckets in (1, 3):
    tokens, reference = ordered(path, TextOptions(), buckets, 64)
    Reference(Grid(2, 2), {"tokens": tokens["tokens"], "vocabulary": tokens["vocabulary"]}).run()
known_documents(reference.layouts["text"][0], Reading("txt"), lexicon(strings(["a"]), strings(["b"])))
assert signatures() == before, set(signatures()) - set(before)
"""


@pytest.mark.processes
def test_after_warming_nothing_is_compiled(tmp_path: Path) -> None:
    """In a process of its own: in this one other tests have compiled everything."""
    done = subprocess.run([sys.executable, "-c", WARMED, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
