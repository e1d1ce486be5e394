"""Topics of unseen documents: exactly what looking at every topic would give, and the lines that say it."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest

from models.lda import inference_naive as naive
from regrow.errors import DataError, UsageError
from regrow.models.lda.unseen.inference import Inferred, Method, dense_topics, infer_bags, inference_tables
from regrow.models.lda.unseen.inference_lines import topic_lines
from regrow.packed import strings

Model = dict[str, Any]


def some_documents(words: int, documents: int, seed: int) -> tuple[Any, Any, Any]:
    """Frequent and rare words, unknown ones among them; documents of 0 to 50 tokens, and one of 400."""
    rng = np.random.default_rng(seed)
    lengths = np.append(rng.integers(0, 50, documents - 1), 400)
    ptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    found = (words * rng.random(ptr[-1]) ** 2).astype(np.int32)
    found[rng.random(ptr[-1]) < 0.05] = -1
    return found, ptr, rng.integers(0, 2**63, documents).astype(np.uint64)


def priors(kind: str, topics: int, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    return {
        "symmetric": np.full(topics, 5 / topics),
        "learned": rng.gamma(0.3, 1, topics) + 1e-4,
        "few values": rng.integers(1, 4, topics) * 0.5,  # so that many topics tie
        "huge": np.full(topics, 1e17),  # so that a token more or less is lost in rounding
    }[kind]


MODELS = [
    (kind, words, topics, tokens, beta, empty)
    for kind in ("symmetric", "learned", "few values", "huge")
    for words, topics, tokens, beta, empty in ((3, 2, 5, 1.0, 0), (50, 30, 400, 0.01, 2), (200, 64, 3000, 0.5, 5), (40, 300, 500, 0.03, 40))
]


def made(kind: str, words: int, topics: int, tokens: int, beta: float, empty: int, seed: int) -> Model:
    return naive.some_model(words, topics, tokens, seed, alpha=priors(kind, topics, seed), beta=beta, empty=empty)


@pytest.mark.parametrize("case", MODELS, ids=lambda case: "-".join(str(value) for value in case))
def test_arg_max_is_that_over_all_topics(case: Any) -> None:
    for seed in range(3):
        model = made(*case, seed)
        words, ptr, keys = some_documents(case[1], 6, seed)
        method = Method(restarts=1 + seed, sweeps=(50, 2, 1)[seed])
        found = infer_bags(inference_tables(model, method), words, ptr, keys, method)
        for d in range(6):
            expected, known = naive.best_topics(model, words[ptr[d] : ptr[d + 1]], keys[d], method.restarts, method.sweeps)
            same_topics(found, d, expected, known, model["alpha"], method.restarts)


@pytest.mark.parametrize("case", MODELS, ids=lambda case: "-".join(str(value) for value in case))
def test_samples_are_those_of_the_plain_sampler(case: Any) -> None:
    model, method = made(*case, 7), Method("sampling", samples=2, burn_in=1)
    words, ptr, keys = some_documents(case[1], 4, 7)
    found = infer_bags(inference_tables(model, method), words, ptr, keys, method)
    for d in range(4):
        expected, known = naive.sampled_topics(model, words[ptr[d] : ptr[d + 1]], keys[d], 1, 2)
        same_topics(found, d, expected, known, model["alpha"], 2)


def same_topics(found: Inferred, d: int, expected: naive.Topics, known: int, alpha: Any, times: int) -> None:
    shares = {k: (count / times + alpha[k]) / (known + float(sum(alpha.tolist()))) for k, count in expected.items()}
    order = sorted(shares, key=lambda k: (-shares[k], k))
    own = slice(found.ptr[d], found.ptr[d + 1])
    assert found.topics[own].tolist() == order
    assert found.shares[own].tolist() == [shares[k] for k in order]
    assert found.tokens[d] == known


def test_drawn_topics_have_the_shares_that_collapsed_sampling_says() -> None:
    model = naive.some_model(6, 4, 60, 1, alpha=[0.2, 1.0, 0.5, 0.1], beta=0.3)
    phi, _ = naive.phi_of(model)
    joint = np.zeros((4, 4))  # of the topics of two tokens
    for j in range(4):
        for k in range(4):
            joint[j, k] = model["alpha"][j] * phi[0, j] * (model["alpha"][k] + (j == k)) * phi[3, k]
    joint /= joint.sum()
    documents, method = 4000, Method("sampling", samples=1, burn_in=5)
    words, ptr = np.tile(np.array([0, 3], np.int32), documents), 2 * np.arange(documents + 1)
    keys = np.random.default_rng(3).integers(0, 2**63, documents).astype(np.uint64)
    found = infer_bags(inference_tables(model, method), words, ptr, keys, method)
    together = np.diff(found.ptr) == 1
    assert together.mean() == pytest.approx(np.trace(joint), abs=0.03)
    alone = np.bincount(found.topics[found.ptr[:-1][together]], minlength=4) / documents
    assert alone == pytest.approx(np.diag(joint), abs=0.03)


def test_a_document_has_the_same_topics_wherever_it_stands() -> None:
    model, method = naive.some_model(100, 20, 1000, 4), Method("sampling")
    tables = inference_tables(model, method)
    words, ptr, keys = some_documents(100, 5, 4)
    together = infer_bags(tables, words, ptr, keys, method)
    for d in range(5):
        own = words[ptr[d] : ptr[d + 1]]
        alone = infer_bags(tables, own, np.array([0, len(own)]), keys[d : d + 1], method)
        assert alone.topics.tolist() == together.topics[together.ptr[d] : together.ptr[d + 1]].tolist()
        assert alone.shares.tolist() == together.shares[together.ptr[d] : together.ptr[d + 1]].tolist()


def test_words_of_which_the_model_has_no_token_are_unknown() -> None:
    model = naive.model_of([[3, 0], [0, 0], [1, 2]], [0.5, 0.5], 0.1)
    found = infer_bags(inference_tables(model), np.array([1, 1, -1, 0]), np.array([0, 3, 4]), np.zeros(2))
    assert found.tokens.tolist() == [0, 1]
    assert found.ptr.tolist() == [0, 0, 1]
    assert found.topics.tolist() == [0]
    dense = dense_topics(inference_tables(model), found)
    assert dense == pytest.approx(np.array([[0.5, 0.5], [0.75, 0.25]]))


def test_dense_topics_add_up_to_one() -> None:
    model = naive.some_model(100, 20, 1000, 5, alpha=priors("learned", 20, 5))
    for method in (Method(), Method("sampling"), Method(restarts=3)):
        tables = inference_tables(model, method)
        dense = dense_topics(tables, infer_bags(tables, *some_documents(100, 6, 5), method))
        assert dense.shape == (6, 20)
        assert dense.sum(axis=1) == pytest.approx(np.ones(6))


def test_a_word_beyond_the_model_is_refused() -> None:
    model = naive.some_model(5, 3, 50, 1)
    with pytest.raises(UsageError, match="word 5 of 5"):
        infer_bags(inference_tables(model), np.array([5]), np.array([0, 1]), np.zeros(1))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"method": "best"}, "no method"),
        ({"restarts": 0}, "restarts"),
        ({"samples": 0}, "samples"),
        ({"burn_in": -1}, "burn-in"),
    ],
    ids=lambda value: str(value),
)
def test_methods_that_cannot_be_are_refused(wrong: dict[str, Any], message: str) -> None:
    wrong = {"name" if name == "method" else name: value for name, value in wrong.items()}
    with pytest.raises(UsageError, match=message):
        Method(**wrong)


@pytest.mark.parametrize("name", ["word_ptr", "topics", "counts", "topic_totals", "alpha", "beta"])
def test_a_damaged_model_is_refused(name: str) -> None:
    model = naive.some_model(5, 3, 50, 1)
    for broken in (model[name][:-1], -1 * model[name].astype(np.int64) - 1):
        with pytest.raises(DataError, match="fit together"):
            inference_tables({**model, name: broken})
    del model[name]
    with pytest.raises(DataError, match=name):
        inference_tables(model)


# Lines


def found_of(*documents: dict[int, float], tokens: int = 10) -> Inferred:
    ptr = np.cumsum([0, *(len(document) for document in documents)])
    topics = np.array([k for document in documents for k in document], np.int32)
    shares = np.array([share for document in documents for share in document.values()])
    return Inferred(ptr, topics, shares, np.full(len(documents), tokens))


def lines_of(found: Inferred, ids: list[str] | None = None, first: int = 0, top: int = 0, least: float = 0.0) -> list[str]:
    unknown = np.arange(len(found.tokens))
    lines = topic_lines(first, None if ids is None else strings(ids), *found, unknown, top, least)
    return lines.tobytes().decode().splitlines()


def test_a_line_is_spaced_as_json_dumps_does() -> None:
    found = found_of({3: 0.25, 1: 0.125}, {}, tokens=123456)
    first, second = lines_of(found, ["a", ""], first=99)
    assert first == '{"doc": 99, "id": "a", "topics": [[3, 0.250000], [1, 0.125000]], "tokens": 123456, "unknown": 0}'
    assert second == '{"doc": 100, "topics": [], "tokens": 123456, "unknown": 1}'
    assert re.sub(r"0000\b|000\b", "", first) == json.dumps(json.loads(first))


def test_shares_are_rounded_half_up_and_ordered_as_printed() -> None:
    found = found_of({9: 0.3000004, 2: 0.3, 5: 0.0000005, 7: 1.0, 4: 0.00000049})
    (line,) = lines_of(found)
    assert '"topics": [[7, 1.000000], [2, 0.300000], [9, 0.300000], [5, 0.000001], [4, 0.000000]]' in line


def test_top_and_least_share_keep_what_is_printed() -> None:
    found = found_of({1: 0.5, 2: 0.3, 3: 0.2, 4: 0.1999996})
    assert [k for k, _ in json.loads(lines_of(found, top=2)[0])["topics"]] == [1, 2]
    assert [k for k, _ in json.loads(lines_of(found, least=0.2)[0])["topics"]] == [1, 2, 3, 4]
    assert [k for k, _ in json.loads(lines_of(found, least=0.200001)[0])["topics"]] == [1, 2]
    assert json.loads(lines_of(found, least=1.0)[0])["topics"] == []


def test_every_name_comes_back_from_json() -> None:
    names = ["plain", 'quo"te', "back\\slash", "".join(map(chr, range(0x20))), "\x7f\u0080é漢字🦎", "</script>"]
    for name, line in zip(names, lines_of(found_of(*({} for _ in names)), names), strict=True):
        assert json.loads(line)["id"] == name
        assert json.dumps(name, ensure_ascii=False) in line


def test_many_topics_and_large_numbers_have_room() -> None:
    rng = np.random.default_rng(1)
    share = rng.random(500)
    found = found_of({2_000_000_000 + k: share[k] for k in range(500)}, tokens=2**62)
    (line,) = lines_of(found, first=2**62)
    value = json.loads(line)
    assert value["doc"] == 2**62
    assert value["tokens"] == 2**62
    assert value["topics"] == sorted(
        ([2_000_000_000 + k, int(share[k] * 1e6 + 0.5) / 1e6] for k in range(500)), key=lambda pair: (-pair[1], pair[0])
    )
