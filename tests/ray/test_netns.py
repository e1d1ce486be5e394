"""Two hosts, as network namespaces with a link between them that is cut: the run goes on with the nodes on this side."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray", reason="the engine ray is an extra: pip install 'regrow[ray]'")

from cluster import await_phases, descendants, send, the_only_one
from conftest import Runs, reference_digest, wait_until

pytestmark = [pytest.mark.early(1), pytest.mark.processes, pytest.mark.slow]
HEAD, OTHER = "10.213.77.1", "10.213.77.2"
RING = {"rounds": 30, "kept": 9}


def ip(*words: str) -> None:
    """The command `ip`; skips the test where it is not allowed."""
    try:
        done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("network namespaces need the command ip")
    if done.returncode:
        pytest.skip(f"network namespaces are not allowed here: ip {' '.join(words)}: {done.stderr.strip()}")


@pytest.fixture
def hosts() -> Iterator[tuple[str, str]]:
    """Two namespaces that reach each other."""
    mark = uuid.uuid4().hex[:6]
    here, there = f"regrow-{mark}-a", f"regrow-{mark}-b"
    try:
        for name in (here, there):
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("-n", here, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", there)
        for name, address in ((here, HEAD), (there, OTHER)):
            ip("-n", name, "address", "add", f"{address}/24", "dev", "wire")
            ip("-n", name, "link", "set", "wire", "up")
        yield here, there
    finally:
        for name in (here, there):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


class Cluster:
    """Ray, started by its command in each namespace, and ended by process id."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, host: str, *words: str) -> None:
        """One node."""
        command = ["ip", "netns", "exec", host, str(Path(sys.executable).with_name("ray")), "start", "--block", "--disable-usage-stats"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        environment = {**os.environ, "RAY_AUTH_MODE": "disabled"}
        environment.pop("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", None)
        options = ["--object-store-memory=80000000"]
        self._started.append(subprocess.Popen([*command, *options, *words], env=environment, **quiet))

    def close(self) -> None:
        """End all of it."""
        for pid in {pid for process in self._started for pid in descendants(process.pid)}:
            send(pid, signal.SIGKILL)
        for process in self._started:
            process.wait()


@pytest.fixture
def cluster(hosts: tuple[str, str]) -> Iterator[tuple[str, str]]:
    """A head and a node on one host, a node on the other."""
    made = Cluster()
    with the_only_one():
        try:
            made.start(hosts[0], "--head", "--include-dashboard=false", f"--node-ip-address={HEAD}", "--port=6379", "--num-cpus=1")
            wait_until(lambda: reachable(hosts[1]), 240)
            made.start(hosts[1], f"--address={HEAD}:6379", f"--node-ip-address={OTHER}", "--num-cpus=1")
            yield hosts
        finally:
            made.close()


def reachable(host: str) -> bool:
    """Whether the head answers on the other side of the link."""
    code = f"import socket; socket.create_connection(({HEAD!r}, 6379), 1)"
    return not subprocess.run(["ip", "netns", "exec", host, sys.executable, "-c", code], capture_output=True, check=False).returncode


def test_a_link_that_is_cut_costs_what_is_behind_it(runs: Runs, cluster: tuple[str, str], tmp_path: Path) -> None:
    here, _ = cluster
    slow = tmp_path / "slow"
    slow.touch()
    how: dict[str, Any] = {"engine": "ray", "workers": 2, "address": f"{HEAD}:6379"}
    with contextlib.ExitStack() as clean:
        clean.enter_context(pytest.MonkeyPatch.context()).delenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", raising=False)
        coordinator = runs.coordinator("Ring", how=how, within=["ip", "netns", "exec", here], **RING, seconds=0.1, while_there=str(slow))
        coordinator.until(lambda: len(runs.told("worker joined")) >= 2, 300)
        await_phases(runs.folder / "run", 8)
        ip("-n", here, "link", "set", "wire", "down")
        [lost] = coordinator.until(lambda: runs.told("worker lost"))
        slow.unlink()
        summary = coordinator.end()
    assert "nothing heard" in lost["cause"]
    assert summary["digest"] == reference_digest("Ring", **RING)
    assert not runs.told("artifacts lost")
