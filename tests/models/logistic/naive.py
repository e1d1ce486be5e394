"""The slow twin of FTRL: one example, one feature at a time, as the formulas say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from regrow.arithmetic import exp, log

Row = tuple[int, Sequence[tuple[str, float]], float]
"""Label, features with values (the bias left out), weight."""
BIAS = "(bias)"


@dataclass
class Ftrl:
    """The state of one model: z and n by feature, stored as float32, as the program stores them."""

    alpha: float = 0.1
    beta: float = 1.0
    l1: float = 0.0
    l2: float = 0.0
    state: dict[str, tuple[float, float]] = field(default_factory=dict)

    def weight(self, feature: str) -> float:
        z, n = self.state.get(feature, (0.0, 0.0))
        l1, l2 = (0.0, 0.0) if feature == BIAS else (self.l1, self.l2)
        if abs(z) <= l1:
            return 0.0
        return float(np.float32(-(z - math.copysign(l1, z)) / ((self.beta + math.sqrt(n)) / self.alpha + l2)))

    def score(self, features: Sequence[tuple[str, float]]) -> float:
        total = self.weight(BIAS)
        for feature, x in features:
            total += self.weight(feature) * float(np.float32(x))
        return total

    def gradients(self, rows: Sequence[Row]) -> tuple[dict[str, float], float]:
        found: dict[str, float] = {}
        loss = 0.0
        for label, features, weight in rows:
            s = self.score(features)
            e = exp(-abs(s))
            p = 1.0 / (1.0 + e) if s >= 0 else e / (1.0 + e)
            loss += weight * (max(s, 0.0) + log(1.0 + e) - label * s)
            for feature, x in [(BIAS, 1.0), *features]:
                found[feature] = found.get(feature, 0.0) + weight * (p - label) * float(np.float32(x))
        return found, loss

    def round(self, rows: Sequence[Row], partitions: int) -> float:
        """Learn from a round's rows, in stretches; returns their loss before."""
        size = len(rows)
        parts = [self.gradients(rows[size * e // partitions : size * (e + 1) // partitions]) for e in range(partitions)]
        for feature in {name for gradients, _ in parts for name in gradients}:
            z, n = self.state.get(feature, (0.0, 0.0))
            w, root = self.weight(feature), math.sqrt(n)
            for gradients, _ in parts:
                if feature in gradients:
                    g = float(np.float32(gradients[feature]))
                    n += g * g
                    z += g - (math.sqrt(n) - root) / self.alpha * w
                    root = math.sqrt(n)
            self.state[feature] = float(np.float32(z)), float(np.float32(n))
        return sum(loss for _, loss in parts)

    def train(self, rows: Sequence[Row], partitions: int, passes: int = 1, seen: int = 0) -> list[float]:
        """All rounds; returns the mean loss of each."""
        losses = []
        for _ in range(passes):
            at = 0
            while at < len(rows):
                size = max(256, min(32_768, (seen + at) // 50))
                losses.append(self.round(rows[at : at + size], partitions) / len(rows[at : at + size]))
                at += size
        return losses
