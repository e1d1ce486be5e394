"""The same documents through every format of bags, written by the library that owns it, give the same tokens."""

from __future__ import annotations

import bz2
import gzip
import itertools
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import scipy.sparse
from gensim import corpora, models
from sklearn.datasets import dump_svmlight_file, load_svmlight_file

from data.preparing import documents_of, parts_of, tokens_of, write
from regrow.data import TextOptions, describe, ingest
from regrow.data.formats import matrixmarket
from regrow.data.known import UNKNOWN, Reading, known_documents, lexicon, names
from regrow.data.matrix import describe_matrix
from regrow.data.matrix.readers import RealMatrixMarket
from regrow.data.records import documents
from regrow.errors import DataError
from regrow.packed import strings
from regrow.program import Fixed

ROOT = Path(__file__).parents[2]
DOCUMENTS = [["tail", "head", "tail"], [], ["naïve", "tail", "漢字"], ["head"] * 12, [], ["a", "b", "c", "head", "a"], ["漢字"], []]
VOCABULARY = ["head", "never", "tail", "naïve", "漢字", "a", "b", "c", "last"]
BAGS = [Counter(words) for words in DOCUMENTS]
ROWS = [[(VOCABULARY.index(word), n) for word, n in sorted(bag.items())] for bag in BAGS]


def matrix(dtype: Any = np.int64) -> scipy.sparse.csr_matrix:
    return scipy.sparse.csr_matrix([[bag[word] for word in VOCABULARY] for bag in BAGS], dtype=dtype)


def dictionary() -> corpora.Dictionary:
    found = corpora.Dictionary(DOCUMENTS)
    found.token2id = {word: number for number, word in enumerate(VOCABULARY)}
    found.dfs = {number: sum(word in bag for bag in BAGS) for number, word in enumerate(VOCABULARY)}
    return found


def blei(path: Path) -> None:
    corpora.BleiCorpus.serialize(str(path), ROWS, id2word=dict(enumerate(VOCABULARY)))


def gensim_svmlight(path: Path) -> None:
    corpora.SvmLightCorpus.serialize(str(path), ROWS)


def gensim_market(path: Path) -> None:
    corpora.MmCorpus.serialize(str(path), ROWS)


def gensim_uci(path: Path) -> None:
    corpora.UciCorpus.serialize(str(path), ROWS, id2word=dict(enumerate(VOCABULARY)))


def sklearn_svmlight(zero_based: bool, comment: str | None = None, dtype: Any = np.int64) -> Callable[[Path], None]:
    return lambda path: dump_svmlight_file(
        matrix(dtype), range(len(BAGS)), str(path), zero_based=zero_based, comment=comment, query_id=range(8)
    )


def market(kind: str, dtype: Any = np.int64) -> Callable[[Path], None]:
    def write_it(path: Path) -> None:
        with open(path, "wb") as file:
            scipy.io.mmwrite(file, matrix(dtype).asformat(kind))

    return write_it


def npz(kind: str, dtype: Any = np.int64, compressed: bool = True) -> Callable[[Path], None]:
    return lambda path: scipy.sparse.save_npz(str(path), matrix(dtype).asformat(kind), compressed=compressed)


def shuffled(path: Path) -> None:
    """Entries in no order at all, some of them in two pieces."""
    lines = [f"{d + 1} {w + 1} {k}" for d, row in enumerate(ROWS) for w, n in row for k in ([n] if n < 3 else [1, n - 1])]
    order = np.random.default_rng(1).permutation(len(lines))
    head = f"%%MatrixMarket matrix coordinate integer general\n% comment\n\n{len(ROWS)} {len(VOCABULARY)} {len(lines)}\n"
    path.write_text(head + "\n".join(lines[i] for i in order) + "\n")


def light_lda(path: Path) -> None:
    path.write_text("".join(f"name{d}\t{' '.join(f'{w}:{n}' for w, n in row)}\n" for d, row in enumerate(ROWS)))


