"""Each kernel against its slow, obvious twin, and the draws against the exact conditional."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare

from models.lda import naive
from models.lda.corpus import Layouts, grid, random_docs
from regrow.models.lda.training import document_kernels, starting_kernels, visits, word_kernels
from regrow.models.lda.training.packing import Packing, steady
from regrow.models.lda.training.priors import PRIOR_MIN, Priors

KEY = np.uint64(0x0123456789ABCDEF)
WORDS = 40
BETA = 0.3
TOPICS = [7, 65_535, 65_536, 100_000]


def alpha_of(topics: int) -> Any:
    return np.random.default_rng(topics).gamma(0.3, 1.0, topics) + 1e-6


def pairs_and_totals(n: int, topics: int, seed: int = 5) -> tuple[Any, list[tuple[int, int]], Any]:
    """Random tokens as a kernel and as its twin take them, and totals that include them."""
    random = np.random.default_rng(seed)
    topic, candidate = np.minimum(random.geometric(0.15, (2, n)) - 1, topics - 1)
    topic[:2], candidate[:2] = topics - 1, topics - 2
    packing = Packing(topics)
    pairs = topic.astype(packing.pair) | candidate.astype(packing.pair) << packing.pair(packing.half)
    totals = np.bincount(topic, minlength=topics) + random.integers(1, 50, topics)
    return pairs, list(zip(topic.tolist(), candidate.tolist(), strict=True)), totals.astype(np.int32)


def unpacked(pairs: Any, topics: int) -> list[tuple[int, int]]:
    half = Packing(topics).half
    return [(p & ((1 << half) - 1), p >> half) for p in pairs.tolist()]


def topics_in(lists: visits.Lists, document: int) -> dict[int, int]:
    """The list of a document, topic -> count; the empty entries that fill it up must be at its end."""
    width = 4 * lists.entries.itemsize
    entries = lists.entries[4 * int(lists.blocks[document]) : 4 * int(lists.blocks[document + 1])].tolist()
    filled = [entry for entry in entries if entry]
    assert entries == filled + [0] * (len(entries) - len(filled))
    return {entry & ((1 << width) - 1): entry >> width for entry in filled}


@pytest.mark.parametrize("topics", TOPICS)
@pytest.mark.parametrize("unequal", [False, True])
def test_a_visit_of_documents_is_its_twin(topics: int, unequal: bool) -> None:
    part = grid(random_docs(60, WORDS, 12), WORDS, 3, 2)["rows"][1]
    first, cell = int(part["first_token"][0]), part["cell"]
    pairs, plain, totals = pairs_and_totals(len(cell), topics)
    priors = Priors(alpha_of(topics) if unequal else 0.3, 0.1, topics)
    lists = visits.visit_documents(part, pairs, visits.Known(totals, 117), priors, KEY)
    new: list[int] = []
    for d, group in enumerate(naive.documents_of(part["doc_ptr"], cell)):
        begin = first + int(part["doc_ptr"][d])
        tokens = [(*plain[place], begin + i) for i, place in enumerate(group)]
        own = naive.accepted(tokens, totals.tolist(), priors.each.tolist(), 0.1 * 117, int(KEY))
        assert list(topics_in(lists, d).items()) == list(Counter(own).items()), "in the order of the tokens"
        assert [list(topics_in(lists, d))[int(lists.places[place])] for place in group] == own
        new += own
    assert lists.totals.tolist() == np.bincount(new, minlength=topics).tolist()


def test_groups_larger_than_a_batch_and_many_in_one() -> None:
    """One document of many batches' tokens among small ones: its bounds, and those of the batches, are kept."""
    for before in (0, 3):
        lengths = np.array([*[5] * before, 2 * document_kernels.BATCH + 3, 0, *[3] * 4000, 1], np.int64)
        n, ptr = int(lengths.sum()), steady(np.concatenate([[0], np.cumsum(lengths)]))
        pairs, plain, totals = pairs_and_totals(n, 7)
        fixed = {"doc_ptr": ptr, "cell": steady(np.arange(n, dtype=np.uint32)), "first_token": np.zeros(1, np.int64)}
        settled = pairs & np.uint32(0xFFFF) | pairs << np.uint32(16)
        lists = visits.visit_documents(fixed, settled, visits.Known(totals, 10), Priors(0.3, 0.1, 7), KEY)
        topics = [s for s, _ in plain]
        for d in (0, before, before + 1, before + 2, len(lengths) - 1):
            assert topics_in(lists, d) == dict(Counter(topics[ptr[d] : ptr[d + 1]]))


