"""regrow svd: train, query, evaluate, on all that it reads; and what it says of what it cannot read."""

from __future__ import annotations

import csv
import gzip
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.io
import scipy.sparse

from models.svd import texts
from shell import Shell, refuses

INLINE = ("--engine", "inline")


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Shell(tmp_path, capsys)


def write_tsv(folder: Path, count: int = 300) -> None:
    lines = [f"d{number}\t{text}" for number, text in enumerate(texts.documents(count))]
    (folder / "docs.tsv").write_text("id\ttext\n" + "\n".join(lines) + "\n")


def test_train_query_and_evaluate_text(shell: Shell) -> None:
    write_tsv(shell.folder)
    trained = shell("svd", "train", "docs.tsv", "--rank", 6, "--run", "run", *INLINE)
    assert trained.code == 0, trained.err
    assert "rank 6 of 300 documents by 82 words, chi-square residuals" in trained.out
    assert "share of energy" in trained.out
    assert "error: at most" in trained.out
    found = shell.run("svd", "query", "run", "t3w1", "--count", 5)
    assert len(found["words"]) == 5
    assert all(word.startswith("t3w") and 0 < cosine <= 1.000001 for word, cosine in found["words"])
    assert [document["id"] for document in found["documents"]] == [f"d{document['doc']}" for document in found["documents"]]
    assert shell.run("svd", "query", "run", "T3W1, t3w2 nowhere")["unknown"] == ["nowhere"]
    shown = shell("svd", "query", "run", "t3w1").out
    assert "cosine" in shown
    assert "documents" in shown
    measured = shell.run("svd", "evaluate", "run")
    assert [row["band"] for row in measured["bands"]][:3] == ["0", "1", "2-4"]
    assert set(measured["bands"][0]) == {"band", "units", "share", "loss", "gain"}
    assert 0 < measured["explained"] < 1
    assert measured["rank"] == 6
    assert "explained" in shell("svd", "evaluate", "run").out


@pytest.mark.parametrize("scaling", ["chi2", "tfidf", "none"])
def test_rows_that_were_trained_on_are_measured_as_training_measured_them_and_others_less_well(shell: Shell, scaling: str) -> None:
    write_tsv(shell.folder)
    shell.run("svd", "train", "docs.tsv", "--rank", 6, "--power", 12, "--scaling", scaling, "--run", "run", *INLINE)
    of_training, found = shell.run("svd", "evaluate", "run"), shell.run("svd", "evaluate", "run", "docs.tsv")
    assert found["documents"] == 300
    assert found["unknown"] == 0
    for one, other in zip([of_training, *of_training["bands"]], [found, *found["bands"]], strict=True):
        for name in one.keys() & {"explained", "energy", "units", "share", "loss", "gain"}:
            assert other[name] == (None if one[name] is None else pytest.approx(one[name], rel=1e-4, abs=1e-9)), (name, one, other)
    others = [f"d{number}\t{text} unheard" for number, text in enumerate(texts.documents(340)[300:])]
    (shell.folder / "others.tsv").write_text("id\ttext\n" + "\n".join(others) + "\n")
    unseen = shell.run("svd", "evaluate", "run", "others.tsv")
    assert (unseen["documents"], unseen["unknown"]) == (40, 40)
    assert 0 < unseen["explained"] < found["explained"]
    assert "40 documents with" in shell("svd", "evaluate", "run", "others.tsv").out
    (shell.folder / "strange.txt").write_text("nothing of this\n")
    refuses(shell("svd", "evaluate", "run", "strange.txt"), 3, "none of its words is in the model")
    refuses(shell("svd", "evaluate", "run", "--text-field", "text"), 2, "say how FILES are read")


