"""Gradient-boosted trees by sums of histograms (as XGBoost and LightGBM build them across machines), in whole numbers.

    regrow run examples/boosting.py:Boosting table.txt --set trees=50
    python examples/boosting.py           # 4,000 points of a surface that no straight line describes

A line holds numbers: the target, then the features. Each round is one level of one tree: `rows` add up, for each node, feature and bin,
what is still missed; `grower` adds those sums up and cuts each node where it pays most. What is missed is held in steps of 1/65,536.
Sums of whole numbers are exact in any order: so the model is the same not only whoever is lost, but also however the rows are cut.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow import Data, Partition, Program, Role, Roles, run

ONE = 1 << 16
"""1.0 in whole numbers."""


@dataclass(frozen=True)
class Boosting(Program):
    """Least squares by trees of so many levels, each of which adds `rate_percent` of what it would."""

    trees: int = 20
    levels: int = 3
    bins: int = 32
    rate_percent: int = 30

    def roles(self, data: Data) -> Roles:
        """Round 0 finds the range of each feature; then every round is a level of a tree."""
        return Roles(
            1 + self.trees * self.levels,
            rows=Role(data.partitions, data="text", reads={"grower": -1}),
            grower=Role(1, reads={"rows": 0}),
        )

    def rows(self, part: Partition) -> None:
        """Follow the cuts of the last level, and add up what is missed, by node, feature and bin."""
        if part.round == 0:
            table = np.array([line.split() for line in part.fixed.lines()], np.float64)
            target = np.rint(table[:, 0] * ONE).astype(np.int64)
            part.keep(x=table[:, 1:], target=target)
            part.send("grower", 0, low=table[:, 1:].min(axis=0), high=table[:, 1:].max(axis=0), sum=target.sum(), rows=len(table))
            return
        [told] = part.inbox("grower")
        if part.round == 1:
            low, high = told["low"], told["high"]
            bins = np.clip((part.state["x"] - low) * (self.bins / np.where(high > low, high - low, 1)), 0, self.bins - 1).astype(np.uint8)
            missed = part.state["target"] - told["mean"]
            node = np.zeros(len(bins), np.int64)
        else:
            bins, missed, node = (part.state[name] for name in ("bins", "missed", "node"))
            node = 2 * node + (bins[np.arange(len(node)), told["feature"][node]] > told["bin"][node])
            if "value" in told:  # that was the last level of a tree
                missed, node = missed - told["value"][node], np.zeros_like(node)
        part.keep(bins=bins, missed=missed, node=node)
        sums = np.zeros((2 ** ((part.round - 1) % self.levels), bins.shape[1], self.bins), np.int64)
        numbers = np.zeros_like(sums)
        for feature in range(bins.shape[1]):
            np.add.at(sums[:, feature], (node, bins[:, feature]), missed)
            np.add.at(numbers[:, feature], (node, bins[:, feature]), 1)
        part.send("grower", 0, sums=sums, numbers=numbers, error=(missed * missed).sum())

    def grower(self, part: Partition) -> None:
        """Add up the histograms; cut each node where the squared error falls most; after the last level give the leaves their values."""
        told = list(part.inbox("rows"))
        if part.round == 0:
            low, high = np.min([message["low"] for message in told], axis=0), np.max([message["high"] for message in told], axis=0)
            mean = sum(int(message["sum"]) for message in told) // sum(int(message["rows"]) for message in told)
            part.broadcast("rows", low=low, high=high, mean=mean)
            nodes, leaves = (self.trees, 2**self.levels - 1), (self.trees, 2**self.levels)
            none = np.zeros(0, np.int64)
            part.keep(low=low, high=high, mean=mean, feature=np.zeros(nodes, np.int64), bin=np.zeros(nodes, np.int64),
                      value=np.zeros(leaves, np.int64), errors=none)  # fmt: skip
            return
        tree, level = divmod(part.round - 1, self.levels)
        state = {name: np.array(array) for name, array in part.state.items()}
        sums, numbers = sum(message["sums"] for message in told), sum(message["numbers"] for message in told)
        feature, bin, sides = best_cuts(sums, numbers)
        first = 2**level - 1
        state["feature"][tree, first : first + len(feature)], state["bin"][tree, first : first + len(bin)] = feature, bin
        if level == 0:
            state["errors"] = np.append(state["errors"], sum(int(message["error"]) for message in told))
        message = {"feature": feature, "bin": bin}
        if level == self.levels - 1:
            value = [missed * self.rate_percent // (100 * number) if number else 0 for missed, number in sides]
            state["value"][tree] = message["value"] = np.array(value, np.int64)
        part.broadcast("rows", **message)
        part.keep(**state)
        part.result(**state, rows=numbers[:, 0].sum())

    def report(self, model: Mapping[str, Any]) -> str:
        """How the error falls, and where the first trees cut first."""
        rows = int(model["grower.rows"][0])
        errors = [(error / rows) ** 0.5 / ONE for error in model["grower.errors"].tolist()]
        lines = [f"after {tree:3} trees: off by {errors[tree]:.4f}" for tree in range(0, len(errors), max(1, len(errors) // 6))]
        width = (model["grower.high"] - model["grower.low"]) / self.bins
        for tree in range(min(3, self.trees)):
            feature, bin = int(model["grower.feature"][tree, 0]), int(model["grower.bin"][tree, 0])
            lines.append(
                f"tree {tree + 1} asks first: feature {feature} above {model['grower.low'][feature] + (bin + 1) * width[feature]:.3f}?"
            )
        return "\n".join(lines)


def best_cuts(
    sums: npt.NDArray[np.int64], numbers: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], list[tuple[int, int]]]:
    """For each node of [nodes, features, bins]: the feature and the last bin of the left side, and the (sum, number) of both sides.

    A cut is worth sum^2 / number of its two sides, added up. Of equal ones the first is taken; a node that no cut would part goes left.
    """
    left, left_n = sums.cumsum(axis=2), numbers.cumsum(axis=2)
    right, right_n = left[:, :, -1:] - left, left_n[:, :, -1:] - left_n
    worth = left * (left / np.maximum(left_n, 1)) + right * (right / np.maximum(right_n, 1))
    best = worth.reshape(len(worth), -1).argmax(axis=1)
    feature, bin = np.divmod(best, sums.shape[2])
    sides = []
    for node, (f, b) in enumerate(zip(feature.tolist(), bin.tolist(), strict=True)):
        sides += [(int(s[node, f, b]), int(n[node, f, b])) for s, n in ((left, left_n), (right, right_n))]
    return feature, bin, sides


def main() -> None:
    """A ridge, a step and some noise. The model is made of three parts and of five: it is the same."""
    chance = random.Random(1)
    lines = []
    for _ in range(4_000):
        x, y, z = (chance.random() for _ in range(3))
        target = 2 * abs(x - 0.5) + (1.5 if y > 0.7 else 0) * x + 0.2 * z + chance.gauss(0, 0.05)
        lines.append(f"{target:.5f} {x:.5f} {y:.5f} {z:.5f}")
    with tempfile.TemporaryDirectory() as folder:
        three = run_twice(Boosting(), write_parts(folder, lines, 3))
    with tempfile.TemporaryDirectory() as folder:
        five = run(Boosting(), write_parts(folder, lines, 5), engine="inline", verify=False)
    print("and the same from five parts instead of three" if five.digest == three.digest else "BUT ANOTHER FROM FIVE PARTS")


if __name__ == "__main__":
    from twice import run_twice, write_parts

    main()
