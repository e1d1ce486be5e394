"""What the world sees, in this process: asked through real sockets."""

from __future__ import annotations

import asyncio
import gzip
import json
import math
import time
import zlib
from pathlib import Path
from typing import Any

import pytest

from regrow.serving import service
from regrow.serving.first import Hedge
from regrow.serving.fleet import Fleet
from regrow.serving.members import Answer, NotAnswered, Remote, checked
from regrow.serving.remotes import Remotes
from serving.scenes import DIGEST, JSON, NDJSON, WELL, Place, at, posted, until


def test_bodies_that_are_sent_slowly_hold_nobody_up_and_must_come_by_the_deadline() -> None:
    async def scene(place: Place) -> None:
        half = [await place.send(posted("/v1/topics", b"{", length=50)) for _ in range(40)]
        await until(lambda: place.router.bodies.held == 40)
        assert place.router.metrics.busy["requests"] == 0
        status, _, found = await place.post("/v1/topics", {"texts": ["a"]})
        assert (status, found["model"]) == (200, DIGEST)
        for _, writer in half:
            writer.close()
        await until(lambda: place.router.bodies.held == 0)
        assert (await place.post("/v1/topics", b"{", "X-Deadline-Ms: 100", length=50))[0] == 408
        assert place.router.bodies.held == 0

    at(scene)


@pytest.mark.parametrize("path", ["/v1/topics", "/v1/batch"])
def test_what_is_still_coming_when_the_service_ends_is_answered(path: str) -> None:
    halves: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    sent = posted(path, b'{"text": "a"}\n' if path == "/v1/batch" else b'{"texts": ["a"]}', kind=NDJSON if path == "/v1/batch" else JSON)
    answers: list[bytes] = []

    async def rest(port: int) -> None:
        while True:  # until it takes nobody any more, so the end has begun
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                break
            writer.close()
            await asyncio.sleep(0.002)
        for _ in range(10):
            await asyncio.sleep(0.01)  # so that the end has every chance to cut it off
        reader, writer = halves[0]
        writer.write(sent[-5:])
        answers.append(await reader.read())
        writer.close()

    async def scene(place: Place) -> None:
        halves.append(await place.send(sent[:-5]))
        await until(lambda: place.router.metrics.busy["batches"] == 1 or place.router.bodies.held > 0)
        tasks.append(asyncio.create_task(rest(place.port)))

    tasks: list[asyncio.Task[None]] = []
    at(scene, finally_=lambda: tasks[0], drain_seconds=100.0)
    assert answers[0].startswith(b"HTTP/1.1 200 OK")
    assert b'"topics"' in answers[0]


def test_what_is_coming_is_bounded_for_all_bodies_together() -> None:
    async def scene(place: Place) -> None:
        _, writer = await place.send(posted("/v1/topics", b"a" * 700, length=900))
        await until(lambda: place.router.bodies.held == 700)
        status, headers, found = await place.post("/v1/topics", b"a" * 700, length=900)
        assert (status, headers["Retry-After"]) == (503, "1")
        assert "still coming" in found["error"]
        assert (await place.post("/v1/topics", b'{"texts": ["%b"]}' % (b"a" * 700)))[0] == 200, "one that is here whole"
        writer.close()

    at(scene, bodies_bytes=1000)


def test_a_body_that_is_too_large_is_refused_by_its_head_alone() -> None:
    async def scene(place: Place) -> None:
        status, headers, found = await place.post("/v1/topics", b"{", length=9_000_000)
        assert (status, headers["Connection"]) == (413, "close")
        assert "8,388,608 bytes" in found["error"]

    at(scene)


