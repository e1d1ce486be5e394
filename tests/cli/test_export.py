"""regrow lda export: from a run to files of other programs."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import load_npz

from shell import Shell, refuses

TRAIN = ("lda", "train", "docs.txt", "--topics", 3, "--rounds", 5, "--engine", "inline", "--grid", "3x2", "--run", "run")

FILES = {
    "npz": "counts.npz documents.npz vocab.txt",
    "parquet": "documents.parquet words.parquet",
    "text": "topics.txt",
    "csv": "topics.csv",
    "json": "topics.json",
    "gensim": "dictionary model model.id2word model.state",
    "mallet": "state.gz topic-keys.txt",
    "pyldavis": "pyldavis.npz vocab.json",
}


def test_every_form_is_written_and_its_files_are_printed(shell: Shell) -> None:
    shell.run(*TRAIN)
    for name, files in FILES.items():
        ended = shell("lda", "export", "run", "--format", name, "--out", f"out/{name}", "--words", 4)
        assert ended.code == 0, ended.err
        found = {path for path in ended.out.split() if not path.endswith(".expElogbeta.npy")}  # gensim: apart if it is large
        assert found == {f"out/{name}/{file}" for file in files.split()}
        assert all(Path(path).exists() for path in ended.out.split())
    assert [topic["words"] for topic in json.loads(Path("out/json/topics.json").read_text())] == [
        topic["words"] for topic in shell.run("lda", "topics", "run", "--words", 4)
    ]


def test_the_topics_of_the_documents_are_those_of_the_run(shell: Shell) -> None:
    tokens = shell.run(*TRAIN, "--draws", 1)["tokens"]  # so that the model counts the topics that the tokens have
    for name in ("npz", "mallet"):
        assert shell("lda", "export", "run", "--format", name, "--out", "out").code == 0
    documents, words = load_npz("out/documents.npz"), load_npz("out/counts.npz")
    texts = Path("docs.txt").read_text().splitlines()
    assert np.asarray(documents.sum(axis=1)).ravel().tolist() == [len(text.split()) for text in texts]
    assert np.array_equal(documents.sum(axis=0), words.sum(axis=0))
    lines = gzip.decompress(Path("out/state.gz").read_bytes()).decode().splitlines()[3:]
    assert len(lines) == tokens
    written: list[list[str]] = [[] for _ in texts]
    for line in lines:
        doc, _, _, _, word, _ = line.split(" ")
        written[int(doc)].append(word)
    assert written == [text.split() for text in texts]


def test_a_model_folder_alone_has_no_documents(shell: Shell) -> None:
    shell.run(*TRAIN)
    assert shell("lda", "export", "run/model", "--out", "out").out.split() == ["out/counts.npz", "out/vocab.txt"]
    for name in ("mallet", "pyldavis"):
        refuses(shell("lda", "export", "run/model", "--format", name, "--out", "out"), 3, "name the folder of the run")


@pytest.mark.parametrize("layout", ["kept", "data"])
def test_a_run_that_lost_its_documents_says_so(shell: Shell, layout: str) -> None:
    shell.run(*TRAIN)
    (shell.folder / "run" / layout).rename(shell.folder / "gone")
    refuses(shell("lda", "export", "run", "--format", "mallet", "--out", "out"), 3, "name the folder of the run")
    assert shell("lda", "export", "run", "--format", "npz", "--out", "out").code == 0


def test_damaged_documents_are_refused(shell: Shell) -> None:
    shell.run(*TRAIN)
    kept = shell.folder / "run" / "kept" / "topics_of_tokens.1"
    whole = kept.read_bytes()
    kept.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    refuses(shell("lda", "export", "run", "--format", "mallet", "--out", "out"), 3, "damaged")
    assert list((shell.folder / "out").iterdir()) == []


def test_another_format_than_there_is_lists_those_there_are(shell: Shell) -> None:
    refuses(shell("lda", "export", "nowhere", "--format", "xml", "--out", "x"), 2, "npz", "gensim", "mallet", "pyldavis")
