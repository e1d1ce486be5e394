"""The kernels of LDA, slow and obvious: plain Python numbers, dictionaries, and the formulas as they are written."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

MASK = (1 << 64) - 1


def bits(key: int, item: int, draw: int = 0) -> int:
    """The generator of `regrow.rng`."""
    x = (key + item * 0x9E3779B97F4A7C15 + draw * 0xD1342543DE82EF95) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def uniform(key: int, item: int, draw: int = 0) -> float:
    return (bits(key, item, draw) >> 11) / 2**53


def any_topic(random: int, topics: int) -> int:
    """A topic from the upper half of 64 random bits."""
    return (random >> 32) * topics >> 32


def accepted(group: Sequence[tuple[int, int, int]], totals: Sequence[int], alpha: Sequence[float], beta_sum: float, key: int) -> list[int]:
    """The new topics of the tokens of a document: (topic, candidate, global id) each, one after the other."""
    topics = [s for s, _, _ in group]
    for i, (s, t, item) in enumerate(group):
        count = Counter(topics)
        gain = (count[t] + alpha[t]) * (totals[s] - 1 + beta_sum)
        loss = (count[s] - 1 + alpha[s]) * (totals[t] + beta_sum)
        if s != t and uniform(key, item) * loss < gain:
            topics[i] = t
    return topics


def conditional(
    s: int, document: dict[int, int], word: dict[int, int], totals: Sequence[int], alpha: Sequence[float], beta: float, beta_sum: float
) -> list[tuple[int, float]]:
    """The conditional of a token with topic s, without the token itself, as shares of topics in the order of the draw: its own, the others
    of the document, of the word, of all. document, word: topic -> count, with the token, in the order of their tokens."""
    f = {k: 1 / (totals[k] + beta_sum) for k in range(len(totals))}
    own = (document[s] - 1 + alpha[s]) * (word[s] - 1 + beta) / (totals[s] - 1 + beta_sum)
    shares = [(s, own)] + [(k, c * (word.get(k, 0) + beta) * f[k]) for k, c in document.items() if k != s]
    shares += [(k, alpha[k] * c * f[k]) for k, c in word.items() if k != s]
    return shares + [(k, alpha[k] * beta * f[k]) for k in range(len(totals)) if k != s]


def drawn(shares: Sequence[tuple[int, float]], u: float) -> int:
    """The topic in whose share u, from [0, 1), lies."""
    u *= math.fsum(share for _, share in shares)
    for k, share in shares:
        if u < share:
            return k
        u -= share
    return shares[-1][0]


def chosen_of_long(
    s: int, document: dict[int, int], word: dict[int, int], totals: Sequence[int], alpha: Sequence[float], beta: float, beta_sum: float,
    draws: int, key: int, item: int,
) -> int:  # fmt: skip
    """One of s and topics drawn from the document's other tokens and alpha, in proportion to their f."""
    others = [k for k, c in document.items() for _ in range(c - (k == s))]
    own = (word[s] - 1 + beta) / (totals[s] - 1 + beta_sum)
    total, chosen = own, s
    for draw in range(draws):
        u = uniform(key, item, 2 * draw + 1) * (len(others) + math.fsum(alpha))
        k = others[int(u)] if u < len(others) else drawn(list(enumerate(alpha)), (u - len(others)) / math.fsum(alpha))
        weight = own if k == s else (word.get(k, 0) + beta) / (totals[k] + beta_sum)
        total += weight
        if uniform(key, item, 2 * draw + 2) * total < weight:
            chosen = k
    return chosen


def candidates(topics: Sequence[int], items: Sequence[int], n_topics: int, beta: float, key: int) -> list[int]:
    """The candidates of the tokens of a word, from their new topics."""
    n, found = len(topics), []
    limit = int(n_topics * beta / (n_topics * beta + n - 1) * 2**32)
    for i, item in enumerate(items):
        random = bits(key, int(item))
        others = [*topics[:i], *topics[i + 1 :]]
        low = random & 0xFFFFFFFF
        found.append(low * n_topics >> 32 if random >> 32 < limit else others[low * (n - 1) >> 32])
    return found


def minima(docs: Sequence[Sequence[int]], rarest: float, hashes: int, key: int) -> list[list[Any]]:
    """Of each document and hash the smallest h min(1, n / 10^5) over its words that are frequent enough; None if it has none."""
    sizes = Counter(w for doc in docs for w in doc)
    return [
        [
            min((np.float32(uniform(key, int(w), g) * min(1.0, sizes[w] / 1e5)) for w in set(doc) if sizes[w] >= rarest), default=None)
            for g in range(hashes)
        ]
        for doc in docs
    ]


def words_of(slices: Any, row_ptr: Any) -> list[list[int]]:
    """For each word, where its tokens are in the concatenation of the cells."""
    return [
        [int(row_ptr[r]) + i for r in range(len(slices)) for i in range(int(slices[r][w]), int(slices[r][w + 1]))]
        for w in range(len(slices[0]) - 1)
    ]