def test_a_document_of_more_tokens_than_16_bits_can_count_has_wide_entries() -> None:
    n = 70_000
    fixed = {
        "doc_ptr": steady(np.array([0, n, n + 2])), "cell": steady(np.arange(n + 2, dtype=np.uint32)), "first_token": np.zeros(1, np.int64),
    }  # fmt: skip
    pairs = np.zeros(n + 2, np.uint32)
    pairs[0] = 5 | 5 << 16
    lists = visits.visit_documents(fixed, pairs, visits.Known(np.full(7, n, np.int32), 10), Priors(0.3, 0.1, 7), KEY)
    assert lists.entries.dtype == np.uint64
    assert topics_in(lists, 0) == {5: 1, 0: n - 1}
    assert topics_in(lists, 1) == {0: 2}


@pytest.mark.parametrize("topics", TOPICS)
def test_histograms_of_lists_are_those_of_the_documents(topics: int) -> None:
    part = grid(random_docs(60, WORDS, 12), WORDS, 2, 3)["rows"][1]
    pairs, plain, totals = pairs_and_totals(len(part["cell"]), topics)
    half = pairs.dtype.type(Packing(topics).half)
    settled = pairs & pairs.dtype.type((1 << int(half)) - 1)
    lists = visits.visit_documents(part, settled | settled << half, visits.Known(totals, 10), Priors(0.3, 0.1, topics), KEY)
    expected = naive.cells(naive.documents_of(part["doc_ptr"], part["cell"]), [s for s, _ in plain])
    keys, numbers = lists.histogram(by_topic=True)
    assert [(key >> 32, key & 0xFFFFFFFF) for key in keys.tolist()] == list(expected)
    assert numbers.tolist() == list(expected.values())
    together = Counter[int]()
    for (_, n), number in expected.items():
        together[n] += number
    assert dict(zip(*map(np.ndarray.tolist, lists.histogram(by_topic=False)), strict=True)) == dict(together)


def arrived(layouts: Layouts, topics: int, column: int = 1) -> tuple[visits.Words, list[visits.Lists], Any]:
    """The words of a column after a visit of the documents of all rows; their lists; totals of topics that include them."""
    lists, places = [], []
    _, _, totals = pairs_and_totals(10, topics)
    for seed, part in enumerate(layouts["rows"]):
        pairs, _, own = pairs_and_totals(len(part["cell"]), topics, seed)
        totals = totals + own
        lists.append(visits.visit_documents(part, pairs, visits.Known(own, 100), Priors(0.3, 0.1, topics), KEY))
        places.append(np.split(lists[-1].places, part["cell_ptr"][1:-1])[column])
    inbox = [{"blocks": own.blocks, "entries": own.entries, "places": cell} for own, cell in zip(lists, places, strict=True)]
    return visits.Words(layouts["columns"][column], inbox, topics), lists, totals.astype(np.int32)


def tokens_of_words(layouts: Layouts, lists: list[visits.Lists], column: int = 1) -> Iterator[tuple[list[int], list[tuple[int, int]]]]:
    """For each word the places of its tokens in the column, and (row, document in the row) of each."""
    part = layouts["columns"][column]
    row = np.repeat(np.arange(len(lists)), np.diff(part["row_ptr"]))
    for places in naive.words_of(part["slices"], part["row_ptr"]):
        yield places, [(int(row[i]), int(part["documents"][i])) for i in places]


@pytest.mark.parametrize("topics", TOPICS)
@pytest.mark.parametrize("unequal", [False, True])
def test_a_visit_of_words_is_its_twin(topics: int, unequal: bool) -> None:
    layouts = grid(random_docs(60, WORDS, 12), WORDS, 3, 2)
    words, lists, totals = arrived(layouts, topics)
    scale, before = min(1.0, 20 / topics), words.topic.tolist()
    priors = Priors(scale * alpha_of(topics) if unequal else scale * 0.3, BETA, topics)
    alpha, tokens = priors.each.tolist(), layouts["columns"][1]["tokens"].tolist()
    expected: dict[int, int] = {}
    few = topics > 1000  # of so many topics the twin looks at each for every token
    for places, documents in tokens_of_words(layouts, lists):
        word = dict(Counter(before[i] for i in places))
        for i, (r, d) in list(zip(places, documents, strict=True))[: 1 if few else None]:
            shares = naive.conditional(before[i], topics_in(lists[r], d), word, totals.tolist(), alpha, BETA, BETA * WORDS)
            expected[i] = naive.drawn(shares, naive.uniform(int(KEY), tokens[i]))
    fresh = words.visit(visits.Known(totals, WORDS), priors, KEY)
    assert {i: int(words.topic[i]) for i in expected} == expected
    assert few or len({before[i] == k for i, k in expected.items()}) == 2, "some stay and some move"
    assert fresh.tolist() == np.bincount(words.topic, minlength=topics).tolist()


