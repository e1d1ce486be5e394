"""Edges of graphs -> numbered nodes, and the partitions between which vertex programs send along the edges.

    describe_graph(paths, options) -> GraphSource       look at the files, check them
    GraphNodes          the program "text" -> "nodes", "edges": each part is parsed once, nodes get numbers
    GraphParts          the program "nodes", "edges" -> "parts": nodes in ranges, edges sorted by where they lead

Files become parts of the layout "text" as all others (see `regrow.data.ingest`).
"""

from regrow.data.graphs.nodes import GraphNodes, buckets_for
from regrow.data.graphs.options import GraphOptions
from regrow.data.graphs.parts import PARTITIONS_MAX, GraphParts, default_partitions
from regrow.data.graphs.source import GraphSource, describe_graph

__all__ = [
    "PARTITIONS_MAX",
    "GraphNodes",
    "GraphOptions",
    "GraphParts",
    "GraphSource",
    "buckets_for",
    "default_partitions",
    "describe_graph",
]
