"""The small algorithm of `faults.py`, the same for everybody: k-means by Lloyd's rounds on points that any process can make again.

A round: every partition tells the sums and numbers of its points by center (`partial`); somebody adds them up in the order of the
partitions and moves the centers (`moved`). So whoever does it right ends with the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow import Data, Partition, Program, Role, Roles
from regrow.rng import key_of, uniforms

Array = npt.NDArray[Any]

CENTERS, AXES = 16, 8


@lru_cache(maxsize=64)
def points(index: int, size: int) -> Array:
    """The points of a partition, float64 [size, AXES]: a function of its index alone."""
    key = key_of(1, "points", "x", 0)
    return np.stack([uniforms(key, np.arange(index * size, (index + 1) * size), axis) for axis in range(AXES)], axis=1)


def first_centers() -> Array:
    """Where the centers begin."""
    return points(0, 1000)[:CENTERS].copy()


def partial(index: int, size: int, centers: Array) -> tuple[Array, Array]:
    """Sums [CENTERS, AXES] and numbers [CENTERS] of a partition's points by their nearest center."""
    x = points(index, size)
    distances = np.zeros((len(x), CENTERS))
    for axis in range(AXES):
        distances += (x[:, axis, None] - centers[None, :, axis]) ** 2
    nearest = distances.argmin(axis=1)
    sums = np.stack([np.bincount(nearest, x[:, axis], CENTERS) for axis in range(AXES)], axis=1)
    return sums, np.bincount(nearest, minlength=CENTERS)


def moved(parts: Iterable[tuple[Array, Array]], centers: Array) -> Array:
    """The centers after a round."""
    sums, sizes = np.zeros_like(centers), np.zeros(CENTERS, np.int64)
    for part_sums, part_sizes in parts:
        sums, sizes = sums + part_sums, sizes + part_sizes
    return np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], centers)


def digest(centers: Array) -> str:
    """What came out, in 16 hex digits."""
    return hashlib.sha256(np.ascontiguousarray(centers).tobytes()).hexdigest()[:16]


@dataclass(frozen=True)
class Lloyd(Program):
    """The same as a regrow program."""

    rounds: int = 60
    partitions: int = 8
    size: int = 60_000

    def roles(self, data: Data) -> Roles:
        """Points tell centers, centers tell points."""
        return Roles(self.rounds, parts=Role(self.partitions, reads={"centers": -1}), centers=Role(1, reads={"parts": 0}))

    def parts(self, part: Partition) -> None:
        """One partition's share of a round."""
        told = next(part.inbox("centers"), None)
        sums, sizes = partial(part.index, self.size, first_centers() if told is None else told["centers"])
        part.send("centers", 0, sums=sums, sizes=sizes)

    def centers(self, part: Partition) -> None:
        """Move the centers."""
        before = part.state["centers"] if part.round else first_centers()
        centers = moved(((message["sums"], message["sizes"]) for message in part.inbox("parts")), before)
        part.keep(centers=centers)
        part.broadcast("parts", centers=centers)
        part.result(centers=centers)