def test_the_topics_and_counts_on_arrival_are_those_of_the_documents() -> None:
    layouts = grid(random_docs(60, WORDS, 12), WORDS, 3, 2)
    words, lists, _ = arrived(layouts, 9)
    ptr, columns, counts = words.counts
    for w, (places, documents) in enumerate(tokens_of_words(layouts, lists)):
        for i, (r, d) in zip(places, documents, strict=True):
            assert int(words.topic[i]) in topics_in(lists[r], d)
        found = dict(zip(columns[ptr[w] : ptr[w + 1]].tolist(), counts[ptr[w] : ptr[w + 1]].tolist(), strict=True))
        assert list(found.items()) == list(Counter(words.topic[places].tolist()).items()), "in the order of the tokens"


def long_documents(topics: int, documents: int, words: int) -> tuple[Layouts, Any]:
    """Documents of `topics` tokens, one of each topic but the last, which has the first topic too; words in turn."""
    docs = [[(i + d) % words for i in range(topics)] for d in range(documents)]
    return grid(docs, words, 1, 1), np.tile(np.append(np.arange(topics - 1), 0), documents)


def test_a_choice_from_a_long_list_is_its_twin() -> None:
    topics = word_kernels.LONG + 30
    layouts, topic = long_documents(topics, 6, 50)
    row, part = layouts["rows"][0], layouts["columns"][0]
    pairs = np.empty(len(topic), np.uint32)
    pairs[row["cell"]] = topic | topic << 16
    totals, priors = np.random.default_rng(2).integers(20, 60, topics).astype(np.int32), Priors(alpha_of(topics), BETA, topics)
    lists = visits.visit_documents(row, pairs, visits.Known(totals, 50), priors, KEY)
    words = visits.Words(part, [{"blocks": lists.blocks, "entries": lists.entries, "places": lists.places}], topics)
    before, alpha = words.topic.tolist(), priors.each.tolist()
    words.visit(visits.Known(totals, 50), priors, KEY)
    moved = 0
    for places, documents in tokens_of_words(layouts, [lists], 0):
        word = dict(Counter(before[i] for i in places))
        for i, (_, d) in list(zip(places, documents, strict=True))[::5]:
            counts = (topics_in(lists, d), word, totals.tolist(), alpha, BETA, BETA * 50)
            token = int(part["tokens"][i])
            expected = naive.chosen_of_long(before[i], *counts, word_kernels.CANDIDATES, int(KEY), token)
            assert int(words.topic[i]) == expected
            moved += expected != before[i]
    assert moved > 20


# The draws against the exact conditional