def test_the_same_numbers_make_the_same_model_in_every_format(shell: Shell) -> None:
    matrix = scipy.sparse.csr_matrix(texts.counts(50, 30))
    scipy.sparse.save_npz("x.npz", matrix)
    scipy.io.mmwrite("x.mtx", matrix)
    scipy.io.mmwrite("y.mtx", matrix.astype(float))
    turned = scipy.sparse.coo_matrix(matrix.tocsc())  # by columns: it is put into order while it is read
    scipy.io.mmwrite("turned.mtx", turned)
    lines = [" ".join(["0", *(f"{j + 1}:{v}" for j, v in enumerate(row) if v)]) for row in matrix.toarray()]
    (shell.folder / "x.svm").write_text("\n".join(lines) + "\n")
    digests = {
        name: shell.run("svd", "train", name, "--rank", 4, "--run", f"run-{name}", *INLINE) for name in ("x.mtx", "y.mtx", "turned.mtx")
    }
    assert len({found["digest"] for found in digests.values()}) == 1
    models = [shell.run("svd", "evaluate", "run-x.mtx")]
    for name, more in (("x.npz", ()), ("x.svm", ("--format", "svmlight1"))):
        shell.run("svd", "train", name, "--rank", 4, "--run", f"run-{name}", *more, *INLINE)
        models.append(shell.run("svd", "evaluate", f"run-{name}"))
    assert all(model["scaling"] == "chi2" for model in models)
    assert len({model["explained"] for model in models}) == 1


def test_a_matrix_of_any_numbers_is_factored_as_it_is(shell: Shell) -> None:
    matrix = scipy.sparse.random(40, 20, 0.3, random_state=1, data_rvs=lambda size: np.random.default_rng(1).normal(size=size))
    true = np.linalg.svd(matrix.toarray(), compute_uv=False)
    scipy.io.mmwrite("x.mtx", matrix)
    scipy.sparse.save_npz("x.npz", matrix.tocsr())
    rows = matrix.toarray()
    (shell.folder / "x.svm").write_text(
        "\n".join("1 " + " ".join(f"{j}:{v!r}" for j, v in enumerate(map(float, row)) if v) for row in rows) + "\n"
    )
    for name, more in (("x.mtx", ()), ("x.npz", ()), ("x.svm", ("--format", "svmlight0"))):
        shell.run("svd", "train", name, "--rank", 3, "--power", 12, "--run", f"run-{name}", *more, *INLINE)
        from regrow.models.svd.specs import read_factors

        assert np.allclose(read_factors(f"run-{name}")[0].singular_values, true[:3], rtol=1e-7)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_symmetric_matrix_is_read_whole_from_one_triangle(shell: Shell, sign: int) -> None:
    matrix = scipy.sparse.random(30, 30, 0.2, random_state=1, data_rvs=lambda size: np.random.default_rng(1).normal(size=size))
    matrix = scipy.sparse.coo_matrix(matrix + sign * matrix.T)
    digests = set()
    for symmetry in ("general", "symmetric" if sign > 0 else "skew-symmetric"):
        scipy.io.mmwrite("x.mtx", matrix, symmetry=symmetry, precision=17)
        digests.add(shell.run("svd", "train", "x.mtx", "--rank", 3, "--power", 2, "--run", f"run-{symmetry}", *INLINE)["digest"])
        measured = shell.run("svd", "evaluate", f"run-{symmetry}", "x.mtx")
        assert (measured["documents"], measured["entries"]) == (30, matrix.nnz)
    assert len(digests) == 1


def test_names_of_a_vocabulary_and_words_to_drop(shell: Shell) -> None:
    scipy.sparse.save_npz("x.npz", scipy.sparse.csr_matrix(texts.counts(50, 30)))
    (shell.folder / "vocab.txt").write_text("".join(f"word{j}\n" for j in range(30)))
    (shell.folder / "stop.txt").write_text("word3 word4\n")
    more = ("--vocab", "vocab.txt", "--stop-words", "stop.txt", "--min-count", 5)
    shell.run("svd", "train", "x.npz", "--rank", 3, "--run", "run", *more, *INLINE)
    from regrow.models.svd.specs import read_factors

    model = read_factors("run")[0]
    counts = texts.counts(50, 30).sum(axis=0)
    counts[counts < 5] = 0
    counts[3:5] = 0
    assert model.arrays["vocabulary.count"].tolist() == counts.tolist()
    assert not model.vectors[counts == 0].any()
    assert shell("svd", "query", "run", "word7").code == 0


def write_ratings(folder: Path) -> Any:
    """Users like films of one kind; returns the table."""
    chance = np.random.default_rng(1)
    rows = [
        (f"user {user}", f"{kind} film {film}", float(chance.integers(3, 6)))
        for user in range(60)
        for kind in [("old", "new", "sad")[user % 3]]
        for film in chance.choice(9, 5, replace=False).tolist()
    ]
    table = pd.DataFrame(rows, columns=["user", "item", "rating"]).sample(frac=1, random_state=1)
    table.to_parquet(folder / "ratings.parquet")
    return table