FORMS: list[tuple[str, str, Callable[[Path], None]]] = [
    ("corpus.lda-c", "ldac", blei),
    ("corpus.dat", "ldac", blei),
    ("corpus.txt", "svmlight", gensim_svmlight),
    ("corpus.svm", "svmlight", sklearn_svmlight(True)),
    ("corpus", "svmlight", sklearn_svmlight(False)),
    ("corpus.one", "svmlight", sklearn_svmlight(False, "weights 0:5 are not here", np.float64)),
    ("corpus.zero", "svmlight", sklearn_svmlight(True, "comment")),
    ("lightlda.txt", "svmlight", light_lda),
    ("corpus.mm", "matrixmarket", gensim_market),
    ("csr.mtx", "matrixmarket", market("csr", np.float64)),
    ("csc.mtx", "matrixmarket", market("csc")),
    ("coo.txt", "matrixmarket", market("coo", np.uint8)),
    ("shuffled", "matrixmarket", shuffled),
    ("csr.npz", "npz", npz("csr")),
    ("csc.npz", "npz", npz("csc", np.float32)),
    ("coo", "npz", npz("coo", np.uint8)),
    ("plain.npz", "npz", npz("csr", np.float64, False)),
    ("docword.txt", "bag", gensim_uci),
]


@pytest.mark.parametrize("part", [1, 30, 4000])
@pytest.mark.parametrize(("name", "format", "make"), FORMS, ids=[name for name, *_ in FORMS])
def test_the_same_documents_in_every_format(tmp_path: Path, name: str, format: str, make: Callable[[Path], None], part: int) -> None:
    path = tmp_path / name
    make(path if path.suffix == ".npz" or format != "npz" else tmp_path / "made.npz")
    if format == "npz" and path.suffix != ".npz":
        (tmp_path / "made.npz").rename(path)
    vocabulary = write(tmp_path, "vocab", "\n".join(VOCABULARY[: 8 if format == "bag" else 9]))
    options = TextOptions(vocabulary=vocabulary)
    assert describe([str(path)], options).format == format
    tokens = tokens_of([str(path)], options, part)
    assert [Counter(words) for words in documents_of(tokens)] == BAGS
    assert list(tokens["vocabulary"][0]["words"])[:8] == VOCABULARY[:8]
    expected = [sum(bag[word] for bag in BAGS) for word in tokens["vocabulary"][0]["words"]]
    assert tokens["vocabulary"][0]["counts"].tolist() == expected
    numbered = tokens_of([str(path)], None, part)  # without a vocabulary words are called as the file calls them
    first = int(next(iter(numbered["vocabulary"][0]["words"])))
    named = [Counter({VOCABULARY[int(word) - first]: n for word, n in Counter(words).items()}) for words in documents_of(numbered)]
    assert named == BAGS


def test_a_dictionary_of_gensim_gives_the_words(tmp_path: Path) -> None:
    path, vocabulary = tmp_path / "corpus.mm", tmp_path / "words.dict.txt"
    gensim_market(path)
    for by_word in (True, False):
        dictionary().save_as_text(str(vocabulary), sort_by_word=by_word)
        tokens = tokens_of([str(path)], TextOptions(vocabulary=str(vocabulary)))
        assert [Counter(words) for words in documents_of(tokens)] == BAGS
        assert list(tokens["vocabulary"][0]["words"]) == VOCABULARY


def test_a_dictionary_may_have_gaps_where_no_token_is(tmp_path: Path) -> None:
    path = tmp_path / "corpus.mm"
    gensim_market(path)
    entries = [f"{number}\t{word}\t1" for number, word in enumerate(VOCABULARY) if word != "never"]
    vocabulary = write(tmp_path, "words.txt", "\n".join(["8", *entries, "11\t#10\t0"]))
    tokens = tokens_of([str(path)], TextOptions(vocabulary=vocabulary))
    assert [Counter(words) for words in documents_of(tokens)] == BAGS
    assert list(tokens["vocabulary"][0]["words"]) == ["head", "#1", *VOCABULARY[2:], "#9", "##10", "#10"]
    vocabulary = write(tmp_path, "words.txt", "\n".join([*entries[1:], "9\thead\t1"]))
    with pytest.raises(DataError, match="the dictionary has no word with the number 0, and 14 tokens have it"):
        tokens_of([str(path)], TextOptions(vocabulary=vocabulary))


