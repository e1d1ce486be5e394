"""What the comparison with recorded curves rests on: their own score for everybody, and honest looking-up."""

import itertools
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import lda_peers_contestants
from lda_peers_contestants import Watch, train_regrow
from lda_peers_corpus import read_corpus
from lda_peers_evaluator import Topics, evaluate_recorded_way
from lda_peers_picture import draw
from lda_peers_recorded import beside, read_recorded, show_recorded

pytestmark = pytest.mark.slow

TRAIN = {(1, 1): 2, (1, 2): 1, (2, 2): 14, (2, 3): 3, (3, 1): 4, (3, 5): 120, (4, 3): 1, (4, 2): 2}
"""Document and word, from 1, and how often: the fourth of five words never stands there."""


def checkpoint(peer, cpu, perplexity, topics=4, alpha_sum=2):
    bands = {"1-2": -9.0, "3-9": -8.0}
    return {"peer": peer, "topics": topics, "alpha_sum": alpha_sum, "iter": 9, "cpu": cpu, "perplexity": perplexity, "log_p_by_band": bands}


RECORDED = [
    checkpoint("mallet", 8.0, 500.0),
    checkpoint("mallet", 2.0, 2000.0),
    checkpoint("warplda", 3.0, 4000.0),
    checkpoint("warplda", 3.0, 99.0, topics=8),
    checkpoint("warplda", 3.0, 99.0, alpha_sum=5),
    checkpoint("gensim", 3.0, 99.0),
]


@pytest.fixture
def folder(tmp_path):
    """A bag of words whose stored halves have more tokens than there are in two cells, and recorded curves."""
    cells = "".join(f"{d} {w} {n}\n" for (d, w), n in TRAIN.items())
    (tmp_path / "docword.txt").write_text(f"4\n5\n{len(TRAIN)}\n{cells}")
    (tmp_path / "vocab.txt").write_text("ant\nbee\ncow\nunseen\nelk\n")
    held = {"indptr": [0, 3, 5, 8], "indices": [0, 1, 3, 2, 4, 0, 2, 4], "data": [3, 5, 4, 1, 6, 2, 4, 3], "obs": [1, 6, 2, 0, 3, 1, 5, 2]}
    np.savez(tmp_path / "heldout.npz", **held)
    (tmp_path / "peer-curves.json").write_text(json.dumps(RECORDED))
    return tmp_path


def test_the_recorded_way_agrees_with_plain_loops(folder, tmp_path):
    weights, alpha = np.random.default_rng(1).random((4, 5)).astype(np.float32), np.array([0.1, 0.7, 0.2, 0.05])
    weights[:, 3] = 0.01
    found = evaluate_recorded_way(read_corpus(folder, tmp_path), Topics(weights, 0.01, alpha))
    with np.load(folder / "heldout.npz") as file:
        ptr, words, counts, observed = (file[name].tolist() for name in ("indptr", "indices", "data", "obs"))
    frequency = [6, 17, 4, 0, 120]
    names = ["1-2" if n in (1, 2) else "0" if n == 0 else "3-9" if n < 10 else "10-99" if n < 100 else "100-999" for n in frequency]
    phi = (weights / weights.sum(axis=1, dtype=float)[:, None]).tolist()
    tokens, sums = dict.fromkeys(names, 0), dict.fromkeys(names, 0.0)
    for start, end in itertools.pairwise(ptr):
        theta, cells = [0.25] * 4, range(start, end)
        for _ in range(50):
            gains = [0.0] * 4
            for c in cells:
                p = sum(theta[k] * phi[k][words[c]] for k in range(4))
                for k in range(4):
                    gains[k] += observed[c] * phi[k][words[c]] * theta[k] / p
            theta = [(alpha[k] + gains[k]) / (alpha.sum() + sum(observed[c] for c in cells)) for k in range(4)]
        for c in cells:
            left = counts[c] - observed[c]
            tokens[names[words[c]]] += left
            if left > 0:
                sums[names[words[c]]] += left * math.log(sum(theta[k] * phi[k][words[c]] for k in range(4)))
    assert sum(tokens.values()) == sum(counts) - sum(observed) == 8
    assert found["perplexity_recorded_way"] == pytest.approx(math.exp(-sum(sums.values()) / 8), rel=1e-5)
    expected = {name: sums[name] / tokens[name] for name in tokens if tokens[name] > 0}
    assert found["log_p_by_band_recorded_way"] == pytest.approx(expected, rel=1e-5)


def test_stored_halves_are_kept_only_where_curves_were_recorded_with_them(folder, tmp_path, capsys):
    corpus = read_corpus(folder, tmp_path)
    assert corpus.stored.tolist() == [1, 6, 2, 0, 3, 1, 5, 2]
    assert (corpus.observed <= corpus.observed + corpus.scored).all()
    (folder / "peer-curves.json").rename(folder / "elsewhere")
    bare = read_corpus(folder, tmp_path)
    assert len(bare.stored) == 0
    assert bare.observed.tolist() == corpus.observed.tolist()
    assert read_recorded(folder, bare, 4, 2.0) == {}
    (folder / "elsewhere").rename(folder / "peer-curves.json")
    capsys.readouterr()
    assert read_recorded(folder, bare, 4, 2.0) == {}
    assert "no stored halves" in capsys.readouterr().out


