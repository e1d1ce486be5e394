"""A small neural network in PyTorch, data-parallel: every partition computes gradients of its rows, one role adds them up and steps.

    pip install torch                     # a build for CPUs is enough (torch 2.x; tried with 2.13)
    python examples/torch_data_parallel.py
    regrow run examples/torch_data_parallel.py:Network points.txt

This is what DistributedDataParallel does, but a worker may be killed at any moment, and the gradients are added up in the order of the
partitions. torch is used for what it is good at, forward and backward; weights and steps are plain arrays.

The promise holds as far as torch keeps it: with one thread (as here) a function of torch gives the same bits again on the same kind of CPU.
On another kind it may not: let all workers of a run be alike. It is not among the tests that run everywhere: torch is too large.
"""

from __future__ import annotations

import math
import random
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

try:
    import torch
except ImportError:
    raise SystemExit("this example needs PyTorch: pip install torch") from None

from regrow import Data, Partition, Program, Role, Roles
from regrow.rng import uniforms

torch.set_num_threads(1)  # how sums are split over threads changes their last bits
torch.use_deterministic_algorithms(True)


@dataclass(frozen=True)
class Network(Program):
    """Two inputs, two hidden layers, two classes; a line is a class and two numbers. Momentum, with the whole text as the batch."""

    hidden: int = 24
    rounds: int = 300
    rate: float = 0.3
    momentum: float = 0.9

    def roles(self, data: Data) -> Roles:
        """Rows send gradients of this round's weights; the trainer sends the next."""
        return Roles(
            self.rounds,
            rows=Role(data.partitions, data="text", reads={"trainer": -1}),
            trainer=Role(1, reads={"rows": 0}),
        )

    def shapes(self) -> list[tuple[int, ...]]:
        """The shapes of the weights, in the order in which they lie in one flat array."""
        return [(self.hidden, 2), (self.hidden,), (self.hidden, self.hidden), (self.hidden,), (2, self.hidden), (2,)]

    def first_weights(self) -> np.ndarray[Any, Any]:
        """By coordinates: every partition of every role can draw the same, and torch's generator has no part in it."""
        made = []
        for layer, shape in enumerate(self.shapes()):
            size = math.prod(shape)
            drawn = 2 * uniforms(np.uint64(2024), np.arange(size), layer) - 1
            made.append(drawn * math.sqrt(3 / shape[-1]) if len(shape) == 2 else np.zeros(size))
        return np.concatenate(made).astype(np.float32)

    def scores_of(self, flat: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """The scores of both classes for each row."""
        sizes = [math.prod(shape) for shape in self.shapes()]
        w1, b1, w2, b2, w3, b3 = (piece.reshape(shape) for piece, shape in zip(flat.split(sizes), self.shapes(), strict=True))
        return torch.tanh(torch.tanh(x @ w1.T + b1) @ w2.T + b2) @ w3.T + b3

    def rows(self, part: Partition) -> None:
        """Forward and backward on these rows: the gradient of their summed loss goes to the trainer."""
        told = list(part.inbox("trainer"))
        weights = torch.tensor(np.array(told[0]["weights"]) if told else self.first_weights(), requires_grad=True)
        table = torch.tensor(np.array([line.split() for line in part.fixed.lines()], np.float32))
        scores, truth = self.scores_of(weights, table[:, 1:]), table[:, 0].long()
        loss = torch.nn.functional.cross_entropy(scores, truth, reduction="sum")
        loss.backward()
        right = int((scores.argmax(dim=1) == truth).sum())
        part.send("trainer", 0, gradient=weights.grad.numpy(), loss=loss.item(), rows=len(truth), right=right)

    def trainer(self, part: Partition) -> None:
        """Add up, in the order of the partitions, and step."""
        told = list(part.inbox("rows"))
        state = part.state or {"weights": self.first_weights(), "speed": np.float32(0)}
        rows = sum(int(message["rows"]) for message in told)
        gradient = sum(message["gradient"].astype(np.float64) for message in told) / rows
        speed = self.momentum * state["speed"] - self.rate * gradient
        weights = (state["weights"] + speed).astype(np.float32)
        part.keep(weights=weights, speed=speed)
        part.broadcast("rows", weights=weights)
        part.result(weights=weights, right=sum(int(message["right"]) for message in told), rows=rows)
        part.metric("loss", sum(float(message["loss"]) for message in told) / rows)

    def report(self, model: Mapping[str, Any]) -> str:
        """How many points are on the right side."""
        right, rows = int(model["trainer.right"][0]), int(model["trainer.rows"][0])
        return f"{len(model['trainer.weights']):,} weights; {right:,} of {rows:,} points right ({right / rows:.1%})"


def main() -> None:
    """Two spirals, one in the other."""
    chance = random.Random(1)
    lines = []
    for number in range(1_200):
        turn = 3 * math.pi * math.sqrt(chance.random())
        side = number % 2
        x, y = (turn / 9 * f(turn + math.pi * side) + chance.gauss(0, 0.02) for f in (math.cos, math.sin))
        lines.append(f"{side} {x:.4f} {y:.4f}")
    with tempfile.TemporaryDirectory() as folder:
        run_twice(Network(), write_parts(folder, lines, 4))


if __name__ == "__main__":
    from twice import run_twice, write_parts

    main()
