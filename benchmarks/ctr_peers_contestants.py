"""Who competes in ctr_peers.py: regrow, Vowpal Wabbit, scikit-learn's SGD. Each has as many settings to choose from as the others."""

from __future__ import annotations

import csv
import gzip
import importlib.metadata
import itertools
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["CONTESTANTS", "Regrow", "Table", "read_table"]


@dataclass
class Table:
    """Rows of the columns that are features, as strings; labels; times."""

    features: list[tuple[str, ...]]
    names: tuple[str, ...]
    label: Any
    time: list[str]

    def __len__(self) -> int:
        return len(self.label)

    def part(self, chosen: Sequence[int]) -> Table:
        """Some of the rows."""
        return Table([self.features[i] for i in chosen], self.names, self.label[list(chosen)], [self.time[i] for i in chosen])


def read_table(path: str, label: str, names: Sequence[str], time: str) -> Table:
    """Read a csv file, plain or gzipped. label: COLUMN or COLUMN=VALUE; time: a column, or "" for none."""
    column, _, value = label.partition("=")
    features, labels, times = [], [], []
    with (gzip.open if path.endswith(".gz") else open)(path, "rt", newline="") as file:
        for row in csv.DictReader(file):
            features.append(tuple(row[name] for name in names))
            labels.append(row[column] == value if value else row[column] == "1")
            times.append(row[time] if time else "")
    return Table(features, tuple(names), np.array(labels, np.uint8), times)


@dataclass
class Trained:
    """Scores (log odds) of test rows, and the seconds that training took, reading included."""

    score: Any
    seconds: float


