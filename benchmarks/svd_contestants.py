"""Who competes in svd_peers.py: regrow, scikit-learn (randomized, arpack), gensim. All on one core, all on the same counts."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

from regrow.launch import launch
from regrow.models.svd import SVD
from regrow.models.svd.specs import factors_spec, read_factors
from regrow.spec import How

__all__ = ["CONTESTANTS", "Factors", "scaled"]


@dataclass(frozen=True)
class Factors:
    """Singular values, right vectors [words, k], and what they took: seconds on the clock and of the CPU."""

    sigma: Any
    vectors: Any
    seconds: float
    cpu_seconds: float


def scaled(counts: Any, scaling: str) -> tuple[Any, Any]:
    """The matrix that is factored (chi2: with the trivial pair still in it), and the weights of its columns."""
    totals = np.asarray(counts.sum(axis=0)).ravel()
    if scaling == "chi2":
        lengths, weight = np.asarray(counts.sum(axis=1)).ravel(), inverse_roots(totals)
    else:
        documents = np.asarray((counts > 0).sum(axis=0)).ravel()
        weight = np.where(documents > 0, np.log((1 + counts.shape[0]) / (1 + documents)) + 1, 0.0)
        lengths = np.asarray(counts.multiply(weight).power(2).sum(axis=1)).ravel()
    return (scipy.sparse.diags(inverse_roots(lengths)) @ counts @ scipy.sparse.diags(weight)).tocsr(), weight


def inverse_roots(values: Any) -> Any:
    """1 / sqrt, and 0 for 0."""
    return np.divide(1.0, np.sqrt(values), out=np.zeros(len(values)), where=values > 0)


def timed(work: Callable[[], tuple[Any, Any]]) -> Factors:
    """What work gives, and what it took."""
    began, cpu = time.perf_counter(), time.process_time()
    sigma, vectors = work()
    return Factors(sigma, vectors, time.perf_counter() - began, time.process_time() - cpu)


def regrow(counts: Any, scaling: str, rank: int, power: int, folder: Path) -> Factors:
    """`regrow svd train`, inline: reading, artifacts and the measured error are in it; seconds are those of training."""
    scipy.sparse.save_npz(folder / "counts.npz", counts)
    program = SVD(rank, scaling, power)
    program.warm()
    run = launch(factors_spec([str(folder / "counts.npz")], program), How("inline", verify=False, durable_every=0), None)
    model, _ = read_factors(run.path)
    return Factors(model.singular_values, model.vectors, run.summary["train_seconds"], run.summary["cpu_seconds"])


def sklearn(algorithm: str, counts: Any, scaling: str, rank: int, power: int, folder: Path) -> Factors:
    """TruncatedSVD, with its own defaults (n_iter=5, 10 more columns); of chi2 one more pair, of which the first is dropped."""
    from sklearn.decomposition import TruncatedSVD

    matrix, more = scaled(counts, scaling)[0], scaling == "chi2"

    def work() -> tuple[Any, Any]:
        found = TruncatedSVD(rank + more, algorithm=algorithm, random_state=1).fit(matrix)
        return found.singular_values_[more:], found.components_.T[:, more:]

    return timed(work)


def gensim(counts: Any, scaling: str, rank: int, power: int, folder: Path) -> Factors:
    """LsiModel with its defaults, one pass, over the rows as a corpus."""
    from gensim.matutils import Sparse2Corpus
    from gensim.models import LsiModel

    matrix, more = scaled(counts, scaling)[0], scaling == "chi2"
    corpus = Sparse2Corpus(matrix, documents_columns=False)

    def work() -> tuple[Any, Any]:
        found = LsiModel(corpus, num_topics=rank + more, id2word={i: str(i) for i in range(matrix.shape[1])}, random_seed=1)
        return found.projection.s[more:], found.projection.u[:, more:]

    return timed(work)


def version(package: str) -> str:
    """Of an installed package. Raises PackageNotFoundError."""
    return importlib.metadata.version(package)


CONTESTANTS: dict[str, tuple[str, Callable[..., Factors]]] = {
    "sklearn arpack": ("scikit-learn", lambda *given: sklearn("arpack", *given)),
    "sklearn randomized": ("scikit-learn", lambda *given: sklearn("randomized", *given)),
    "gensim LSI": ("gensim", gensim),
    "regrow": ("regrow", regrow),
}
"""Name -> (package, what it does). The first is what the others' singular values are compared with."""
