"""Exports, each read back by the library that owns its form."""

from __future__ import annotations

import csv
import gzip
import json
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from models.lda.corpus import grid
from regrow.errors import DataError, UsageError
from regrow.models.lda import TopicModel
from regrow.models.lda import exports as export
from regrow.models.lda.exports import EXPORTS, export_topics, needs_tokens
from regrow.models.lda.exports import gensim as export_gensim
from regrow.models.lda.exports import pyldavis as export_pyldavis
from regrow.models.lda.exports.documents import TokenTopics
from regrow.packed import strings

WORDS, TOPICS, DOCUMENTS = 40, 5, 30


@dataclass
class Trained:
    """A made-up run: documents as word ids, a topic for each token, and what training would have stored of both."""

    docs: list[list[int]]
    topics: list[list[int]]
    model: TopicModel
    tokens: TokenTopics

    @property
    def by_word(self) -> Any:
        table = np.zeros((len(self.model.vocabulary), self.model.topics), np.int64)
        np.add.at(table, (np.concatenate(self.docs).astype(int), np.concatenate(self.topics).astype(int)), 1)
        return table

    @property
    def by_document(self) -> Any:
        table = np.zeros((len(self.docs), self.model.topics), np.int64)
        for d, own in enumerate(self.topics):
            np.add.at(table[d], np.array(own, int), 1)
        return table


def trained(rows: int = 3, columns: int = 2, topics: int = TOPICS, alpha: Any = None) -> Trained:
    chance = np.random.default_rng(7)
    lengths = [0, *chance.integers(0, 9, DOCUMENTS - 1)]
    docs = [sorted(chance.integers(1, WORDS, n).tolist(), key=lambda w: w % 7) for n in lengths]  # word 0 never occurs
    z = [chance.integers(0, topics, n).tolist() for n in lengths]
    layouts = grid(docs, WORDS, rows, columns)
    flat, half, first = np.concatenate(z).astype(np.uint64), 16 if topics <= 1 << 16 else 32, 0
    layouts["kept"] = []
    for row in layouts["rows"]:
        pairs = np.empty(len(row["cell"]), np.uint32 if half == 16 else np.uint64)
        pairs[row["cell"]] = flat[first : first + len(pairs)] | np.uint64(9 << half)  # the upper half is a proposal: of no interest
        layouts["kept"].append({"pairs": pairs})
        first += len(pairs)
    table = np.zeros((WORDS, topics), np.int64)
    np.add.at(table, (np.concatenate(docs).astype(int), flat.astype(int)), 1)
    where = np.nonzero(table)
    arrays = {
        "word_ptr": np.concatenate([[0], np.cumsum((table > 0).sum(axis=1))]),
        "topics": where[1].astype(np.uint16 if half == 16 else np.uint32),
        "counts": table[where].astype(np.int32),
        "topic_totals": table.sum(axis=0),
        "vocabulary.word": strings([f"w{w}" for w in range(WORDS - 3)] + ["été", 'a "b", c', "new york"]),
        "vocabulary.count": table.sum(axis=1),
        "alpha": np.full(topics, 0.1) if alpha is None else np.asarray(alpha),
        "beta": np.array([0.01]),
    }
    model = TopicModel(arrays, {"topics": topics})
    tokens = TokenTopics(lambda layout, number: layouts[layout][number], rows, columns, topics, DOCUMENTS)
    return Trained(docs, z, model, tokens)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 2), (7, 5)])
@pytest.mark.parametrize("topics", [TOPICS, 70_000])
def test_the_tokens_of_a_run_come_back_in_the_order_of_the_text(rows: int, columns: int, topics: int) -> None:
    made = trained(rows, columns, topics)
    docs, z = [], []
    for block in made.tokens.blocks():
        assert block.first == len(docs)
        docs += [own.tolist() for own in np.split(block.words, block.doc_ptr[1:])[:-1]]
        z += [own.tolist() for own in np.split(block.topics, block.doc_ptr[1:])[:-1]]
    assert docs == made.docs
    assert z == made.topics


def test_parts_of_different_runs_are_refused() -> None:
    made = trained(1, 1)
    part = made.tokens._part
    short = TokenTopics(
        lambda layout, number: {"pairs": part("kept", 0)["pairs"][:-1]} if layout == "kept" else part(layout, number), 1, 1, TOPICS, 9
    )
    with pytest.raises(DataError, match="different runs"):
        list(short.blocks())


def test_npz_is_read_by_scipy(tmp_path: Path) -> None:
    made = trained()
    names = [path.name for path in export_topics(made.model, "npz", tmp_path / "x", made.tokens)]
    assert names == ["counts.npz", "documents.npz", "vocab.txt"] == sorted(path.name for path in (tmp_path / "x").iterdir())
    words, documents = (scipy.sparse.load_npz(tmp_path / "x" / name) for name in names[:2])
    assert words.format == documents.format == "csr"
    assert np.array_equal(words.toarray(), made.by_word)
    assert np.array_equal(documents.toarray(), made.by_document)
    assert (documents.indices.dtype, documents.data.dtype) == (np.int32, np.int32)


