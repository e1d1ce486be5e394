"""PageRank as a whole job and as a kernel, beside scipy, networkit and igraph on the same graph, each with one thread.

    python benchmarks/pagerank_peers.py [--scale 22] [--edges 67108864] [--data EDGES] [--workers 1] [--folder DIR] [--json OUT.json]

    graph       R-MAT (0.57, 0.19, 0.19, 0.05; Chakrabarti, Zhan and Faloutsos, SDM 2004) of 2^scale nodes, edges that are there twice
                kept, nodes in the order of the generator; or a list of edges by number, --data
    kernel      what a round of regrow computes, in this process: M edges/s, the best of five rounds
    regrow      `regrow pagerank train --tolerance E --relative none` of a parquet file: preparing, then training with files, checksums and
                coordination included; M edges/s of a worker: edges x rounds / (seconds of training x workers)
    scipy       power iteration by a sparse matrix (CSR of the transpose), float64, until the step is below E / 5.67
    networkit   PageRank(damp=0.85, tol=E / 5.67, L1, DistributeSinks), one thread
    igraph      Graph.pagerank(implementation="prpack")

Preparing a peer is making its graph from arrays that are in memory; of regrow it is reading the file and laying the graph out on disk.
`off by` is the sum of |rank - exact rank| over all nodes. A peer that is not installed is left out: pip install 'regrow[peers]'.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numba import njit

from regrow.data.graphs import GraphOptions
from regrow.data.readonly import read_only
from regrow.launch import launch
from regrow.models.pagerank import PageRank, kernels
from regrow.models.pagerank.measuring import Graph
from regrow.models.pagerank.specs import rank_spec, read_ranks
from regrow.spec import How
from regrow.store.dataset import Dataset

Array = Any
DAMPING = 0.85


@njit(cache=True)
def rmat(scale: int, edges: int) -> tuple[Array, Array]:
    """Sources and targets: uint32."""
    source, target = np.empty(edges, np.uint32), np.empty(edges, np.uint32)
    state = np.uint64(0x9E3779B97F4A7C15)
    for i in range(edges):
        u, v = 0, 0
        for bit in range(scale):
            if bit % 4 == 0:
                state ^= state << np.uint64(13)
                state ^= state >> np.uint64(7)
                state ^= state << np.uint64(17)
            drawn = (state >> np.uint64(16 * (bit % 4))) & np.uint64(0xFFFF)
            u, v = 2 * u, 2 * v
            if drawn >= 37355:  # of 65,536: 0.57, then 0.19 twice, 0.05
                if drawn < 49807:
                    v += 1
                elif drawn < 62259:
                    u += 1
                else:
                    u, v = u + 1, v + 1
        source[i], target[i] = u, v
    return source, target


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=int, default=22)
    parser.add_argument("--edges", type=int, default=1 << 26)
    parser.add_argument("--data", help="a list of edges by number instead")
    parser.add_argument("--tolerance", type=float, default=1e-9)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--folder", help="where the run is made [a temporary folder]")
    parser.add_argument("--only", help="names of contestants, with commas between them")
    parser.add_argument("--json", help="write the table there, too")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="regrow-peers-", dir=asked.folder) as folder:
        rows = race(asked, Path(folder))
    print(f"{'':10} {'prepare s':>10} {'seconds':>9} {'rounds':>7} {'M edges/s':>10} {'off by':>9}")
    for name, row in rows.items():
        shown = [("-" if row.get(field) is None else format(row[field], form)) for field, form in FIELDS]
        print(f"{name:10} {shown[0]:>10} {shown[1]:>9} {shown[2]:>7} {shown[3]:>10} {shown[4]:>9}", row.get("note", ""))
    if asked.json:
        Path(asked.json).write_text(json.dumps(rows, indent=1) + "\n")


FIELDS = (("prepare", ".1f"), ("seconds", ".2f"), ("rounds", "d"), ("rate", ".1f"), ("off", ".1e"))


def race(asked: argparse.Namespace, folder: Path) -> dict[str, dict[str, Any]]:
    """All contestants, one after the other."""
    if asked.data:
        file = asked.data
        source, target = read_edges(file)
    else:
        source, target = rmat(asked.scale, asked.edges)
        file = str(folder / "graph.parquet")
        pq.write_table(pa.table({"source": source, "target": target}), file, compression="none", use_dictionary=False)
    run = launch(
        rank_spec([file], PageRank(DAMPING, asked.tolerance, None), options=GraphOptions()),
        How("local", asked.workers, verify=False),
        folder / "run",
    )
    found, _ = read_ranks(run.path)
    summary, ids = run.summary, np.asarray(found.ids)
    print(f"{len(ids):,} nodes with edges, {len(source):,} edges", flush=True)
    edges, rounds = summary["edges"], summary["rounds"] - 1
    data = Dataset.open(run.path / "data")
    graph = Graph([data.part("parts", i) for i in range(data.layouts["parts"])], DAMPING, {})
    exact = np.asarray(graph.solved(found.ranks(), 0), np.float64)
    regrow = {
        "prepare": summary["prepare_seconds"], "seconds": summary["train_seconds"], "rounds": rounds,
        "rate": edges * rounds / summary["train_seconds"] / asked.workers / 1e6, "off": float(np.abs(found.ranks() - exact).sum()),
        "note": f"{asked.workers} workers, {edges * rounds / summary['cpu_seconds'] / 1e6:.1f} M edges/CPU-s",
    }  # fmt: skip
    seconds = kernel_seconds(graph)
    sent = sum(len(part["row"]) for part in graph.parts)
    note = f"{len(graph.parts)} ranges, {sent / edges:.2f} numbers sent for each edge"
    rows = {"kernel": {"seconds": seconds, "rounds": 1, "rate": edges / seconds / 1e6, "note": note}, "regrow": regrow}
    place = np.zeros(int(ids[-1]) + 1, np.int32)
    place[ids] = np.arange(len(ids))
    u, v = place[source], place[target]
    for name, contestant in PEERS.items():
        if asked.only is None or name in asked.only.split(","):
            print(name, flush=True)
            rows[name] = measured(contestant, u, v, len(ids), asked.tolerance, exact)
    return rows


def read_edges(file: str) -> tuple[Array, Array]:
    """A list of edges by number, with comments and perhaps a header; or parquet."""
    import gzip

    if file.endswith(".parquet"):
        table = pq.read_table(file)
        return table.column(0).to_numpy(), table.column(1).to_numpy()

    opened = gzip.open(file, "rt") if file.endswith(".gz") else open(file)  # noqa: SIM115
    with opened as text:
        pairs = [line.split()[:2] for line in text if line.strip() and line[0] not in "#%"]
    if not pairs[0][0].isdecimal():
        del pairs[0]
    both = np.array(pairs, np.int64)
    return both[:, 0].copy(), both[:, 1].copy()


def kernel_seconds(graph: Graph) -> float:
    """A round: shares, sums along the edges, taken in, stepped; on one thread, the best of five."""
    nodes, bounds = graph.bounds[-1], graph.bounds
    y, best, v = np.full(nodes, 1.0 / nodes), np.inf, read_only(np.full(1, 1.0 / nodes))
    sums = [np.zeros(int(part["cells"][-1])) for part in graph.parts]
    for _ in range(5):
        began = time.perf_counter()
        for p, part in enumerate(graph.parts):
            share = np.empty(len(part["out"]))
            kernels.shares(read_only(y[bounds[p] : bounds[p + 1]]), read_only(part["out"]), share)
            kernels.gather(read_only(share), read_only(part["source"]), sums[p])
        for p, part in enumerate(graph.parts):
            taken = np.zeros(len(part["out"]))
            for q, sender in enumerate(graph.parts):
                a, b = int(sender["cells"][p]), int(sender["cells"][p + 1])
                row = part["row"][int(part["from_ptr"][q]) : int(part["from_ptr"][q + 1])]
                kernels.scatter(read_only(sums[q][a:b]), read_only(row), taken)
            new = np.empty_like(taken)
            kernels.stepped(read_only(taken), read_only(y[bounds[p] : bounds[p + 1]]), v, DAMPING, 1.0, new)
            y[bounds[p] : bounds[p + 1]] = new
        best = min(best, time.perf_counter() - began)
    return best


# Peers: each makes its graph, then gives a function that ranks: (ranks, rounds or None)


def scipy_power(source: Array, target: Array, nodes: int, tolerance: float) -> Callable[[], tuple[Array, int | None]]:
    """Power iteration."""
    import scipy.sparse as sparse

    along = sparse.csr_matrix((np.ones(len(source)), (target, source)), shape=(nodes, nodes))
    out = np.bincount(source, minlength=nodes)
    inverse, nowhere = np.where(out > 0, 1.0 / np.maximum(out, 1), 0.0), out == 0

    def rank() -> tuple[Array, int]:
        x, rounds = np.full(nodes, 1.0 / nodes), 0
        while True:
            new = DAMPING * (along @ (x * inverse))
            new += (DAMPING * x[nowhere].sum() + 1 - DAMPING) / nodes
            step, x, rounds = np.abs(new - x).sum(), new, rounds + 1
            if step * DAMPING / (1 - DAMPING) < tolerance:
                return x, rounds

    return rank


def networkit_power(source: Array, target: Array, nodes: int, tolerance: float) -> Callable[[], tuple[Array, int | None]]:
    """NetworKit's own."""
    import networkit
    import scipy.sparse as sparse

    networkit.setNumberOfThreads(1)
    ones = np.ones(len(source))
    graph = networkit.GraphFromCoo(
        sparse.coo_matrix((ones, (source, target)), shape=(nodes, nodes)), n=nodes, directed=True, weighted=False
    )

    def rank() -> tuple[Array, int]:
        sinks = networkit.centrality.SinkHandling.DistributeSinks
        found = networkit.centrality.PageRank(graph, DAMPING, tolerance * (1 - DAMPING) / DAMPING, False, sinks)
        found.norm = networkit.centrality.Norm.l1norm
        found.run()
        ranks = np.array(found.scores())
        return ranks / ranks.sum(), found.numberOfIterations()

    return rank


