"""Texts with planted topics, frequent and rare, and matrices of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def documents(count: int, topics: int = 6, seed: int = 1) -> list[str]:
    """Each document has words of one topic, which are the rarer the higher the topic's number is, and words that all have."""
    chance = np.random.default_rng(seed)
    shares = 1.0 / np.arange(1, topics + 1)
    made = []
    for _ in range(count):
        topic = chance.choice(topics, p=shares / shares.sum())
        own = [f"t{topic}w{word}" for word in chance.integers(0, 12, 8)]
        common = [f"common{word}" for word in chance.integers(0, 10, 6)]
        made.append(" ".join(own + common))
    return made


def counts(rows: int, columns: int, seed: int = 1) -> npt.NDArray[Any]:
    """A dense matrix of counts, with a row and a column of zeros."""
    chance = np.random.default_rng(seed)
    found = chance.poisson(0.4 * chance.random((rows, 1)) * 8 * chance.random((1, columns)) ** 3)
    found[rows // 2] = 0
    found[:, columns // 2] = 0
    return found
