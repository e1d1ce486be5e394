"""What the comparison with peers rests on: the same halves as regrow's own evaluation, and an evaluator that does what it says."""

import gzip
import hashlib
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from regrow.rng import bits

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from lda_peers_corpus import observed_bits, read_corpus
from lda_peers_evaluator import Topics, evaluate
from lda_peers_tables import perplexity_at, reached

pytestmark = pytest.mark.slow

TEXTS = [f"{a} {b} {a} word it’s {c} end{c}" for a in ("cat", "dog", "cow") for b in ("red", "blue", "dun") for c in range(12)]


@pytest.fixture
def tables(tmp_path):
    with gzip.open(tmp_path / "part.tsv.gz", "wt", encoding="utf-8") as file:
        file.write("id\ttitle\tabstract\n" + "".join(f"{i}\t{text[:4]}\t{text[4:]}\n" for i, text in enumerate(TEXTS)))
    return tmp_path


def test_halves_are_those_of_the_house():
    key = int.from_bytes(hashlib.sha256(b"a text").digest()[:8], "little")
    assert observed_bits(key, 100).tolist() == [int(bits(np.uint64(key), i)) & 1 == 0 for i in range(100)]


def test_tables_become_a_bag_and_halves_of_the_same_documents(tables, tmp_path):
    corpus = read_corpus(tables, tmp_path)
    facts = corpus.facts()
    assert facts["documents"] + facts["held_out_documents"] == len(TEXTS)
    assert facts["tokens"] + facts["observed_tokens"] + facts["scored_tokens"] == 7 * len(TEXTS)
    assert "it's" in Path(corpus.vocab).read_text(encoding="utf-8").split()
    header = Path(corpus.docword).read_text().split()[:3]
    assert header == [str(facts["documents"]), str(facts["words"]), str(len(corpus.words))]


def test_halves_that_do_not_fit_the_counts_are_noticed_and_made_anew(tmp_path, capsys):
    (tmp_path / "docword.txt").write_text("2\n3\n3\n1 1 2\n1 2 1\n2 3 4\n")
    (tmp_path / "vocab.txt").write_text("a\nb\nc\n")
    held = {"indptr": [0, 2], "indices": [0, 2], "data": [3, 5], "obs": [4, 0]}
    np.savez(tmp_path / "heldout.npz", **held)
    corpus = read_corpus(tmp_path, tmp_path)
    assert "more tokens than there are in 1 cells" in capsys.readouterr().out
    key = int.from_bytes(hashlib.sha256(b"a a a c c c c c").digest()[:8], "little")
    observed = observed_bits(key, 8)
    assert corpus.observed.tolist() == [observed[:3].sum(), observed[3:].sum()]
    assert (corpus.observed + corpus.scored).tolist() == [3, 5]


def test_the_evaluator_agrees_with_plain_loops(tables, tmp_path):
    corpus = read_corpus(tables, tmp_path)
    random = np.random.default_rng(1)
    weights, alpha = random.random((4, len(corpus.word_counts))).astype(np.float32), np.array([0.1, 0.7, 0.2, 0.05])
    topics = Topics(weights, 0.01, alpha)
    phi = np.hstack([weights.astype(float), np.full((4, 1), 0.01)])
    phi /= phi.sum(axis=1, keepdims=True)
    loss = 0.0
    for start, end in zip(corpus.held_ptr[:-1], corpus.held_ptr[1:], strict=True):
        own, theta = phi[:, corpus.held_words[start:end]], np.full(4, 0.25)
        n, scored = corpus.observed[start:end], corpus.scored[start:end]
        for _ in range(50):
            theta = (alpha + theta * (own * (n / (theta @ own))).sum(axis=1)) / (alpha.sum() + n.sum())
        loss -= scored @ np.log(theta @ own)
    found = evaluate(corpus, topics)
    assert found.total.units == corpus.scored.sum()
    assert found.perplexity == pytest.approx(math.exp(loss / corpus.scored.sum()), rel=1e-5)


def test_between_checkpoints_lines_are_straight_in_logarithms():
    points = [{"cpu_seconds": 1.0, "perplexity": 4000.0}, {"cpu_seconds": 4.0, "perplexity": 1000.0}]
    assert perplexity_at(points, 2.0) == pytest.approx(2000)
    assert reached(points, 2000.0) == pytest.approx(2.0)
    assert reached(points, 999.0) is None
    assert perplexity_at(points, 0.9) is None
    assert perplexity_at(points, 4.7) == 1000.0
