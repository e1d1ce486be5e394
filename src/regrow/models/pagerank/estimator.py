"""What Python users hold: `regrow.PageRank().fit("edges.tsv")`, and `regrow.connected_components("edges.tsv")`."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from regrow.data.graphs import GraphOptions
from regrow.errors import RegrowError
from regrow.launch import Run, launch, shared_cache
from regrow.models.document_estimator import as_value_error
from regrow.models.habits import Estimator, WrongData, WrongUse, number, whole
from regrow.models.pagerank.model import RankModel
from regrow.models.pagerank.program import PageRank as Ranks
from regrow.models.pagerank.specs import components_spec, rank_spec, read_ranks
from regrow.packed import Strings
from regrow.spec import How

__all__ = ["PageRank", "connected_components"]

Array = npt.NDArray[Any]


class PageRank(Estimator):
    """Ranks of the nodes of a graph.

    damping     the share of a rank that goes along edges
    tolerance   how far all ranks together may be from the exact ones; relative: each rank, as a share of itself (None: no matter)
    seeds       nodes to which ranks return: {node: weight}, or several sets: {name: {node: weight}}; None: to all alike
    rounds      after which to stop at the latest
    workers, engine     processes (None: as many as cores may be used); "local" or "inline"

    `fit` takes files of edges, with the options of `regrow pagerank train` by name (undirected, weight, names, ...); a square
    scipy.sparse matrix, whose entry (i, j) is the weight of the edge from i to j; or arrays of sources and of targets.
    After fit: `ids_` and `ranks_` (float64), side by side; `model_` (RankModel), `digest_`, `run_`.
    """

    ids_: Any
    ranks_: Array
    model_: RankModel
    digest_: str
    run_: Run

    def __init__(
        self,
        damping: float = 0.85,
        *,
        tolerance: float = 1e-12,
        relative: float | None = 1e-12,
        seeds: Mapping[Any, Any] | None = None,
        rounds: int = 1000,
        workers: int | None = None,
        engine: str = "local",
    ) -> None:
        self.damping = damping
        self.tolerance = tolerance
        self.relative = relative
        self.seeds = seeds
        self.rounds = rounds
        self.workers = workers
        self.engine = engine

    def fit(
        self,
        graph: Any,
        target: Any = None,
        *,
        partitions: int | None = None,
        run: str | Path | None = None,
        overwrite: bool = False,
        preempt: float | None = None,
        **options: Any,
    ) -> Self:
        """Rank the nodes of a graph: files, a matrix, or sources and targets."""
        with _told(), _as_files(graph, target, options.get("weight")) as (files, spooled, first):
            relative = None if self.relative is None else number("relative", self.relative)
            settings = number("damping", self.damping), number("tolerance", self.tolerance), relative, whole("rounds", self.rounds)
            spec = rank_spec(
                files, Ranks(*settings, _sets(self.seeds, first)), options=_options(options), partitions=partitions, spooled=spooled
            )
            how = How(self.engine, self.workers or 0, preempt, cache=shared_cache() if not spooled else None)
            self.run_ = launch(spec, how, run, overwrite=overwrite)
        self.model_, found = read_ranks(self.run_.path)
        ids = self.model_.ids
        self.ids_ = ids if isinstance(ids, Strings) else np.asarray(ids) - first
        self.ranks_, self.digest_ = self.model_.ranks(), found.digest
        return self

    def top(self, count: int = 10, set: str | None = None) -> list[tuple[str, float]]:
        """The nodes with the highest ranks: names and ranks."""
        self._check_fitted()
        return self.model_.top(count, set)


def connected_components(
    graph: Any, target: Any = None, *, workers: int | None = None, engine: str = "local", partitions: int | None = None, **options: Any
) -> tuple[Any, Array]:
    """The ids of the nodes of a graph, and of each the place of the first node of its component (int64): edges lead both ways.

    graph: files, a matrix, or arrays of sources and of targets, as for `PageRank.fit`, with the same options.
    """
    with _told(), _as_files(graph, target, "none") as (files, spooled, first):
        spec = components_spec(files, options=_options(options), partitions=partitions, spooled=spooled)
        found = launch(spec, How(engine, workers or 0, cache=shared_cache() if not spooled else None), None)
    ids, labels = found.model["components.id"], np.asarray(found.model["components.component"])
    return (ids if isinstance(ids, Strings) else np.asarray(ids) - first), labels


def _options(given: Mapping[str, Any]) -> GraphOptions:
    try:
        return GraphOptions(**given)
    except TypeError as error:
        raise WrongUse(str(error), "the options are those of regrow pagerank train") from None


def _sets(seeds: Mapping[Any, Any] | None, first: int) -> dict[str, dict[str, float]]:
    """Sets of seeds by name; nodes are numbered from `first` on in the file."""
    if not seeds:
        return {}
    several = all(isinstance(weights, Mapping) for weights in seeds.values())
    sets = seeds if several else {"seeds": seeds}
    return {
        str(name): {str(node + first if first else node): number("seeds", weight) for node, weight in weights.items()}
        for name, weights in sets.items()
    }


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Errors as those of other estimators: they are ValueErrors too."""
    try:
        yield
    except RegrowError as error:
        raise as_value_error(error) from error


