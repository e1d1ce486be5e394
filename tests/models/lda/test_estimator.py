"""What Python users hold: documents in every form, topics of new ones, and models that travel."""

from __future__ import annotations

import copy
import json
import pickle
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

import regrow
from regrow.errors import DataError, UsageError
from regrow.models.counts import counts_of
from regrow.models.given import Given, given
from regrow.models.lda import estimator
from shell import Shell


def plain(documents: int, seed: int) -> list[str]:
    """Short documents, each of one of three themes in turn."""
    chance = random.Random(seed)
    return [" ".join(f"t{d % 3}w{int(12 * chance.random() ** 2)}" for _ in range(chance.randint(5, 15))) for d in range(documents)]


TEXTS, NEW = plain(24, 1), plain(9, 2)
WORDS = sorted({word for text in TEXTS for word in text.split()})
TABLE = np.array([[text.split().count(word) for word in WORDS] for text in TEXTS])


def lda(**parameters: Any) -> regrow.LDA:
    """A small one: four rounds suffice to tell models apart."""
    return regrow.LDA(3, alpha_sum=1.0, **{"rounds": 4, **parameters})


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "docs.txt").write_text("\n".join(TEXTS) + "\n")
    return tmp_path


@pytest.fixture(scope="module")
def fitted() -> regrow.LDA:
    return lda(rounds=50).fit(TEXTS)


@pytest.fixture(scope="module")
def of_texts() -> regrow.LDA:
    return lda().fit(TEXTS)


@pytest.fixture(scope="module")
def of_table() -> regrow.LDA:
    return lda().fit(TABLE)


# Forms of documents


def two_files(folder: Path) -> list[Path]:
    """The documents in two files."""
    (folder / "a.txt").write_text("\n".join(TEXTS[:7]) + "\n")
    (folder / "b.txt").write_text("\n".join(TEXTS[7:]) + "\n")
    return [folder / "a.txt", folder / "b.txt"]


SAME_TEXTS: dict[str, Callable[[Path], Any]] = {
    "the name of a file": lambda folder: "docs.txt",
    "several paths": two_files,
    "several names": lambda folder: [str(path) for path in two_files(folder)],
    "words": lambda folder: [text.split() for text in TEXTS],
}


@pytest.mark.parametrize("form", SAME_TEXTS)
def test_the_same_documents_in_another_form_make_the_same_model(form: str, folder: Path, of_texts: regrow.LDA) -> None:
    found = lda().fit(SAME_TEXTS[form](folder))
    assert found.digest_ == of_texts.digest_
    assert np.array_equal(found.transform(SAME_TEXTS[form](folder)), of_texts.transform(TEXTS))


@pytest.mark.parametrize("form", [tuple, iter, np.array, lambda texts: np.array(texts, object), pd.Series])
def test_lists_of_texts_may_be_of_any_kind(form: Callable[[Any], Any]) -> None:
    assert given(form(TEXTS), "LDA") == Given(texts=TEXTS)
    words = [text.split() for text in TEXTS]
    if form is not np.array:  # a table cannot be ragged
        assert given(form([tuple(own) for own in words]) if form is tuple else form(words), "LDA") == Given(words=words)


def test_names_are_files_if_all_of_them_are_there(folder: Path) -> None:
    assert given(["docs.txt", "docs.txt"], "LDA") == given((Path("docs.txt"), "docs.txt"), "LDA") == Given(files=("docs.txt", "docs.txt"))
    assert given(["docs.txt", "no file"], "LDA") == Given(texts=["docs.txt", "no file"])
    assert given("no file", "LDA") == Given(files=("no file",))


