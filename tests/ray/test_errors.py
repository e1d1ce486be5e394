"""What a user can do wrong with a cluster is told in words, with an exit code, before anything is lost."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from conftest import Runs
from regrow.engines import fleet
from regrow.engines.fleet import Fleet, Node, why_nobody
from regrow.errors import DataError, Paused, ProgramError, RegrowError, UsageError
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


def folders(place: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[Path]]:
    """Let a Ray of our own have its folder here; returns what shows those that are there."""
    monkeypatch.setattr("tempfile.tempdir", str(place))
    monkeypatch.setattr("regrow.engines.ray_folder.BYTES_MAX", 1000)
    return lambda: list(place.glob("regrow-ray-*"))


@pytest.mark.parametrize("error", [ConnectionError(), RuntimeError("no port is free\nmore"), OSError("no room")], ids=str)
def test_a_ray_of_our_own_that_does_not_start_says_where_its_logs_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    ray: Any = pytest.importorskip("ray")
    found = folders(tmp_path, monkeypatch)

    def refuse(**_: object) -> None:
        raise error

    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(UsageError, match=r"Ray does not start on this machine: \w+") as caught:
        Fleet(None, None)
    assert "None" not in str(caught.value)
    [folder] = found()
    assert caught.value.advice == f"see its logs: {folder}"


def test_ray_says_nothing_itself_while_it_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray: Any = pytest.importorskip("ray")
    folders(tmp_path, monkeypatch)
    logger = logging.getLogger("ray._private.services")
    before = logging.getLogger("ray").level

    def start(*, logging_level: str, **_: object) -> None:
        logging.getLogger("ray").setLevel(logging_level)
        assert not logger.isEnabledFor(logging.ERROR)

    monkeypatch.setattr(ray, "init", start)
    _, files = fleet._connect(None)
    assert logger.isEnabledFor(logging.ERROR)
    assert files is not None
    files.remove()
    logging.getLogger("ray").setLevel(before)


def test_a_signal_that_ray_swallows_while_it_starts_pauses_before_there_is_a_run(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    def join(address: str | None, label: str | None) -> None:
        with contextlib.suppress(Exception):  # as Ray does
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("regrow.engines.fleet.join", join)
    with pytest.raises(Paused) as caught:
        runs.begin("Ring", how=How("ray", 1), rounds=2)
    assert str(caught.value) == "interrupted by SIGINT\n        begin again: nothing was done yet"
    assert not list(runs.folder.glob("*/run.json"))


def test_a_signal_while_ray_starts_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray: Any = pytest.importorskip("ray")
    found = folders(tmp_path, monkeypatch)

    def interrupted(**_: object) -> None:
        assert found()
        raise Paused("interrupted by SIGINT")

    monkeypatch.setattr(ray, "init", interrupted)
    with pytest.raises(Paused):
        Fleet(None, None)
    assert not found()


def test_a_label_that_no_node_has_is_named_with_those_that_there_are() -> None:
    def node(cpus: float = 1.0, leaves_in: float | None = None, **labels: str) -> Node:
        return Node("id", "10.0.0.1", cpus, {"ray.io/node-id": "id", **labels}, leaves_in)

    spot, there = {"kind": "spot"}, [node(0, kind="reliable"), node(kind="big"), node(kind="big", zone="a")]
    had = "kind=big on 2, kind=reliable on 1, zone=a on 1"
    assert why_nobody(spot, there) == f"there is no node with kind=spot (labels of the 3 that are there: {had})"
    assert why_nobody(spot, [node()]) == "there is no node with kind=spot (labels of the 1 that are there: none of their own)"
    assert why_nobody({"kind": "reliable"}, there) == "no node with kind=reliable has a CPU for workers"
    assert why_nobody({}, [node(0)]) == "no node has a CPU for workers"
    assert why_nobody(spot, [*there, node(leaves_in=9.0, **spot)]) == "all nodes with kind=spot are about to be taken away"
    assert why_nobody(spot, [*there, node(**spot)]) == why_nobody({}, there) == ""


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


def begin_on_a_ray_of_its_own(runs: Runs, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> BaseException:
    """What comes of a run on a Ray of its own in which this goes wrong."""
    left: list[bool] = []

    def leave(*, keep_logs: bool = False) -> Path | None:
        left.append(keep_logs)
        return Path("LOGS") if keep_logs and len(left) == 1 else None

    def fail(run: object) -> None:
        raise error

    monkeypatch.setattr("regrow.engines.fleet.join", lambda address, label: None)
    monkeypatch.setattr("regrow.engines.fleet.leave", leave)
    monkeypatch.setattr("regrow.running._Run._to_the_end", fail)
    with pytest.raises(type(error)) as caught:
        runs.begin("Ring", how=How("ray", 1), rounds=2)
    return caught.value


@pytest.mark.parametrize(
    "error", [RegrowError("lost", "mend it"), ProgramError("raised"), KeyError("ours")], ids=lambda error: type(error).__name__
)
def test_logs_stay_and_are_named_where_they_may_tell_why(runs: Runs, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    found = begin_on_a_ray_of_its_own(runs, monkeypatch, error)
    assert "the logs of Ray are in LOGS" in "".join(traceback.format_exception(found))


@pytest.mark.parametrize("error", [Paused("asked to"), DataError("line 7"), UsageError("--topics")], ids=lambda error: type(error).__name__)
def test_logs_go_where_they_tell_nothing(runs: Runs, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    found = begin_on_a_ray_of_its_own(runs, monkeypatch, error)
    assert "LOGS" not in "".join(traceback.format_exception(found))
