"""regrow pagerank components."""

from __future__ import annotations

from regrow.cli.options import Files, Seed
from regrow.cli.pagerank.options import Format, Header, Ids, Names, Partitions, Source, Target
from regrow.cli.training import Training, training_command

__all__ = ["components"]


@training_command("pagerank components")
def components(
    files: Files,
    names: Names = None,
    source: Source = None,
    target: Target = None,
    ids: Ids = None,
    format: Format = None,
    header: Header = None,
    seed: Seed = 1,
    partitions: Partitions = None,
    *,
    training: Training,
) -> None:
    """Find the connected components of a graph: nodes between which there is a way, whichever way its edges lead.

    Input as for ranks. RUN/model/components.parquet has id, name and component: nodes with the same number are connected.
    """
    from regrow.data.graphs import GraphOptions
    from regrow.launch import with_stdin
    from regrow.models.pagerank.specs import components_spec

    options = GraphOptions(format=format, source=source, target=target, header=header, ids=ids, names=names)
    with with_stdin(files) as (given, spooled):
        training.run(components_spec(given, seed=seed, options=options, partitions=partitions, spooled=spooled))