def test_whether_ids_begin_with_0_is_decided_over_all_files(tmp_path: Path) -> None:
    paths = [write(tmp_path, "a.svm", "1 1:2 2:1 # 0:1\n-1 2:1\n"), write(tmp_path, "b.svm", "1 qid:3 0:1 # x\n")]
    vocabulary = write(tmp_path, "vocab", "zero\none\ntwo\n")
    named = {first: load_svmlight_file(paths[0], zero_based=first == 0)[0].toarray().tolist() for first in (0, 1)}
    assert named == {0: [[0, 2, 1], [0, 0, 1]], 1: [[2, 1], [0, 1]]}
    options = TextOptions(vocabulary=vocabulary)
    assert documents_of(tokens_of(paths[:1], options)) == [["zero", "zero", "one"], ["one"]]
    assert documents_of(tokens_of(paths, options)) == [["one", "one", "two"], ["two"], ["zero"]]
    assert documents_of(tokens_of(paths[:1], TextOptions("svmlight0", vocabulary=vocabulary))) == [["one", "one", "two"], ["two"]]
    assert documents_of(tokens_of(paths[:1], TextOptions("svmlight1", vocabulary=vocabulary))) == [["zero", "zero", "one"], ["one"]]


def test_words_without_a_vocabulary_are_as_many_as_the_largest_id_asks_for(tmp_path: Path) -> None:
    for name, content, words in (
        ("x.lda-c", "1 3:1\n0\n", "0123"),
        ("x.svm", "1 3:1\n0 1:1\n", "123"),
        ("y.svm", "1 3:1\n0 0:1\n", "0123"),
    ):
        assert list(tokens_of([write(tmp_path, name, content)], None, 1)["vocabulary"][0]["words"]) == list(words)


def test_a_matrix_out_of_order_is_sorted_in_as_many_passes_as_memory_asks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shuffled(tmp_path / "x.mtx")
    whole, _ = parts_of([str(tmp_path / "x.mtx")], None, 16)
    monkeypatch.setattr(matrixmarket, "ENTRIES_HELD", 3)
    layouts, facts = parts_of([str(tmp_path / "x.mtx")], None, 16)
    assert facts.bytes_read == (tmp_path / "x.mtx").stat().st_size
    for name in ("indices", "data"):
        assert np.array_equal(
            np.concatenate([part[name] for part in whole["text"]]), np.concatenate([part[name] for part in layouts["text"]])
        )
    assert [Counter(map(int, words)) for words in documents_of(tokens_of([str(tmp_path / "x.mtx")]))] == [
        Counter({w + 1: n for w, n in row}) for row in ROWS
    ]


@pytest.mark.parametrize(
    ("field", "symmetry"),
    [
        *itertools.product(("integer", "real", "pattern"), ("symmetric", "hermitian")),
        ("integer", "skew-symmetric"),
        ("real", "skew-symmetric"),
    ],
)
@pytest.mark.parametrize("held", [3, 1 << 25])
def test_of_a_symmetric_matrix_the_other_triangle_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str, symmetry: str, held: int
) -> None:
    monkeypatch.setattr(matrixmarket, "ENTRIES_HELD", held)
    skew = symmetry == "skew-symmetric"
    entries = ["7 1 3", "2 1 5", "", "3 2 7" if skew else "3 3 7", "1 4 2", "6 2 1", "6 2 4", "7 6 9", "5 4 6"]  # one is above the diagonal
    shown = [entry.rpartition(" ")[0] if field == "pattern" else entry for entry in entries]
    content = "\n".join([f"%%MatrixMarket matrix coordinate {field} {symmetry}", "%", "7 7 8", *shown, ""])
    path = write(tmp_path, "x.mtx", content)
    expected = scipy.io.mmread(path).toarray()
    source = describe_matrix([path], TextOptions())
    for target in (1, 1 << 20):
        layouts: dict[str, list[Any]] = defaultdict(list)
        facts = ingest(source, lambda layout, _, part, to=layouts: to[layout].append(part), None, target)
        rows = [RealMatrixMarket().cells(Fixed(part)) for part in layouts["text"]]
        found = [scipy.sparse.csr_matrix((values, columns, ptr), shape=(len(ptr) - 1, 7)) for columns, ptr, values in rows]
        assert np.array_equal(scipy.sparse.vstack(found).toarray(), expected)
        assert facts.bytes_read == len(content)
    if not skew:
        counted = [Counter(map(int, words)) for words in documents_of(tokens_of([path]))]
        assert counted == [Counter({w + 1: int(n) for w, n in enumerate(row) if n}) for row in expected]