def with_duplicates() -> Any:
    """The table as a sparse matrix that says cells twice, and zeros."""
    rows, columns = np.nonzero(TABLE + 1)
    halves = [TABLE // 2, TABLE - TABLE // 2]
    data = np.concatenate([half[rows, columns] for half in halves])
    return scipy.sparse.coo_matrix((data, (np.tile(rows, 2), np.tile(columns, 2))), TABLE.shape)


SAME_COUNTS: dict[str, Callable[[], Any]] = {
    "floats": lambda: TABLE.astype(np.float64),
    "small numbers": lambda: TABLE.astype(np.uint8),
    "in the order of columns": lambda: np.asfortranarray(TABLE),
    "lists": lambda: TABLE.tolist(),
    "objects": lambda: TABLE.astype(object),
    "csr": lambda: scipy.sparse.csr_array(TABLE),
    "csr of floats": lambda: scipy.sparse.csr_matrix(TABLE.astype(np.float32)),
    "csc": lambda: scipy.sparse.csc_array(TABLE),
    "coo with duplicates and zeros": with_duplicates,
    "a DataFrame whose columns have numbers": lambda: pd.DataFrame(TABLE),
}


@pytest.mark.parametrize("form", SAME_COUNTS)
def test_the_same_counts_in_another_form_are_the_same(form: str) -> None:
    found, expected = counts_of(SAME_COUNTS[form](), "LDA"), counts_of(TABLE, "LDA")
    for name in ("ptr", "columns", "counts"):
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name
    assert (found.shape, found.names) == (TABLE.shape, None)


def test_sparse_and_dense_counts_make_the_same_model(of_table: regrow.LDA) -> None:
    found = lda().fit(scipy.sparse.csr_array(TABLE))
    assert found.digest_ == of_table.digest_
    assert found.n_features_in_ == len(WORDS)
    assert not hasattr(found, "feature_names_in_")
    assert np.array_equal(found.transform(scipy.sparse.csc_array(TABLE)), of_table.transform(TABLE))


def test_columns_with_names_are_words(folder: Path) -> None:
    named = lda(rounds=2).fit(pd.DataFrame(TABLE, columns=WORDS))
    told = lda(rounds=2).fit(scipy.sparse.csr_array(TABLE), vocabulary=WORDS)
    assert list(named.model_.vocabulary) == list(told.model_.vocabulary) == WORDS
    assert named.digest_ == told.digest_
    assert named.feature_names_in_.tolist() == WORDS
    rows, columns = np.nonzero(TABLE)
    triples = "".join(f"{d + 1} {w + 1} {TABLE[d, w]}\n" for d, w in zip(rows, columns, strict=True))
    (folder / "docword.txt").write_text(f"{len(TABLE)}\n{len(WORDS)}\n{len(rows)}\n{triples}")
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    bag = lda(rounds=2).fit("docword.txt", options=regrow.data.TextOptions(vocabulary="vocab.txt"))
    assert bag.digest_ == named.digest_


def test_columns_without_words_keep_their_place() -> None:
    table = np.insert(TABLE, 2, 0, axis=1)
    found = lda(rounds=2).fit(table)
    assert found.components_.shape == (3, len(WORDS) + 1)
    assert np.allclose(found.components_[:, 2], 0.01)
    assert np.allclose(found.components_.sum(axis=0), table.sum(axis=0) + 0.03)


def test_documents_without_words_have_a_row_and_the_prior(fitted: regrow.LDA) -> None:
    found = fitted.transform(["", *NEW[:1], "never seen", ""])
    assert np.allclose(found[[0, 2, 3]], 1 / 3)
    assert np.array_equal(found[1], fitted.transform(NEW[:1])[0])


@pytest.mark.parametrize(
    ("documents", "kind", "said"),
    [
        ([], ValueError, "2D array"),
        ([1, 2, 3], ValueError, "Reshape your data"),
        (5, ValueError, "Reshape your data"),
        (None, ValueError, "Reshape your data"),
        (np.zeros((2, 2, 2)), ValueError, "Expected 2D"),
        (scipy.sparse.coo_array(np.ones(3)), ValueError, "Expected 2D"),
        (np.zeros((0, 3)), ValueError, "minimum of 1"),
        (np.zeros((3, 0)), ValueError, r"0 feature\(s\)"),
        (np.zeros((3, 2)), ValueError, "not one word"),
        ([[1, -1], [0, 2]], ValueError, "Negative values in data"),
        (scipy.sparse.csr_array([[1, -1]]), ValueError, "Negative values in data"),
        ([[1, np.nan]], ValueError, "NaN"),
        ([[1, np.inf]], ValueError, "infinity"),
        ([[1, 0.5], [0.25, 1]], ValueError, "2 of the counts passed to LDA are no whole numbers, the first 0.5"),
        ([[1, 2**31]], ValueError, "more than 2,147,483,647"),
        ([[1j, 1]], ValueError, "Complex"),
        ([["a", "b"], [1, 2]], TypeError, "no string but int"),
        (["a", 1], TypeError, "no string but int"),
        (["a", None], TypeError, "no string but NoneType"),
        (pd.DataFrame({"a": [1], 2: [1]}), TypeError, "some are not"),
        (pd.DataFrame({"a b\n": [1]}), ValueError, "line breaks"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), ValueError, "two columns are called 'a'"),
        (["", " "], ValueError, "no words were found"),
        ([[], []], ValueError, r"0 feature\(s\)"),
        (Path("nowhere.txt"), ValueError, "no such file"),
        ("nowhere.txt", ValueError, "no such file"),
    ],
    ids=str,
)
def test_what_is_no_set_of_documents_is_refused(documents: Any, kind: type[Exception], said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        lda().fit(documents)
    assert isinstance(caught.value, kind)


def test_a_parameter_that_cannot_be_is_a_value_error() -> None:
    wrong: list[tuple[dict[str, Any], str]] = [({"n_topics": 1}, "topics"), ({"n_topics": 2.5}, "n_topics=2.5"), ({"beta": 0}, "beta")]
    wrong += [({"beta": "small"}, "beta='small'"), ({"engine": "none"}, "engine"), ({"seed": -1}, "seed"), ({"seed": None}, "seed=None")]
    for parameters, said in wrong:
        with pytest.raises(UsageError, match=said) as caught:
            lda().set_params(**parameters).fit(TEXTS)
        assert isinstance(caught.value, ValueError)
    with pytest.raises(ValueError, match="its parameters are n_topics, alpha_sum"):
        lda().set_params(n_components=3)


def test_numbers_of_numpy_are_numbers() -> None:
    found = lda(rounds=np.int32(2), beta=np.float32(0.5), seed=np.uint8(3), min_count=np.int64(1), alpha=np.float64(0.25)).fit(TEXTS)
    assert found.digest_ == lda(rounds=2, beta=0.5, seed=3, alpha=0.25).fit(TEXTS).digest_


# Topics of documents


def test_rows_are_probabilities_and_themes_are_found(fitted: regrow.LDA) -> None:
    theta = fitted.transform(NEW)
    assert (theta.dtype, theta.shape) == (np.float64, (len(NEW), 3))
    assert np.allclose(theta.sum(axis=1), 1)
    assert theta.min() >= 0
    theme_of = [words[0][0][:2] for words in fitted.top_words(1)]
    assert len(set(theme_of)) == 3
    assert [theme_of[k] for k in theta.argmax(axis=1)] == [text[:2] for text in NEW]


def test_a_row_depends_on_its_document_alone(fitted: regrow.LDA) -> None:
    whole = fitted.transform(NEW)
    assert np.array_equal(fitted.transform(NEW[::-1]), whole[::-1])
    for d, text in enumerate(NEW):
        assert np.array_equal(fitted.transform([text])[0], whole[d])


@pytest.mark.parametrize("inference", [{"inference": "argmax"}, {"samples": 5}, {"samples": 40}], ids=str)
def test_how_topics_are_found_may_change_after_the_fit(fitted: regrow.LDA, inference: dict[str, Any]) -> None:
    mixed = [f"{NEW[d]} {NEW[d]} {NEW[d + 1]}" for d in range(len(NEW) - 1)]
    other = copy.deepcopy(fitted).set_params(**inference)
    found = other.transform(mixed)
    assert not np.array_equal(found, fitted.transform(mixed))
    assert np.allclose(found, fitted.transform(mixed), atol=0.3)
    assert np.allclose(found.sum(axis=1), 1)
    with pytest.raises(ValueError, match="the methods are"):
        other.set_params(inference="variational").transform(NEW)


@pytest.mark.parametrize("inference", ["argmax", "sampling"])
def test_the_command_infer_gives_the_same_topics(inference: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = lda(inference=inference).fit("docs.txt", run="run")
    (folder / "new.txt").write_text("\n".join(NEW) + "\n")
    ended = Shell(folder, capsys)("lda", "infer", "run", "new.txt", "--method", inference)
    assert ended.code == 0, ended.err
    for row, line in zip(found.transform("new.txt"), ended.out.splitlines(), strict=True):
        for topic, share in json.loads(line)["topics"]:
            assert row[topic] == pytest.approx(share, abs=1e-6)


def test_the_command_evaluate_gives_the_same_perplexity(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = lda().fit("docs.txt", run="run")
    (folder / "new.txt").write_text("\n".join(NEW) + "\n")
    assert found.perplexity("new.txt") == pytest.approx(Shell(folder, capsys).run("lda", "evaluate", "run", "new.txt")["perplexity"])


def test_texts_are_cut_into_words_as_in_training() -> None:
    found = lda(rounds=3, lower=False, token_pattern="[a-zA-Z]+", inference="argmax").fit(["Oak elm", "oak Elm ash oak"] * 3)
    assert set(found.model_.vocabulary) == {"Oak", "elm", "oak", "Elm", "ash"}
    assert np.array_equal(found.transform(["Oak7elm"]), found.transform(["Oak elm"]))


def test_the_score_is_better_for_documents_of_the_same_kind(fitted: regrow.LDA) -> None:
    good, bad = fitted.score(NEW), fitted.score([" ".join(chr(97 + i) * 3 for i in range(20))] * 3)
    assert bad < good < 0
    assert fitted.perplexity(NEW) == pytest.approx(np.exp(-good))
    assert 1 < fitted.perplexity(NEW) < len(WORDS)
    assert fitted.score([text.split() for text in NEW]) == good


def test_a_score_of_nothing_is_no_number(fitted: regrow.LDA) -> None:
    with pytest.warns(UserWarning, match="nothing to score"):
        assert np.isnan(fitted.score(["", ""]))


def test_a_table_must_have_the_columns_of_the_fit() -> None:
    found = lda(rounds=2).fit(pd.DataFrame(TABLE, columns=WORDS))
    with pytest.raises(ValueError, match=f"X has 3 features, but LDA is expecting {len(WORDS)}"):
        found.transform(TABLE[:, :3])
    with pytest.raises(ValueError, match=r"(?s)unseen at fit time:\n- new.*now missing:\n- t0w0"):
        found.transform(pd.DataFrame(TABLE, columns=["new", *WORDS[1:]]))
    with pytest.raises(ValueError, match="same order"):
        found.transform(pd.DataFrame(TABLE[:, ::-1], columns=WORDS[::-1]))
    with pytest.warns(UserWarning, match="valid feature names"):
        found.transform(TABLE)
    with pytest.warns(UserWarning, match="without feature names"):
        lda(rounds=2).fit(TABLE).transform(pd.DataFrame(TABLE, columns=WORDS))


def test_a_model_of_texts_takes_tables_over_its_vocabulary(fitted: regrow.LDA) -> None:
    vocabulary = list(fitted.model_.vocabulary)
    table = np.array([[text.split().count(word) for word in vocabulary] for text in NEW])
    assert fitted.transform(table).shape == (len(NEW), 3)
    with pytest.raises(ValueError, match="features"):
        fitted.transform(table[:, 1:])


def test_a_second_fit_forgets_the_first() -> None:
    found = lda(rounds=2).fit(pd.DataFrame(TABLE, columns=WORDS)).fit(TEXTS)
    assert not hasattr(found, "n_features_in_")
    assert not hasattr(found, "feature_names_in_")
    assert found.digest_ == lda(rounds=2).fit(TEXTS).digest_


def test_components_beyond_a_size_are_refused(fitted: regrow.LDA, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimator, "CELLS_MAX", 3 * len(WORDS) - 1)
    with pytest.raises(UsageError, match="to_scipy"):
        _ = fitted.components_


# Runs, files, travel


def test_small_input_is_trained_here_and_large_by_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    engines = []
    monkeypatch.setattr(estimator, "launch", lambda spec, how, run, **_: engines.append(how.engine) or 1 / 0)
    for found in (lda(), lda(rounds=10_000_000), lda(engine="local"), lda(rounds=10_000_000, engine="inline")):
        with pytest.raises(ZeroDivisionError):
            found.fit(TEXTS)
    assert engines == ["inline", "local", "local", "inline"]


def test_what_was_in_memory_leaves_nothing_behind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(folder / "tmp"))
    (folder / "tmp").mkdir()
    found = lda(rounds=2).fit(TEXTS)
    found.transform(NEW)
    found.score(TABLE @ np.ones((len(WORDS), len(found.model_.vocabulary)), int))
    assert [path.name[:7] for path in (folder / "tmp").iterdir()] == ["regrow-"]  # the run
    del found
    assert list((folder / "tmp").iterdir()) == []
    assert {path.name for path in folder.iterdir()} == {"docs.txt", "tmp"}


def test_a_run_of_documents_in_memory_can_be_kept_and_holds_them(folder: Path) -> None:
    lda(rounds=2).fit(TEXTS, run="kept")
    lda(rounds=2).fit(TABLE, run="table")
    assert [path.name for path in (folder / "kept" / "input").iterdir()] == ["documents.jsonl"]
    assert [path.name for path in (folder / "table" / "input").iterdir()] == ["counts.npz"]


@pytest.mark.parametrize("travel", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))], ids=["deepcopy", "pickle"])
def test_a_fitted_estimator_travels(fitted: regrow.LDA, travel: Callable[[regrow.LDA], regrow.LDA], folder: Path) -> None:
    other = travel(fitted)
    assert other.get_params() == fitted.get_params()
    assert other.run_ is None
    assert np.array_equal(other.transform(NEW), fitted.transform(NEW))
    assert other.score(NEW) == fitted.score(NEW)
    other.save("model")
    assert regrow.LDA.load("model").digest_ == fitted.digest_