class Regrow:
    """`regrow ctr train` and a scoring run, both in processes of their own. Columns of ids may have learning rates of their own."""

    def __init__(self, ids: Sequence[str] = (), slow: Sequence[str] = (), more: Sequence[str] = ()) -> None:
        """ids: columns of many values that tell much; slow: those that tell little; more: further options."""
        self.more = list(more)
        self.name = "regrow + back-off" if more else "regrow"
        rates = (0.02, 0.05) if ids else (0.05, 0.1, 0.2, 0.4)
        own = itertools.product((0.1, 0.15), (0.01, 0.03)) if ids else itertools.product((None,), (0.0, 1.0))
        self.settings: Sequence[Mapping[str, Any]] = [
            {"alpha": alpha, "passes": passes, "field": [f"{name}:alpha={a}" for name in ids] + [f"{name}:alpha={b}" for name in slow]}
            if ids
            else {"alpha": alpha, "passes": passes, "l2": b}
            for alpha, passes, (a, b) in itertools.product(rates, (1, 2), list(own))
        ]

    @property
    def version(self) -> str:
        """Of the library."""
        return importlib.metadata.version("regrow")

    def train(self, train: Table, test: Table, setting: Mapping[str, Any], folder: Path) -> Trained:
        """Train on one table and score another."""
        import pyarrow.parquet as pq

        for name, table in (("train", train), ("test", test)):
            with open(folder / f"{name}.csv", "w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(["label", *table.names])
                writer.writerows([int(y), *row] for y, row in zip(table.label, table.features, strict=True))
        regrow = [sys.executable, "-m", "regrow.cli.main", "ctr"]
        options = [f"--{name}={one}" for name, value in setting.items() for one in (value if isinstance(value, list) else [value])]
        began = time.monotonic()
        command = [
            *regrow,
            "train",
            "train.csv",
            "--label",
            "label",
            *options,
            *self.more,
            "--run",
            "run",
            "--overwrite",
            "--verify",
            "off",
        ]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        seconds = time.monotonic() - began
        command = [*regrow, "predict", "run", "test.csv", "--out", "p.parquet"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        p = pq.read_table(folder / "p.parquet")["p"].to_numpy()
        return Trained(np.log(p / (1 - p)), seconds)


class Vw:
    """Vowpal Wabbit's own reader and learner, from a file; a namespace for each column, `-b 24`."""

    name = "vw"
    settings: Sequence[Mapping[str, Any]] = [
        *({"ftrl": True, "ftrl_alpha": alpha, "passes": passes} for alpha, passes in itertools.product((0.005, 0.02, 0.1, 0.5), (1, 2))),
        *({"learning_rate": rate, "passes": passes} for rate, passes in itertools.product((0.02, 0.1, 0.5, 2.0), (1, 2))),
    ]

    @property
    def version(self) -> str:
        """Of the library."""
        return importlib.metadata.version("vowpalwabbit")

    def train(self, train: Table, test: Table, setting: Mapping[str, Any], folder: Path) -> Trained:
        """Train from a file, then predict from a file with the model."""
        import vowpalwabbit

        for name, table in (("train", train), ("test", test)):
            with open(folder / f"{name}.vw", "w") as file:
                file.writelines(self._lines(table))
        options = " ".join(f"--{name}" if value is True else f"--{name} {value}" for name, value in setting.items())
        cache = f"-c -k --cache_file {folder}/vw.cache --holdout_off" if setting["passes"] > 1 else ""
        began = time.monotonic()
        learner = vowpalwabbit.Workspace(
            f"-d {folder}/train.vw --loss_function logistic -b 24 {options} {cache} -f {folder}/vw.model --quiet"
        )
        learner.finish()
        seconds = time.monotonic() - began
        learner = vowpalwabbit.Workspace(f"-d {folder}/test.vw -t -i {folder}/vw.model -r {folder}/vw.raw --quiet")
        learner.finish()
        return Trained(np.array([float(line.split()[0]) for line in open(folder / "vw.raw")]), seconds)

    def _lines(self, table: Table) -> Iterator[str]:
        safe = str.maketrans(" :|\t", "____")
        for y, row in zip(table.label, table.features, strict=True):
            fields = " ".join(f"|{name} {value.translate(safe) or '_'}" for name, value in zip(table.names, row, strict=True))
            yield f"{1 if y else -1} {fields}\n"


class Sklearn:
    """scikit-learn's SGDClassifier on one-hot columns, exact; rows in their order in the first epoch, then shuffled by it."""

    name = "scikit-learn SGD"
    settings: Sequence[Mapping[str, Any]] = [
        *(
            {"learning_rate": "constant", "eta0": rate, "alpha": 1e-7, "epochs": epochs}
            for rate, epochs in itertools.product((0.003, 0.01, 0.03, 0.1), (1, 2))
        ),
        *(
            {"learning_rate": "optimal", "alpha": alpha, "epochs": epochs}
            for alpha, epochs in itertools.product((1e-6, 1e-5, 1e-4, 1e-3), (1, 2))
        ),
    ]

    @property
    def version(self) -> str:
        """Of the library."""
        return importlib.metadata.version("scikit-learn")

    def train(self, train: Table, test: Table, setting: Mapping[str, Any], folder: Path) -> Trained:
        """Fit epoch by epoch."""
        from sklearn.linear_model import SGDClassifier

        places: dict[tuple[str, str], int] = {}
        matrix = self._matrix(train, places, grow=True)
        setting = dict(setting)
        epochs = setting.pop("epochs")
        learner = SGDClassifier(loss="log_loss", random_state=1, shuffle=False, **setting)
        began = time.monotonic()
        for _ in range(epochs):
            learner.partial_fit(matrix, train.label, classes=[0, 1])
        seconds = time.monotonic() - began
        return Trained(learner.decision_function(self._matrix(test, places, grow=False)), seconds)

    def _matrix(self, table: Table, places: dict[tuple[str, str], int], *, grow: bool) -> Any:
        from scipy.sparse import csr_matrix

        indices, ptr = [], [0]
        for row in table.features:
            for key in zip(table.names, row, strict=True):
                if grow:
                    indices.append(places.setdefault(key, len(places)))
                elif key in places:
                    indices.append(places[key])
            ptr.append(len(indices))
        return csr_matrix((np.ones(len(indices)), indices, ptr), shape=(len(table), len(places)))


CONTESTANTS = (Vw(), Sklearn())
