"""Small graphs, as lines and as networkx has them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import networkx as nx

from regrow.data.graphs import GraphOptions
from regrow.launch import Run, launch
from regrow.models.pagerank import PageRank, RankModel
from regrow.models.pagerank.specs import rank_spec, read_ranks
from regrow.spec import How

NODES, EDGES = 400, 2_000


def edges(nodes: int = NODES, count: int = EDGES, seed: int = 1) -> list[tuple[int, int, float]]:
    """Edges with weights, skewed as those of the web; some are there twice, some lead from a node to itself, many nodes lead nowhere."""
    chance = random.Random(seed)
    found = []
    for _ in range(count):
        source, target = int(nodes * chance.random() ** 1.5), int(nodes * chance.random() ** 3)
        if source % 7:
            found.append((source * 3, target * 3, chance.choice([0.5, 1.0, 2.25, 1 / 3])))
    return found


def lines(of: list[tuple[int, int, float]]) -> str:
    """A list of edges with weights."""
    return "".join(f"{source}\t{target}\t{weight!r}\n" for source, target, weight in of)


def theirs(of: list[tuple[int, int, float]], *, kind: Any = nx.MultiDiGraph, weight: bool = False, **more: Any) -> dict[Any, float]:
    """The ranks that networkx gives, as exact as it can."""
    graph = kind()
    for source, target, heavy in of:
        if weight and kind in (nx.DiGraph, nx.Graph) and graph.has_edge(source, target):
            heavy = max(heavy, graph[source][target]["weight"])
        graph.add_edge(source, target, weight=heavy if weight else 1.0)
    return dict(nx.pagerank(graph, tol=1e-16, max_iter=2_000, weight="weight", **more))


def ranked(folder: Path, text: str | bytes, program: PageRank | None = None, name: str = "edges.tsv", **more: Any) -> tuple[RankModel, Run]:
    """What a run in this process makes of a file."""
    path, partitions = folder / name, more.pop("partitions", None)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    spec = rank_spec([str(path)], program or PageRank(), options=GraphOptions(**more), partitions=partitions)
    run = launch(spec, How("inline"), folder / f"run-{len(list(folder.iterdir()))}")
    return read_ranks(run.path)[0], run


def by_name(model: RankModel, set: str | None = None) -> dict[str, float]:
    """Rank by name."""
    return dict(zip(model.names, model.ranks(set).tolist(), strict=True))
