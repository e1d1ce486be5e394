"""regrow pagerank train."""

from __future__ import annotations

from typing import Annotated

import typer

from regrow.cli.options import Files, Seed
from regrow.cli.pagerank.options import Duplicates, Format, Header, Ids, Names, Partitions, SelfLoops, Source, Target
from regrow.cli.training import Training, training_command
from regrow.errors import UsageError

__all__ = ["train"]


@training_command("pagerank train")
def train(
    files: Files,
    damping: Annotated[float, typer.Option(metavar="D", help="The share of a rank that goes along edges.")] = 0.85,
    tolerance: Annotated[float, typer.Option(metavar="E", help="How far all ranks together may be from the exact ones.")] = 1e-12,
    relative: Annotated[
        str | None,
        typer.Option(
            metavar="E",
            help="How far each rank may be, as a share of itself; none: no matter [1e-12; with --seeds none].",
            show_default=False,
        ),
    ] = None,
    rounds: Annotated[int, typer.Option(metavar="N", help="Rounds after which to stop at the latest.")] = 1000,
    seeds: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NODES",
            help="Nodes to which ranks return: A,B,... or a file of them; several times: ranks for each.",
            show_default=False,
        ),
    ] = None,
    names: Names = None,
    source: Source = None,
    target: Target = None,
    weight: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN", help="The weight of an edge; none: all weigh 1 [none; the entries of a matrix].", show_default=False
        ),
    ] = None,
    undirected: Annotated[bool, typer.Option("--undirected", help="Each edge leads both ways.")] = False,
    duplicates: Duplicates = "sum",
    self_loops: SelfLoops = "keep",
    ids: Ids = None,
    format: Format = None,
    header: Header = None,
    seed: Seed = 1,
    partitions: Partitions = None,
    *,
    training: Training,
) -> None:
    """Rank the nodes of a graph: lists of edges (a source and a target on each line), Matrix Market, parquet; plain or compressed.

    A rank is what is sent along the edges that lead to a node, from nodes of high rank and few edges most. The run ends when the ranks
    are certainly as near to the exact ones as was asked for.
    """
    from regrow.data.graphs import GraphOptions
    from regrow.launch import with_stdin
    from regrow.models.pagerank.program import PageRank
    from regrow.models.pagerank.specs import rank_spec, read_seeds

    sets = dict(read_seeds(text) for text in seeds or [])
    if len(sets) < len(seeds or []):
        raise UsageError("--seeds names a set twice", "give files of seeds different names")
    program = PageRank(damping, tolerance, _relative(relative, bool(sets)), rounds, sets)
    options = GraphOptions(format, source, target, weight, header, ids, names, undirected, duplicates, self_loops)
    with with_stdin(files) as (given, spooled):
        training.run(rank_spec(given, program, options=options, seed=seed, partitions=partitions, spooled=spooled))


def _relative(text: str | None, seeded: bool) -> float | None:
    if text is None:
        return None if seeded else 1e-12
    if text == "none":
        return None
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"--relative {text}", "a number above 0, e.g. 1e-9, or none") from None