def test_npz_of_a_model_alone_has_no_documents(tmp_path: Path) -> None:
    assert [path.name for path in export_topics(trained().model, "npz", tmp_path)] == ["counts.npz", "vocab.txt"]


def test_parquet_is_read_by_pandas_and_made_of_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pandas as pd
    import pyarrow.parquet as pq

    monkeypatch.setattr("regrow.models.lda.exports.parquet.CELLS", 20)
    made = trained()
    words_path, documents_path = reversed(export_topics(made.model, "parquet", tmp_path, made.tokens))
    words, documents = pd.read_parquet(words_path), pd.read_parquet(documents_path)
    assert words.columns.tolist() == ["word", "word_id", "topic", "count"]
    assert words["word"].tolist() == [made.model.vocabulary[w] for w in words["word_id"]]
    found = scipy.sparse.coo_array((words["count"], (words["word_id"], words["topic"])), (WORDS, TOPICS))
    assert np.array_equal(found.toarray(), made.by_word)
    found = scipy.sparse.coo_array((documents["count"], (documents["doc"], documents["topic"])), (DOCUMENTS, TOPICS))
    assert np.array_equal(found.toarray(), made.by_document)
    assert pq.ParquetFile(words_path).num_row_groups > 3
    assert pq.ParquetFile(documents_path).num_row_groups == 3


def test_text_csv_and_json_tell_the_same_top_words(tmp_path: Path) -> None:
    made = trained()
    for name in ("text", "csv", "json"):
        (path,) = export_topics(made.model, name, tmp_path, words=4)
        assert path.suffix == {"text": ".txt", "csv": ".csv", "json": ".json"}[name]
    expected = [{"topic": k, "tokens": int(made.model.topic_totals[k]), "words": pairs} for k, pairs in enumerate(made.model.top_words(4))]
    assert json.loads((tmp_path / "topics.json").read_text("utf-8")) == json.loads(json.dumps(expected))
    with open(tmp_path / "topics.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(int(r["topic"]), int(r["tokens"]), int(r["place"]), r["word"], int(r["count"])) for r in rows] == [
        (t["topic"], t["tokens"], place, word, count) for t in expected for place, (word, count) in enumerate(t["words"], 1)
    ]
    lines = [line.split("\t") for line in (tmp_path / "topics.txt").read_text("utf-8").splitlines()]
    assert lines == [[str(t["topic"]), str(t["tokens"]), *(f"{word} {count}" for word, count in t["words"])] for t in expected]


def test_gensim_loads_the_model_and_its_topics_are_ours(tmp_path: Path) -> None:
    import gensim

    made = trained(alpha=[0.5, 0.1, 0.1, 0.2, 0.1])
    export_topics(made.model, "gensim", tmp_path / "x")
    (tmp_path / "x").rename(tmp_path / "moved")
    lda = gensim.models.LdaModel.load(str(tmp_path / "moved" / "model"))
    phi = (made.by_word + 0.01) / (made.model.topic_totals + 0.01 * WORDS)
    assert np.allclose(lda.get_topics(), phi.T, rtol=1e-12)
    assert lda.alpha.tolist() == [0.5, 0.1, 0.1, 0.2, 0.1]
    for k, shown in lda.show_topics(-1, 3, formatted=False):
        assert np.allclose([p for _, p in shown], np.sort(phi[:, k])[::-1][:3])
        assert np.allclose([phi[lda.id2word.token2id[word], k] for word, _ in shown], [p for _, p in shown])
    assert [lda.id2word[w] for w in range(WORDS)] == list(made.model.vocabulary)
    assert gensim.corpora.Dictionary.load(str(tmp_path / "moved" / "dictionary")).token2id == lda.id2word.token2id


def test_gensim_gives_documents_the_topics_that_wrote_them(tmp_path: Path) -> None:
    import gensim

    made = trained()
    export_topics(made.model, "gensim", tmp_path)
    lda = gensim.models.LdaModel.load(str(tmp_path / "model"))
    phi = (made.by_word + 0.01) / (made.model.topic_totals + 0.01 * WORDS)
    for k in range(TOPICS):
        words = np.argsort(-phi[:, k] / phi.sum(axis=1))[:4]  # words that say topic k more than others
        theta = dict(lda.get_document_topics([(int(w), 5) for w in words]))
        assert max(theta, key=lambda topic: theta[topic]) == k