def test_a_batch_that_says_nothing_ends_and_takes_no_place_of_a_request() -> None:
    async def scene(place: Place) -> None:
        silent = [await place.send(posted("/v1/batch", b'"a"\n', kind=NDJSON, length=50)) for _ in range(12)]
        await until(lambda: place.router.metrics.busy["batches"] == 12)
        assert (await place.post("/v1/batch", b'"a"\n', kind=NDJSON))[0] == 503
        assert (await place.post("/v1/topics", {"texts": ["a"]}))[0] == 200
        for _, writer in silent:
            writer.close()

    async def ending(place: Place) -> None:
        reader, writer = await place.send(posted("/v1/batch", b'"a"\n', kind=NDJSON, length=50))
        await reader.readuntil(b"no more lines have come")
        writer.close()

    at(scene)
    at(ending, body_seconds=0.1)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"garbage\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00secret\r\n\r\n", 400),
        (b"FOO /secret HTTP/1.1\r\nHost: localhost\r\n\r\n", None),
        (b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: secret" + b"a" * 20_000 + b"\r\n\r\n", 400),
        (posted("/v1/topics", b"secret", "Content-Encoding: gzip"), 400),
        (posted("/v1/topics", b"secret", "Content-Encoding: gzip", kind="Content-Type: text/plain"), None),
        (posted("/v1/topics", b"", length=-5), 400),
        (b"POST /v1/topics HTTP/1.1\r\nHost: localhost\r\n" + JSON.encode() + b"\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    ],
)
def test_what_cannot_be_read_is_refused_in_our_form_and_leaves_nothing_in_the_log(
    sent: bytes, status: int | None, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    async def scene(place: Place) -> None:
        found, headers, told = await place.raw(sent)
        assert found == status or (status is None and 400 <= found < 500)
        assert headers["Content-Type"] == "application/json"
        assert told["error"]
        assert "Traceback" not in told["error"]

    at(scene)
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("path", "expected", "length", "status"),
    [
        ("/v1/topics", "200-foo", 2, 417),
        ("/nowhere", "200-foo", 2, 417),
        ("/v1/topics", "100-continue", 9_000_000, 413),
        ("/v1/batch", "100-continue", 9_000_000, 100),
        ("/v1/topics", "100-continue", 2, 100),
    ],
)
def test_who_waits_for_a_word_before_the_body_is_told_at_once_and_in_our_form(path: str, expected: str, length: int, status: int) -> None:
    sent = posted(path, b"", f"Expect: {expected}", length=length, kind=NDJSON if path == "/v1/batch" else JSON)

    async def scene(place: Place) -> None:
        if status != 100:
            found, headers, told = await place.raw(sent)
            assert (found, headers["Connection"], headers["Content-Type"]) == (status, "close", "application/json")
            assert told["advice"]
            return
        reader, writer = await place.send(sent)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 Continue")
        writer.close()

    at(scene)


@pytest.mark.parametrize("slowly", [False, True])
def test_a_body_that_is_packed_is_read_whole_or_not_at_all(slowly: bool) -> None:
    text = b'{"texts": ["a"]}'
    packed, bomb = gzip.compress(text), gzip.compress(b"a" * 9_000_000)
    raw = zlib.compressobj(wbits=-15)

    async def scene(place: Place) -> None:
        async def told(encoding: str, body: bytes, path: str = "/v1/topics", kind: str = JSON) -> tuple[int, bytes]:
            sent = posted(path, body, f"Content-Encoding: {encoding}", "Connection: close", kind=kind)
            reader, writer = await place.send(sent[:-1] if slowly else sent)
            if slowly:
                await until(lambda: any(one.silent_since == math.inf for one in place.router.metrics.connections.open))
                writer.write(sent[-1:])
            answer = await reader.read()
            writer.close()
            return int(answer.split()[1]), answer

        for encoding, body in (
            ("gzip", packed),
            ("gzip", gzip.compress(b" ") + packed),
            ("deflate", zlib.compress(text)),
            ("identity", text),
        ):
            assert (await told(encoding, body))[0] == 200, encoding
        assert (await told("deflate", raw.compress(text) + raw.flush()))[0] == 200
        for encoding, body in (("gzip", packed[:-3]), ("gzip", packed[:12]), ("gzip", b""), ("deflate", zlib.compress(text)[:-2])):
            assert (await told(encoding, body + (b"" if body else b"\x1f")))[0] == 400, (encoding, body)
        assert (await told("gzip", bomb))[0] == 413
        status, answer = await told("br", packed)
        assert (status, b"the Content-Encoding is br" in answer) == (415, True)
        lines = gzip.compress(b'{"text": "a"}\n')
        assert b'"topics"' in (await told("gzip", lines, "/v1/batch", NDJSON))[1]
        assert b"cut short" in (await told("gzip", lines[:-4], "/v1/batch", NDJSON))[1]
        assert (await told("br", lines, "/v1/batch", NDJSON))[0] == 415

    at(scene)


def test_a_path_that_is_too_long_is_refused_without_a_look_into_python() -> None:
    async def scene(place: Place) -> None:
        for sent in (
            b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET /livez HTTP/1.1\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        ):
            status, _, told = await place.raw(sent)
            assert status == 400
            assert "8190" in told["error"]
            assert not any(word in told["error"] for word in ("bytearray", "b'", "aaa", "reading"))

    at(scene)


@pytest.mark.parametrize("said", ["nan", "inf", "-inf", "1e400", "0", "-1", "soon"])
def test_a_deadline_that_is_no_number_of_milliseconds_is_refused(said: str) -> None:
    async def scene(place: Place) -> None:
        status, _, found = await place.post("/v1/topics", {"texts": ["a"]}, f"X-Deadline-Ms: {said}")
        assert (status, found["error"]) == (400, f"X-Deadline-Ms is {said}")

    at(scene)


def test_a_batch_of_another_type_is_told_what_works() -> None:
    async def scene(place: Place) -> None:
        status, _, found = await place.post("/v1/batch", {"text": "a"})
        assert status == 415
        assert "curl -H 'Content-Type: application/x-ndjson' --data-binary @FILE" in found["advice"]
        assert (await place.post("/v1/topics", b"{}", kind="Content-Type: text/plain"))[2]["advice"].endswith("curl --json ...")

    at(scene)


def test_v2_says_what_it_takes_and_takes_nothing_else() -> None:
    async def scene(place: Place) -> None:
        _, _, facts = await place.raw(b"GET /v2/models/topics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert facts["inputs"] == [{"name": "texts", "datatype": "BYTES", "shape": [-1]}]
        assert [output["name"] for output in facts["outputs"]] == ["topics", "shares", "tokens", "unknown"]

        async def infer(name: str, shape: list[int], *data: Any) -> int:
            tensor = {"name": name, "shape": shape, "datatype": "BYTES", "data": data}
            return (await place.post("/v2/models/topics/infer", {"inputs": [tensor]}))[0]

        assert await infer("texts", [1], "a") == await infer("texts", [1, 2], "a", "b") == 200
        for wrong in (("texts", [3], "a"), ("texts", [-1], "a"), ("texts", [], "a", "b")):
            assert await infer(*wrong) == 400, wrong
        assert await infer("x", [1], "a") == await infer("texts", [1], 7) == 422

    at(scene)


# Services elsewhere


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"garbage"),
        (200, b"[" * 100_000),
        (200, b'{"model": 7, "documents": []}'),
        (200, b'{"model": "%b"}' % DIGEST.encode()),
        (200, b'{"model": "other", "documents": []}'),
        (200, b'{"model": "%b", "documents": ["a"]}' % DIGEST.encode()),
        (200, b"\xff"),
        (422, b"<html>"),
        (204, b""),
    ],
)
def test_an_answer_of_another_form_is_a_failed_attempt(status: int, body: bytes) -> None:
    assert checked(Answer(200, WELL), "topics", DIGEST).body == WELL
    assert checked(Answer(422, b'{"error": "no"}'), "topics", DIGEST).status == 422
    with pytest.raises(NotAnswered):
        checked(Answer(status, body, "http://there"), "topics", DIGEST)


