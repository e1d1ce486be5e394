"""Answers have the numbers of the commands, whatever a request looks like; what cannot be answered is refused with a word."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from models.logistic.clicks import csv_text, libsvm_text
from regrow.errors import DataError, NoAnswer
from regrow.serving.answers.clicks import Clicks
from regrow.serving.answers.topics import Topics
from regrow.serving.batch import answered_lines, lines_of
from regrow.serving.desk import Busy, Desk, Expired
from regrow.serving.forms import BadRequest, encoded
from regrow.serving.limits import Limits
from regrow.serving.members import Answer
from regrow.serving.tables import Served, prepare
from regrow.store import model as models
from regrow.store.container import Container, write
from serving.services import TEXTS
from shell import Shell

INLINE = ("--engine", "inline")


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Shell(tmp_path, capsys)


@pytest.fixture(scope="module")
def topics(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Served:
    return Served.open(prepare(place / "first", tmp_path_factory.mktemp("tables")).file, Limits())


def ask(served: Served, **asked: Any) -> Any:
    return json.loads(served.answered(json.dumps(asked).encode(), Limits()))


def infer(shell: Shell, run: Path, lines: str, *more: object) -> list[Any]:
    (shell.folder / "new.jsonl").write_text(lines)
    ended = shell("lda", "infer", run, "new.jsonl", *more, *INLINE)
    assert ended.code == 0, ended.err
    return [json.loads(line) for line in ended.out.splitlines()]


@pytest.mark.parametrize(
    "way",
    [{}, {"top": 2, "min_share": 0.25, "restarts": 3}, {"method": "sampling", "samples": 7, "burn_in": 3}, {"sweeps": 1}],
    ids=lambda way: "-".join(way) or "argmax",
)
def test_topics_are_those_of_lda_infer(shell: Shell, place: Path, topics: Served, way: dict[str, Any]) -> None:
    texts = [*TEXTS, "", "unknown words t1w3", "T1W3 ümlaut \u4e2d\u6587 t2w1\nt2w2", "t1w1\x00t1w2"]
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    options = [word for name, value in way.items() for word in (f"--{name.replace('_', '-')}", value)]
    assert ask(topics, texts=texts, **way)["documents"] == infer(shell, place / "first", lines, *options)


def test_given_words_are_those_of_lda_infer(shell: Shell, place: Path, topics: Served) -> None:
    words = [["t1w1", "T1W1", "t1w2", ""], [], ["two words", "t3w1"]]
    lines = "".join(json.dumps({"text": own}) + "\n" for own in words)
    assert ask(topics, tokens=words)["documents"] == infer(shell, place / "first", lines)


def test_large_requests_are_answered_in_pieces_that_change_nothing(topics: Served) -> None:
    many = (TEXTS * 30)[:1000]
    whole = ask(topics, texts=many)["documents"]
    assert whole[:40] == ask(topics, texts=TEXTS)["documents"]
    assert [document["doc"] for document in whole] == list(range(1000))
    assert len(list(topics.answers.work(topics.answers.asked(texts=many), Limits()))) >= 15


def test_topics_are_named_if_asked(topics: Served) -> None:
    found = ask(topics, texts=["t1w0 t1w1 t1w0"], words=3)
    assert set(found["words"]) == {str(k) for k, _ in found["documents"][0]["topics"]}
    assert all(len(words) == 3 for words in found["words"].values())


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        (b"{", 400, "no JSON"),
        (b'{"texts": ["\xff"]}', 400, "no JSON"),
        (b"[" * 100_000, 422, "Expected `object`, got `array`"),
        (b'{"texts": ["\\ud800"]}', 400, "half of a pair of surrogates"),
        (b'{"texts": [1' + b"[" * 100_000, 422, "Expected"),
        ({}, 422, '"texts" or "tokens"'),
        ({"texts": [], "tokens": []}, 422, "not both"),
        ({"texts": "a"}, 422, "Expected `array"),
        ({"texts": [1]}, 422, "Expected `str`"),
        ({"texts": ["a"], "topp": 1}, 422, "unknown field `topp`"),
        ({"texts": ["a"], "top": -1}, 422, ">= 0"),
        ({"texts": ["a"], "sweeps": 10**9}, 422, "<= 1000"),
        ({"texts": ["a"], "method": "gibbs"}, 422, "Invalid enum value"),
        ({"texts": ["a"], "first": -1}, 422, '"first" is -1'),
        ({"texts": ["a"], "first": 10**30}, 422, "is 1000000"),
        ({"tokens": [["a\x00b"]]}, 422, "zero byte"),
        ({"texts": ["a"] * 1025}, 413, "1,024"),
        ({"texts": ["a" * (5 << 20)]}, 413, "4,194,304"),
        ({"texts": ["a " * 100_001]}, 413, "100,001 words"),
    ],
)
def test_a_request_that_cannot_be_answered_is_refused(topics: Served, asked: Any, status: int, said: str) -> None:
    with pytest.raises(BadRequest, match=said) as caught:
        topics.answered(asked if isinstance(asked, bytes) else json.dumps(asked).encode(), Limits())
    assert caught.value.status == status


# Clicks


def click_run(shell: Shell, *more: object) -> Served:
    (shell.folder / "train.csv").write_text(csv_text(3_000, 1))
    shell.run("ctr", "train", "train.csv", "--label", "click", "--run", "clicks", *INLINE, *more)
    return Served.open(prepare(Path("clicks"), shell.folder).file, Limits())


def rows_of(text: str) -> list[dict[str, str]]:
    head, *lines = text.splitlines()
    return [dict(zip(head.split(","), line.split(","), strict=True)) for line in lines]


@pytest.mark.parametrize(
    "options",
    [("--backoff", "pair:user,item", "--calibrate", "category"), ("--hash-bits", 12)],
    ids=lambda options: options[0],
)
def test_chances_are_those_of_ctr_predict(shell: Shell, options: tuple[object, ...]) -> None:
    served = click_run(shell, *options)
    test = csv_text(500, 2)
    (shell.folder / "test.csv").write_text(test)
    predicted = [json.loads(line) for line in shell("ctr", "predict", "clicks", "test.csv", *INLINE).out.splitlines()]
    assert ask(served, rows=rows_of(test))["rows"] == predicted
    without = [{name: value for name, value in row.items() if name != "click"} for row in rows_of(test)]
    assert [row["p"] for row in ask(served, rows=without)["rows"]] == [row["p"] for row in predicted]
    odd = ask(served, rows=[{}, {"user": "never seen"}, {"user": None, "item": 3}, {"category": True}])["rows"]
    assert [sorted(row) for row in odd] == [["p", "unseen"]] * 4
    assert ask(served, rows=[]) == {"model": served.digest, "rows": []}
    for wrong, said in (({"rows": [{"usr": "1"}]}, 'a column "usr"'), ({}, '"rows"'), ({"rows": [{"user": []}]}, "Expected")):
        with pytest.raises(BadRequest, match=said):
            ask(served, **wrong)


def test_rows_of_lines_are_those_of_ctr_predict(shell: Shell) -> None:
    (shell.folder / "train.libsvm").write_text(libsvm_text(2_000, 1))
    shell.run("ctr", "train", "train.libsvm", "--run", "clicks", *INLINE)
    served = Served.open(prepare(Path("clicks"), shell.folder).file, Limits())
    predicted = [json.loads(line) for line in shell("ctr", "predict", "clicks", "train.libsvm", *INLINE).out.splitlines()]
    lines = libsvm_text(2_000, 1).splitlines()
    assert ask(served, lines=lines[:1000])["rows"] == predicted[:1000]
    for wrong, said in ((["1 x"], "row 0: .* is no feature"), (["1 3:1\n0 4:1"], "a line's end"), ([" "], "is empty")):
        with pytest.raises(BadRequest, match=said):
            ask(served, lines=wrong)


def test_a_numeric_column_without_a_number_is_named(shell: Shell) -> None:
    (shell.folder / "n.csv").write_text("y,x,c\n" + "".join(f"{i % 2},{i},{i % 5}\n" for i in range(500)))
    shell.run("ctr", "train", "n.csv", "--label", "y", "--numeric", "x", "--run", "clicks", *INLINE)
    served = Served.open(prepare(Path("clicks"), shell.folder).file, Limits())
    assert ask(served, rows=[{"x": 3, "c": "1"}])["rows"] == ask(served, rows=[{"x": "3", "c": 1}])["rows"]
    with pytest.raises(BadRequest, match=r"row 1: .* is no number"):
        ask(served, rows=[{"x": 1}, {"x": "many"}])


# Ranks and projections


def test_ranks_are_those_of_pagerank_top(shell: Shell) -> None:
    (shell.folder / "edges.tsv").write_text("src\tdst\n" + "".join(f"{i}\t{i * i % 23}\n" for i in range(60)))
    (shell.folder / "names.tsv").write_text("id\tname\n" + "".join(f"{i}\tnode {i}\n" for i in range(61)))
    shell.run("pagerank", "train", "edges.tsv", "--names", "names.tsv", *INLINE, "--run", "ranks")
    served = Served.open(prepare(Path("ranks"), shell.folder).file, Limits())
    listed = json.loads(shell("pagerank", "top", "ranks", "--count", 61, "--json").out)
    assert ask(served, top=61)["nodes"] == [{"name": row["name"], "place": row["place"], "rank": row["rank"]} for row in listed]
    by_id = ask(served, nodes=["7", "node 7", "nowhere"])["nodes"]
    assert by_id[0] == by_id[1] == next(row for row in ask(served, top=61)["nodes"] if row["name"] == "node 7")
    assert ask(served, nodes=[7, "node 7", 4711])["nodes"] == [*by_id[:2], {"name": "4711", "unknown": True}]
    assert by_id[2] == {"name": "nowhere", "unknown": True}
    for wrong, said in (
        ({}, "nodes"),
        ({"top": 1, "nodes": []}, "not both"),
        ({"top": 1, "set": "x"}, "no set of seeds"),
        ({"top": 0}, ">= 1"),
    ):
        with pytest.raises(BadRequest, match=said):
            ask(served, **wrong)


def test_what_is_like_words_is_what_svd_query_says(shell: Shell) -> None:
    lines = [f"d{number}\t{text}" for number, text in enumerate(TEXTS * 3)]
    (shell.folder / "docs.tsv").write_text("id\ttext\n" + "\n".join(lines) + "\n")
    assert shell("svd", "train", "docs.tsv", "--rank", 4, "--run", "factors", *INLINE).code == 0
    served = Served.open(prepare(Path("factors"), shell.folder).file, Limits())
    words = [["t1w0"], ["T1W1, t2w0"], ["t3w0", "nowhere"]]
    found = ask(served, queries=[*words, ["nowhere"]], count=4)["queries"]
    assert found[:3] == [shell.run("svd", "query", "factors", *own, "--count", 4) for own in words]
    assert found[3] == {"unknown": ["nowhere"], "error": "the model knows none of the words: nowhere"}
    assert ask(served, queries=[])["queries"] == []
    with pytest.raises(BadRequest, match="1,001 words"):
        ask(served, queries=[["a"] * 1001])


# Tables


def test_what_is_no_model_or_none_to_be_served_is_refused(place: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no model"):
        prepare(tmp_path, tmp_path)
    shutil.copytree(place / "first" / "model", tmp_path / "damaged")
    (tmp_path / "damaged" / "arrays.safetensors").write_bytes(b"nothing")
    with pytest.raises(DataError, match="is damaged"):
        prepare(tmp_path / "damaged", tmp_path)
    arrays = models.read_model(place / "first").arrays
    models.publish_model(tmp_path / "other", arrays, {"kind": "somebody:Else", "parameters": {}})
    with pytest.raises(DataError, match="somebody:Else, which cannot be served"):
        prepare(tmp_path / "other", tmp_path)
    about = {"kind": "regrow.models.lda.program:LDA", "parameters": {}}
    models.publish_model(tmp_path / "nan", {**arrays, "alpha": np.full(5, np.nan)}, about)
    with pytest.raises(DataError, match="do not fit together"):
        prepare(tmp_path / "nan", tmp_path)


def test_tables_that_are_damaged_or_answer_otherwise_are_not_served(place: Path, tmp_path: Path) -> None:
    file = Path(prepare(place / "first", tmp_path).file)
    container = Container(file)
    note, arrays = container.note, container.section("tables")
    note["golden"][0][1] = "0" * 64
    write(tmp_path / "liar", {"tables": arrays}, note)
    with pytest.raises(DataError, match="does not answer as it did"):
        Served.open(str(tmp_path / "liar"), Limits())
    data = bytearray(file.read_bytes())
    data[-100] ^= 1
    (tmp_path / "flipped").write_bytes(data)
    with pytest.raises(DataError, match="tables of the model are damaged"):
        Served.open(str(tmp_path / "flipped"), Limits())


def test_the_card_says_how_the_tail_is_served(place: Path, tmp_path: Path, shell: Shell) -> None:
    card = prepare(place / "first", tmp_path).card
    assert card["topics"] == 5
    assert sum(band["words"] for band in card["bands"]) == card["words"]
    assert card["training"]["workers_lost"] == 0
    click_run(shell)
    card = prepare(shell.folder / "clicks", tmp_path).card
    assert sum(band["units"] for band in card["bands"]) == 3_000
    assert card["bands"][1]["loss"] > 0


# The desk


def test_a_small_request_does_not_wait_for_a_large_one(topics: Served) -> None:
    async def scene() -> list[str]:
        desk, order = Desk(Limits()), []

        async def one(name: str, texts: list[str]) -> None:
            await desk.answer(topics, encoded({"texts": texts}), time.monotonic() + 60)
            order.append(name)

        await asyncio.gather(one("large", (TEXTS * 30)[:1000]), one("small", TEXTS[:1]))
        assert desk.tally.answered == 2
        return order

    assert asyncio.run(scene()) == ["small", "large"]


def test_too_many_are_refused_and_what_is_late_is_not_begun(topics: Served) -> None:
    async def scene() -> None:
        desk, large = Desk(Limits(at_once=1, waiting=1)), encoded({"texts": (TEXTS * 30)[:1000]})
        until = time.monotonic() + 60
        first, second = (asyncio.create_task(desk.answer(topics, large, until)) for _ in range(2))
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await desk.answer(topics, large, until)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        await first
        with pytest.raises(Expired):
            await desk.answer(topics, large, time.monotonic())
        third = asyncio.create_task(desk.answer(topics, large, until))
        while desk.tally.pieces < 18:
            await asyncio.sleep(0)
        third.cancel()
        await asyncio.gather(third, return_exceptions=True)
        tally = desk.tally
        assert (tally.answered, tally.busy, tally.cancelled_waiting, tally.cancelled_running, tally.expired) == (1, 1, 1, 1, 1)
        assert (desk.running, desk.waiting) == (0, 0)

    asyncio.run(scene())


# Batches


def batch(served: Served, body: bytes, *, block: int = 100, fails: int = 0) -> list[Any]:
    """The answers to a body that comes in blocks; the first requests fail so often."""
    left = fails

    async def ask(request: bytes) -> Answer:
        nonlocal left
        await asyncio.sleep(0)
        if left:
            left -= 1
            raise NoAnswer("nobody")
        try:
            return Answer(200, served.answered(request, Limits()))
        except BadRequest as error:
            return Answer(error.status, encoded(error.failure))

    async def blocks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), block):
            yield body[start : start + block]

    async def scene() -> bytes:
        lines = lines_of(blocks(), Limits(line_bytes=2000))
        return b"".join([answers async for answers in answered_lines(type(served.answers), lines, ask, 4)])

    return [json.loads(line) for line in asyncio.run(scene()).splitlines()]


def test_a_batch_gives_the_lines_of_lda_infer(shell: Shell, place: Path, topics: Served) -> None:
    lines = "".join(json.dumps({"text": text}) + "\n" for text in TEXTS * 10)
    expected = infer(shell, place / "first", lines)
    assert batch(topics, lines.encode()) == expected
    assert batch(topics, lines.encode().rstrip(), block=7, fails=2) == expected
    assert batch(topics, b"\n\n" + "\n".join(json.dumps(text) for text in TEXTS * 10).encode()) == expected
    assert batch(topics, b"") == []


def test_a_wrong_line_costs_no_other(topics: Served) -> None:
    lines = [json.dumps({"text": text}) for text in TEXTS]
    lines[7], lines[20] = '{"txt": 1}', "{"
    found = batch(topics, "\n".join(lines).encode())
    assert [line.get("doc") for line in found] == [n if n not in (7, 20) else None for n in range(40)]
    assert [line["line"] for line in found if "error" in line] == [7, 20]
    with pytest.raises(BadRequest, match="more than 2,000 bytes"):
        batch(topics, b'"' + b"a" * 5000 + b'"')


def test_each_kind_speaks_the_v2_protocol(topics: Served) -> None:
    asked = Topics.of_tensors({"texts": ["t1w1 t1w2", ""]}, {"top": 2})
    tensors = {tensor["name"]: tensor for tensor in Topics.to_tensors(ask(topics, **asked)["documents"])}
    assert tensors["topics"]["shape"][0] == 2
    assert tensors["topics"]["data"][-1] == -1
    assert tensors["tokens"]["data"] == [2, 0]
    assert Topics.to_tensors([])[0]["shape"] == [0, 0]
    for wrong in ({}, {"x": ["x"]}, {"a": ["x"], "b": ["y"]}, {"texts": [1]}):
        with pytest.raises(BadRequest):
            Topics.of_tensors(wrong, {})
    assert Clicks.of_tensors({"user": ["a", "b"], "item": [1, 2]}, {}) == {"rows": [{"user": "a", "item": 1}, {"user": "b", "item": 2}]}
    assert Clicks.of_tensors({"lines": ["1 2:1"]}, {}) == {"lines": ["1 2:1"]}
    with pytest.raises(BadRequest):
        Clicks.of_tensors({"user": ["a"], "item": []}, {})


def test_every_answer_has_the_form_that_is_described(topics: Served) -> None:
    for line in ask(topics, texts=TEXTS)["documents"]:
        msgspec.convert(line, Topics.item)
