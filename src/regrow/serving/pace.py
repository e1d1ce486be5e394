"""How long answers take: what a request costs by its size, and when one is late. Pure: numbers in, numbers out.

A request of u units is expected to cost a + b u (fitted as answers come in; see `Costs`). Each replica has a window of its newest
durations, divided by what was expected; the 95th percentile of that is its pace, and the median over the replicas is everybody's:
one percentile over all would follow the sick ones (five slow replicas of a hundred are exactly the slowest five per cent).
"""

from __future__ import annotations

from collections import deque
from statistics import median

__all__ = ["Costs", "Paces"]

WINDOW = 64
"""Newest durations of each replica that are kept."""
LATE = 0.95
ENOUGH = 8
"""Durations of a replica from which its pace is told."""
ENOUGH_TOGETHER = 20
"""While too few replicas have that many: durations of all together."""
AT_MOST = 4.0
"""Times their median, then: the sick are among them, and fewer than half."""
KNOWN_COSTS = 32
"""Answers after which the fit is used."""
FORGET = 0.999
"""What an older answer counts for when a newer one comes."""


class Costs:
    """What a request of so many units costs, relative to the mean: a least-squares line through the newest thousand or so answers."""

    def __init__(self) -> None:
        self._n = self._u = self._t = self._uu = self._ut = 0.0

    def learn(self, units: float, seconds: float) -> None:
        """An answer took so long. One that took more than four times what was expected counts as four times: stalls are not its size."""
        if self._n >= KNOWN_COSTS:
            seconds = min(seconds, 4 * self.of(units) * self._t / self._n)
        self._n = FORGET * self._n + 1.0
        self._u = FORGET * self._u + units
        self._t = FORGET * self._t + seconds
        self._uu = FORGET * self._uu + units * units
        self._ut = FORGET * self._ut + units * seconds

    def of(self, units: float) -> float:
        """The cost of a request, 1 for the mean one; at least a half, as small requests wait, too."""
        if self._n < KNOWN_COSTS:
            return 1.0
        mean_u, mean_t = self._u / self._n, self._t / self._n
        spread = self._uu / self._n - mean_u * mean_u
        if spread <= 1e-9 * max(mean_u * mean_u, 1e-300) or mean_t <= 0:
            return 1.0
        slope = max((self._ut / self._n - mean_u * mean_t) / spread, 0.0)
        return max(1.0 + slope * (units - mean_u) / mean_t, 0.5)


class Paces:
    """The newest durations of each replica, and what counts as late."""

    def __init__(self) -> None:
        self._windows: dict[str, deque[float]] = {}
        self._known: dict[str, float] = {}
        self._changed: set[str] = set()
        self._new = self._total = 0
        self._late: float | None = None

    def add(self, replica: str, seconds: float) -> None:
        """A duration divided by its expected cost; of a cancelled attempt: as long as it had taken by then."""
        window = self._windows.get(replica)
        if window is None:
            window = self._windows[replica] = deque(maxlen=WINDOW)
        window.append(seconds)
        self._changed.add(replica)
        self._new += 1
        self._total += 1

    def drop(self, replica: str) -> None:
        """Forget a replica."""
        self._windows.pop(replica, None)
        self._known.pop(replica, None)
        self._changed.discard(replica)

    def late(self) -> float | None:
        """After how many seconds an answer of cost 1 is late; None while nobody knows. Looked at anew every few answers."""
        if self._late is None or self._new >= max(16, len(self._windows)):
            self._new = 0
            self._late = self._measured()
        return self._late

    def _measured(self) -> float | None:
        for replica in self._changed:
            window = self._windows[replica]
            if len(window) >= ENOUGH:
                self._known[replica] = percentile(window)
        self._changed.clear()
        if self._known and 2 * len(self._known) >= len(self._windows):
            return median(self._known.values())
        if self._total >= ENOUGH_TOGETHER:
            together = [seconds for window in self._windows.values() for seconds in window]
            return min(percentile(together), AT_MOST * median(together))
        return None


def percentile(values: deque[float] | list[float]) -> float:
    """The 95th, by nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(100 * LATE) * len(ordered) // 100) - 1)]