def _checked_weights(matrix: Any) -> None:
    """Raises WrongData for entries that are no weights."""
    weight = np.asarray(matrix.data)
    if weight.dtype.kind not in "biuf":
        raise WrongData(f"the matrix has type {weight.dtype}", "a weight is a number, 0 or more")
    fine = np.isfinite(weight) & (weight >= 0)
    if not fine.all():
        at = int(np.argmin(fine))
        place = f"row {int(matrix.row[at])}, column {int(matrix.col[at])} of the matrix"
        raise WrongData(f"{place}: the weight is {weight[at]:g}", "a weight says how much of a rank goes along an edge: 0 or more")
    if len(weight) and not weight.any():
        raise WrongData("all weights of the matrix are 0", 'give at least one above 0; or say weight="none": then all edges weigh 1')


def _nodes(what: str, given: Any) -> Array:
    """Ends of edges: whole numbers or strings, one for each edge. Raises WrongData."""
    nodes = np.asarray(given)
    if nodes.ndim != 1:
        raise WrongData(f"{what} has shape {nodes.shape}", "give one node for each edge")
    if nodes.dtype.kind == "f":
        whole = np.isfinite(nodes) & (nodes == np.rint(nodes))
        if not whole.all():
            at = int(np.argmin(whole))
            raise WrongData(f"{what}[{at}] is {nodes[at]:g}", "a node is a whole number or a string")
    return nodes


@contextlib.contextmanager
def _as_files(graph: Any, target: Any, weight: str | None) -> Iterator[tuple[list[str], tuple[str, ...], int]]:
    """Files of edges, those of them that were written for this, and the number of the first node in those."""
    if target is None and isinstance(graph, (str, Path)):
        yield [str(graph)], (), 0
        return
    if target is None and isinstance(graph, Sequence) and len(graph) and all(isinstance(name, (str, Path)) for name in graph):
        yield [str(name) for name in graph], (), 0
        return
    with tempfile.TemporaryDirectory(prefix="regrow-graph-") as folder:
        if hasattr(graph, "tocoo"):
            from scipy.io import mmwrite

            if len(graph.shape) != 2 or graph.shape[0] != graph.shape[1]:
                raise WrongData(f"a matrix of shape {tuple(graph.shape)}", "a graph has as many rows as columns")
            matrix = graph.tocoo()
            if weight != "none":
                _checked_weights(matrix)
            name = str(Path(folder) / "graph.mtx")
            mmwrite(name, matrix, precision=17, symmetry="general")
            yield [name], (name,), 1
            return
        if target is None:
            raise WrongData("a graph is files, a scipy.sparse matrix, or arrays of sources and of targets", "e.g. fit(source, target)")
        import pyarrow as pa
        import pyarrow.parquet as pq

        if len(graph) != len(target):
            raise WrongData(f"{len(graph):,} sources and {len(target):,} targets", "give one of each for each edge")
        name = str(Path(folder) / "graph.parquet")
        pq.write_table(pa.table({"source": _nodes("source", graph), "target": _nodes("target", target)}), name)
        yield [name], (name,), 0
