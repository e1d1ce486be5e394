"""A service as a person starts it: replicas killed, frozen and slowed, floods, clients that go away, models that change, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from regrow.serving.load import Load, Report
from serving.services import TEXTS, Service
from shell import Shell, refuses

pytestmark = pytest.mark.processes

BODIES = [json.dumps({"texts": [text], "words": 3}).encode() for text in TEXTS]
LARGE = {"texts": (TEXTS * 26)[:1024], "method": "sampling", "samples": 300}
"""Seconds of work, in many pieces."""
SOME = {**LARGE, "samples": 40}
"""A good part of a second."""


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path, capsys)


@pytest.fixture
def whole(service: Service) -> Iterator[Service]:
    """The shared service with all three replicas there."""
    service.until(lambda: service.ready().get("replicas") == 3)
    yield service
    assert service.process.poll() is None, service.errors.read_text()


def expected(service: Service) -> list[bytes]:
    """The answers to BODIES."""
    answers = [service.post("/v1/topics", body) for body in BODIES]
    assert all(status == 200 for status, _ in answers)
    return [body for _, body in answers]


class Patient(Load):
    """So many requests wait for an answer at most: a service on a slow machine is not flooded, which has its own test."""

    at_once = 10  # one replica, when it is the only one left, has twelve places

    async def run(self, *asked: Any, **more: Any) -> Report:
        self._places = asyncio.Semaphore(self.at_once)
        return await super().run(*asked, **more)

    async def _one(self, *asked: Any) -> None:
        async with self._places:
            await super()._one(*asked)


def under_load(service: Service, requests: int, meanwhile: Any = None, rate: float = 60.0) -> Report:
    """Requests, each of which must be answered, and as expected."""
    load = Patient(service.url, "/v1/topics", BODIES, expected(service), deadline=100.0)
    report = asyncio.run(load.run(rate, requests, meanwhile=meanwhile))
    assert not report.failed, f"{report}\n{service.errors.read_text()}"
    assert report.different == 0
    return report


# What befalls replicas


def test_replicas_that_are_killed_cost_no_answer_and_are_replaced(whole: Service) -> None:
    victims = dict(zip((20, 80), whole.replicas(), strict=False))

    def kill(number: int) -> None:
        if number in victims:
            with contextlib.suppress(ProcessLookupError):  # it may have been taken for frozen
                os.kill(victims[number], signal.SIGKILL)

    under_load(whole, 130, kill)
    whole.until(lambda: not {*victims.values()} & {*whole.replicas()} and whole.ready()["replicas"] == 3)
    assert whole.metric("regrow_replica_restarts_total") >= 2


def test_a_frozen_replica_costs_no_answer_and_is_replaced(whole: Service) -> None:
    victim = whole.replicas()[0]
    under_load(whole, 150, lambda number: os.kill(victim, signal.SIGSTOP) if number == 20 else None)
    whole.until(lambda: victim not in whole.replicas() and whole.ready()["replicas"] == 3)
    assert "stopped for" in whole.errors.read_text() or "no CPU time" in whole.errors.read_text()


def test_a_replica_that_stutters_costs_no_answer(whole: Service) -> None:
    victim = whole.replicas()[0]

    def stutter(number: int) -> None:
        with contextlib.suppress(ProcessLookupError):  # it may be taken for frozen, and be replaced
            os.kill(victim, signal.SIGSTOP if number % 20 < 10 else signal.SIGCONT)

    under_load(whole, 120, stutter)
    with contextlib.suppress(ProcessLookupError):
        os.kill(victim, signal.SIGCONT)
    extra, attempts = whole.metric("regrow_extra_load_ratio"), whole.metric("regrow_attempts_total")
    assert extra <= 0.10 + (5 + 10) / (attempts / (1 + extra)), "a tenth of the requests, and fifteen once"


def test_any_replica_gives_the_same_bytes(whole: Service) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: whole.post("/v1/topics", BODIES[0])[1], range(60)))
    assert len(set(answers)) == 1

    def at_work() -> int:
        """How many have answered something, of those that say so in time."""
        lines = whole.get("/metrics")[1].decode().splitlines()
        return sum(line.startswith("regrow_replica_answered_total") and float(line.split()[-1]) > 0 for line in lines)

    whole.until(lambda: at_work() >= 2)


# Limits


def test_a_flood_is_refused_at_once_and_does_no_harm(whole: Service) -> None:
    with ThreadPoolExecutor(80) as pool:
        told = list(pool.map(lambda _: whole.post("/v1/topics", SOME, X_Deadline_Ms="20000"), range(80)))
    statuses = [status for status, _ in told]
    assert set(statuses) <= {200, 503, 504}
    assert statuses.count(503) > 10
    assert any(b"under way already" in body for status, body in told if status == 503)
    whole.until(lambda: whole.metric("regrow_in_flight") == 0)
    whole.until(lambda: whole.post("/v1/topics", BODIES[0])[0] == 200)


def test_the_deadline_ends_a_request(whole: Service) -> None:
    status, body = whole.post("/v1/topics", LARGE, X_Deadline_Ms="200")
    assert status == 504
    assert b"deadline" in body


def test_a_client_that_goes_away_stops_the_work(whole: Service) -> None:
    def given_up() -> float:
        return sum(whole.metric(f"regrow_replica_cancelled_{what}_total") for what in ("running", "waiting"))

    before, abandoned = given_up(), whole.metric("regrow_requests_abandoned_total")
    body = json.dumps(LARGE).encode()
    host, _, port = whole.url.removeprefix("http://").partition(":")
    for _ in range(3):
        with socket.create_connection((host, int(port))) as client:
            head = f"POST /v1/topics HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            client.sendall(head.encode() + body)
            whole.until(lambda: whole.metric("regrow_in_flight") == 1)
        whole.until(lambda: whole.metric("regrow_in_flight") == 0)
    whole.until(lambda: given_up() >= before + 3)
    assert whole.metric("regrow_requests_abandoned_total") == abandoned + 3


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("/v1/topics", b"{", {}, 400),
        ("/v1/topics", b"{}", {}, 422),
        ("/v1/topics", b"{}", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ("/v1/topics", b"{}", {"Content-Type": ""}, 415),
        ("/v1/topics", b" " * (9 << 20), {}, 413),
        ("/v1/topics", BODIES[0], {"X-Deadline-Ms": "soon"}, 400),
        ("/v1/topics", BODIES[0], {"X-Deadline-Ms": "-1"}, 400),
        ("/v1/topics", BODIES[0], {"Host": "somebody.example"}, 403),
        ("/v1/topics", BODIES[0], {"X-Regrow-Model": "0" * 64}, 409),
        ("/v1/clicks", b"{}", {}, 404),
        ("/v2/models/clicks/infer", b"{}", {}, 404),
        ("/v2/models/topics/infer", b'{"inputs": []}', {}, 422),
        ("/v2/models/topics/infer", b'{"inputs": 1}', {}, 422),
        ("/nowhere", b"{}", {}, 404),
        ("/livez", b"{}", {}, 405),
        ("/control/load", b'{"file": "/etc/passwd"}', {}, 404),
    ],
)
def test_what_cannot_be_is_refused_with_a_word(whole: Service, path: str, body: bytes, headers: dict[str, str], status: int) -> None:
    found, told = whole.post(path, body, **headers)
    assert found == status, told
    assert json.loads(told)["error"]


def test_what_it_is_can_be_read(whole: Service) -> None:
    facts = whole.ready()
    assert facts["ready"] is True
    assert facts["model"] == whole.facts["model"]
    card = json.loads(whole.get("/v1/model")[1])
    assert (card["model"], card["topics"]) == (facts["model"], 5)
    assert json.loads(whole.get("/v2/models/topics/ready")[1])["ready"] is True
    page = whole.get("/docs")[1].decode()
    assert "http" not in page.replace(whole.url, ""), "the page loads nothing from anywhere"
    asked = {"id": "7", "inputs": [{"name": "texts", "shape": [1], "datatype": "BYTES", "data": ["t1w1 t1w2"]}]}
    answer = json.loads(whole.post("/v2/models/topics/infer", asked)[1])
    assert answer["id"] == "7"
    assert {tensor["name"] for tensor in answer["outputs"]} == {"topics", "shares", "tokens", "unknown"}
    for path in ("/livez", "/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/topics", "/openapi.json"):
        assert whole.get(path)[0] == 200, path


def test_a_batch_streams_its_answers(whole: Service) -> None:
    lines = "".join(json.dumps({"text": text}) + "\n" for text in TEXTS * 20).encode()
    status, body = whole.post("/v1/batch", lines, Content_Type="application/x-ndjson")
    assert status == 200
    found = [json.loads(line) for line in body.splitlines()]
    single = [json.loads(whole.post("/v1/topics", {"texts": [text]})[1])["documents"][0]["topics"] for text in TEXTS]
    assert [line["doc"] for line in found] == list(range(800))
    assert [line["topics"] for line in found] == single * 20
    status, body = whole.post("/v1/batch", b'{"text": "a"}\n{"txt": 1}\n', Content_Type="application/x-ndjson")
    assert [sorted(json.loads(line)) for line in body.splitlines()][1] == ["advice", "error", "line"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_no_request_that_schemathesis_can_think_of_is_answered_by_a_500(whole: Service) -> None:
    import schemathesis
    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as some

    schema = schemathesis.openapi.from_url(f"{whole.url}/openapi.json")
    for operation in schema.get_all_operations():
        if operation.ok().path == "/v1/batch":
            continue  # its lines are no JSON: see below
        case = operation.ok().as_strategy()

        @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(case=case)
        def ask(case: Any) -> None:
            response = case.call(timeout=60)
            assert response.status_code < 500 or response.status_code == 504, (case, response.text)

        ask()

    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(some.lists(some.one_of(some.binary(max_size=50), some.sampled_from([b'"a"', b'{"text": "t1w1"}', b'{"tokens": ["a"]}', b"{}"]))))
    def batch(lines: list[bytes]) -> None:
        status, body = whole.post("/v1/batch", b"\n".join(lines), Content_Type="application/x-ndjson")
        assert status == 200
        assert len(body.splitlines()) == sum(bool(line.strip()) for line in b"\n".join(lines).split(b"\n"))

    batch()


def test_ask_says_it_to_people_and_to_scripts(whole: Service, shell: Shell) -> None:
    told = shell("ask", whole.url, "t1w1 t1w2 t1w3", "nothing known")
    assert told.code == 0, told.err
    assert "3 known words" in told.out
    assert "0 known words, 2 unknown" in told.out
    found = shell("ask", whole.url, "t1w1", "--json").json
    assert found["documents"][0]["tokens"] == 1
    refuses(shell("ask", "127.0.0.1:1", "a"), 2, "is no URL")
    refuses(shell("ask", "http://127.0.0.1:1", "a"), 75, "does not answer", "is it running?")
    refuses(shell("ask", whole.url, "a " * 100_001), 2, "100,001 words")


# Models that change


def publish(source: Path, run: Path) -> None:
    """Put the model of one run in the place of another's, as training does."""
    shutil.rmtree(run / "model.new", ignore_errors=True)
    shutil.copytree(source / "model", run / "model.new")
    shutil.rmtree(run / "model")
    os.rename(run / "model.new", run / "model")