def test_entries_of_a_pattern_count_once(tmp_path: Path) -> None:
    path = write(tmp_path, "x.mtx", "%%matrixmarket MATRIX Coordinate pattern general\n2 3 3\n1 3\n\n2 1\n2 2\n")
    assert documents_of(tokens_of([path])) == [["3"], ["1", "2"]]


@pytest.mark.parametrize(
    "count", ["3", "3.0", "3.", "+3", "3e0", "30E-1", "0.3e+1", "3.00000000000000000000000", "0003", "3000000000000000000e-18"]
)
def test_whole_numbers_may_be_written_in_any_way(tmp_path: Path, count: str) -> None:
    for name, content in (
        ("x.lda-c", f"2 0:{count} 1:1\n"),
        ("x.svm", f"1 0:{count} 1:1#x\n"),
        ("x.vw", f"1 |w 0:{count} 1\n"),
        ("x.mtx", f"%%MatrixMarket matrix coordinate real general\n1 2 2\n1 1 {count}\n1 2 1\n"),
    ):
        first = 1 if name == "x.mtx" else 0
        expected = [[str(first)] * 3 + [str(first + 1)]]
        assert documents_of(tokens_of([write(tmp_path, name, content)])) == expected, name


def test_compressed_bags(tmp_path: Path) -> None:
    blei(tmp_path / "x.lda-c")
    content = (tmp_path / "x.lda-c").read_bytes()
    for name, pack in (("x.lda-c.gz", gzip.compress), ("y.bz2", bz2.compress)):
        assert len(documents_of(tokens_of([write(tmp_path, name, pack(content))], None, 8))) == len(BAGS)


def test_filters_say_what_they_drop(tmp_path: Path) -> None:
    blei(tmp_path / "x.lda-c")
    vocabulary, stop = write(tmp_path, "vocab", "\n".join(VOCABULARY)), write(tmp_path, "stop", "tail quince")
    tokens = tokens_of([str(tmp_path / "x.lda-c")], TextOptions(vocabulary=vocabulary, stop_words=stop, max_doc_share=0.5, min_count=2), 8)
    assert documents_of(tokens) == [[], [], ["漢字"], [], [], ["a", "a"], ["漢字"], []]
    assert list(tokens["vocabulary"][0]["dropped"]) == ["head", "quince", "tail"]
    assert tokens["vocabulary"][0]["counts"].tolist() == [0, 0, 0, 0, 2, 2, 0, 0, 0]


# Vowpal Wabbit

VW = """\
1 1.0 doc1|text tail:2 head |title head:1
|text one
'two | a:3 b:1

doc3 |@body x:2 |@label y
-1 0.5 |text http
'x|a
"""


@pytest.mark.parametrize("part", [1, 40, 4000])
def test_vowpal_wabbit_gives_words_and_names(tmp_path: Path, part: int) -> None:
    path = write(tmp_path, "x.txt", VW)
    assert describe([path]).format == "vw"
    expected = [["tail", "tail", "head", "head"], ["one"], ["a", "a", "a", "b"], ["x", "x", "y"], ["http"], []]
    assert documents_of(tokens_of([path], None, part)) == expected
    parts = [documents(Fixed(arrays), "vw", (), None) for arrays in parts_of([path], None, part)[0]["text"]]
    ids = [name for found in parts for name in (found.ids if found.ids is not None else [""] * len(found))]
    assert ids == ["doc1", "", "two", "doc3", "", "x"]
    assert documents(Fixed(parts_of([path])[0]["text"][0]), "vw", (), "").ids is None


def test_words_of_vowpal_wabbit_are_taken_as_they_are(tmp_path: Path) -> None:
    path = write(tmp_path, "x.vw", "1 |a It's 漢字 NAÏVE,x 3\n")
    assert documents_of(tokens_of([path])) == [["It's", "漢字", "NAÏVE,x", "3"]]


# Unseen documents


SOME = FORMS[:1] + FORMS[3:5] + FORMS[8:11] + FORMS[13:14]


