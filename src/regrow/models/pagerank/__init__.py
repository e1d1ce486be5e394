"""PageRank and connected components: vertex programs on a graph laid out in ranges (Brin and Page, 1998; Malewicz and others, 2010)."""

from regrow.models.pagerank.components import Components
from regrow.models.pagerank.model import RankModel
from regrow.models.pagerank.program import PageRank

__all__ = ["Components", "PageRank", "RankModel"]
