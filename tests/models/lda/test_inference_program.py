"""The program that writes topics of documents: the same lines however the text is cut, and what they say of each document."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from models.lda import inference_naive as naive
from reference import Reference
from regrow.data.known import Reading
from regrow.errors import DataError, UsageError
from regrow.models.lda.unseen.inference import Inference
from regrow.packed import strings

MODEL = naive.some_model(40, 8, 1500, 1)
RNG = np.random.default_rng(2)
TEXTS = [" ".join(f"W{int(40 * share**2)}" for share in RNG.random(length)) for length in RNG.integers(0, 30, 40)]
TEXTS[7] = "nobody knows these words, W3"


def text_parts(lines: Sequence[str], parts: int) -> list[dict[str, Any]]:
    """The layout "text", cut into parts of about as many lines."""
    found = []
    for part in range(parts):
        start, end = part * len(lines) // parts, (part + 1) * len(lines) // parts
        text = np.frombuffer("".join(f"{line}\n" for line in lines[start:end]).encode(), np.uint8)
        found.append({"text": text, "file": strings(["a.txt"]), "source": np.array([0, start + 1], np.int64)})
    return found


def lines_of(
    texts: Sequence[str], parts: int = 1, format: str = "txt", model: Mapping[str, Any] = MODEL, **parameters: Any
) -> list[dict[str, Any]]:
    """What the program writes."""
    fields = ("text",) if format == "jsonl" else ()
    program = Inference(Reading(format, fields).to_json(), **parameters)
    results = Reference(program, {"text": text_parts(texts, parts), "model": [model]}).run()
    return [json.loads(line) for line in results.concatenated("documents", "lines").tobytes().decode().splitlines()]


def test_lines_say_what_the_twin_finds() -> None:
    filled = [text for text in TEXTS if text]  # an empty line is no document
    for d, (line, text) in enumerate(zip(lines_of(TEXTS), filled, strict=True)):
        numbers = [int(word[1:].rstrip(",")) if word.startswith("W") else -1 for word in text.split()]
        key = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
        expected, known = naive.best_topics(MODEL, numbers, key, 1, 50)
        shares = {k: int((count + MODEL["alpha"][k]) / (known + 5) * 1e6 + 0.5) / 1e6 for k, count in expected.items()}
        topics = [[k, shares[k]] for k in sorted(shares, key=lambda k: (-shares[k], k))]
        assert line == {"doc": d, "topics": topics, "tokens": known, "unknown": len(numbers) - known}
    assert lines_of(TEXTS)[filled.index(TEXTS[7])]["unknown"] == 4


@pytest.mark.parametrize("method", [{}, {"restarts": 3}, {"method": "sampling", "samples": 3, "burn_in": 2}], ids=str)
def test_no_byte_depends_on_how_the_documents_are_cut_into_parts(method: dict[str, Any]) -> None:
    whole = lines_of(TEXTS, **method)
    assert [line["doc"] for line in whole] == list(range(len(whole)))
    for parts in (2, 7):
        assert lines_of(TEXTS, parts, **method) == whole


def test_documents_keep_their_names_and_blank_lines_are_none() -> None:
    records = ["", '{"text": "w1 w2", "id": "first"}', "  ", '{"text": "w3"}', '{"text": "nothing of it", "id": 7}']
    found = lines_of(records, 2, "jsonl")
    assert [(line["doc"], line.get("id")) for line in found] == [(0, "first"), (1, None), (2, "7")]
    assert (found[2]["topics"], found[2]["tokens"], found[2]["unknown"]) == ([], 0, 3)


def test_words_that_training_dropped_are_neither_known_nor_unknown() -> None:
    (line,) = lines_of(["w1 stop w2 never"], model={**MODEL, "dropped.word": strings(["stop", "w2"])})
    assert (line["tokens"], line["unknown"]) == (1, 1)


def test_bags_say_words_by_number() -> None:
    text = np.frombuffer(b"1 1 2\n1 3 1\n3 2 1\n", np.uint8)
    part = {"text": text, "file": strings(["docword.txt"]), "source": np.array([0, 4]), "documents": np.array([1, 4, 3, 3])}
    layouts = {"text": [part], "words": [{"words": strings(["w5", "elsewhere", "w0"])}], "model": [MODEL]}
    results = Reference(Inference(Reading("bag").to_json()), layouts).run()
    found = [json.loads(line) for line in results[("documents")][0]["lines"].tobytes().splitlines()]
    assert [(line["tokens"], line["unknown"]) for line in found] == [(3, 0), (0, 0), (0, 1)]
    (text_line,) = lines_of(["w5 w5 w0"])
    assert found[0]["topics"] == text_line["topics"]


def test_a_damaged_model_is_refused_by_the_program() -> None:
    with pytest.raises(DataError, match="fit together"):
        lines_of(["w1"], model={**MODEL, "counts": MODEL["counts"] * 0})


def test_options_that_cannot_be_are_refused() -> None:
    for wrong in ({"top": -1}, {"min_share": 1.5}, {"method": "mean"}, {"sweeps": 0}):
        with pytest.raises(UsageError):
            Inference({}, **wrong)  # type: ignore[arg-type]