def replicates(document: list[int], own: Any, word: dict[int, int], topics: int, totals: Any, alpha: Any, key: np.uint64) -> Any:
    """New topics of one token in many documents that are alike but for its own topic.

    document: topics of the other tokens; own: of the token in each document; word: of the other tokens of its word, which stand in
    documents of their own. The counts of the word and the totals are as if there were only one of these tokens: each is drawn alone.
    """
    found = np.empty(len(own), np.int64)
    n = len(document) + 1
    for s in np.unique(own).tolist():
        mine = np.flatnonzero(own == s)
        count = {k: c + (k == s) for k, c in {s: 0, **word}.items()}
        listed = Counter([s, *document])
        entries = np.array([k | c << 16 for k, c in listed.items()] + [0] * (-len(listed) % 4), np.uint32)
        lists = (np.array([0, len(entries) // 4], np.uint32), entries, np.empty(0, np.uint64))
        lists = (lists[0], lists[1], word_kernels.prefixes_of_long(lists[0], lists[1]))
        cells = (np.array([0, len(count)]), np.array(list(count), np.uint16), np.array(list(count.values()), np.int32))
        with_own = totals + (np.arange(topics) == s)
        inverse = 1 / (with_own + BETA * WORDS)
        f = BETA * inverse
        below = np.concatenate([[0.0], np.cumsum(alpha * f)])
        topic, nothing = np.empty(len(mine), np.uint16), np.zeros(len(mine), np.uint32)
        word_kernels.visit_words(
            nothing.astype(np.uint16), nothing, mine.astype(np.uint32), np.array([0, len(mine)], np.uint32), lists, cells,
            (alpha, np.concatenate([[0.0], np.cumsum(alpha)]), BETA), (inverse, below), f, key, topic, np.zeros(topics, np.int64),
        )  # fmt: skip
        assert np.array_equal(f, BETA * inverse), "restored"
        found[mine] = topic
    assert n == sum(listed.values())
    return found


def exact(document: list[int], word: dict[int, int], totals: Any, alpha: Any) -> Any:
    """p(k) ~ (C_dk + a_k) (C_wk + b) / (C_k + B), without the token: no part of the draw, no own topic."""
    in_document = np.bincount(document, minlength=len(totals))
    in_word = np.array([word.get(k, 0) for k in range(len(totals))])
    p = (in_document + alpha) * (in_word + BETA) / (totals + BETA * WORDS)
    return p / p.sum()


def fits(found: Any, p: Any) -> bool:
    """Whether counts are like draws from p (chi-square; what is rarer than 20 draws is one class, or must be rare if that is too small)."""
    n = int(found.sum())
    often = p * n > 20
    observed, expected = np.append(found[often], found[~often].sum()), np.append(p[often], p[~often].sum()) * n
    if expected[-1] < 20:
        observed, expected = observed[:-1], expected[:-1] * (observed[:-1].sum() / expected[:-1].sum())
        if found[~often].sum() > 60:
            return False
    return len(observed) == 1 or float(chisquare(observed, expected).pvalue) > 1e-4


CASES: dict[str, tuple[list[int], dict[int, int], float]] = {
    "all parts": ([0, 0, 1, 2, 2, 5], {0: 3, 3: 4, 1: 1}, 0.5),
    "mostly the list": ([0] * 9 + [1] * 7 + [2], {0: 1, 1: 2, 2: 1}, 0.001),
    "mostly the word": ([4], {0: 30, 1: 9, 2: 2, 5: 7}, 2.0),
    "mostly smooth": ([], {}, 3.0),
    "a token alone in its document, of a word that stands once": ([], {}, 0.01),
    "the only topic of the document and the word": ([2, 2, 2], {2: 5}, 0.1),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("s", [0, 2, 5])
def test_a_draw_has_the_exact_conditional_whatever_the_token_had(case: str, s: int) -> None:
    """The token itself is in all three counts, and must be out of all three: the draw may not depend on s."""
    document, word, prior = CASES[case]
    totals, alpha = np.array([40, 25, 60, 9, 12, 33]), prior * np.array([1.0, 0.2, 3.0, 1.0, 0.5, 1.0])
    n = 40_000
    found = np.bincount(replicates(document, np.full(n, s), word, 6, totals, alpha, KEY), minlength=6)
    p = exact(document, word, totals, alpha)
    assert fits(found, p)


def test_a_choice_from_a_long_list_leaves_the_exact_conditional_as_it_is() -> None:
    """Topics drawn from the conditional have it still after a visit; topics that have one value move towards it."""
    topics = word_kernels.LONG + 12
    document = [k for k in range(topics - 4) for _ in range(1 + (k % 40 == 0) * 30)]
    word = {k: 5 + k % 7 for k in range(0, topics, 12)}
    random = np.random.default_rng(4)
    totals, alpha = random.integers(30, 90, topics), random.gamma(0.5, 0.2, topics) + 1e-3
    p = exact(document, word, totals, alpha)
    n = 60_000
    own = random.choice(topics, n, p=p)
    found = np.bincount(replicates(document, own, word, topics, totals, alpha, KEY), minlength=topics)
    assert fits(found, p)
    fixed = replicates(document, np.full(2000, topics - 1), word, topics, totals, alpha, KEY)
    assert (fixed != topics - 1).mean() > 0.5
    moved = replicates(document, own, word, topics, totals, alpha, KEY) != own
    assert moved.mean() > 0.5


@pytest.mark.parametrize("topics", TOPICS)
def test_candidates_are_their_twin(topics: int) -> None:
    layouts = grid(random_docs(60, WORDS, 12), WORDS, 3, 2)
    words, _, _ = arrived(layouts, topics)
    part = layouts["columns"][1]
    found = unpacked(words.pairs(BETA, KEY), topics)
    assert [s for s, _ in found] == words.topic.tolist()
    for places in naive.words_of(part["slices"], part["row_ptr"]):
        own = words.topic[places].tolist()
        assert [found[i][1] for i in places] == naive.candidates(own, part["tokens"][places].tolist(), topics, BETA, int(KEY))


def test_candidates_follow_the_counts_of_the_others_plus_beta() -> None:
    """Of a word of 12 tokens in 6 topics, in one document each, many times: chi-square, for tokens of the topic of six and for the lone
    one."""
    own, times = [0] * 6 + [1] * 3 + [2] * 2 + [4], 20_000
    layouts = grid([[w] for w in range(times) for _ in own], times, 1, 1)
    row = layouts["rows"][0]
    topic = np.tile(own, times).astype(np.uint32)
    pairs = np.empty(len(topic), np.uint32)
    pairs[row["cell"]] = topic | topic << np.uint32(16)
    lists = visits.visit_documents(row, pairs, visits.Known(np.full(6, 100, np.int32), 10), Priors(0.3, 0.1, 6), KEY)
    words = visits.Words(layouts["columns"][0], [{"blocks": lists.blocks, "entries": lists.entries, "places": lists.places}], 6)
    candidate = words.pairs(BETA, KEY) >> np.uint32(16)
    for s in (0, 4):
        others = np.bincount(own, minlength=6) - (np.arange(6) == s)
        drawn = np.bincount(candidate[words.topic == s], minlength=6)
        assert chisquare(drawn, (others + BETA) / (11 + 6 * BETA) * drawn.sum()).pvalue > 1e-3


def test_a_candidate_is_accepted_with_the_probability_of_its_formula() -> None:
    """One document shape many times; a binomial deviation beyond 4 sigma is a fault. The second token meets the counts that the first
    left."""
    documents, prior = 30_000, 0.5
    topic, candidate = np.array([0, 0, 0, 1], np.uint32), np.array([1, 0, 0, 1], np.uint32)
    totals = np.array([40, 60], np.int32)
    pairs = np.tile(topic | candidate << np.uint32(16), documents)
    fixed = {
        "doc_ptr": steady(np.arange(0, documents * 4 + 1, 4)),
        "cell": steady(np.arange(documents * 4, dtype=np.uint32)),
        "first_token": np.zeros(1, np.int64),
    }
    lists = visits.visit_documents(fixed, pairs, visits.Known(totals, 20), Priors(prior, 0.1, 2), KEY)
    p = (1 + prior) * (40 - 1 + 2.0) / ((3 - 1 + prior) * (60 + 2.0))
    moved = int(lists.totals[1]) - documents
    assert abs(moved - documents * p) < 4 * (documents * p * (1 - p)) ** 0.5


# The start, and the end


@pytest.mark.parametrize("topics", TOPICS)
def test_the_minhash_start_is_its_twin_on_any_grid(topics: int) -> None:
    docs = random_docs(60, WORDS, 12)
    expected = naive.minima(docs, 60.0, starting_kernels.HASHES, int(KEY))
    assert any(None in own for own in expected)
    made = []
    for rows, columns in ((1, 1), (3, 4)):
        layouts, topics_of_tokens = grid(docs, WORDS, rows, columns), []
        for r, part in enumerate(layouts["rows"]):
            minima = np.full((len(part["doc_ptr"]) - 1, starting_kernels.HASHES), 2.0, np.float32)
            for column in layouts["columns"]:
                sizes = np.diff(column["slices"].astype(np.int64), axis=1).sum(axis=0)
                documents = column["documents"][column["row_ptr"][r] : column["row_ptr"][r + 1]]
                starting_kernels.minima_of_documents(column["words"], sizes, column["slices"][r], documents, 60.0, KEY, minima)
            first = int(part["first_document"][0])
            assert [[None if v > 1 else v for v in own] for own in minima] == expected[first : first + len(minima)]
            pairs = np.empty(len(part["cell"]), Packing(topics).pair)
            places = (int(part["first_token"][0]), first, part["doc_ptr"], part["cell"])
            starting_kernels.minhash_pairs(pairs, Packing(topics).half, topics, *places, minima, KEY)
            assert all(s == t for s, t in unpacked(pairs, topics))
            topics_of_tokens += [unpacked(pairs, topics)[place][0] for place in part["cell"].tolist()]
        made.append(topics_of_tokens)
    assert made[0] == made[1]
    token = 0
    for d, (doc, own) in enumerate(zip(docs, expected, strict=True)):
        for _ in doc:
            g = (naive.bits(int(KEY), token) >> 32) * starting_kernels.HASHES >> 32
            random = naive.bits(int(KEY), int(float(own[g]) * 2**64), 1 + g) if own[g] is not None else naive.bits(int(KEY), d, 5)
            assert made[0][token] == naive.any_topic(random, topics)
            token += 1


@pytest.mark.parametrize("topics", [7, 65535, 65536])
def test_a_random_start_is_its_twin(topics: int) -> None:
    pairs = np.zeros(5, Packing(topics).pair)
    cell = steady(np.array([3, 1, 0, 4, 2], np.uint32))
    starting_kernels.random_pairs(pairs, Packing(topics).half, topics, 4_000_000_000, cell, KEY)
    expected = [naive.any_topic(naive.bits(int(KEY), 4_000_000_000 + token), topics) for token in range(5)]
    assert [unpacked(pairs, topics)[place] for place in cell.tolist()] == [(k, k) for k in expected]


@pytest.mark.parametrize("draws", [1, 16])
def test_the_last_counts_are_even_draws_from_the_conditional_of_every_token(draws: int) -> None:
    layouts, topics = grid(random_docs(60, WORDS, 12), WORDS, 3, 2), 9
    words, lists, totals = arrived(layouts, topics)
    priors, before, part = Priors(alpha_of(topics), BETA, topics), words.topic.tolist(), layouts["columns"][1]
    corpus, alpha = visits.Known(totals, WORDS), priors.each.tolist()
    words.visit(corpus, priors, KEY)
    ptr, columns, counts = words.spread(corpus, priors, KEY, draws)
    for w, (places, documents) in enumerate(tokens_of_words(layouts, lists)):
        word, expected = dict(Counter(before[i] for i in places)), Counter[int]()
        for i, (r, d) in zip(places, documents, strict=True):
            shares = naive.conditional(before[i], topics_in(lists[r], d), word, totals.tolist(), alpha, BETA, BETA * WORDS)
            first = naive.uniform(int(KEY), int(part["tokens"][i]))
            expected.update([int(words.topic[i])] if draws == 1 else [naive.drawn(shares, (first + j) / draws) for j in range(draws)])
        cells = slice(int(ptr[w]), int(ptr[w + 1]))
        assert list(zip(columns[cells].tolist(), counts[cells].tolist(), strict=True)) == sorted(expected.items())


def test_tokens_of_long_lists_count_with_the_topic_that_they_have() -> None:
    topics = word_kernels.LONG + 30
    layouts, topic = long_documents(topics, 6, 50)
    row = layouts["rows"][0]
    pairs = np.empty(len(topic), np.uint32)
    pairs[row["cell"]] = topic | topic << 16
    corpus, priors = visits.Known(np.full(topics, 30, np.int32), 50), Priors(0.1, BETA, topics)
    lists = visits.visit_documents(row, pairs, corpus, priors, KEY)
    words = visits.Words(layouts["columns"][0], [{"blocks": lists.blocks, "entries": lists.entries, "places": lists.places}], topics)
    words.visit(corpus, priors, KEY)
    _, columns, counts = words.spread(corpus, priors, KEY, 16)
    assert np.bincount(columns, counts, topics).tolist() == (16 * np.bincount(words.topic, minlength=topics)).tolist()


def test_points_are_all_somewhere_however_small_the_shares_are() -> None:
    """A token alone in its document, of a word that stands once, with priors at their smallest: all draws are counted, of some topic."""
    layouts, topics = grid([[w] for w in range(5)], 5, 1, 1), 3
    priors, corpus = Priors(PRIOR_MIN, PRIOR_MIN, topics), visits.Known(np.array([2, 2, 1], np.int32), 5)
    row = layouts["rows"][0]
    lists = visits.visit_documents(row, np.array([0, 0, 1, 1, 2], np.uint32), corpus, priors, KEY)
    words = visits.Words(layouts["columns"][0], [{"blocks": lists.blocks, "entries": lists.entries, "places": lists.places}], topics)
    words.visit(corpus, priors, KEY)
    ptr, _, counts = words.spread(corpus, priors, KEY, 1000)
    assert [counts[a:b].sum() for a, b in itertools.pairwise(ptr)] == [1000] * 5
