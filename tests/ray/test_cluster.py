"""Runs on a Ray cluster of three nodes that are killed, frozen and added: the same bytes come out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray", reason="the engine ray is an extra: pip install 'regrow[ray]'")

from cluster import Nodes, await_phases, meanwhile, one_cluster, send
from conftest import Gate, Runs, reference_digest, wait_until
from regrow.control import ask
from regrow.engines.fleet import Fleet, why_nobody
from regrow.spec import How
from regrow.story import read_story
from storage import S3

pytestmark = [
    pytest.mark.early(1),
    pytest.mark.processes,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"),
]
ROUNDS: dict[str, Any] = {"rounds": 30, "kept": 9}
SLOW = {**ROUNDS, "seconds": 0.1}
"""With the gate shut, so that what is to happen happens in the middle of a run."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Nodes]:
    """One cluster for all tests here."""
    with one_cluster() as nodes:
        yield nodes


@pytest.fixture
def nodes(cluster: Nodes) -> Nodes:
    """Three nodes, whatever the test before did to them."""
    cluster.have(3)
    return cluster


@pytest.fixture(scope="module")
def quiet() -> str:
    """The digest of an undisturbed run."""
    return reference_digest("Ring", **ROUNDS)


def on(nodes: Nodes, workers: int = 3, **more: Any) -> How:
    """On the cluster."""
    return How("ray", workers, address=nodes.address, label="kind=spot", **{"verify": False, **more})


def lost(runs: Runs) -> list[dict[str, Any]]:
    return runs.told("worker lost")


def crew(runs: Runs) -> list[dict[str, Any]]:
    """The workers of a run that goes on, with pid and node."""
    answer = ask(runs.folder / "run", "look") or {"crew": []}
    return [one for one in answer["crew"] if one["pid"] and not one["checks"]]


def at_work(runs: Runs) -> dict[str, Any]:
    """A worker that has a task now, some rounds after the start. Not all nodes need have one by then: a run waits for nobody for long."""
    await_phases(runs.folder / "run", 12)
    found: list[dict[str, Any]] = wait_until(lambda: [one for one in crew(runs) if one["task"].startswith("node")])
    return found[0]


def node_of(worker: dict[str, Any], nodes: Nodes) -> str:
    [node] = [id for id in nodes.ids() if id.startswith(worker["node"])]
    return node


def test_a_node_that_is_killed_costs_its_attempts_and_nothing_that_was_committed(runs: Runs, nodes: Nodes, gate: Gate, quiet: str) -> None:
    def kill() -> None:
        nodes.kill(node_of(at_work(runs), nodes))
        wait_until(lambda: lost(runs))

    with meanwhile(kill, gate):
        summary = runs.begin("Ring", how=on(nodes), **SLOW, **gate.shut)
    assert summary["digest"] == quiet
    assert summary["workers_lost"] >= 1
    assert not runs.told("artifacts lost")
    assert summary["moved_bytes"] > 0


def test_a_run_that_waits_for_a_label_can_say_which_ones_the_nodes_have(nodes: Nodes) -> None:
    fleet = Fleet(nodes.address, "kind=nosuch")
    try:
        why = why_nobody(fleet.label, fleet.nodes.values())
    finally:
        fleet.close()
    assert why == "there is no node with kind=nosuch (labels of the 4 that are there: kind=spot on 3)"


def test_a_node_that_alone_holds_what_it_made_takes_only_that_along(runs: Runs, nodes: Nodes, gate: Gate, quiet: str) -> None:
    def kill() -> None:
        victim = at_work(runs)
        node = node_of(victim, nodes)
        host = parent_of(parent_of(victim["pid"]))
        send(host, signal.SIGSTOP)  # from now on nobody can fetch what its worker makes
        wait_until(lambda: attempts_on(node) or lost(runs))
        nodes.kill(node)
        wait_until(lambda: lost(runs))

    with meanwhile(kill, gate):
        summary = runs.begin("Ring", how=on(nodes), **SLOW, **gate.shut)
    assert summary["digest"] == quiet
    assert summary["workers_lost"] >= 1
    assert not runs.told("artifacts lost")


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def attempts_on(node: str) -> list[Path]:
    return list((Path(tempfile.gettempdir()) / f"regrow-{os.getuid()}" / node).glob("*/attempts/*/node.*"))


def test_a_frozen_node_is_lost_and_changes_nothing_when_it_wakes(runs: Runs, nodes: Nodes, gate: Gate, quiet: str) -> None:
    def freeze() -> None:
        node = node_of(at_work(runs), nodes)
        nodes.freeze(node)
        wait_until(lambda: lost(runs))
        nodes.thaw(node)

    with meanwhile(freeze, gate):
        summary = runs.begin("Ring", how=on(nodes), **SLOW, **gate.shut)
    assert summary["digest"] == quiet
    assert "nothing heard" in lost(runs)[0]["cause"]
    nodes.kill(nodes.ids()[0])  # Ray may not have got over it


