"""A pause: nothing new is begun, what is under way gets its time, what there is is made durable, and the run ends for now.

RULES OF THE FILE
  - Attempts under way have `stop_wait_seconds`; making things durable has `last_cut_seconds`. Both bounds hold whatever happens.
  - Durable means a cut of the newest complete round if everything that it holds is there, else everything that is committed.
  - A run without cuts (`cut_every_seconds` 0) makes nothing durable.
"""

from __future__ import annotations

from collections.abc import Iterator

from regrow.coordinator.actions import Action, Pause, Save, Tell
from regrow.coordinator.keeping import Keeping
from regrow.coordinator.policy import Limits

__all__ = ["Pausing"]


class Pausing:
    """Whether the run is to pause, and how far it is with that."""

    def __init__(self, keeping: Keeping, limits: Limits) -> None:
        self.keeping, self.limits = keeping, limits
        self.since: float | None = None
        """Since when a pause is wanted; None: it is not."""
        self._cause = ""
        self._saving: float | None = None
        self._saved = False

    def ask(self, now: float, cause: str, under_way: int) -> Iterator[Action]:
        """Somebody wants a pause. The first cause counts."""
        if self.since is None:
            self.since, self._cause = now, cause
            yield Tell("stop asked", {"cause": cause, "under_way": under_way})

    def saved(self) -> None:
        """The engine has answered: a cut was made or failed, or everything was saved."""
        self._saved = self._saving is not None

    def advance(self, now: float, under_way: int) -> Iterator[Action]:
        """What is due; a Pause when all is done or its time is over."""
        if self.since is None:
            return
        if self._saving is None:
            if under_way and now - self.since < self.limits.stop_wait_seconds:
                return
            self._saving = now
            yield from self._save()
        if self._saved:
            yield Pause(self._cause)
        elif now - self._saving >= self.limits.last_cut_seconds:
            yield Tell("not durable", {"cause": f"not done within {self.limits.last_cut_seconds:.0f} s"})
            yield Pause(self._cause)

    def _save(self) -> Iterator[Action]:
        cuts = self.keeping.cuts
        if cuts.every_seconds <= 0:
            self._saved = True
        elif cuts.making is None:  # else that one is the last
            yield from list(self.keeping.last_cut()) or [Save()]
