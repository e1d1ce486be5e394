"""regrow pagerank from the shell: what it prints, what it keeps, what it refuses."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import networkx as nx
import pyarrow.parquet as pq
import pytest

from shell import Shell, refuses

INLINE = ("--engine", "inline")


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "edges.tsv").write_text("src\tdst\tkind\n" + "".join(f"{i}\t{i * i % 23}\tD\n" for i in range(60)))
    (tmp_path / "names.tsv").write_text("id\tname\tsection\n" + "".join(f"{i}\tnode {i}\tx\n" for i in range(61)))
    return Shell(tmp_path, capsys)


def test_ranks_are_trained_shown_and_measured(shell: Shell) -> None:
    found = shell.run("pagerank", "train", "edges.tsv", "--names", "names.tsv", *INLINE, "--run", "run")
    assert found["edges"] == 60
    assert found["metrics"]["bound"] <= 1e-12
    graph = nx.MultiDiGraph((i, i * i % 23) for i in range(60))
    graph.add_node(60)  # named, and no edge leads there
    expected = nx.pagerank(graph, tol=1e-16, max_iter=2_000)
    table = pq.read_table(shell.folder / "run" / "model" / "ranks.parquet").to_pylist()
    assert [row["id"] for row in table] == list(range(61))
    for row in table:
        assert row["name"] == f"node {row['id']}"
        assert row["rank"] == pytest.approx(expected[row["id"]], rel=1e-12)
    lines = [line.split("\t") for line in shell("pagerank", "top", "run", "--count", 3).out.splitlines()]
    best = sorted(expected, key=lambda node: -expected[node])[:3]
    assert [(place, name) for place, name, _ in lines] == [(str(i), f"node {node}") for i, node in enumerate(best, 1)]
    listed = json.loads(shell("pagerank", "top", "run", "--count", 1, "--json").out)
    assert listed == [{"place": 1, "name": f"node {best[0]}", "rank": pytest.approx(expected[best[0]])}]
    report = shell.run("pagerank", "evaluate", "run")
    assert report["difference"] < 1e-12
    assert report["largest_relative"] < 1e-12
    assert len(report["bands"]) == 10
    assert sum(band["units"] for band in report["bands"]) == report["nodes"] == 61
    assert "ranks against the exact ones" in shell("pagerank", "evaluate", "run").out


def test_components_are_found_named_and_kept(shell: Shell) -> None:
    words = ("pagerank", "components", "edges.tsv", "--names", "names.tsv", "--run", "run", "--engine", "inline", "--partitions", 3)
    told = shell(*words).out
    graph = nx.Graph((i, i * i % 23) for i in range(60))
    graph.add_node(60)
    expected = sorted(map(sorted, nx.connected_components(graph)))
    assert f"{len(expected)} components" in told
    found: dict[int, list[int]] = {}
    for row in pq.read_table(shell.folder / "run" / "model" / "components.parquet").to_pylist():
        assert row["name"] == f"node {row['id']}"
        found.setdefault(row["component"], []).append(row["id"])
    assert sorted(found.values()) == expected
    refused = shell("pagerank", "top", "run")
    assert refused.code == 3
    assert "regrow pagerank train" in refused.err


def test_an_edge_that_leads_both_ways_is_counted_once(shell: Shell) -> None:
    (shell.folder / "one.tsv").write_text("1\t2\n2\t1\n3\t3\n")
    ended = shell("pagerank", "components", "one.tsv", "--seed", 7, "--run", "one", *INLINE)
    assert "1 node: 3" in ended.out
    assert "2 nodes, among them 1" in ended.out
    found = shell.run("pagerank", "components", "one.tsv", "--partitions", 2, "--run", "again", *INLINE)
    assert found["edges"] == 2
    assert found["edges_per_second"] > 0


def test_evaluate_sees_ranks_that_are_not_exact(shell: Shell) -> None:
    shell.run("pagerank", "train", "edges.tsv", *INLINE, "--rounds", 5, "--run", "rough")
    shell.run("pagerank", "train", "edges.tsv", *INLINE, "--run", "fine")
    report = shell.run("pagerank", "evaluate", "rough")
    assert 1e-6 < report["difference"] < report["bound"]
    assert report["largest_relative"] < (report["relative_bound"] or float("inf"))
    beside = shell.run("pagerank", "evaluate", "rough", "--against", "fine")
    assert beside["difference"] == pytest.approx(report["difference"], rel=1e-6)
    assert beside["shared"]["10"] <= 10


def test_seeds_by_name_from_a_file_and_from_the_command(shell: Shell) -> None:
    (shell.folder / "mine.txt").write_text("# two\nnode 4\t2\n9\n")
    seeds = ("--seeds", "mine.txt", "--seeds", "node 7,node 8")
    shell.run("pagerank", "train", "edges.tsv", "--names", "names.tsv", *seeds, *INLINE, "--run", "run")
    graph = nx.MultiDiGraph((i, i * i % 23) for i in range(60))
    for name, weights in (("mine", {4: 2, 9: 1}), ("node 7,node 8", {7: 1, 8: 1})):
        expected = nx.pagerank(graph, personalization=weights, tol=1e-16, max_iter=2_000)
        shown = json.loads(shell("pagerank", "top", "run", "--set", name, "--count", 5, "--json").out)
        for row in shown:
            assert row["rank"] == pytest.approx(expected[int(row["name"].split()[1])], rel=1e-9)
        assert shell.run("pagerank", "evaluate", "run", "--set", name)["difference"] < 1e-12
    refuses(shell("pagerank", "top", "run", "--set", "no"), 2, "no set of seeds")
    refuses(shell("pagerank", "train", "edges.tsv", "--seeds", "400", *INLINE), 3, 'the seed "400" is no node')


def test_what_is_broken_ends_with_a_message_and_its_code(shell: Shell) -> None:
    (shell.folder / "bad.txt").write_text("1 2\n2\n")
    refuses(shell("pagerank", "train", "bad.txt", *INLINE), 3, "bad.txt, line 2", "source and target are expected")
    (shell.folder / "cut.txt.gz").write_bytes(gzip.compress(b"".join(b"%d %d\n" % (i, i * i) for i in range(20_000)))[:30_000])
    (shell.folder / "nameless.tsv").write_text("1\n")
    refuses(
        shell("pagerank", "train", "edges.tsv", "--names", "nameless.tsv", *INLINE), 3, "nameless.tsv, line 1", "write an id and its name"
    )
    refuses(shell("pagerank", "train", "cut.txt.gz", *INLINE), 3, "cut.txt.gz", "ends early")
    (shell.folder / "loops.txt").write_text("1 1\n")
    refuses(shell("pagerank", "train", "loops.txt", "--self-loops", "drop", *INLINE), 3, "no edge")
    refuses(shell("pagerank", "train", "nowhere.txt", *INLINE), 3, "no such file")
    refuses(shell("pagerank", "train", "edges.tsv", "--damping", "1.5", *INLINE), 2, "--damping 1.5")
    refuses(shell("pagerank", "train", "edges.tsv", "--partitions", "0", *INLINE), 2, "--partitions 0")
    refuses(shell("pagerank", "train", "edges.tsv", "--relative", "x", *INLINE), 2, "--relative x")
    shell.run("pagerank", "train", "edges.tsv", *INLINE, "--run", "run")
    refuses(shell("lda", "topics", "run"), 3, "holds a model of")
    refuses(shell("pagerank", "top", "run", "--count", "0"), 2, "--count 0")
    refuses(shell("pagerank", "evaluate", "run/model"), 3, "name the run")
    refuses(
        shell("pagerank", "train", "edges.tsv", "--source", "src", "--target", "to", *INLINE), 2, "edges.tsv, line 1, is taken for an edge"
    )


@pytest.mark.parametrize(
    ("text", "options", "told"),
    [
        ("0 1\n1 0\n", ("--source", 9), ("there are 2 columns, and --source says 9",)),
        ("0 1\n1 0\n", ("--seeds", "nosuch.txt"), ('the seed "nosuch.txt" is no node', "there is none of that name")),
        (f"0 1\n{10**20} 1\n", (), ("a.txt, line 2", "too large", "below 2^63")),
        ("0 1 0\n1 0 0\n", ("--weight", 3), ("all edges weigh 0", "--weight none")),
        ("0 1 1e308\n1 0 1e308\n", ("--weight", 3), ("more than float64 can hold",)),
    ],
)
def test_edges_that_make_no_ranks_are_told_why(shell: Shell, text: str, options: tuple[object, ...], told: tuple[str, ...]) -> None:
    (shell.folder / "a.txt").write_text(text)
    refuses(shell("pagerank", "train", "a.txt", *options, "--engine", "inline"), 3, *told)