def igraph_prpack(source: Array, target: Array, nodes: int, tolerance: float) -> Callable[[], tuple[Array, int | None]]:
    """igraph's PRPACK: Gauss-Seidel, to a tolerance of its own."""
    import igraph

    graph = igraph.Graph(n=nodes, edges=np.stack([source, target], axis=1, dtype=np.int64), directed=True)
    return lambda: (np.array(graph.pagerank(damping=DAMPING, implementation="prpack")), None)


PEERS = {"scipy": scipy_power, "networkit": networkit_power, "igraph": igraph_prpack}


def measured(contestant: Any, source: Array, target: Array, nodes: int, tolerance: float, exact: Array) -> Mapping[str, Any]:
    """Seconds of making the graph and of ranking, and how far the ranks are off."""
    began = time.perf_counter()
    try:
        rank = contestant(source, target, nodes, tolerance)
    except ImportError as missing:
        return {"note": f"not installed: {missing.name}"}
    prepared = time.perf_counter()
    ranks, rounds = rank()
    seconds = time.perf_counter() - prepared
    rate = len(source) * rounds / seconds / 1e6 if rounds else None
    off = float(np.abs(ranks - exact).sum())
    return {"prepare": prepared - began, "seconds": seconds, "rounds": rounds, "rate": rate, "off": off}


if __name__ == "__main__":
    main()
