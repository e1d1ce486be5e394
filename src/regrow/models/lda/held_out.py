"""How well a model serves documents that it has not seen, as one number, in this process."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from regrow.data.known import KnownDocuments
from regrow.models.lda.unseen.completion import Completion, completed
from regrow.models.lda.unseen.completion_kernels import NAT

__all__ = ["HeldOut"]


class HeldOut:
    """The sum of the losses of documents under a model (see `completion`); `add` them, then ask for the `mean`."""

    def __init__(self, arrays: Mapping[str, Any]) -> None:
        self._tables = Completion().tables_of(arrays)
        self._tokens = self._loss = 0

    def add(self, known: KnownDocuments) -> None:
        """Score these documents."""
        units, losses = completed(self._tables, known)
        self._tokens += int(units.sum(dtype=np.int64))
        self._loss += sum(losses[0].sum(axis=1).tolist())

    def mean(self) -> float:
        """The mean log probability of the scored tokens, in nats. Not a number, with a warning, if there are none."""
        if not self._tokens:
            warnings.warn("there is nothing to score: half of a document's words tell its topics, and the others are scored", stacklevel=3)
            return math.nan
        return -self._loss / (self._tokens * NAT)