def test_only_curves_of_the_same_topics_and_alpha_sum_are_taken(folder, tmp_path, capsys):
    corpus = read_corpus(folder, tmp_path)
    curves = read_recorded(folder, corpus, 4, 2.0)
    assert [(name, [point["cpu_seconds"] for point in points]) for name, points in curves.items()] == [
        ("Mallet, recorded", [2.0, 8.0]), ("WarpLDA, recorded", [3.0]),
    ]  # fmt: skip
    assert read_recorded(folder, corpus, 16, 2.0) == {}
    assert "no curves with 16 topics and alpha sum 2, but with 4 and 2; 4 and 5; 8 and 2" in capsys.readouterr().out
    (folder / "peer-curves.json").write_text('[{"peer": "mallet", "topics": 4}]')
    with pytest.raises(SystemExit, match=r"peer-curves.json: KeyError\('alpha_sum'\); expected is a list of objects with peer"):
        read_recorded(folder, corpus, 4, 2.0)


def contestant(*points, alpha_sum=2.0):
    """Checkpoints as contestants make them; perplexities of the first score are far lower, and must not be looked at."""
    bands = [{"band": "2-4", "units": 3, "share": 1.0, "loss": 6.0, "gain": 1.0}]
    common = {
        "perplexity": 1.5,
        "loss": 6.0,
        "gain": 1.0,
        "alpha_sum": alpha_sum,
        "bands": bands,
        "log_p_by_band_recorded_way": {"3-9": -7.0},
    }
    return {"checkpoints": [{"cpu_seconds": s, "perplexity_recorded_way": p, **common} for s, p in points]}


def test_looking_up_compares_the_second_score_alone(folder, tmp_path, capsys):
    corpus = read_corpus(folder, tmp_path)
    ran = {
        "regrow": contestant((1.0, 2500.0), (4.0, 625.0)),
        "gensim": contestant((1.0, 9000.0)),
        "regrow, alpha learned": contestant((1.0, 100.0), alpha_sum=0.7),
    }
    found = beside(ran, read_recorded(folder, corpus, 4, 2.0), corpus, 2.0)
    assert list(found["regrow_to_the_same"]) == ["regrow"]
    reaching = found["regrow_to_the_same"]["regrow"]
    assert reaching["Mallet, recorded"][0] == {"cpu_seconds": pytest.approx(1.25), "at_most": False, "ratio": pytest.approx(1.6)}
    assert reaching["Mallet, recorded"][1] == {"cpu_seconds": None, "at_most": False, "ratio": None}
    assert reaching["WarpLDA, recorded"] == [{"cpu_seconds": 1.0, "at_most": True, "ratio": 3.0}]
    results = {"contestants": ran, "alpha_sum": 2.0, "recorded": found}
    show_recorded(results)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["Mallet,", "recorded", "2.00", "2,000.0", "1.25", "1.60"] in lines
    assert ["Mallet,", "recorded", "8.00", "500.0", "-", "-"] in lines
    assert ["WarpLDA,", "recorded", "3.00", "4,000.0", "<=", "1.00", ">=", "3.00"] in lines
    assert ["perplexity", "625.0", "9,000.0", "100.0", "500.0", "4,000.0"] in lines
    assert ["log", "p", "a", "token,", "training", "count", "1-2", "-", "-", "-", "-9.0000", "-9.0000"] in lines
    assert any("another machine" in " ".join(line) for line in lines)
    facts = {"name": "bag", "tokens": 147, "words": 5}
    draw(tmp_path / "out.png", results | {"corpus": facts, "topics": 4, "budget": 4.0})
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.processes
@pytest.mark.parametrize("draws", [1, 3])
def test_regrows_model_has_all_tokens_be_it_of_one_draw_or_a_mean(folder, tmp_path, draws, monkeypatch):
    corpus, seen, run = read_corpus(folder, tmp_path), [], lda_peers_contestants.run
    monkeypatch.setattr(lda_peers_contestants, "run", lambda command, rounds: run([*command, "--engine", "inline"], 5))
    monkeypatch.setattr(Watch, "report", lambda self, iterations, cpu_seconds, job_seconds, topics: seen.append(topics))
    settings = {"alpha-sum": 2.0, "beta": 0.01, "workers": 1, "draws": draws, "start": "random"}
    train_regrow(corpus, 4, 1, settings, Watch(corpus, 0.5, 1, 0.0))
    [topics] = seen
    assert topics.weights.sum(axis=0) == pytest.approx(corpus.word_counts + 4 * 0.01, rel=1e-5)
    fractions = np.abs(topics.weights - 0.01 - np.round(topics.weights - 0.01))
    assert (fractions.max() > 0.1) == (draws > 1)
    assert topics.alpha.tolist() == [0.5] * 4
    assert math.isfinite(evaluate_recorded_way(corpus, topics)["perplexity_recorded_way"])
