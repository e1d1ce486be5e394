"""In which rounds what is done: learning priors, merging topics, measuring the likelihood.

Rounds are counted from the first round of the first run, if one goes on from another. What is done now and then is done half of its
interval past each multiple of it: a run that ends with a multiple has nothing left to do, and one that goes on from it has what it
needs from its own rounds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Calendar", "Schedule"]


@dataclass(frozen=True)
class Schedule:
    """Something done every so many rounds (0: never), from round `first` on, before round `end`."""

    every: int
    first: int
    end: int

    def due(self, round: int) -> bool:
        """Whether it is done in this round."""
        return self.every > 0 and self.first <= round < self.end and round % self.every == self.every // 2

    def step(self, offset: int) -> int:
        """The largest number of which all these rounds are multiples, if they are counted from round `offset` on; 0 if there are none."""
        return math.gcd(self.every, (self.every // 2 - offset) % self.every) if self.every else 0


@dataclass(frozen=True)
class Calendar:
    """What is done when, by the rounds of one run.

    rounds              of this run; first_round: of those before it
    likelihood_every    rounds between two measurements of the likelihood; 0: none
    learning, merging   need what was sent in the round before
    """

    rounds: int
    first_round: int
    likelihood_every: int
    learning: Schedule
    merging: Schedule

    @property
    def step(self) -> int:
        """A role that is there every so many rounds is there when topics are merged and priors learned; 0: never."""
        return math.gcd(self.learning.step(self.first_round), self.merging.step(self.first_round))

    @property
    def measures(self) -> bool:
        """Whether the likelihood is measured before the end."""
        return 0 < self.likelihood_every < self.rounds

    def measured(self, round: int) -> bool:
        """Whether the likelihood of what this round begins with is measured."""
        return self.measures and 0 < round < self.rounds and round % self.likelihood_every == 0

    def learns(self, round: int) -> bool:
        """Whether priors are learned before words and documents are visited in this round."""
        return 0 < round < self.rounds and self.learning.due(self.first_round + round)

    def merges(self, round: int) -> bool:
        """Whether topics are merged between the visits of words and of documents in this round."""
        return 0 < round < self.rounds and self.merging.due(self.first_round + round)
