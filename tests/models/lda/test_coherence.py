"""Coherence: the pairs of top words, in how many documents they stand, and what that makes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from models.lda.corpus import random_docs
from models.lda.naive_completion import coherence, random_model
from regrow.models.lda.unseen.coherence import Pairs, npmi_of_topics, pairs_of_topics
from regrow.models.lda.unseen.coherence_kernels import count_together


def table(topics: Sequence[dict[int, int]], words: int) -> tuple[Any, Any, Any, int]:
    """word_ptr, topics, counts, K from the counts of the words of each topic."""
    cells = sorted((w, k, c) for k, topic in enumerate(topics) for w, c in topic.items())
    ptr = np.searchsorted([w for w, _, _ in cells], np.arange(words + 1)).astype(np.int64)
    return ptr, np.array([k for _, k, _ in cells], np.uint16), np.array([c for _, _, c in cells], np.int32), len(topics)


def of_docs(pairs: Pairs, docs: Sequence[Sequence[int]], parts: int = 1) -> Any:
    alone, together = np.zeros(len(pairs.pair_ptr) - 1, np.int32), np.zeros(len(pairs.partners), np.int32)
    for part in range(parts):
        own = docs[part::parts]
        words, ptr = np.array([w for doc in own for w in doc], np.int32), np.cumsum([0, *map(len, own)]).astype(np.int64)
        count_together(words, ptr, pairs.listed_as, pairs.pair_ptr, pairs.partners, alone, together)
    documents = sum(len(doc) > 0 for doc in docs)
    return npmi_of_topics(pairs, alone.astype(np.int64), together.astype(np.int64), documents)


@pytest.mark.parametrize(("topics", "documents", "length"), [(40, 300, 8), (400, 30, 3)])
def test_the_coherence_of_topics_is_that_of_the_twin(topics: int, documents: int, length: int) -> None:
    model = random_model(300, topics, 5_000)
    counts = np.zeros((300, topics), np.int64)
    counts[np.repeat(np.arange(300), np.diff(model["word_ptr"])), model["topics"]] = model["counts"]
    tops = [[int(w) for w in np.lexsort((np.arange(300), -column))[:10] if column[w]] for column in counts.T]
    docs = [[-1, *doc] if doc else [] for doc in random_docs(documents, 300, length)]
    pairs = pairs_of_topics(model["word_ptr"], model["topics"], model["counts"], topics)
    found = of_docs(pairs, docs)
    np.testing.assert_allclose(found, coherence(tops, docs), rtol=1e-12, atol=1e-14)
    assert np.isnan(found[-1]), "the last topic is empty"
    assert np.array_equal(found, of_docs(pairs, docs, parts=3), equal_nan=True)


def test_a_word_that_is_nearly_everywhere_has_more_partners_than_documents_have_words() -> None:
    topics = [{0: 9, 2 * k + 1: 5, 2 * k + 2: 5} for k in range(300)]  # 600 partners of word 0: found by searching
    docs = [[0, 1, 2], [600, 0], [3, 4], [599, 600, 1]]
    found = of_docs(pairs_of_topics(*table(topics, 601)), docs)
    np.testing.assert_allclose(found, coherence([list(topic) for topic in topics], docs), rtol=1e-12)


def test_words_that_stand_only_together_have_one_and_words_that_never_do_minus_one() -> None:
    docs = [[0, 1], [1, 0, 0], [2, 3], [3], [2]]
    pairs = pairs_of_topics(*table([{0: 5, 1: 4}, {0: 3, 3: 3}, {2: 1, 3: 1}], 4))
    found = of_docs(pairs, docs)
    assert found[:2].tolist() == [1.0, -1.0]
    assert 0 < found[2] < 1


def test_words_in_all_documents_have_one() -> None:
    assert of_docs(pairs_of_topics(*table([{0: 2, 1: 1}], 2)), [[0, 1], [1, 0]]).tolist() == [1.0]


def test_words_in_no_document_and_topics_of_one_word_tell_nothing() -> None:
    topics = [{0: 3, 1: 2, 5: 1}, {5: 2, 6: 1}, {0: 9}, {}]
    found = of_docs(pairs_of_topics(*table(topics, 7)), [[0], [1], [0, 1], [2]])
    assert found[0] == of_docs(pairs_of_topics(*table([{0: 3, 1: 2}], 7)), [[0], [1], [0, 1], [2]])[0]
    assert np.isnan(found[1:]).all()


def test_a_model_without_tokens_has_no_pairs() -> None:
    pairs = pairs_of_topics(np.zeros(4, np.int64), np.empty(0, np.uint16), np.empty(0, np.int32), 2)
    assert np.isnan(of_docs(pairs, [[0, 1]])).all()
