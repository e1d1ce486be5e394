"""regrow lda infer."""

from __future__ import annotations

__all__ = ["infer"]


def infer() -> None:
    """Topics of new documents."""