@pytest.fixture(scope="module")
def follower(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Path]]:
    """Two replicas of a run that is followed, which the last test ends."""
    folder = tmp_path_factory.mktemp("follower")
    (folder / "cache").mkdir()
    shutil.copytree(place / "first", folder / "run")
    made = Service(folder / "run", "--replicas", 2, "--follow", "--drain", 200, cache=folder / "cache")
    yield made, folder / "run"
    if made.process.poll() is None:
        made.end()


def test_models_are_swapped_without_a_failed_request_and_bad_ones_are_refused(place: Path, follower: tuple[Service, Path]) -> None:
    service, run = follower
    first, second = place / "first", place / "second"
    digests = {json.loads((folder / "model" / "model.json").read_text())["digest"] for folder in (first, second)}
    assert len(digests) == 2
    load = Patient(service.url, "/v1/topics", BODIES, deadline=100.0)
    for source in (second, first, second):
        publish(source, run)
        wanted = json.loads((source / "model" / "model.json").read_text())["digest"]
        while service.ready()["model"] != wanted:
            report = asyncio.run(load.run(60, 12))
            assert not report.failed, f"{report}\n{service.errors.read_text()}"
        assert json.loads(service.post("/v1/topics", BODIES[0])[1])["model"] == wanted
    assert service.metric("regrow_model_swaps_total") == 3
    current = service.ready()["model"]
    (run / "model" / "arrays.safetensors").write_bytes(b"damaged")
    model = json.loads((run / "model" / "model.json").read_text())
    (run / "model" / "model.json").write_text(json.dumps({**model, "digest": "0" * 64}))
    service.until(lambda: "is refused, the old one is served on" in service.errors.read_text())
    status, told = service.post("/admin/reload", {})
    assert (status, b"is damaged" in told) == (409, True)
    assert service.metric("regrow_model_reload_failed_total") >= 2
    assert service.ready()["model"] == current
    assert service.post("/v1/topics", BODIES[0])[0] == 200
    publish(second if current in str((first / "model" / "model.json").read_text()) else first, run)
    service.until(lambda: service.ready()["model"] != current)
    os.kill(service.replicas()[0], signal.SIGKILL)  # a new one maps the new model
    service.until(lambda: service.ready()["replicas"] == 2)
    under_load(service, 30)