@pytest.mark.parametrize(("name", "format", "make"), SOME, ids=[form[0] for form in SOME])
def test_unseen_bags_meet_the_words_of_a_model(tmp_path: Path, name: str, format: str, make: Callable[[Path], None]) -> None:
    path = tmp_path / name
    make(path)
    for given in (True, False):
        options = TextOptions(vocabulary=write(tmp_path, "vocab", "\n".join(VOCABULARY)) if given else None)
        trained = tokens_of([str(path)], options)
        words = list(trained["vocabulary"][0]["words"])
        table = lexicon(strings(words[::-1][1:]), strings([words[2]]))
        layouts, _ = parts_of([str(path)], options, 20)
        found = names(layouts["words"][0]["words"], table)
        known = [known_documents(Fixed(part), Reading(format), table, found["numbers"], found["words"]) for part in layouts["text"]]
        seen = [document for each in known for document in np.split(each.words, each.doc_ptr[1:-1])]
        back = dict(enumerate(words[::-1][1:])) | {UNKNOWN: words[-1]}
        expected = [Counter(word for word in document if word != words[2]) for document in documents_of(trained)]
        assert [Counter(back[number] for number in document.tolist()) for document in seen] == expected
        assert len({int(sha) for each in known for sha in each.texts_sha}) == 6  # three documents are empty


WARMED = """
import sys
sys.path.insert(0, "tests")
from pathlib import Path
import numpy as np
from numba.core.registry import CPUDispatcher
from data.preparing import parts_of, write
from reference import Reference
from regrow.data import describe, tokens_program
from regrow.data.known import Reading, known_documents, lexicon, names, warm_reading
from regrow.packed import strings
from regrow.program import Fixed

def signatures():
    modules = [module for name, module in sys.modules.items() if name.startswith("regrow.data")]
    kernels = {id(value): value for module in modules for value in vars(module).values() if isinstance(value, CPUDispatcher)}
    return sorted((kernel.py_func.__name__, len(kernel.signatures)) for kernel in kernels.values())

folder = Path(sys.argv[1])
market = "%%MatrixMarket matrix coordinate real general\\n2 2 3\\n"
paths = [write(folder, name, content) for name, content in {
    "docword.txt": "2\\n2\\n2\\n1 1 2\\n2 2 1\\n", "x.lda-c": "2 0:1 1:2.0\\n0\\n", "x.svm": "1 qid:1 1:1 # x\\n", "x.vw": "a |b c:2\\n",
    "up.mtx": market + "1 1 1\\n1 2 1\\n2 1 2\\n", "down.mtx": market + "2 1 1\\n1 2 1.0\\n1 1 1\\n",
}.items()]
np.savez(folder / "x.npz", format=b"csr", shape=np.array([1, 2]), data=np.ones(2), indices=np.arange(2), indptr=np.array([0, 2]))
for path in [*paths, str(folder / "x.npz")]:
    source, (layouts, _) = describe([path]), parts_of([path])
    program, reading, table = tokens_program(source), Reading(source.format, source.text_fields), lexicon(strings(["1"]), strings(["2"]))
    more = names(layouts["words"][0]["words"], table) if source.kind == "bag" else {}
    program.warm()
    warm_reading(reading)
    before = signatures()
    Reference(program, layouts).run()
    known_documents(Fixed(layouts["text"][0]), reading, table, **more)
    assert signatures() == before, (path, set(signatures()) - set(before))
"""


@pytest.mark.processes
def test_after_warming_nothing_is_compiled(tmp_path: Path) -> None:
    """In a process of its own: in this one other tests have compiled everything."""
    done = subprocess.run([sys.executable, "-c", WARMED, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_weights_of_gensim_are_no_counts(tmp_path: Path) -> None:
    weights = models.TfidfModel(ROWS)[ROWS]
    for name, serialize in (("x.svm", corpora.SvmLightCorpus), ("x.mm", corpora.MmCorpus), ("x.lda-c", corpora.BleiCorpus)):
        serialize.serialize(str(tmp_path / name), weights)
        with pytest.raises(DataError, match=r", line \d: the count in .* is not a whole number") as caught:
            tokens_of([str(tmp_path / name)])
        assert "tf-idf" in caught.value.advice
