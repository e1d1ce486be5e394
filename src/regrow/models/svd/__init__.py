"""Truncated SVD."""

from regrow.models.svd.program import SVD

__all__ = ["SVD"]