# Its end


def test_requests_under_way_are_answered_before_it_ends(follower: tuple[Service, Path]) -> None:
    service, _ = follower
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(service.post, "/v1/topics", {**LARGE, "samples": 150}, X_Deadline_Ms="300000") for _ in range(2)]
        service.until(lambda: service.metric("regrow_in_flight") == 2)
        code = service.end()
        assert [answer.result()[0] for answer in answers] == [200, 200]
    assert code == 0
    assert "2 requests under way" in service.errors.read_text()


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_services_elsewhere_are_hedged_with_a_token_and_nothing_is_left_of_one_that_is_killed(
    service: Service, place: Path, tmp_path: Path, shell: Shell
) -> None:
    token = tmp_path / "token"
    token.write_text("0123456789abcdef0123456789abcdef\n")
    guarded = Service(place / "first", "--replicas", 2, "--token-file", token, cache=place / "cache")
    pids = guarded.replicas()
    assert len(pids) == 2
    try:
        assert guarded.post("/v1/topics", BODIES[0])[0] == 401
        assert guarded.get("/livez")[0] == 200
        assert guarded.post("/v1/topics", BODIES[0], Authorization="Bearer 0123456789abcdef0123456789abcdef")[0] == 200
        refuses(shell("ask", guarded.url, "a"), 2, "a token is asked for", "--token-file")
        (tmp_path / "other").write_text("f" * 32)
        refuses(shell("ask", guarded.url, "a", "--token-file", tmp_path / "other"), 2, "the token is another one")
        refuses(shell("serve", "--replica", guarded.url, "--port", 0), 3, "--replica-token-file")
        assert shell("ask", guarded.url, "t1w1", "--token-file", token).code == 0
        router = Service("--replica", guarded.url, "--replica", service.url, "--replica-token-file", token, cache=place / "cache")
        try:
            assert router.ready()["replicas"] == 2
            assert json.loads(router.get("/v1/model")[1])["model"] == service.facts["model"]
            strikes = {15: lambda: os.kill(pids[0], signal.SIGSTOP), 20: guarded.process.kill}  # also one that is frozen leaves
            under_load(router, 60, lambda number: strikes.get(number, int)())
            router.until(lambda: router.ready()["replicas"] == 1)
            router.until(lambda: not any(map(_alive, pids)))
        finally:
            router.end()
    finally:
        guarded.end()