def test_a_state_of_mallet_has_every_token_and_its_counts_are_the_models(tmp_path: Path) -> None:
    made = trained(alpha=[0.5, 0.1, 0.1, 0.2, 0.1])
    state, keys = export_topics(made.model, "mallet", tmp_path, made.tokens, words=2)
    lines = gzip.decompress(state.read_bytes()).decode("utf-8").splitlines()
    assert lines[:3] == ["#doc source pos typeindex type topic", "#alpha : 0.5 0.1 0.1 0.2 0.1", "#beta : 0.01"]
    found = [line.split(" ") for line in lines[3:]]
    assert {len(line) for line in found} == {6}
    spelled = [word.replace(" ", "_") for word in made.model.vocabulary]
    assert found == [
        [str(d), "NA", str(at), str(w), spelled[w], str(z)]
        for d, (doc, topics) in enumerate(zip(made.docs, made.topics, strict=True))
        for at, (w, z) in enumerate(zip(doc, topics, strict=True))
    ]
    counts = Counter((int(line[3]), int(line[5])) for line in found)
    assert counts == Counter({(int(w), int(z)): int(made.by_word[w, z]) for w, z in zip(*np.nonzero(made.by_word), strict=True)})
    lists = [line.split("\t") for line in keys.read_text("utf-8").splitlines()]
    assert [(int(k), float(a), words.split()) for k, a, words in lists] == [
        (k, float(made.model.arrays["alpha"][k]), [word.replace(" ", "_") for word, _ in pairs])
        for k, pairs in enumerate(made.model.top_words(2))
    ]


def test_pandas_reads_a_state_of_mallet_as_the_tools_around_it_do(tmp_path: Path) -> None:
    import pandas as pd

    made = trained()
    state, _ = export_topics(made.model, "mallet", tmp_path, made.tokens)
    table = pd.read_csv(state, compression="gzip", sep=" ", skiprows=[1, 2], keep_default_na=False, quoting=csv.QUOTE_NONE)
    assert table.columns.tolist() == ["#doc", "source", "pos", "typeindex", "type", "topic"]
    assert table.groupby("topic").size().reindex(range(TOPICS), fill_value=0).tolist() == made.model.topic_totals.tolist()


def test_pyldavis_prepares_its_picture_from_the_export(tmp_path: Path) -> None:
    import pyLDAvis

    made = trained()
    arrays, vocab = export_topics(made.model, "pyldavis", tmp_path, made.tokens)
    inputs = dict(np.load(arrays))
    assert inputs["doc_lengths"].tolist() == [len(doc) for doc in made.docs]
    assert np.allclose(inputs["doc_topic_dists"], (made.by_document + 0.1) / (inputs["doc_lengths"] + 0.1 * TOPICS)[:, None])
    prepared = pyLDAvis.prepare(**inputs, vocab=json.loads(vocab.read_text("utf-8")), R=5, n_jobs=1, sort_topics=False)
    weights = (inputs["doc_topic_dists"] * inputs["doc_lengths"][:, None]).sum(axis=0)
    assert np.allclose(prepared.topic_coordinates["Freq"], 100 * weights / weights.sum())
    assert len(prepared.topic_order) == TOPICS


@pytest.mark.parametrize("name", EXPORTS)
def test_every_export_has_the_same_bytes_every_time(name: str, tmp_path: Path) -> None:
    if name == "gensim":
        pytest.skip("gensim writes the time into its pickle")
    made = trained()
    first, again = (export_topics(made.model, name, tmp_path / folder, trained(2, 3).tokens) for folder in ("a", "b"))
    if name in ("npz", "pyldavis"):  # archives hold times
        for one, other in zip(first, again, strict=True):
            if one.suffix == ".npz":
                assert all(np.array_equal(array, np.load(other)[key]) for key, array in np.load(one).items())
    else:
        assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]


@pytest.mark.parametrize("name", ["mallet", "pyldavis"])
def test_what_tells_of_documents_needs_the_run(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="name the folder of the run"):
        export_topics(trained().model, name, tmp_path / "x")
    assert list((tmp_path / "x").iterdir()) == []


def test_what_would_not_fit_is_refused_with_the_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = trained()
    monkeypatch.setattr(export_gensim, "CELLS_MAX", WORDS * TOPICS - 1)
    monkeypatch.setattr(export_pyldavis, "CELLS_MAX", DOCUMENTS * TOPICS)
    for name in ("gensim", "pyldavis"):
        with pytest.raises(UsageError, match=f"5 topics by {WORDS} words"):
            export_topics(made.model, name, tmp_path, made.tokens)
    monkeypatch.setattr(export_pyldavis, "CELLS_MAX", DOCUMENTS * TOPICS - 1)
    with pytest.raises(UsageError, match=f"{DOCUMENTS} documents by 5 topics"):
        export_topics(made.model, "pyldavis", tmp_path, made.tokens)


def test_an_unknown_form_lists_those_there_are() -> None:
    with pytest.raises(UsageError, match="npz, parquet, text, csv, json, gensim, mallet, pyldavis"):
        needs_tokens("xml")


def test_an_export_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = trained()
    export_topics(made.model, "json", tmp_path)
    before = (tmp_path / "topics.json").read_bytes()

    def full(model: TopicModel, folder: Path, words: int) -> None:
        (folder / "topics.json").write_text("half of")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "write_json", full)
    with pytest.raises(UsageError, match="No space left"):
        export_topics(made.model, "json", tmp_path)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [before]


def test_without_gensim_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gensim", None)
    with pytest.raises(UsageError, match=r"regrow\[gensim\]"):
        export_topics(trained().model, "gensim", tmp_path)
