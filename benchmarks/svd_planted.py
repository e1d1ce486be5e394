"""Documents with planted topics, most of them rare: counts as a scipy matrix, and which words each topic has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse

__all__ = ["Planted", "planted"]


@dataclass(frozen=True)
class Planted:
    """counts: documents by words; topics: int [topics, words of one], the most frequent topic first; sizes: documents of each."""

    counts: Any
    topics: Any
    sizes: Any


def planted(documents: int, topics: int = 200, words: int = 20, background: int = 8_000, seed: int = 1) -> Planted:
    """Each document has some 40 words that all have, by Zipf's law, and 8 of the `words` of its topic; topics are of Zipf's law, too."""
    chance = np.random.default_rng(seed)
    shares = 1.0 / np.arange(1, topics + 1)
    sizes = np.maximum(np.rint(documents * shares / shares.sum()), 8).astype(int)
    topic = chance.permutation(np.repeat(np.arange(topics), sizes))
    law = 1.0 / np.arange(1, background + 1)
    tokens = chance.poisson(40, len(topic)) + 1
    rows = np.repeat(np.arange(len(topic)), tokens)
    columns = chance.choice(background, len(rows), p=law / law.sum())
    own_rows = np.repeat(np.arange(len(topic)), 8)
    own = background + np.repeat(topic, 8) * words + chance.integers(0, words, len(own_rows))
    pairs = (np.concatenate([rows, own_rows]), np.concatenate([columns, own]))
    matrix = scipy.sparse.csr_matrix((np.ones(len(pairs[0])), pairs), shape=(len(topic), background + topics * words))
    matrix.sum_duplicates()
    return Planted(matrix, background + np.arange(topics * words).reshape(topics, words), sizes)
