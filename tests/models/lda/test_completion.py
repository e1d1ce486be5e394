"""Document completion: the kernels against a slow twin, and the program on documents of every kind."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from models.lda.corpus import random_docs
from models.lda.naive import bits
from models.lda.naive_completion import completion, random_model
from reference import Reference
from regrow.data.known import KnownDocuments, Reading
from regrow.errors import DataError
from regrow.evaluation import LOWEST, band_of
from regrow.models.lda.unseen.completion import Completion, completed
from regrow.models.lda.unseen.completion_kernels import NAT
from regrow.models.lda.unseen.completion_report import compared, fields_of, text_of
from regrow.packed import strings

WORDS = 200


def of_docs(docs: Sequence[Sequence[int]], keys: Any, model: Mapping[str, Any]) -> tuple[Any, Any]:
    """units [D, bands] and losses [2, D, bands] in nats, by the kernel."""
    words = np.array([w for doc in docs for w in doc], np.int32)
    doc_ptr = np.cumsum([0, *map(len, docs)]).astype(np.int64)
    units, losses = completed(Completion().tables_of(model), KnownDocuments(words, doc_ptr, keys))
    return units, losses / NAT


def documents(seed: int) -> tuple[list[list[int]], Any]:
    """Documents of every length from 0, some of one word many times, with words that no model knows; and their keys."""
    docs = [[], [3], [-1], [-1] * 9, [5] * 40, *random_docs(40, WORDS, 20, seed)]
    docs = [[-1 if i % 17 == 5 else w for i, w in enumerate(doc)] for doc in docs]
    return docs, np.random.default_rng(seed).integers(0, 2**63, len(docs)).astype(np.uint64)


@pytest.mark.parametrize("topics", [2, 30, 400])
@pytest.mark.parametrize("symmetric", [True, False])
def test_a_completion_is_its_twin(topics: int, symmetric: bool) -> None:
    model = random_model(WORDS, topics, 4_000, symmetric)
    docs, keys = documents(1)
    units, losses = of_docs(docs, keys, model)
    counts = np.append(model["vocabulary.count"], 0)
    for d, doc in enumerate(docs):
        expected = np.zeros((3, len(LOWEST)))
        for word, loss, baseline in completion(doc, int(keys[d]), model):
            expected[:, band_of(counts[word])] += (1, loss, baseline)
        assert units[d].tolist() == expected[0].tolist()
        np.testing.assert_allclose(losses[:, d], expected[1:], rtol=1e-9, atol=1e-8)
    assert np.all(units[:, :3].sum(axis=0) > 0), "every kind of rare word should be there"


def test_a_document_alone_is_what_it_is_among_others() -> None:
    model, (docs, keys) = random_model(WORDS, 30, 4_000), documents(2)
    units, losses = of_docs(docs, keys, model)
    for d in (0, 3, 4, 20):
        alone_units, alone = of_docs([docs[d]], keys[d : d + 1], model)
        assert np.array_equal(alone_units[0], units[d])
        assert np.array_equal(alone[:, 0], losses[:, d])


def test_the_probabilities_of_all_words_and_the_extra_one_are_one() -> None:
    model = random_model(WORDS, 30, 4_000)
    key = next(key for key in range(99) if (bits(key, 0) % 2, bits(key, 1) % 2) == (0, 1))  # the second word is scored
    docs = [[7, w] for w in [*np.flatnonzero(model["vocabulary.count"]), -1]]
    _, losses = of_docs(docs, np.full(len(docs), key, np.uint64), model)
    assert np.exp(-losses[0].sum(axis=1)).sum() == pytest.approx(1, rel=1e-9)
    assert np.exp(-losses[1].sum(axis=1)).sum() == pytest.approx(1, rel=1e-9)


# The program

TEXTS = [
    "tail head tail body " * 3,
    "",
    "lizard",
    "grow again tail unknownword head body lizard tail",
    "body " * 30,
    "again unheard head grow " * 4,
]


def trained() -> dict[str, Any]:
    names = ["tail", "head", "body", "lizard", "grow", "again", "never"]
    model = random_model(len(names), 5, 400, seed=1)
    model["word_ptr"][-1] = model["word_ptr"][-2]
    model["vocabulary.word"] = strings(names)
    cells = int(model["word_ptr"][-1])
    model["topics"], model["counts"] = model["topics"][:cells], model["counts"][:cells]
    model["vocabulary.count"][-1] = 0
    model["topic_totals"] = np.bincount(model["topics"], model["counts"], 5).astype(np.int64)
    return model


def text_parts(texts: Sequence[str], parts: int) -> list[dict[str, Any]]:
    """The layout "text" of a document per line."""
    found = []
    for part in range(parts):
        own = texts[part * len(texts) // parts : (part + 1) * len(texts) // parts]
        text = np.frombuffer("".join(f"{line}\n" for line in own).encode(), np.uint8)
        found.append({"text": text, "file": strings(["a.txt"]), "source": np.array([0, 1], np.int64)})
    return found


def measured(texts: Sequence[str], parts: int = 1, model: Mapping[str, Any] | None = None) -> dict[str, Any]:
    program = Completion(Reading("txt", id_field="").to_json())
    run = Reference(program, {"text": text_parts(texts, parts), "model": [model or trained()]})
    return dict(program.model(run.run()))


def test_the_program_measures_what_the_twin_measures() -> None:
    model = trained()
    number = {word: w for w, word in enumerate(model["vocabulary.word"])}
    losses = []
    for text in TEXTS:
        key = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
        losses += completion([number.get(word, -1) for word in text.split()], key, model)
    found = fields_of(measured(TEXTS))
    assert found["tokens"] == len(losses)
    assert found["unknown"] == sum(word == -1 for word, _, _ in losses) > 0
    assert found["loss"] == pytest.approx(sum(loss for _, loss, _ in losses) / len(losses), rel=1e-9)
    assert found["perplexity"] == pytest.approx(np.exp(found["loss"]))
    gain = sum(row["units"] * row["gain"] for row in found["bands"] if row["units"]) / found["tokens"]
    assert gain == pytest.approx(sum(other - loss for _, loss, other in losses) / len(losses), rel=1e-9)
    assert found["documents"] + found["documents_without_score"] == len(TEXTS)
    assert (found["topics"], found["alpha_sum"], found["beta"]) == (5, pytest.approx(5), 0.01)
    assert 1 <= found["distinct_topics"] <= 5


def test_no_byte_depends_on_how_the_documents_are_cut_into_parts() -> None:
    whole = measured(TEXTS)
    for parts in (2, 6):
        other = measured(TEXTS, parts)
        assert {name: array.tobytes() for name, array in other.items()} == {name: array.tobytes() for name, array in whole.items()}


def test_nothing_to_score_is_said() -> None:
    with pytest.raises(DataError, match="nothing to score: 0 words in 2 documents"):
        measured(["", ""])


def test_the_report_for_people_names_what_the_perplexity_depends_on() -> None:
    lines = text_of(measured(TEXTS)).splitlines()
    assert lines[0].startswith("perplexity ")
    assert lines[0].endswith("(K = 5, alpha sum 5, beta 0.01)")
    assert "unknown to the model" in lines[1]
    assert lines[4].split() == ["band", "tokens", "share", "loss", "gain"]
    assert lines[-1].startswith("distinct topics ")


def test_a_model_is_no_better_than_itself() -> None:
    found = compared(measured(TEXTS * 5), measured(TEXTS * 5))
    assert (found.total.difference, found.total.low, found.total.high) == (0.0, 0.0, 0.0)
    assert len(found.rows) == len(LOWEST)


def test_models_of_other_training_counts_are_compared_in_all() -> None:
    other = trained()
    other["counts"] = other["counts"] * 40
    other["topic_totals"], other["vocabulary.count"] = other["topic_totals"] * 40, other["vocabulary.count"] * 40
    found = compared(measured(TEXTS), measured(TEXTS, model=other))
    assert found.rows == ()
    assert found.total.difference is not None


def test_models_that_cut_text_differently_are_not_compared() -> None:
    with pytest.raises(DataError, match="different words"):
        compared(measured(TEXTS), measured(TEXTS[1:]))
