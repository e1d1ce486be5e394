"""What the comparison under losses rests on: everybody runs the same algorithm, and a contestant that is killed is seen to be."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import regrow

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from faults_algorithm import Lloyd, digest, first_centers, moved, partial
from faults_race import Size, race

pytestmark = pytest.mark.slow


def alone(rounds: int, partitions: int, size: int) -> str:
    """The same in one loop."""
    centers = first_centers()
    for _ in range(rounds):
        centers = moved([partial(index, size, centers) for index in range(partitions)], centers)
    return digest(centers)


def test_the_program_is_the_loop_of_the_peers(tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("nothing\n")
    run = regrow.run(Lloyd(3, 4, 500), tmp_path / "data.txt", engine="inline")
    assert digest(np.asarray(run.model["centers.centers"]).reshape(-1, 8)) == alone(3, 4, 500)


@pytest.mark.processes
@pytest.mark.parametrize("name", ["regrow", "pool"])
def test_a_contestant_is_killed_now_and_then_and_comes_to_the_same_end(name: str) -> None:
    for every in (0.4, 0.1, 0.03):  # the faster the machine, the more often, or it is done before anybody is killed
        outcome = race(name, Size(12, 4, 50_000, 2), every, 300.0)
        if outcome.kills:
            break
    assert outcome.kills
    assert outcome.digest == alone(12, 4, 50_000)
