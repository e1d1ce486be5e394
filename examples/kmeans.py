"""k-means (Lloyd, 1982): an all-reduce every round, with state, random numbers by coordinates, and a stop.

    regrow run examples/kmeans.py:KMeans points.csv --set k=5
    python examples/kmeans.py             # three clouds of points

The role `points` sends sums, `centers` adds them up and broadcasts the means: what MPI calls all-reduce is a message there and one back.
A line holds the coordinates of one point, separated by commas; a first line that is no numbers is a header.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow import Data, Partition, Program, Role, Roles
from regrow.errors import DataError, UsageError
from regrow.rng import uniforms

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class KMeans(Program):
    """Find k centers. Stops when no point changes its center, or after `rounds`."""

    k: int = 8
    rounds: int = 100

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UsageError(f"k={self.k}", "at least one center, e.g. --set k=5")

    def roles(self, data: Data) -> Roles:
        """Points tell centers their sums; centers tell points where they are."""
        return Roles(
            self.rounds,
            points=Role(data.partitions, data="text", reads={"centers": -1}),
            centers=Role(1, reads={"points": 0}),
        )

    def points(self, part: Partition) -> None:
        """Give each point to its nearest center (the first of equals), and send sums and numbers by center."""
        points, lines = parse(part)
        told = list(part.inbox("centers"))
        if not told:
            part.send("centers", 0, **candidates(part, points, lines, self.k))
            part.keep(center=np.full(len(points), -1, np.int32))
            return
        centers = told[0]["centers"]
        distances = squared_distances(points, centers)
        center = distances.argmin(axis=1).astype(np.int32)
        changed = int((center != part.state["center"]).sum())
        sums = np.stack([np.bincount(center, column, len(centers)) for column in points.T], axis=1)
        part.send("centers", 0, sums=sums, sizes=np.bincount(center, minlength=len(centers)), changed=changed)
        part.metric("inertia", float(np.add.accumulate(distances[np.arange(len(points)), center])[-1]))
        part.keep(center=center)

    def centers(self, part: Partition) -> None:
        """Move each center to the mean of its points, added up in partition order; an empty one stays where it is."""
        told = list(part.inbox("points"))
        if part.round == 0:
            lots = np.concatenate([message["lots"] for message in told])
            chosen = np.concatenate([message["points"] for message in told])[np.argsort(lots, kind="stable")[: self.k]]
            if len(chosen) < self.k:
                raise DataError(f"{len(chosen)} points for {self.k} centers", "give more points, or a smaller k")
            part.keep(centers=chosen)
            part.broadcast("points", centers=chosen)
            return
        sums, sizes, changed = told[0]["sums"].copy(), told[0]["sizes"].copy(), int(told[0]["changed"])
        for message in told[1:]:
            sums += message["sums"]
            sizes += message["sizes"]
            changed += int(message["changed"])
        centers = np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], part.state["centers"])
        part.keep(centers=centers)
        part.broadcast("points", centers=centers)
        part.result(centers=centers, sizes=sizes)
        part.metric("changed", changed)
        if changed == 0:
            part.stop()

    def report(self, model: Mapping[str, Any]) -> str:
        """Size and coordinates of each center."""
        rows = zip(model["centers.sizes"].tolist(), model["centers.centers"].tolist(), strict=True)
        return "\n".join(f"{size}\t{', '.join(f'{x:.6g}' for x in center)}" for size, center in rows)


def parse(part: Partition) -> tuple[Floats, npt.NDArray[np.int64]]:
    """The points of one part of the text, float64 [n, d], and the numbers of their lines. Raises DataError naming the line."""
    first = int(part.fixed["source"][1])
    rows: list[list[float]] = []
    lines = []
    for number, line in enumerate(part.fixed.lines(), first):
        try:
            row = [float(field) for field in line.split(",")]
        except ValueError:
            if number == 1:
                continue
            raise DataError(
                f"{part.fixed['file'][0]}, line {number:,}: not numbers: {line[:60]!r}", "coordinates separated by commas"
            ) from None
        if rows and len(row) != len(rows[0]):
            raise DataError(
                f"{part.fixed['file'][0]}, line {number:,}: {len(row)} numbers instead of {len(rows[0])}", "one point on each line"
            )
        rows.append(row)
        lines.append(number)
    return np.array(rows, np.float64).reshape(len(rows), -1 if rows else 0), np.array(lines, np.int64)


def candidates(part: Partition, points: Floats, lines: npt.NDArray[np.int64], k: int) -> dict[str, npt.NDArray[Any]]:
    """The k points of this part with the smallest lots. A lot depends on file and line alone, never on how the text is cut."""
    lots = uniforms(part.key("lots"), (int(part.fixed["source"][0]) << 40) + lines)
    smallest = np.argsort(lots, kind="stable")[:k]
    return {"lots": lots[smallest], "points": points[smallest]}


def squared_distances(points: Floats, centers: Floats) -> Floats:
    """[n, k]. Coordinate by coordinate: a matrix product's last bits depend on the machine."""
    total = np.zeros((len(points), len(centers)))
    for axis in range(points.shape[1]):
        total += (points[:, axis, None] - centers[None, :, axis]) ** 2
    return total


def main() -> None:
    """Find three clouds: around (0, 0), (4, 3) and (8, 0), the last much smaller than the others."""
    chance = random.Random(1)
    clouds = [(0, 0)] * 5_000 + [(4, 3)] * 5_000 + [(8, 0)] * 200
    lines = [f"{x + chance.gauss(0, 0.8)},{y + chance.gauss(0, 0.8)}" for x, y in clouds]
    with tempfile.TemporaryDirectory() as folder:
        run_twice(KMeans(k=3), write_parts(folder, lines, 4))


if __name__ == "__main__":
    from twice import run_twice, write_parts

    main()
