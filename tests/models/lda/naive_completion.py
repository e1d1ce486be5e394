"""Document completion and coherence, slow and obvious: every topic of every word, and the formulas as they are written."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from models.lda.naive import bits


def random_model(words: int, topics: int, tokens: int, symmetric: bool = True, seed: int = 3) -> dict[str, Any]:
    """The arrays of a model of Zipf-distributed words; some words have no count, some topics no word."""
    random = np.random.default_rng(seed)
    p = 1 / np.arange(1, words + 1)
    p[-words // 10 :] = 0
    table = np.zeros((words, topics), np.int64)
    np.add.at(table, (random.choice(words, tokens, p=p / p.sum()), random.integers(0, topics - 1, tokens)), 1)
    rows, columns = np.nonzero(table)
    return {
        "word_ptr": np.concatenate([[0], np.cumsum(np.count_nonzero(table, axis=1))]).astype(np.int64),
        "topics": columns.astype(np.uint32),
        "counts": table[rows, columns].astype(np.int32),
        "topic_totals": table.sum(axis=0),
        "vocabulary.count": table.sum(axis=1),
        "alpha": np.full(topics, 5 / topics) if symmetric else random.random(topics) + 0.01,
        "beta": np.array([0.01]),
    }


def phi_of(model: Mapping[str, Any]) -> Any:
    """phi [V + 1, K]: every word, and the one extra word."""
    table = np.zeros((len(model["word_ptr"]), len(model["alpha"])))
    for w, (start, end) in enumerate(zip(model["word_ptr"][:-1], model["word_ptr"][1:], strict=True)):
        table[w, model["topics"][start:end]] = model["counts"][start:end]
    b, occurring = float(model["beta"][0]), np.count_nonzero(model["vocabulary.count"])
    return (table + b) / (model["topic_totals"] + (occurring + 1) * b)


def completion(doc: Sequence[int], key: int, model: Mapping[str, Any]) -> list[tuple[int, float, float]]:
    """(word, loss, baseline loss) of each scored token, in nats; -1: a word that the model does not know."""
    phi, alpha, b = phi_of(model), model["alpha"], float(model["beta"][0])
    counts = [*model["vocabulary.count"].tolist(), 0]
    observed = [w for i, w in enumerate(doc) if bits(key, i) % 2 == 0]
    scored = [w for i, w in enumerate(doc) if bits(key, i) % 2 == 1]
    theta = np.full(len(alpha), 1 / len(alpha))
    for _ in range(50):
        theta = (alpha + theta * sum((phi[w] / (phi[w] @ theta) for w in observed), np.zeros(len(alpha)))) / (alpha.sum() + len(observed))
    total = sum(counts) + (sum(c > 0 for c in counts) + 1) * b
    return [(w, -math.log(phi[w] @ theta), -math.log((counts[w] + b) / total)) for w in scored]


def coherence(tops: Sequence[Sequence[int]], docs: Sequence[Sequence[int]]) -> list[float]:
    """NPMI of the top words of each topic; not a number where nothing can be said."""
    sets = [set(doc) for doc in docs if len(doc)]
    found = []
    for top in tops:
        values = []
        for v, w in combinations(top, 2):
            one, other, both = (sum(needed <= words for words in sets) / len(sets) for needed in ({v}, {w}, {v, w}))
            if one and other:
                values.append(-1.0 if not both else 1.0 if both == 1 else math.log(both / (one * other)) / -math.log(both))
        found.append(sum(values) / len(values) if values else math.nan)
    return found
