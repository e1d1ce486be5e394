"""What the commands and the estimators of graphs ask of a run: to rank, to find components, to read what came of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from regrow.data.graphs import PARTITIONS_MAX, GraphOptions, describe_graph
from regrow.errors import DataError, UsageError
from regrow.job import ProgramName
from regrow.models.pagerank.components import Components
from regrow.models.pagerank.measuring import Graph, RankReport, exact
from regrow.models.pagerank.model import RankModel
from regrow.models.pagerank.program import PageRank
from regrow.spec import Spec
from regrow.store.dataset import Dataset
from regrow.store.model import ModelFiles, read_model

__all__ = ["components_spec", "exact_ranks", "rank_spec", "read_ranks", "read_seeds"]

_PLACE = (PageRank.__module__, PageRank.__qualname__)


def rank_spec(
    paths: Sequence[str],
    program: PageRank,
    *,
    seed: int = 1,
    options: GraphOptions | None = None,
    partitions: int | None = None,
    spooled: tuple[str, ...] = (),
) -> Spec:
    """What to do to rank the nodes of a graph in files; those in `spooled` move into the run. partitions: None: from the data.

    Raises DataError or UsageError for files and options that do not fit.
    """
    spec = _spec("pagerank train", PageRank, program.parameters(), paths, options or GraphOptions(), partitions, spooled)
    return replace(spec, seed=seed)


def components_spec(
    paths: Sequence[str],
    *,
    seed: int = 1,
    options: GraphOptions | None = None,
    partitions: int | None = None,
    spooled: tuple[str, ...] = (),
) -> Spec:
    """What to do to find the connected components of a graph in files, whose edges lead both ways. Raises DataError or UsageError."""
    both = replace(options or GraphOptions(), undirected=True, duplicates="once", weight="none")
    return replace(_spec("components train", Components, Components().parameters(), paths, both, partitions, spooled), seed=seed)


def _spec(
    command: str,
    program: type[PageRank] | type[Components],
    parameters: Mapping[str, object],
    paths: Sequence[str],
    options: GraphOptions,
    partitions: int | None,
    spooled: tuple[str, ...],
) -> Spec:
    if partitions is not None and not 1 <= partitions <= PARTITIONS_MAX:
        raise UsageError(f"--partitions {partitions}", f"from 1 to {PARTITIONS_MAX:,}; leave it out to have it follow from the data")
    source, settled = describe_graph(paths, options)
    grid = None if partitions is None else (partitions, 1)
    place = ProgramName(program.__module__, program.__qualname__)
    return Spec(command, place, parameters, 1, source, settled, "graph", grid, spooled=spooled)


def read_seeds(text: str) -> tuple[str, dict[str, float]]:
    """A set of seeds: the file of that name, a line for each node, with its weight behind a tab or a blank, or nodes with commas between.

    Returns the name of the set and {node: weight}. Raises DataError or UsageError.
    """
    if not os.path.isfile(text):
        nodes = [node.strip() for node in text.split(",")]
        if not all(nodes):
            raise UsageError(f'--seeds "{text}"', "nodes with commas between them, or a file with a node on each line")
        return text, dict.fromkeys(nodes, 1.0)
    found: dict[str, float] = {}
    for number, line in enumerate(Path(text).read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if not line.strip() or line.startswith(("#", "%")):
            continue
        node, tab, weight = line.strip().partition("\t") if "\t" in line.strip() else line.strip().partition(" ")
        try:
            heavy = float(weight) if tab else 1.0
            if not 0 <= heavy < float("inf"):
                raise ValueError
        except ValueError:
            what = f'{text}, line {number:,}: the weight "{weight}" is no number from 0 on'
            raise DataError(what, "write a node, or a node and its weight") from None
        if node in found:
            raise DataError(f'{text}, line {number:,}: "{node}" is there twice', "name each node once")
        found[node] = heavy
    if not found:
        raise DataError(f"{text} names no node", "write a node on each line")
    return Path(text).stem, found


def read_ranks(path: str | Path) -> tuple[RankModel, ModelFiles]:
    """The model of a run or of a model folder. Raises DataError if there is none, or it is of another kind."""
    files = read_model(Path(path))
    if files.kind != ":".join(_PLACE):
        raise DataError(f"{path} holds a model of {files.kind}", "name a run of: regrow pagerank train")
    return RankModel(files.arrays, files.parameters), files


def exact_ranks(run: str | Path, set: str | None = None) -> RankReport:
    """The ranks of a finished run beside the exact ones of its graph. Raises DataError for a model without its run."""
    model, files = read_ranks(run)
    model.ranks(set)
    if not (Path(run) / "data" / "dataset.json").exists():
        raise DataError(f"{run} is a model without its graph", "name the run that made it")
    data = Dataset.open(Path(run) / "data")
    parts = [data.part("parts", index) for index in range(data.layouts["parts"])]
    seeds = {name: files.parameters["seeds"][name] for name in model.sets} if files.parameters["seeds"] else {}
    return exact(model, Graph(parts, float(files.parameters["damping"]), seeds), set)