def test_a_service_elsewhere_is_not_asked_when_no_time_is_left() -> None:
    async def scene() -> None:
        remote = Remote("there", "http://127.0.0.1:1")
        with pytest.raises(Exception, match="the deadline has passed"):
            await remote.ask("/v1/topics", b"{}", DIGEST, time.monotonic())
        await remote.close()

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("readiness", "card", "why"),
    [
        ({"ready": True, "name": 5, "model": 7, "replicas": "x"}, {}, "it is no regrow serve"),
        ({"ready": True, "name": "cakes", "model": DIGEST}, {}, "cakes, which this regrow does not know"),
        ({"ready": False, "why": "draining"}, {}, "draining"),
        ({"ready": True, "name": "topics", "model": DIGEST}, [1], "is none"),
        ({"ready": True, "name": "topics", "model": DIGEST}, {"name": "topics", "model": "x"}, "of another model"),
    ],
)
def test_what_a_service_elsewhere_says_of_itself_is_checked(monkeypatch: pytest.MonkeyPatch, readiness: Any, card: Any, why: str) -> None:
    async def get(_: Remote, path: str, seconds: float) -> tuple[int, bytes]:
        return 200, json.dumps(readiness if path == "/readyz" else card).encode()

    monkeypatch.setattr(Remote, "get", get)

    async def scene() -> None:
        with pytest.raises(Exception, match=why):
            await Remotes(["http://there"], "", Fleet(Hedge()), print).first()

    asyncio.run(scene())


def test_looking_for_services_elsewhere_can_be_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    async def get(_: Remote, path: str, seconds: float) -> tuple[int, bytes]:
        await asyncio.sleep(60)
        return 200, b""

    monkeypatch.setattr(Remote, "get", get)

    async def scene() -> None:
        remotes = Remotes(["http://there"], "", Fleet(Hedge()), print)
        looking = asyncio.create_task(remotes.first())
        await asyncio.sleep(0.01)
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking
        assert remotes.remotes[0].probe.session.closed

    asyncio.run(scene())


def test_a_signal_before_it_answers_is_an_interruption(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def begin(self: service._Service) -> None:
        self._signalled()
        await asyncio.sleep(60)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(service._Service, "_begin", begin)
    with pytest.raises(KeyboardInterrupt):
        service.run(service.Asked(None, remote=("http://there",), port=0))
