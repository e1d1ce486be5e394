"""Who may ask, under which names, and what is left behind."""

from __future__ import annotations

import asyncio
import os
import socketserver
import stat
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from regrow.cli.ask import ask
from regrow.errors import DataError, NoAnswer, UsageError
from regrow.serving.client import check_url
from regrow.serving.first import Hedge
from regrow.serving.fleet import Fleet, Model
from regrow.serving.guarding import check_host, is_loopback, may_ask, meant_for_us, private_folder, read_token
from regrow.serving.load import Report
from regrow.serving.remotes import Remotes


def test_loopback_is_what_only_this_machine_reaches() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "example.org", "")))


def test_an_address_and_a_url_that_cannot_be_are_refused() -> None:
    for host in ("127.0.0.1", "::1", "[::1]", "localhost"):
        check_host(host)
    with pytest.raises(UsageError, match=r"--host 999\.1\.1\.1 is no address"):
        check_host("999.1.1.1")
    check_url("http://127.0.0.1:8000/below/")
    check_url("https://[::1]:8000")
    for url in ("127.0.0.1:8000", "http://", "ftp://a", "http://127.0.0.1:99999", "http://a:b", "http://[::1", "http://user:pw@a:8000"):
        with pytest.raises(UsageError, match="URL") as caught:
            check_url(url)
        assert "pw" not in str(caught.value)


def test_names_of_others_are_not_ours() -> None:
    names = frozenset({"localhost", "127.0.0.1", "::1"})
    assert all(meant_for_us(host, names) for host in ("localhost:8000", "LOCALHOST", "127.0.0.1:1", "[::1]:8000", "[::1]", "::1"))
    assert not any(
        meant_for_us(host, names) for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "", "[::2]")
    )


def test_a_token_is_asked_for_as_a_bearer(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("  0123456789abcdef\n")
    token = read_token(tmp_path / "token")
    assert may_ask(token, "Bearer 0123456789abcdef")
    assert may_ask(token, "bearer  0123456789abcdef")
    assert not any(
        may_ask(token, header) for header in (None, "", "Bearer", "Bearer x", "Basic 0123456789abcdef", "0123456789abcdef", "Bearer é")
    )
    for wrong, why in (("short", "too short: 5 char"), ("with a blank in it", "blanks"), ("é" * 20, "ASCII"), ("\n", "holds no token")):
        (tmp_path / "token").write_text(wrong)
        with pytest.raises(UsageError, match=why):
            read_token(tmp_path / "token")
    with pytest.raises(UsageError, match="cannot be read"):
        read_token(tmp_path / "nowhere")


def test_a_folder_is_private_and_what_others_left_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    left = tmp_path / "regrow" / "serving" / "left"
    left.mkdir(parents=True)
    os.utime(left, (time.time() - 100, time.time() - 100))
    with private_folder() as first:
        assert stat.S_IMODE(first.stat().st_mode) == 0o700
        assert not left.exists()
        os.utime(first, (time.time() - 100, time.time() - 100))
        with private_folder() as second:
            assert first.exists(), "its owner is alive"
        assert not second.exists()
    assert not first.exists()


class Elsewhere:
    """What services elsewhere say of themselves."""

    def __init__(self, remotes: Remotes, monkeypatch: pytest.MonkeyPatch) -> None:
        self.remotes = remotes
        for remote in remotes.remotes:
            monkeypatch.setattr(remote, "look", self.nothing)
            monkeypatch.setattr(remote, "card", self.card)

    async def nothing(self) -> None:
        """It was said by `say`."""

    async def card(self) -> Any:
        return {}

    async def say(self, *models: str) -> None:
        for remote, model in zip(self.remotes.remotes, models, strict=True):
            remote.why, remote.digest, remote.kind = "" if model else "away", model, "topics"
        await self.remotes._look()


def test_services_elsewhere_change_their_model_one_by_one_and_we_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        told: list[str] = []
        fleet = Fleet(Hedge())
        remotes = Remotes(["http://a", "http://b", "http://c"], "", fleet, told.append)
        elsewhere = Elsewhere(remotes, monkeypatch)

        def asked() -> tuple[str, int]:
            assert isinstance(fleet.model, Model)
            return fleet.model.digest, len(fleet.members)

        await elsewhere.say("old", "old", "old")
        assert asked() == ("old", 3)
        await elsewhere.say("new", "old", "old")
        assert asked() == ("old", 2)
        await elsewhere.say("new", "new", "old")
        assert asked() == ("new", 2)
        await elsewhere.say("new", "new", "new")
        assert asked() == ("new", 3)
        await elsewhere.say("", "new", "")
        assert asked() == ("new", 1)
        await elsewhere.say("new", "new", "new")
        assert asked() == ("new", 3)
        assert len(set(fleet.members)) == 3
        assert not set(fleet.members) & {"http://a", "http://c"}, "who comes back has another name"
        remotes._unreachable(next(iter(fleet.members)))
        await asyncio.sleep(0)
        assert len(fleet.members) == 2
        await fleet.close()
        await remotes.close()
        assert sum("served from now on" in line for line in told) == 1

    asyncio.run(scene())


def test_no_service_elsewhere_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        remotes = Remotes(["http://127.0.0.1:1"], "", Fleet(Hedge()), print)
        with pytest.raises(DataError, match="none of the replicas can be asked"):
            await remotes.first()

    asyncio.run(scene())


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH\r\n", b"<html>hello</html>", b"[1, 2]", b"\xff\xfe\0", b'{"ready": true}'])
def test_who_is_no_regrow_serve_is_called_so(answer: bytes) -> None:
    whole = answer if answer.startswith(b"SSH") else b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer)

    class Rubbish(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(1 << 16)
            self.request.sendall(whole)

    async def scene() -> None:
        with pytest.raises(DataError, match="it answers, but it is no regrow serve"):
            await Remotes([url], "", Fleet(Hedge()), print).first()

    with socketserver.TCPServer(("127.0.0.1", 0), Rubbish) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        asyncio.run(scene())
        with pytest.raises((NoAnswer, UsageError), match=r"it is no regrow serve|serves no model"):
            ask(url, ["a"])
        server.shutdown()


def test_a_report_counts_failures_and_takes_quantiles_by_rank() -> None:
    report = Report([0.001 * i for i in range(1, 1001)], Counter({"HTTP 503": 10}))
    assert (report.at(0.5), report.at(0.99), report.at(0.999)) == (500.0, 990.0, 999.0)
    assert "failed 1.00 % (10 x HTTP 503)" in str(report)
