"""Truncated SVD by regrow, scikit-learn and gensim: the same counts, the same rank, one core. Time, error, and what becomes of the tail.

    python benchmarks/svd_peers.py                                  # generated: 200 topics, most of them rare
    python benchmarks/svd_peers.py --data docs.tsv.gz --text-field summary,description      # text, or any input of regrow svd train

Under both scalings, tf-idf (what LSI usually takes) and chi-square: seconds, the largest and the mean relative error of the singular values
(against scikit-learn's arpack), and

    head, middle, tail      generated: how much of the direction of a planted topic lies in the model, |V V^T e|, mean over the 50 most
                            frequent topics, those between, and the 50 rarest
    AUC by band             text: of a word that a held-out document has (found from the document's other words) and another word with
                            about the same training count that it has not, how often the first scores higher. Bands: training count
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}  # one core each

import numpy as np
import scipy.sparse
from svd_contestants import CONTESTANTS, Factors, scaled, version
from svd_planted import Planted, planted

from regrow.evaluation import BANDS, band_of
from regrow.evaluation.tail import aligned

SCALINGS = ("tfidf", "chi2")


def captured(found: Factors, truth: Planted) -> dict[str, float]:
    """How much of the planted topics' directions the vectors hold."""
    held = np.array([np.linalg.norm(found.vectors[words].sum(axis=0)) / np.sqrt(len(words)) for words in truth.topics])
    return {"head": held[:50].mean(), "middle": held[50:-50].mean(), "tail": held[-50:].mean()}


def completed(found: Factors, scaling: str, train: Any, test: Any, seed: int = 1) -> dict[str, float]:
    """AUC by band of held-out words, from the others of their document, against words of about the same count."""
    chance = np.random.default_rng(seed)
    _, weight = scaled(train, scaling)
    counts = np.asarray(train.sum(axis=0)).ravel()
    order = np.argsort(-counts, kind="stable")
    place = np.empty(len(order), int)
    place[order] = np.arange(len(order))
    length = np.linalg.norm(found.vectors, axis=1)
    unit = np.divide(found.vectors, length[:, None], out=np.zeros_like(found.vectors), where=length[:, None] > 0)
    wins: list[list[float]] = [[] for _ in BANDS]
    for d in range(test.shape[0]):
        words, values = (array[test.indptr[d] : test.indptr[d + 1]] for array in (test.indices, test.data))
        known = counts[words] > 0
        words, values = words[known], values[known]
        hidden = chance.random(len(words)) < 0.5
        if hidden.all() or not hidden.any():
            continue
        point = ((values * weight[words])[~hidden, None] * found.vectors[words[~hidden]]).sum(axis=0)
        rivals = order[np.clip(place[words[hidden]] + chance.integers(1, 50, hidden.sum()) * chance.choice([-1, 1], hidden.sum()), 0, None)
                       .clip(max=np.count_nonzero(counts) - 1)]  # fmt: skip
        for word, rival in zip(words[hidden].tolist(), rivals.tolist(), strict=True):
            if rival not in words:
                one, other = float(unit[word] @ point), float(unit[rival] @ point)
                wins[int(band_of(counts[word]))].append(1.0 if one > other else 0.5 if one == other else 0.0)
    return {band: float(np.mean(own)) for band, own in zip(BANDS, wins, strict=True) if len(own) >= 100}


def counts_of(path: str, text_field: str | None, folder: Path) -> Any:
    """The counts of an input as a scipy matrix, as regrow reads it."""
    from regrow.data import TextOptions
    from regrow.launch import launch
    from regrow.models.svd import SVD
    from regrow.models.svd.specs import factors_spec
    from regrow.spec import How
    from regrow.store.dataset import Dataset

    options = TextOptions(text_field=text_field, id_field="")
    run = launch(factors_spec([path], SVD(1, power=1), options=options, blocks=(1, 1)), How("inline", verify=False), folder / "reading")
    data = Dataset.open(run.path / "data")
    rows = data.part("rows", 0)
    starts, index = np.asarray(rows["starts"])[0].astype(np.int64), np.asarray(rows["index"])
    value = np.asarray(rows["value"], np.float64) if len(rows["value"]) else np.ones(len(index))
    return scipy.sparse.csr_matrix((value, index, starts), shape=(len(starts) - 1, int(data.facts["words"])))


def main(arguments: Sequence[str] | None = None) -> None:
    """Factor, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="text, bags of words, a matrix of counts")
    parser.add_argument("--text-field")
    parser.add_argument("--documents", type=int, default=20_000, help="generated documents")
    parser.add_argument("--background", type=int, default=8_000, help="generated: words that all documents may have")
    parser.add_argument("--rank", type=int, default=100)
    parser.add_argument("--power", type=int, default=4, help="of regrow")
    parser.add_argument("--scaling", choices=SCALINGS, help="only this one")
    parser.add_argument("--only", help="names of contestants, with commas between them; errors are against the first")
    parser.add_argument("--json")
    given = parser.parse_args(arguments)
    table: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        truth, test = None, None
        if given.data:
            whole = counts_of(given.data, given.text_field, folder)
            out = np.arange(whole.shape[0]) % 10 == 9
            train, test = whole[~out], whole[out]
        else:
            truth = planted(given.documents, background=given.background)
            train = truth.counts
        print(f"{train.shape[0]:,} documents, {train.shape[1]:,} words, {train.nnz:,} cells; rank {given.rank}", flush=True)
        for scaling in [given.scaling] if given.scaling else SCALINGS:
            true: Any = None
            for name, (package, work) in CONTESTANTS.items():
                if given.only is not None and name not in given.only.split(","):
                    continue
                try:
                    row: dict[str, Any] = {"scaling": scaling, "contestant": name, "version": version(package)}
                except PackageNotFoundError as missing:
                    print(f"{name} is left out: pip install {missing.name}")
                    continue
                found = work(train, scaling, given.rank, given.power, folder)
                true = found.sigma if true is None else true
                error = 1 - found.sigma / true[: len(found.sigma)]
                row |= {"seconds": found.seconds, "cpu_seconds": found.cpu_seconds, "max_error": error.max(), "mean_error": error.mean()}
                row["captured"] = captured(found, truth) if truth is not None else completed(found, scaling, train, test)
                table.append(row)
                print(f"{scaling:6} {name:20} {found.seconds:.1f} s", file=sys.stderr, flush=True)
    names = list(dict.fromkeys(name for row in table for name in row["captured"]))
    lines = [("scaling and contestant", "seconds", "CPU-s", "largest error", "mean error", *names)]
    for row in table:
        held = [f"{row['captured'][name]:.3f}" if name in row["captured"] else "-" for name in names]
        errors = (f"{row['max_error']:.1e}", f"{row['mean_error']:.1e}")
        who = f"{row['scaling']:6} {row['contestant']} {row['version']}"
        lines.append((who, f"{row['seconds']:.1f}", f"{row['cpu_seconds']:.1f}", *errors, *held))
    print(aligned(lines))
    if given.json:
        Path(given.json).write_text(json.dumps(table))


if __name__ == "__main__":
    sys.exit(main())
