"""regrow lda evaluate."""

from __future__ import annotations

__all__ = ["evaluate"]


def evaluate() -> None:
    """How well a model predicts documents that it has not seen."""