def test_nodes_join_a_run_that_follows_the_cluster_and_leave_on_notice(runs: Runs, cluster: Nodes, gate: Gate, quiet: str) -> None:
    cluster.have(2)
    long = SLOW | {"seconds": 1.0} | gate.shut  # of CPU time: 90 in all, so that a slow machine is slow for the run as well
    coordinator = runs.coordinator("Ring", how={"engine": "ray", "workers": 0, "address": cluster.address}, **long)
    coordinator.await_phases(2, runs.folder / "run")
    new = cluster.add()
    try:
        coordinator.until(lambda: any(new.startswith(one["node"]) for one in crew(runs)) and len(crew(runs)) == 3)
        drain(cluster.address, new)
        coordinator.until(lambda: runs.told("worker draining"))
        coordinator.until(lambda: not any(new.startswith(one["node"]) for one in crew(runs)))
        gate.open()
        summary = coordinator.end()
    finally:
        cluster.kill(new)
    assert summary["digest"] == quiet
    assert all("nothing heard" in line["cause"] for line in lost(runs))  # a machine that is too busy to say a word for 4 seconds
    assert "notice of preemption" in runs.told("worker draining")[0]["cause"]


def drain(address: str, node: str) -> None:
    """A notice of preemption, as clouds give it."""
    from ray._raylet import GcsClient

    accepted, why = GcsClient(address).drain_node(node, 2, "taken away", int((time.time() + 60) * 1000))
    assert accepted, why


def test_a_driver_that_is_killed_is_resumed_on_other_workers(runs: Runs, nodes: Nodes, gate: Gate, quiet: str) -> None:
    how = {"engine": "ray", "workers": 3, "address": nodes.address, "durable_every": 0.2}
    first = runs.coordinator("Ring", how=how, **SLOW, **gate.shut)
    first.await_phases(16, runs.folder / "run")
    first.kill()
    first.code()
    gate.open()
    summary = runs.resumed(workers=2).end()
    assert summary["digest"] == quiet
    assert runs.told("going on")[0]["artifacts"] > 0


def test_artifacts_larger_than_the_object_store_of_all_nodes(runs: Runs, nodes: Nodes) -> None:
    large = {"rounds": 3, "size": 1_500_000, "kept": 1}  # 24 MB a task and round
    assert runs.begin("Ring", how=on(nodes), **large)["digest"] == reference_digest("Ring", **large)


def test_everything_at_once_with_checks_and_workers_killed_every_second(runs: Runs, nodes: Nodes, gate: Gate, quiet: str) -> None:
    def until_some_are_lost() -> None:
        wait_until(lambda: (runs.folder / "run").exists() and lost(runs))

    with meanwhile(until_some_are_lost, gate):
        summary = runs.begin("Ring", how=on(nodes, preempt=1.0, verify=True), **SLOW | {"seconds": 0.05}, **gate.shut)
    assert summary["digest"] == quiet
    assert summary["workers_lost"] > 0


def test_documents_and_cuts_lie_in_storage_that_goes_away_for_a_while(tmp_path: Path, nodes: Nodes) -> None:
    pytest.importorskip("s3fs")
    pytest.importorskip("moto")
    storage = S3()
    try:
        files = storage.make("bucket")
        for part in range(3):
            text = "".join(f"doc {part} {number % 7} of tails and lizards {number % 5}\n" for number in range(60))
            files.pipe_file(f"bucket/docs/{part}.txt", text.encode())
            (tmp_path / f"{part}.txt").write_text(text)
        common = ["--topics", "4", "--rounds", "120", "--no-cache", "--json"]
        where = ["--engine", "ray", "--address", nodes.address, "--label", "kind=spot"]
        durable = ["--durable", "s3://bucket/runs/x", "--durable-every", "0.3"]
        run = start("lda", "train", "s3://bucket/docs/*.txt", *common, *where, *durable, "--run", f"{tmp_path}/run", **storage.environment)
        await_phases(tmp_path / "run", 2)
        run.send_signal(signal.SIGSTOP)  # so that it has not ended before its storage is away
        storage.stop()
        run.send_signal(signal.SIGCONT)
        wait_until(lambda: any(line["event"] == "storage away" for line in read_story(tmp_path / "run")))
        storage.start()
        summary = ended(run)
        inline = start(
            "lda", "train", *(f"{tmp_path}/{part}.txt" for part in range(3)), *common, "--engine", "inline", "--run", f"{tmp_path}/i"
        )
        assert ended(inline)["digest"] == summary["digest"]
        assert any(line["event"] == "storage back" for line in read_story(tmp_path / "run"))
        copy = start("resume", "s3://bucket/runs/x", "--run", f"{tmp_path}/copy", "--json", **storage.environment)
        assert ended(copy)["digest"] == summary["digest"]
    finally:
        storage.close()


def start(*words: str, **environment: str) -> subprocess.Popen[str]:
    """A command of regrow."""
    command = [sys.executable, "-m", "regrow.cli.main", *words]
    return subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What it printed."""
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def test_nothing_is_left_on_the_nodes(runs: Runs, nodes: Nodes) -> None:
    runs.begin("Ring", how=on(nodes), rounds=2)
    home = Path(tempfile.gettempdir()) / f"regrow-{os.getuid()}"
    wait_until(lambda: not any(path.is_dir() for node in nodes.ids() for path in home.glob(f"{node}/*")))
