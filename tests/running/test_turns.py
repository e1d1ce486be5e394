"""Data that come in turns: which part a partition reads in which round."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from reference import Reference
from regrow.errors import ProgramError
from regrow.program import Data, Partition, Program, Role, Roles


@dataclass(frozen=True)
class Turning(Program):
    """Says which part it read in each round."""

    def roles(self, data: Data) -> Roles:
        return Roles(8, reader=Role(2, data="text", turn=2))

    def reader(self, part: Partition) -> None:
        part.metric(f"round{part.round}", int(part.fixed["number"]) * 10**part.index)
        part.result(number=part.fixed["number"])


def test_a_partition_reads_the_next_part_after_each_turn_and_begins_again() -> None:
    reference = Reference(Turning(), {"text": [{"number": number} for number in range(6)]})
    reference.run()
    read = [[int(reference.history["reader", round, index].results["number"]) for index in range(2)] for round in range(8)]
    assert read == [[0, 1], [0, 1], [2, 3], [2, 3], [4, 5], [4, 5], [0, 1], [0, 1]]


def test_turns_that_cannot_be_are_refused() -> None:
    with pytest.raises(ProgramError, match="turn=-1"):
        Roles(1, a=Role(1, data="text", turn=-1))
    with pytest.raises(ProgramError, match="turn=2"):
        Roles(1, a=Role(1, turn=2))
