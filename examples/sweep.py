"""A hyper-parameter sweep: many small jobs as the partitions of one role; the worse half of them ends after each round.

    regrow run examples/sweep.py:Sweep table.txt --set rates=0.01,0.1 --set momenta=0,0.9
    python examples/sweep.py              # 24 settings of gradient descent

A line holds numbers: the target, then the features. Every fifth line is kept for validation. Each partition of `jobs` is one setting and
trains a linear model; `judge` compares them, and tells who may go on (successive halving: Jamieson and Talwalkar, 2016). A lost worker
costs the round of the setting that it was at; the sweep as a whole never starts again.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from regrow import Data, Partition, Program, Role, Roles


@dataclass(frozen=True)
class Sweep(Program):
    """Every rate with every momentum; the one that validates best is the model."""

    rates: tuple[float, ...] = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
    momenta: tuple[float, ...] = (0.0, 0.5, 0.9, 0.98)
    steps: int = 10

    @property
    def settings(self) -> list[tuple[float, float]]:
        """Partition i of `jobs` tries setting i."""
        return list(product(self.rates, self.momenta))

    def roles(self, data: Data) -> Roles:
        """The table goes to all jobs once; the judge halves them until one is left."""
        rounds = len(self.settings).bit_length()
        return Roles(
            rounds,
            table=Role(data.partitions, data="text", every=rounds),
            jobs=Role(len(self.settings), reads={"table": 0, "judge": -1}),
            judge=Role(1, reads={"jobs": 0}),
        )

    def table(self, part: Partition) -> None:
        """Text becomes numbers, once for all jobs."""
        part.broadcast("jobs", rows=np.array([line.split() for line in part.fixed.lines()], np.float64))

    def jobs(self, part: Partition) -> None:
        """Some more steps of gradient descent, twice as many as in the round before, unless the judge has ended this one."""
        if any(not message["alive"][part.index] for message in part.inbox("judge")):
            return  # out: no message, and the state stays as it is
        rows = np.concatenate([message["rows"] for message in part.inbox("table")])
        held_out = np.arange(len(rows)) % 5 == 0
        y, x = rows[~held_out, 0], rows[~held_out, 1:]
        rate, momentum = self.settings[part.index]
        weights, speed = (part.state["weights"], part.state["speed"]) if part.state else np.zeros((2, x.shape[1]))
        for _ in range(self.steps << part.round):
            miss = times(x, weights) - y
            speed = momentum * speed - rate * (x * miss[:, None]).sum(axis=0) / len(y)
            weights = np.clip(weights + speed, -1e6, 1e6)  # one that runs away loses, but it must not overflow
        miss = times(rows[held_out, 1:], weights) - rows[held_out, 0]
        part.keep(weights=weights, speed=speed)
        part.send("judge", 0, loss=(miss * miss).sum() / len(miss), weights=weights)

    def judge(self, part: Partition) -> None:
        """The better half goes on; of equals, the first."""
        told = sorted(part.inbox("jobs"), key=lambda message: (float(message["loss"]), message.sender))
        alive = np.zeros(len(self.settings), bool)
        alive[[message.sender for message in told[: max(1, len(told) // 2)]]] = True
        part.broadcast("jobs", alive=alive)
        lasted, loss = (part.state["lasted"].copy(), part.state["loss"].copy()) if part.state else np.zeros((2, len(alive)))
        for message in told:
            lasted[message.sender], loss[message.sender] = part.round + 1, message["loss"]
        part.keep(lasted=lasted, loss=loss)
        part.result(lasted=lasted, loss=loss, best=told[0].sender, weights=told[0]["weights"])

    def report(self, model: Mapping[str, Any]) -> str:
        """The settings, those that lasted longest first."""
        lasted, loss = model["judge.lasted"], model["judge.loss"]
        order = np.lexsort((loss, -lasted)).tolist()
        lines = [f"{self.settings[i][0]:<8g}{self.settings[i][1]:<11g}{int(lasted[i]):<9}{loss[i]:.4g}" for i in order[:10]]
        weights = " ".join(f"{weight:.3f}" for weight in model["judge.weights"])
        return "\n".join(
            ["rate    momentum   rounds   loss", *lines, f"and {len(order) - 10} more" if order[10:] else "", f"weights {weights}"]
        )


def times(x: np.ndarray[Any, Any], weights: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """x times weights, column by column: the last bits of `x @ weights` depend on the machine."""
    total = np.zeros(len(x))
    for column, weight in zip(x.T, weights, strict=True):
        total += column * weight
    return total


def main() -> None:
    """A target of five features, of which the last varies little: where it is small rates are too slow and large ones run away."""
    chance = random.Random(1)
    lines = []
    for _ in range(500):
        x = [chance.gauss(0, scale) for scale in (2, 1, 1, 0.5, 0.1)]
        y = 1 * x[0] - 2 * x[1] + 3 * x[2] - 4 * x[3] + 5 * x[4] + chance.gauss(0, 0.1)
        lines.append(" ".join(f"{value:.5f}" for value in (y, *x)))
    with tempfile.TemporaryDirectory() as folder:
        run_twice(Sweep(), write_parts(folder, lines, 2))


if __name__ == "__main__":
    from twice import run_twice, write_parts

    main()