@pytest.mark.parametrize("target", [None, 2_000])
def test_ratings_keep_the_names_of_users_and_items(shell: Shell, target: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    table = write_ratings(shell.folder)
    if target is not None:
        monkeypatch.setattr(sys.modules["regrow.data.ingest"], "part_bytes", lambda source: target)
    shell.run("svd", "train", "ratings.parquet", "--rank", 3, "--power", 8, "--run", "run", *INLINE)
    from regrow.models.svd.specs import read_factors

    model = read_factors("run")[0]
    dense = table.pivot_table(index="user", columns="item", values="rating", aggfunc="sum").fillna(0).to_numpy()
    assert np.allclose(model.singular_values, np.linalg.svd(dense, compute_uv=False)[:3], rtol=1e-6)
    assert model.scaling == "none"
    assert [model.document_name(d) for d in range(model.documents)] == list(dict.fromkeys(table["user"]))
    assert dict(zip(model.vocabulary, model.arrays["vocabulary.count"].tolist(), strict=True)) == table["item"].value_counts().to_dict()
    found = shell.run("svd", "query", "run", "sad film 1", "--count", 4)
    assert all(word.startswith("sad") for word, _ in found["words"])
    assert all(int(document["id"].split()[1]) % 3 == 2 for document in found["documents"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("user,item,rating\na,b,1\nc,d,1_000\n", "line 3: a number is expected for the value, and there is"),
        ("user,item,rating\na,b,1\nc,d,\u0663\n", "line 3: a number is expected for the value"),
        ('user,item,rating\na,b,1\n"a"x,c,1\n', "line 3: a field goes on after its closing quote"),
        ("user,item,rating,user\na,b,1,c\n", 'line 1: two columns are called "user"'),
    ],
)
def test_ratings_are_read_as_strictly_as_other_tables(shell: Shell, text: str, words: str) -> None:
    (shell.folder / "r.csv").write_text(text, encoding="utf-8")
    ended = shell("svd", "train", "r.csv", "--rank", 1, *INLINE)
    assert ended.code == 3
    assert words in ended.err


def test_ratings_that_nobody_asked_for_are_no_texts(shell: Shell) -> None:
    (shell.folder / "r.csv").write_text("userId,movieId,rating,timestamp\n1,2,3.5,99\n2,2,4,100\n1,3,1,5\n")
    ended = shell("svd", "train", "r.csv", *INLINE)
    assert ended.code == 3
    assert "for ratings: --ratings userId,movieId,rating; for texts: --text-field" in ended.err
    assert "timestamp\n" not in ended.err
    assert shell("svd", "train", "r.csv", "--ratings", "userId,movieId,rating", "--rank", 1, *INLINE).code == 0
    (shell.folder / "bare.csv").write_text("ann,x,1\nbob,y,2\nann,y,3\n")
    ended = shell("svd", "train", "bare.csv", "--header", "no", *INLINE)
    assert ended.code == 3
    assert 'bare.csv, line 1: "1" in the last field is no text' in ended.err
    assert "--ratings 1,2,3" in ended.err
    assert shell("svd", "train", "bare.csv", "--header", "no", "--text-field", 3, "--rank", 1, *INLINE).code == 0


def test_ratings_are_the_same_in_parquet_csv_and_tsv_by_name_and_by_number(shell: Shell) -> None:
    table = write_ratings(shell.folder)
    table["item"] = table["item"] + ', "cut"'
    table.to_parquet(shell.folder / "r.parquet")
    table.to_csv(shell.folder / "r.csv", index=False)
    plain = {"index": False, "sep": "\t", "quoting": csv.QUOTE_NONE}
    table.assign(when=3)[["when", "item", "user", "rating"]].to_csv(shell.folder / "r.tsv.gz", **plain)
    table.to_csv(shell.folder / "r.data", header=False, **plain)
    given = (["r.parquet"], ["r.csv"], ["r.tsv.gz"], ["r.data", "--header", "no", "--ratings", "1,2,3"])
    digests = [shell.run("svd", "train", *words, "--rank", 3, "--run", f"of-{words[0]}", *INLINE)["digest"] for words in given]
    assert len(set(digests)) == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a,b,1\n\nc,d,much\n", 'r.csv, line 4: a number is expected for the value, and there is "much"'),
        ("a,b,1\nc,d,inf\n", 'r.csv, line 3: a number is expected for the value, and there is "inf"'),
        ('"a\nx",b,1\nc, ,2\n', "r.csv, line 4: the item is empty"),
        ("a,b,1\nc,d\n", "r.csv, line 3: 2 fields, and 3 are wanted"),
        ('a,b,1\n"c,d,1\n', "r.csv, line 3: a quote is opened and never closed"),
        ("a,b,1\nc,d,1,2\n", "r.csv, line 3: more fields than the 3 of the first line"),
        ("", "r.csv holds a header and nothing else"),
    ],
)
def test_a_line_that_is_no_rating_is_told_with_its_number(shell: Shell, text: str, told: str) -> None:
    (shell.folder / "r.csv").write_text("user,item,rating\n" + text)
    found = shell("svd", "train", "r.csv", "--rank", 1, "--run", "run", *INLINE)
    assert found.code == 3
    assert told in found.err


