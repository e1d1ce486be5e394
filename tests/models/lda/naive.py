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


def joint_log_likelihood(docs: list[list[int]], topics: list[list[int]], n_topics: int, n_words: int, alpha: float, beta: float) -> float:
    """log p(words, topics), from the words and the topic of every token, by the C library's lgamma."""
    by_word, by_document, by_topic = Counter(), Counter(), Counter()  # type: ignore[var-annotated]
    for d, (words, own) in enumerate(zip(docs, topics, strict=True)):
        for w, k in zip(words, own, strict=True):
            by_word[w, k] += 1
            by_document[d, k] += 1
            by_topic[k] += 1
    g = math.lgamma
    value = sum(g(c + alpha) - g(alpha) for c in by_document.values()) + sum(g(c + beta) - g(beta) for c in by_word.values())
    value += sum(g(n_topics * alpha) - g(len(doc) + n_topics * alpha) for doc in docs)
    return value + sum(g(n_words * beta) - g(by_topic[k] + n_words * beta) for k in range(n_topics))
