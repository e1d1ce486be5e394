"""Federated averaging (McMahan and others, 2017): data never leaves its partition; only sums travel.

    regrow run examples/federated.py:Federated north.txt south.txt ...      # each file is a clinic
    python examples/federated.py          # five clinics, of which the smallest has 45 patients

A line holds numbers: 1 or 0, then the features of a patient. Every round each clinic trains a few passes on its own patients, starting from
the common weights, and sends one sum: its weights times its number of patients. `center` adds the sums up in the order of the clinics.
The report says what the long tail gets out of it: how well each clinic does with the common model, and with what it could learn alone.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from regrow import Data, Partition, Program, Role, Roles
from regrow.arithmetic import exp


@dataclass(frozen=True)
class Federated(Program):
    """Logistic regression. Every third patient is kept for the comparison at the end."""

    rounds: int = 20
    passes: int = 2
    rate: float = 0.05

    def roles(self, data: Data) -> Roles:
        """Clinics tell the center sums; the center tells the clinics weights."""
        return Roles(
            self.rounds,
            clinics=Role(data.partitions, data="text", reads={"center": -1}),
            center=Role(1, reads={"clinics": 0}),
            judges=Role(data.partitions, data="text", when="last", states=("center",)),
        )

    def clinics(self, part: Partition) -> None:
        """Train from the common weights. Nothing about a single patient is sent."""
        x, y = patients(part)
        told = list(part.inbox("center"))
        weights = told[0]["weights"].copy() if told else np.zeros(x.shape[1])
        train(x, y, weights, self.passes, self.rate)
        part.send("center", 0, sum=weights * len(y), patients=len(y))

    def center(self, part: Partition) -> None:
        """The mean over all patients, wherever they are."""
        told = list(part.inbox("clinics"))
        total = told[0]["sum"].copy()
        for message in told[1:]:
            total += message["sum"]
        weights = total / sum(int(message["patients"]) for message in told)
        part.broadcast("clinics", weights=weights)
        part.keep(weights=weights)
        part.result(weights=weights)

    def judges(self, part: Partition) -> None:
        """After the end each clinic compares, on patients that nobody has trained on; it sends three numbers."""
        [center] = part.states("center")
        common = np.array(center["weights"])  # a copy: what is read is read-only, and for that numba would compile another kernel, here
        x, y = patients(part)
        alone = np.zeros(x.shape[1])
        train(x, y, alone, self.rounds * self.passes, self.rate)
        unseen, truth = patients(part, held_out=True)
        right = [int(((chances(unseen, weights) > 0.5) == (truth == 1)).sum()) for weights in (common, alone)]
        part.result(patients=len(y), unseen=len(truth), together=right[0], alone=right[1])

    def warm(self) -> None:
        """Compile the kernels before the first worker starts."""
        x = np.ones((1, 1))
        train(x, np.ones(1, np.int64), np.zeros(1), 1, 0.1)
        chances(x, np.zeros(1))

    def report(self, model: Mapping[str, Any]) -> str:
        """A line for each clinic."""
        lines = ["clinic  patients  right together  right alone"]
        for clinic, patients in enumerate(model["judges.patients"].tolist()):
            unseen = model["judges.unseen"][clinic]
            together, alone = (model[f"judges.{name}"][clinic] / unseen for name in ("together", "alone"))
            lines.append(f"{clinic:<8}{patients:<10}{together:<16.1%}{alone:.1%}")
        return "\n".join([*lines, "weights " + " ".join(f"{weight:.1f}" for weight in model["center.weights"])])


def patients(part: Partition, *, held_out: bool = False) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Features with a constant before them, float64 [n, d], and 0 or 1, int64 [n]."""
    table = np.array([line.split() for line in part.fixed.lines()], np.float64)
    table = table[(np.arange(len(table)) % 3 == 0) == held_out]
    return np.column_stack([np.ones(len(table)), table[:, 1:]]), table[:, 0].astype(np.int64)


@njit
def chance_of(row: Any, weights: Any) -> float:
    """1 / (1 + exp(-row . weights)), in a plain loop and by an exp of our own: the same bits on every machine."""
    total = 0.0
    for j in range(len(weights)):
        total += row[j] * weights[j]
    return 1.0 / (1.0 + exp(-total))


@njit
def chances(x: Any, weights: Any) -> Any:
    """The chance of each row."""
    found = np.empty(len(x))
    for i in range(len(x)):
        found[i] = chance_of(x[i], weights)
    return found


@njit
def train(x: Any, y: Any, weights: Any, passes: int, rate: float) -> None:
    """Stochastic gradient descent, row by row in their order. Changes `weights`."""
    for _ in range(passes):
        for i in range(len(y)):
            step = rate * (y[i] - chance_of(x[i], weights))
            for j in range(len(weights)):
                weights[j] += step * x[i, j]


def main() -> None:
    """Clinics of very different sizes, whose patients differ in what they have most of."""
    chance = random.Random(1)
    truth = [chance.gauss(0, 0.6) for _ in range(24)]
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for clinic, size in enumerate((1_200, 600, 240, 90, 45)):
            lines = []
            for _ in range(size):
                x = [chance.gauss(0.5 if feature % 5 == clinic else 0, 1) for feature in range(len(truth))]
                score = sum(weight * value for weight, value in zip(truth, x, strict=True)) + chance.gauss(0, 0.5)
                lines.append(" ".join([str(int(score > 0)), *(f"{value:.3f}" for value in x)]))
            files.append(f"{folder}/clinic-{clinic}.txt")
            Path(files[-1]).write_text("".join(f"{line}\n" for line in lines))
        run_twice(Federated(), files, 0.15)


if __name__ == "__main__":
    from twice import run_twice

    main()
