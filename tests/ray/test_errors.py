"""What a user can do wrong with a cluster is told in words, with an exit code, before anything is lost."""

from __future__ import annotations

import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from conftest import Runs
from regrow.engines.fleet import Fleet
from regrow.errors import DataError, UsageError
from regrow.spec import How


def test_without_ray_it_says_how_to_install_it(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match="needs Ray") as caught:
        runs.begin("Ring", how=How("ray", 1), rounds=2)
    assert "pip install 'regrow[ray]'" in caught.value.advice
    assert caught.value.exit_code == 2


def test_an_address_at_which_nobody_listens_is_told_at_once(runs: Runs) -> None:
    pytest.importorskip("ray")
    with pytest.raises(UsageError, match=r"no Ray cluster at 127\.0\.0\.1:1:") as caught:
        runs.begin("Ring", how=How("ray", 1, address="127.0.0.1:1"), rounds=2)
    assert "--address HEAD:6379" in caught.value.advice


def test_who_listens_at_an_address_and_is_not_ray_is_told_at_once(runs: Runs) -> None:
    pytest.importorskip("ray")
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        with pytest.raises(UsageError, match="is not Ray's control service"):
            runs.begin("Ring", how=How("ray", 1, address=f"127.0.0.1:{server.server_port}"), rounds=2)


def test_a_client_address_is_refused_with_advice() -> None:
    pytest.importorskip("ray")
    with pytest.raises(UsageError, match="on a node of the cluster") as caught:
        Fleet("ray://127.0.0.1:10001", None)
    assert "ray job submit" in caught.value.advice


def test_a_cluster_of_other_versions_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    ray: Any = pytest.importorskip("ray")

    def refuse(**_: object) -> None:
        raise RuntimeError("Version mismatch: The cluster was started with: Ray: 1.0.0 Python: 3.7.0")

    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(DataError, match=r"Ray: 1\.0\.0 Python: 3\.7\.0") as caught:
        Fleet("auto", None)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"engine": "local", "address": "auto"}, "belong to a cluster"),
        ({"engine": "inline", "label": "kind=spot"}, "belong to a cluster"),
        ({"engine": "ray", "label": "spot"}, "--label spot"),
        ({"engine": "ray", "memory_max": 10**9}, "--memory-max"),
        ({"engine": "cloud"}, "local, inline and ray"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        How(**options)


def test_a_run_on_a_cluster_is_resumed_without_it(runs: Runs) -> None:
    how = How("ray", 3, address="10.0.0.1:6379", label="kind=spot")
    assert how.changed({"engine": "local"}) == How("local", 3)
    assert how.changed({"workers": 2, "address": "auto"}) == How("ray", 2, address="auto", label="kind=spot")


def test_an_extra_is_imported_only_where_it_is_used() -> None:
    lazily = {"ray", "fsspec", "s3fs", "moto"}
    source = Path(__file__).parents[2] / "src" / "regrow"
    for path in source.rglob("*.py"):
        for line in path.read_text().splitlines():
            if line.startswith(("import ", "from ")):
                assert line.split()[1].split(".")[0] not in lazily, f"{path.name} imports an extra at its top: {line}"
