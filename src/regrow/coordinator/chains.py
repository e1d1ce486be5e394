"""Where the states of a phase lie: for each partition the rounds whose artifacts together hold it.

RULES OF THE FILE
  - Partitions share chains: most have the same. A phase of 10^5 partitions remembers few chains and one small number for each partition.
  - `kinds` names every chain that some partition has, and perhaps some that none has any more: what is true of all kinds is true of all
    partitions, so that whole phases can be judged at once.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

__all__ = ["Chains"]

UNKNOWN = -1


class Chains:
    """Partition -> chain, for a fixed number of partitions; at first none is known."""

    __slots__ = ("_numbers", "_of", "kinds")

    def __init__(self, size: int) -> None:
        self.kinds: list[tuple[int, ...]] = []
        self._numbers: dict[tuple[int, ...], int] = {}
        self._of = array("i", (UNKNOWN,)) * size

    def __getitem__(self, partition: int) -> tuple[int, ...] | None:
        """The chain of a partition; None if it is unknown."""
        number = self._of[partition]
        return None if number < 0 else self.kinds[number]

    def __setitem__(self, partition: int, chain: tuple[int, ...]) -> None:
        number = self._numbers.get(chain)
        self._of[partition] = self._number(chain) if number is None else number

    def fill(self, chain: tuple[int, ...]) -> None:
        """All partitions have this chain."""
        self._of = array("i", (self._number(chain),)) * len(self._of)

    def _number(self, chain: tuple[int, ...]) -> int:
        if chain not in self._numbers:
            self._numbers[chain] = len(self.kinds)
            self.kinds.append(chain)
        return self._numbers[chain]

    @property
    def complete(self) -> bool:
        """Whether all are known."""
        return UNKNOWN not in self._of

    def known(self) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Partitions whose chain is known, ascending, with it."""
        return ((partition, self.kinds[number]) for partition, number in enumerate(self._of) if number >= 0)

    def beyond(self, round: int) -> bool:
        """Whether a part of some state may lie in another round than this one."""
        return any(at != round for chain in self.kinds for at in chain)

    def reach(self, round: int) -> bool:
        """Whether a part of some state may lie in this round."""
        return any(round in chain for chain in self.kinds)
