"""regrow: train long-tail models on processes that may be taken away at any moment, and end with the same bytes.

Names are loaded when they are first used, so that `import regrow` and `regrow --help` answer at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from regrow.launch import Run, run
    from regrow.models.lda.estimator import LDA
    from regrow.models.logistic.estimator import LogisticRegression
    from regrow.models.pagerank.estimator import PageRank, connected_components
    from regrow.models.svd.estimator import TruncatedSVD
    from regrow.packed import Strings, hash64, strings
    from regrow.program import Data, Message, Partition, Program, Results, Role, Roles
    from regrow.serving.first import Hedge, first, first_sync

_PLACES = {
    "Hedge": "regrow.serving.first",
    "LDA": "regrow.models.lda.estimator",
    "LogisticRegression": "regrow.models.logistic.estimator",
    "PageRank": "regrow.models.pagerank.estimator",
    "connected_components": "regrow.models.pagerank.estimator",
    "TruncatedSVD": "regrow.models.svd.estimator",
    "Run": "regrow.launch",
    "run": "regrow.launch",
    "Data": "regrow.program",
    "Message": "regrow.program",
    "Partition": "regrow.program",
    "Program": "regrow.program",
    "Results": "regrow.program",
    "Role": "regrow.program",
    "Roles": "regrow.program",
    "Strings": "regrow.packed",
    "first": "regrow.serving.first",
    "first_sync": "regrow.serving.first",
    "hash64": "regrow.packed",
    "strings": "regrow.packed",
}

__all__ = [
    "LDA",
    "Data",
    "Hedge",
    "LogisticRegression",
    "Message",
    "PageRank",
    "Partition",
    "Program",
    "Results",
    "Role",
    "Roles",
    "Run",
    "Strings",
    "TruncatedSVD",
    "connected_components",
    "first",
    "first_sync",
    "hash64",
    "run",
    "strings",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("regrow")
    if name not in _PLACES:
        raise AttributeError(f"module 'regrow' has no attribute '{name}'")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