def test_an_estimator_travels_before_it_is_fitted() -> None:
    assert pickle.loads(pickle.dumps(lda(min_count=2))).get_params() == copy.deepcopy(lda(min_count=2)).get_params()


@pytest.mark.parametrize("documents", [TEXTS, TABLE, Path("docs.txt")], ids=["texts", "table", "file"])
def test_a_model_is_saved_and_loaded_with_its_parameters(documents: Any, folder: Path) -> None:
    found = lda(rounds=4, min_count=2, max_doc_share=0.99, seed=9).fit(documents)
    found.save("models/one")
    loaded = regrow.LDA.load("models/one")
    assert loaded.digest_ == found.digest_
    assert loaded.get_params() == found.get_params()
    assert np.array_equal(loaded.transform(documents), found.transform(documents))
    assert np.array_equal(loaded.transform(NEW), found.transform(NEW))
    with pytest.raises(UsageError, match="there already"):
        loaded.save("models/one")


def test_a_run_is_loaded_and_a_model_of_another_kind_is_not(folder: Path) -> None:
    digest = lda(rounds=2).fit(TEXTS, run="run").digest_
    assert regrow.LDA.load("run").digest_ == regrow.LDA.load(folder / "run" / "model").digest_ == digest
    with pytest.raises(DataError, match="holds no model"):
        regrow.LDA.load(folder)


def test_an_estimator_exports(fitted: regrow.LDA, folder: Path) -> None:
    assert [path.name for path in fitted.export("json", "out", words=3)] == ["topics.json"]
    with pytest.raises(UsageError, match="the formats are"):
        fitted.export("xml", "out")


def test_an_unfitted_one_says_what_to_do() -> None:
    for ask in ("top_words", "get_feature_names_out"):
        with pytest.raises(UsageError, match="call fit"):
            getattr(lda(), ask)()
    for ask in ("transform", "score", "perplexity", "save"):
        with pytest.raises(ValueError, match="call fit"):
            getattr(lda(), ask)(TEXTS)
    assert not hasattr(lda(), "components_")