def documents_of(doc_ptr: Any, cell: Any) -> list[list[int]]:
    """For each document, where its tokens are in the concatenation of the cells."""
    return [[int(i) for i in cell[int(doc_ptr[d]) : int(doc_ptr[d + 1])]] for d in range(len(doc_ptr) - 1)]


def count_histogram(groups: list[list[int]], topics: Sequence[int]) -> dict[int, int]:
    """How many (group, topic) cells have which count."""
    return dict(Counter(c for group in groups for c in Counter(topics[i] for i in group).values()))


def joint_log_likelihood(docs: list[list[int]], topics: list[list[int]], n_topics: int, n_words: int, alpha: Any, beta: float) -> float:
    """log p(words, topics), from the words and the topic of every token, by the C library's lgamma; alpha: of each topic, or of all."""
    alpha = list(alpha) if isinstance(alpha, list) else [alpha] * n_topics
    by_word, by_document, by_topic = Counter(), Counter(), Counter()  # type: ignore[var-annotated]
    for d, (words, own) in enumerate(zip(docs, topics, strict=True)):
        for w, k in zip(words, own, strict=True):
            by_word[w, k] += 1
            by_document[d, k] += 1
            by_topic[k] += 1
    g = math.lgamma
    value = sum(g(c + alpha[k]) - g(alpha[k]) for (_, k), c in by_document.items()) + sum(g(c + beta) - g(beta) for c in by_word.values())
    value += sum(g(sum(alpha)) - g(len(doc) + sum(alpha)) for doc in docs)
    return value + sum(g(n_words * beta) - g(by_topic[k] + n_words * beta) for k in range(n_topics))


# Priors


def cells(groups: list[list[int]], topics: Sequence[int]) -> dict[tuple[int, int], int]:
    """(topic, n) -> how many groups have n tokens of the topic, in ascending order."""
    return dict(sorted(Counter((k, n) for group in groups for k, n in Counter(topics[i] for i in group).items()).items()))


def gain(histogram: dict[int, int], prior: float) -> float:
    """sum_n H[n] (1/prior + ... + 1/(prior + n - 1))."""
    return math.fsum(number * math.fsum(1 / (prior + i) for i in range(n)) for n, number in histogram.items())


def learned_alpha(alpha: list[float], documents: list[list[int]], floor: float, steps: int) -> list[float]:
    """The fixed point, from the topics of the tokens of every document."""
    lengths = Counter(len(own) for own in documents)
    for _ in range(steps):
        below, least = gain(lengths, sum(alpha)), floor * sum(alpha) / len(alpha)
        found = [gain(Counter(own.count(k) for own in documents), a) for k, a in enumerate(alpha)]
        alpha = [max(a * above / below, least) for a, above in zip(alpha, found, strict=True)]
    return alpha


def learned_beta(beta: float, words: list[Counter[int]], topics: int, vocabulary: int, steps: int) -> float:
    """The fixed point, from the topics of every word."""
    cells, totals = Counter(n for own in words for n in own.values()), Counter(sum(own[k] for own in words) for k in range(topics))
    for _ in range(steps):
        beta *= gain(cells, beta) / (vocabulary * gain(totals, beta * vocabulary))
    return beta


# Topics that say the same


def similarity(counts: Any, j: int, k: int, most: int, least: int) -> float:
    """Of two topics in a dense table of words by topics."""
    share = counts.sum(axis=1) / counts.sum()
    weights = []
    for topic in (j, k):
        excess = {w: n / counts[:, topic].sum() - share[w] for w, n in enumerate(counts[:, topic]) if n > 1}
        best = sorted((-x, w) for w, x in excess.items() if x > 0)[:most]
        weights.append({w: -x for x, w in best})
    one, other = weights
    if min(len(one), len(other)) < least:
        return 0.0
    union = sum(max(one.get(w, 0), other.get(w, 0)) for w in one.keys() | other.keys())
    return sum(min(one[w], other[w]) for w in one.keys() & other.keys()) / union if union else 0.0


def leaders(counts: Any, same: float, most: int, least: int) -> list[int]:
    """The topic that leads each topic's group, by comparing all with all."""
    totals = counts.sum(axis=0)
    leader, leading = list(range(counts.shape[1])), []
    for k in sorted(range(counts.shape[1]), key=lambda k: (-totals[k], k)):
        like = [(similarity(counts, j, k, most, least), -place, j) for place, j in enumerate(leading)] if totals[k] else []
        best = max(like, default=(0.0, 0, 0))
        if like and best[0] >= same:
            leader[k] = best[2]
        else:
            leading.append(k)
    return leader


# Going on


def continued(kept: Sequence[int | None], words: list[list[int]], items: Sequence[int], topics: int, key: int) -> list[int]:
    """The topics of tokens of which some have none, from those of the same word; words: where each word's tokens are."""
    found = list(kept)
    for places in words:
        old = [kept[i] for i in places if kept[i] is not None]
        for i in places:
            if kept[i] is None:
                random = bits(key, int(items[i])) >> 32
                found[i] = old[random * len(old) >> 32] if old else random * topics >> 32
    return found  # type: ignore[return-value]