def test_what_cannot_be_served_is_refused(shell: Shell, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "cache"))
    refuses(shell("serve"), 2, "what is to be served?")
    refuses(shell("serve", place / "first", "--replica", "http://a"), 2, "what is to be served?", "not both")
    refuses(shell("serve", place / "first", "--token-file", "nofile"), 2, "nofile cannot be read: No such file or directory\n")
    refuses(shell("serve", place / "first", "--host", "0.0.0.0"), 2, "--token-file", "--insecure")
    refuses(shell("serve", place / "first", "--replicas", 0), 2, "--replicas 0")
    refuses(shell("serve", "--replica", "nowhere"), 2, "--replica nowhere")
    refuses(shell("serve", place / "first", "--connections", 0), 2, "--connections 0")
    refuses(shell("serve", place / "first", "--idle", 0), 2, "--idle 0")
    refuses(shell("serve", "--replica", "http://127.0.0.1:1"), 3, "none of the replicas can be asked", "nobody can connect to it")
    refuses(shell("serve", shell.folder), 3, "holds no model")
    refuses(shell("serve", place / "first", "--mode", "tied"), 2, "the modes are")
    (shell.folder / "short").write_text("secret")
    refuses(shell("serve", place / "first", "--token-file", "short"), 2, "at least 16")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refuses(shell("serve", place / "first", "--replicas", 1, "--port", taken.getsockname()[1]), 2, "cannot be listened at")
