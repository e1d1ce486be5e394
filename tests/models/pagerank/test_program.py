"""PageRank and components as programs, on the engine: right, certainly right, and the same however the graph is cut."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.pagerank import naive
from models.pagerank.graphs import by_name, edges, lines, ranked, theirs
from reference import Reference
from regrow.data.graphs import GraphOptions
from regrow.data.graphs.parts import GraphParts
from regrow.errors import DataError, UsageError
from regrow.launch import launch
from regrow.models.pagerank import Components, PageRank
from regrow.models.pagerank.specs import components_spec
from regrow.spec import How

ONE = Fraction(1)


def near(found: dict[str, float], expected: dict[Any, float], to: float = 1e-12) -> None:
    assert set(found) == {str(node) for node in expected}
    for node, rank in expected.items():
        assert found[str(node)] == pytest.approx(rank, rel=to), node


@pytest.mark.parametrize(
    ("options", "kind", "weight"),
    [
        ({}, nx.MultiDiGraph, False),
        ({"weight": "3"}, nx.MultiDiGraph, True),
        ({"duplicates": "once"}, nx.DiGraph, False),
        ({"duplicates": "once", "weight": "3"}, nx.DiGraph, True),
        ({"undirected": True, "duplicates": "once"}, nx.Graph, False),
        ({"undirected": True, "duplicates": "once", "weight": "3"}, nx.Graph, True),
        ({"undirected": True}, nx.MultiGraph, False),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, dict) else getattr(value, "__name__", str(value)),
)
@pytest.mark.parametrize("partitions", [1, 5])
def test_ranks_are_those_of_networkx(tmp_path: Path, options: dict[str, Any], kind: Any, weight: bool, partitions: int) -> None:
    of = edges()
    model, run = ranked(tmp_path, lines(of), partitions=partitions, **options)
    near(by_name(model), theirs(of, kind=kind, weight=weight))
    assert model.ranks().sum() == pytest.approx(1.0, abs=1e-14)
    assert run.summary["metrics"]["bound"] <= 1e-12


def test_edges_to_oneself_are_dropped_if_that_is_asked_for(tmp_path: Path) -> None:
    of = edges()
    assert any(source == target for source, target, _ in of)
    model, _ = ranked(tmp_path, lines(of), self_loops="drop")
    expected = nx.MultiDiGraph()
    expected.add_nodes_from(node for edge in of for node in edge[:2])
    expected.add_edges_from((source, target) for source, target, _ in of if source != target)
    near(by_name(model), dict(nx.pagerank(expected, tol=1e-16, max_iter=2_000)))


def test_sets_of_seeds_are_personalised_ranks_side_by_side(tmp_path: Path) -> None:
    of = edges()
    nodes = sorted({node for edge in of for node in edge[:2]})
    sets = {"one": {str(nodes[3]): 1.0}, "more": {str(nodes[10]): 2.0, str(nodes[200]): 0.5, str(nodes[7]): 0.0}}
    for partitions in (1, 4):
        together, _ = ranked(tmp_path, lines(of), PageRank(relative=None, tolerance=1e-15, seeds=sets), partitions=partitions)
        assert together.sets == ["one", "more"]
        for name, own in sets.items():
            expected = theirs(of, personalization={int(node): weight for node, weight in own.items()})
            found = by_name(together, name)
            for node, rank in expected.items():
                assert found[str(node)] == pytest.approx(rank, rel=1e-9, abs=1e-15)
            if partitions == 1:
                alone, _ = ranked(tmp_path, lines(of), PageRank(relative=None, tolerance=1e-15, seeds={name: own}))
                assert alone.ranks() == pytest.approx(together.ranks(name), abs=1e-15)
    with pytest.raises(UsageError, match="no set of seeds"):
        together.ranks("none")


@pytest.mark.parametrize("seeds", [{"a": {"99999": 1.0}}, {"a": {"0": 1.0, "no": 2.0}}])
def test_a_seed_that_is_no_node_is_named(tmp_path: Path, seeds: dict[str, dict[str, float]]) -> None:
    wrong = list(next(iter(seeds.values())))[-1]
    with pytest.raises(DataError, match=f'the seed "{wrong}" is no node'):
        ranked(tmp_path, lines(edges()), PageRank(seeds=seeds))


def test_damping_counts(tmp_path: Path) -> None:
    of = edges()
    for damping in (0.2, 0.97):
        model, _ = ranked(tmp_path, lines(of), PageRank(damping))
        near(by_name(model), theirs(of, alpha=damping), 3e-12 if damping > 0.9 else 1e-12)


# What is certain


@pytest.mark.parametrize("damping", [0.5, 0.85])
@pytest.mark.parametrize("seeds", [{}, {"s": {"0": 1.0, "5": 3.0}}], ids=["all", "seeds"])
@pytest.mark.parametrize("rounds", [1, 2, 5, 20])
def test_the_certificate_is_not_below_what_is_true(damping: float, seeds: dict[str, dict[str, float]], rounds: int) -> None:
    chance = random.Random(7)
    nodes, links = range(14), sorted({(chance.randrange(12), chance.randrange(14)) for _ in range(30)})
    shares = {int(n): Fraction(w) / 4 for n, w in seeds["s"].items()} if seeds else {node: Fraction(1, 14) for node in nodes}
    truth = naive.exact(nodes, [(a, b, ONE) for a, b in links], shares, Fraction(damping))
    program = PageRank(damping, 1e-30, 1e-30, rounds, seeds)
    model = program.model(Reference(program, {"parts": laid_out(list(nodes), links, 3)}).run())
    off = [abs(Fraction(x) - truth[node]) for node, x in enumerate(model["ranks.rank"].tolist())]
    assert sum(off) <= Fraction(float(model["sets.bound"][0])) + Fraction(1, 10**14)
    relative = max((o / truth[node] for node, o in enumerate(off) if truth[node]), default=Fraction(0))
    if np.isfinite(model["sets.relative_bound"][0]):
        assert relative <= Fraction(float(model["sets.relative_bound"][0])) + Fraction(1, 10**13)
    if rounds == 20 and not seeds:
        assert model["sets.relative_bound"][0] < 1, "a certificate that says nothing"


def laid_out(nodes: list[int], links: list[tuple[int, int]], partitions: int, **options: Any) -> list[dict[str, Any]]:
    """The layout "parts" of a graph."""
    half = len(links) // 2
    ends = [np.array(links[a:b], np.uint32).reshape(-1, 2) for a, b in ((0, half), (half, len(links)))]
    data = {
        "edges": [{"source": own[:, 0].copy(), "target": own[:, 1].copy(), "weight": np.empty(0)} for own in ends],
        "nodes": [{"id": np.array(nodes, np.int64)}],
    }
    return list(Reference(GraphParts(len(nodes), partitions, **options), data).run()["parts"])


def test_a_rank_that_leads_nowhere_is_given_back_to_the_last_digit() -> None:
    nodes, links = [0, 1, 2, 3], [(0, 1), (1, 2), (0, 2), (1, 3)]
    program = PageRank(tolerance=1e-16)
    model = program.model(Reference(program, {"parts": laid_out(nodes, links, 2)}).run())
    truth = naive.exact(nodes, [(a, b, ONE) for a, b in links], dict.fromkeys(nodes, Fraction(1, 4)), Fraction(0.85))
    for node in nodes:
        assert model["ranks.rank"][node] == pytest.approx(float(truth[node]), rel=4e-16)


def test_a_run_that_ends_too_early_says_so(tmp_path: Path) -> None:
    model, run = ranked(tmp_path, lines(edges()), PageRank(rounds=3))
    assert run.summary["rounds"] == 4
    assert "not as exact as was asked for" in model.summary()
    assert "not as exact as was asked for" not in ranked(tmp_path, lines(edges()))[0].summary()


@pytest.mark.parametrize("wrong", [{"damping": 1.0}, {"damping": 0.0}, {"tolerance": 0.0}, {"rounds": 0}, {"seeds": {"a": {"1": -1.0}}}])
def test_parameters_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        PageRank(**wrong)


# However the graph is cut, and whatever its order


def test_the_order_of_the_edges_leaves_no_trace(tmp_path: Path) -> None:
    of = edges()
    digests = set()
    for seed in range(3):
        random.Random(seed).shuffle(of)
        digests.add(ranked(tmp_path, lines(of), weight="3", partitions=3)[1].digest)
    assert len(digests) == 1


def test_partitions_change_nothing_but_rounding(tmp_path: Path) -> None:
    links = [(source // 3, target // 3) for source, target, _ in edges()]
    nodes = list(range(1 + max(max(edge) for edge in links)))
    program = PageRank(tolerance=1e-9, relative=None)

    def ranks(partitions: int) -> Any:
        return program.model(Reference(program, {"parts": laid_out(nodes, links, partitions)}).run())["ranks.rank"]

    one = ranks(1)
    for partitions in (2, 7, 40):
        assert ranks(partitions) == pytest.approx(one, rel=1e-13)
    assert len(ranked(tmp_path, "1 2\n", partitions=64)[0].ranks()) == 2


# Components


links = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=40)


@settings(max_examples=60, deadline=None)
@given(links, st.integers(1, 5))
def test_components_are_those_that_a_search_finds(of: list[tuple[int, int]], partitions: int) -> None:
    program = Components()
    parts = laid_out(list(range(31)), of, partitions, undirected=True, once=True)
    if all(a == b for a, b in of):
        parts = laid_out(list(range(31)), [*of, (0, 1)], partitions, undirected=True, once=True)
        of = [*of, (0, 1)]
    model = program.model(Reference(program, {"parts": parts}).run())
    least = naive.components(range(31), of)
    assert model["components.component"].tolist() == [least[node] for node in range(31)]


def test_components_of_a_long_path_and_what_a_person_reads(tmp_path: Path) -> None:
    path = [(node, node + 1) for node in range(3_000) if node != 1_700]
    random.Random(3).shuffle(path)
    (tmp_path / "edges.txt").write_text("".join(f"n{a:05} n{b:05}\n" for a, b in path))
    spec = components_spec([str(tmp_path / "edges.txt")], options=GraphOptions(), partitions=4)
    run = launch(spec, How("inline"), tmp_path / "run")
    assert np.unique(run.model["components.component"]).tolist() == [0, 1_701]
    assert Components().report(run.model).splitlines() == [
        "2 components",
        "1,701 nodes, among them n00000",
        "1,300 nodes, among them n01701",
    ]
