"""Slow, obvious twins of inference: every topic is looked at, in plain Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from regrow.packed import strings
from regrow.rng import uniform

Topics = dict[int, int]


def some_model(
    words: int, topics: int, tokens: int, seed: int, *, alpha: Any = None, beta: float = 0.01, skew: float = 1.0, empty: int = 0
) -> dict[str, Any]:
    """The arrays of a model with random counts: Zipf's words, each with few of the topics; the first `empty` topics have no tokens."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, words + 1) ** skew
    which = rng.choice(words, tokens, p=share / share.sum())
    centre = rng.integers(0, topics, words)
    topic = (centre[which] + rng.geometric(0.3, tokens)) % (topics - empty) + empty
    counts = np.zeros((words, topics), np.int32)
    np.add.at(counts, (which, topic), 1)
    return model_of(counts, np.full(topics, 5.0 / topics) if alpha is None else np.asarray(alpha, float), beta)


def model_of(counts: Any, alpha: Any, beta: float) -> dict[str, Any]:
    """The arrays of a model with these counts, words by topics."""
    counts = np.asarray(counts, np.int32)
    rows, columns = np.nonzero(counts)
    return {
        "word_ptr": np.concatenate([[0], np.cumsum((counts > 0).sum(axis=1))]).astype(np.int64),
        "topics": columns.astype(np.uint16),
        "counts": counts[rows, columns],
        "topic_totals": counts.sum(axis=0).astype(np.int64),
        "vocabulary.word": strings(f"w{i}" for i in range(len(counts))),
        "vocabulary.count": counts.sum(axis=1).astype(np.int64),
        "alpha": np.asarray(alpha, np.float64),
        "beta": np.array([beta]),
        "log_likelihood": np.zeros(1),
    }


def phi_of(model: Mapping[str, Any]) -> Any:
    """phi, words by topics, each rounded to float32; and which words have a count."""
    words, topics = len(model["word_ptr"]) - 1, len(model["topic_totals"])
    beta = float(model["beta"][0])
    counts = np.zeros((words, topics))
    rows = np.repeat(np.arange(words), np.diff(model["word_ptr"]))
    counts[rows, model["topics"]] = model["counts"]
    return ((counts + beta) / (model["topic_totals"] + words * beta)).astype(np.float32), counts.any(axis=1)


def best_topics(model: Mapping[str, Any], document: Sequence[int], key: int, restarts: int, sweeps: int) -> tuple[Topics, int]:
    """Tokens of each topic, added up over restarts; and known tokens."""
    phi, seen = phi_of(model)
    alpha = model["alpha"]
    tokens = [(i, w) for i, w in enumerate(document) if w >= 0 and seen[w]]
    tokens.sort(key=lambda token: list(document).index(token[1]))  # word by word
    total: Counter[int] = Counter()
    for restart in range(restarts):
        if restart == 0:
            z = [int(np.argmax(alpha * phi[w].astype(float))) for _, w in tokens]
        else:
            z = [drawn(model, phi, w, uniform(np.uint64(key), i, restart)) for i, w in tokens]
        n = np.bincount(z, minlength=len(alpha)).astype(float)
        for _ in range(sweeps):
            before = list(z)
            for j, (_, w) in enumerate(tokens):
                n[z[j]] -= 1
                z[j] = int(np.argmax((n + alpha) * phi[w].astype(float)))  # the first of equal ones
                n[z[j]] += 1
            if z == before:
                break
        total.update(z)
    return dict(total), len(tokens)


def drawn(model: Mapping[str, Any], phi: Any, word: int, u: float) -> int:
    """A topic ~ a_k phi_kw, by u in [0, 1)."""
    above, below = mass_of(model, phi, word)
    return drawn_at(model, phi, word, u * (above + below))


def drawn_at(model: Mapping[str, Any], phi: Any, word: int, u: float) -> int:
    """By u in [0, sum_k a_k phi_kw): first by what the word's cells have above the others, then by what all have."""
    alpha, base = model["alpha"], base_of(model)
    own = cells_of(model, word)
    above = 0.0
    for k in own:
        above += alpha[k] * (float(phi[word, k]) - base[k])
        if above > u:
            return int(k)
    below, u = 0.0, u - above
    for k in range(len(alpha)):
        below += alpha[k] * base[k]
        if below > u:
            return k
    return len(alpha) - 1


def mass_of(model: Mapping[str, Any], phi: Any, word: int) -> tuple[float, float]:
    """What a_k phi_kw adds up to: above base in the word's cells, and base in all topics."""
    alpha, base = model["alpha"], base_of(model)
    above = below = 0.0
    for k in cells_of(model, word):
        above += alpha[k] * (float(phi[word, k]) - base[k])
    for k in range(len(alpha)):
        below += alpha[k] * base[k]
    return above, below


def base_of(model: Mapping[str, Any]) -> Any:
    """phi of a word without a count, by topics."""
    beta, words = float(model["beta"][0]), len(model["word_ptr"]) - 1
    return (beta / (model["topic_totals"] + words * beta)).astype(np.float32).astype(float)


def cells_of(model: Mapping[str, Any], word: int) -> Any:
    """The topics of a word."""
    return model["topics"][model["word_ptr"][word] : model["word_ptr"][word + 1]].astype(int)


def sampled_topics(model: Mapping[str, Any], document: Sequence[int], key: int, burn_in: int, samples: int) -> tuple[Topics, int]:
    """Tokens of each topic, added up over samples; and known tokens."""
    phi, seen = phi_of(model)
    tokens = [(i, w) for i, w in enumerate(document) if w >= 0 and seen[w]]
    z = {i: drawn(model, phi, w, uniform(np.uint64(key), i, 0)) for i, w in tokens}
    present: list[int] = []
    count: Counter[int] = Counter()
    for i, _ in tokens:
        enter(present, count, z[i])
    total: Counter[int] = Counter()
    for sweep in range(1, burn_in + samples + 1):
        for i, w in tokens:
            leave(present, count, z[i])
            sums = np.cumsum([count[k] * float(phi[w, k]) for k in present] or [0.0])
            above, below = mass_of(model, phi, w)
            u = uniform(np.uint64(key), i, sweep) * (sums[-1] + above + below)
            z[i] = present[int(np.argmax(sums > u))] if u < sums[-1] else drawn_at(model, phi, w, u - sums[-1])
            enter(present, count, z[i])
        if sweep > burn_in:
            total.update(z.values())
    return dict(total), len(tokens)


def enter(present: list[int], count: Counter[int], k: int) -> None:
    """One more token of topic k."""
    if not count[k]:
        present.append(k)
    count[k] += 1


def leave(present: list[int], count: Counter[int], k: int) -> None:
    """One less; the last topic of the list takes the place of one that has gone."""
    count[k] -= 1
    if not count[k]:
        last = present.pop()
        if last != k:
            present[present.index(k)] = last
