"""The kernels of LDA, slow and obvious: plain Python numbers, dictionaries, and the formulas as they are written."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

MASK = (1 << 64) - 1


def bits(key: int, item: int) -> int:
    """The generator of `regrow.rng`, draw 0."""
    x = (key + item * 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def first_topic(key: int, token: int, topics: int) -> int:
    return (bits(key, token) >> 32) * topics >> 32


def visit(
    group: Sequence[tuple[int, int, int]], totals: Sequence[int], prior: float, prior_sum: float, accept: int, propose: int
) -> list[tuple[int, int]]:
    """One visit of the tokens of a word or a document: (topic, proposal, global id) -> (new topic, new proposal)."""
    count = Counter(s for s, _, _ in group)
    new = []
    for s, t, item in group:
        gain = (count[t] + prior) * (totals[s] - 1 + prior_sum)
        loss = (count[s] - 1 + prior) * (totals[t] + prior_sum)
        u = (bits(accept, item) >> 11) / 2**53
        new.append(t if u * loss < gain else s)
    topics, n = len(totals), len(group)
    any_topic = int(topics * prior / (topics * prior + n) * 2**32)
    pairs = []
    for s, (_, _, item) in zip(new, group, strict=True):
        random = bits(propose, item)
        coin, place = random >> 32, random & 0xFFFFFFFF
        pairs.append((s, place * topics >> 32 if coin < any_topic else new[place * n >> 32]))
    return pairs


def words_of(slices: Any, row_ptr: Any) -> list[list[int]]:
    """For each word, where its tokens are in the concatenation of the cells."""
    return [
        [int(row_ptr[r]) + i for r in range(len(slices)) for i in range(int(slices[r][w]), int(slices[r][w + 1]))]
        for w in range(len(slices[0]) - 1)
    ]


def documents_of(doc_ptr: Any, cell: Any) -> list[list[int]]:
    """For each document, where its tokens are in the concatenation of the cells."""
    return [[int(i) for i in cell[int(doc_ptr[d]) : int(doc_ptr[d + 1])]] for d in range(len(doc_ptr) - 1)]


def visit_groups(
    groups: list[list[int]], items: Sequence[int], pairs: list[tuple[int, int]], totals: Sequence[int], priors: Any, keys: Any
) -> tuple[list[tuple[int, int]], list[int]]:
    """Visit groups of places in `pairs`; items: the global id of each place. Returns the new pairs and their topic totals."""
    pairs = list(pairs)
    for group in groups:
        tokens = [(*pairs[i], int(items[i])) for i in group]
        for i, pair in zip(group, visit(tokens, totals, float(priors[0]), float(priors[1]), int(keys[0]), int(keys[1])), strict=True):
            pairs[i] = pair
    fresh = Counter(s for s, _ in pairs)
    return pairs, [fresh[k] for k in range(len(totals))]


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


def drawn(table: Sequence[int], random: int) -> int:
    """A topic from an alias table and 64 random bits."""
    column = (random & 0xFFFFFFFF) * len(table) >> 32
    height = (random * 0x9E3779B97F4A7C15 & MASK) >> 32
    return column if height < table[column] & 0xFFFFFFFF else table[column] >> 32


def visit_unequal(
    group: Sequence[tuple[int, int, int]], totals: Sequence[int], alpha: Sequence[float], table: Sequence[int], beta_sum: float, keys: Any
) -> list[tuple[int, int]]:
    """One visit of the tokens of a document with a prior of each topic."""
    count, n, alpha_sum = Counter(s for s, _, _ in group), len(group), math.fsum(alpha)
    new = []
    for s, t, item in group:
        gain = (count[t] + alpha[t]) * (totals[s] - 1 + beta_sum)
        loss = (count[s] - 1 + alpha[s]) * (totals[t] + beta_sum)
        new.append(t if (bits(int(keys[0]), item) >> 11) / 2**53 * loss < gain else s)
    pairs = []
    for s, (_, _, item) in zip(new, group, strict=True):
        random = bits(int(keys[1]), item)
        own = new[(random & 0xFFFFFFFF) * n >> 32]
        pairs.append((s, drawn(table, random) if random >> 32 < int(alpha_sum / (alpha_sum + n) * 2**32) else own))
    return pairs


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