def test_ratings_of_other_columns_are_named(shell: Shell) -> None:
    write_ratings(shell.folder).rename(columns={"user": "who", "item": "what"}).to_parquet("other.parquet")
    found = shell.run("svd", "train", "other.parquet", "--ratings", "who,what,rating", "--rank", 2, "--run", "run", *INLINE)
    assert found["cells"] == 300
    assert shell("svd", "train", "other.parquet", "--ratings", "who,what", "--rank", 2, "--run", "ones", *INLINE).code == 0


def bad(folder: Path) -> None:
    """Files that cannot be read."""
    head = "%%MatrixMarket matrix coordinate real general\n3 3 3\n"
    (folder / "text.mtx").write_text(head + "1 1 0.5\n2 2 abc\n3 3 1\n")
    (folder / "column.mtx").write_text(head + "1 1 0.5\n2 7 1\n3 3 1\n")
    (folder / "diagonal.mtx").write_text(head.replace("general", "skew-symmetric") + "2 1 0.5\n\n2 2 1\n3 3 0\n")
    (folder / "one.mtx").write_text(head + "1 1 0.5\n2\n3 3 1\n")
    (folder / "short.mtx").write_text(head + "1 1 0.5\n2 2 1\n")
    (folder / "zeros.mtx").write_text("%%MatrixMarket matrix coordinate real general\n3 3 1\n1 1 0\n")
    (folder / "x.svm").write_text("1 1:0.5 2:1\n0 1:nan\n")
    (folder / "pair.svm").write_text("1 1:0.5 2:1\n0 1:2 3\n")
    whole = gzip.compress(b"\n".join(b"%d some words here" % n for n in range(9_000)))
    (folder / "cut.txt.gz").write_bytes(whole[: len(whole) // 2])
    scipy.sparse.save_npz(folder / "inf.npz", scipy.sparse.csr_matrix([[1.0, np.inf], [1.0, 0.0]]))
    pd.DataFrame({"user": ["a", None], "item": ["b", "c"], "rating": [1.0, 2.0]}).to_parquet(folder / "null.parquet")
    pd.DataFrame({"user": ["a", "b"], "item": ["b", "c"], "rating": ["good", "bad"]}).to_parquet(folder / "words.parquet")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("text.mtx",), 3, "text.mtx, line 4: the value in \"abc\" is no finite number"),
        (("column.mtx",), 3, "column.mtx, line 4: the column is not in 1..3"),
        (("diagonal.mtx",), 3, "diagonal.mtx, line 5: a value on the diagonal, and the matrix is skew-symmetric"),
        (("one.mtx",), 3, "one.mtx, line 4: `document word value` is expected"),
        (("short.mtx",), 3, "the header says 3 entries, and the file holds 2"),
        (("zeros.mtx",), 3, "no value other than 0"),
        (("x.svm",), 3, "x.svm, line 2: the value in \"1:nan\" is no finite number"),
        (("pair.svm",), 3, "pair.svm, line 2: `id:value` is expected"),
        (("cut.txt.gz",), 3, "cut.txt.gz"),
        (("inf.npz",), 3, "inf.npz, row 0, column 1 (from 0): the value is no finite number"),
        (("null.parquet",), 3, 'null.parquet, column "user", row 2: the value is null'),
        (("words.parquet",), 3, 'the column "rating" is '),
        (("null.parquet", "--ratings", "user"), 2, "two or three columns"),
        (("null.parquet", "--ratings", "user,item,stars"), 3, 'no column "stars"'),
        (("null.parquet", "--min-count", 2), 2, "--min-count"),
        (("docs.tsv", "--ratings", "id,stars"), 3, 'docs.tsv, line 1: no column "stars"'),
        (("docs.tsv", "--ratings", "1,9", "--header", "no"), 3, "--ratings names column 9"),
        (("docs.tsv", "null.parquet", "--ratings", "id,text"), 3, "docs.tsv is tsv, and null.parquet is parquet"),
        (("docs.tsv", "--rank", 5000), 3, "at most 81 singular values"),
        (("docs.tsv", "--rank", 0), 2, "--rank 0"),
        (("docs.tsv", "--scaling", "pmi"), 2, "--scaling pmi"),
        (("nowhere.txt",), 3, "nowhere.txt: no such file"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_with_its_place(shell: Shell, words: tuple[object, ...], code: int, told: str) -> None:
    bad(shell.folder)
    write_tsv(shell.folder)
    ended = shell("svd", "train", *words, *(() if "--rank" in words else ("--rank", 1)), "--run", "run", *INLINE)
    assert ended.code == code, ended.err
    assert told in ended.err
    assert "Traceback" not in ended.err


def test_what_cannot_be_asked_is_told(shell: Shell) -> None:
    write_tsv(shell.folder, 100)
    shell.run("svd", "train", "docs.tsv", "--rank", 2, "--no-documents", "--run", "run", *INLINE)
    assert shell.run("svd", "query", "run", "common1")["documents"] == []
    unknown = shell("svd", "query", "run", "nowhere", "nobody")
    assert unknown.code == 3
    assert "the model knows none of the words: nowhere, nobody" in unknown.err
    assert shell("svd", "query", "run", "common1", "--count", 0).code == 2
    assert "name a run of: regrow lda train" in shell("lda", "topics", "run").err
    assert shell("svd", "evaluate", "nowhere").code == 3


def test_rows_and_columns_are_called_what_they_are(shell: Shell) -> None:
    scipy.io.mmwrite("x.mtx", scipy.sparse.csr_matrix(texts.counts(20, 12)))
    entries = "".join(f"r{u},b{i},{u * i % 5 + 1}\n" for u in range(8) for i in range(6))
    for header in ("user,item,rating", "reader,book,stars"):
        (shell.folder / f"{header[:4]}.csv").write_text(f"{header}\n{entries}")
    (shell.folder / "bare.csv").write_text(entries)
    for name, more, rows, columns, known in (
        ("x.mtx", (), "rows", "columns", "3"),
        ("user.csv", (), "users", "items", "b1"),
        ("read.csv", ("--ratings", "reader,book,stars"), "readers", "books", "b1"),
        ("bare.csv", ("--header", "no", "--ratings", "1,2,3"), "users", "items", "b1"),
    ):
        run = f"run-{name}"
        trained = shell("svd", "train", name, "--rank", 2, "--run", run, *more, *INLINE)
        assert trained.code == 0, trained.err
        asked = shell("svd", "query", run, known)
        assert asked.code == 0, asked.err
        measured = shell("svd", "evaluate", run).out
        assert f" {rows} by " in trained.out
        assert f" {columns}, " in measured
        for shown in (trained.out, measured, asked.out):
            assert "documents" not in shown
            assert "words" not in shown
        assert asked.out.split()[0] == columns
        assert rows in asked.out.split()
        assert {"words", "documents"} <= shell.run("svd", "evaluate", run).keys()
        refuses(shell("svd", "query", run, "nowhere"), 3, f"knows none of the {columns}")
    assert "20 rows with" in shell("svd", "evaluate", "run-x.mtx", "x.mtx").out


def test_a_model_that_does_not_say_what_it_was_made_of_has_documents_and_words() -> None:
    from regrow.models.svd.nouns import nouns_of

    assert nouns_of({}) == nouns_of({"source": {"kind": "bag", "fields": []}}) == ("documents", "words")
