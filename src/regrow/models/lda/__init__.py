"""Latent Dirichlet allocation (Blei, Ng, Jordan, JMLR 2003), trained by WarpLDA's visits (Chen, Li, Zhu, Chen, VLDB 2016)."""

from regrow.models.lda.model import TopicModel
from regrow.models.lda.program import LDA

__all__ = ["LDA", "TopicModel"]
