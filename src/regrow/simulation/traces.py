"""Traces of machines that came and went, as those who rented them have published them.

Three forms are read, told apart by their first line:

    milliseconds,add|remove,name        Bamboo (NSDI 2023)
    milliseconds,live                   Parcae (NSDI 2024)
    date, time, live                    Bamboo, Google's cloud: made for plotting, so times go back and forth; the order of lines counts
"""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path

from regrow.errors import DataError

__all__ = ["Step", "read_trace"]

Step = tuple[float, int]
"""Seconds since the beginning, and how many machines came (> 0) or went (< 0)."""


def read_trace(path: Path) -> list[Step]:
    """What happened, in order; at second 0 those come who were there at the beginning. Raises DataError."""
    try:
        lines = [line.strip() for line in path.read_text().splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}", "[faults] trace names a file of machines that came and went") from None
    steps: list[Step] = []
    live, latest = 0, 0.0
    begin: datetime | None = None
    for number, line in enumerate(lines, 1):
        words = [word.strip() for word in line.split(",")]
        try:
            if len(words) == 3 and words[1] in ("add", "remove"):
                seconds, change = float(words[0]) / 1000, 1 if words[1] == "add" else -1
            elif len(words) == 2:
                seconds, change = float(words[0]) / 1000, int(words[1]) - live
            else:
                at = datetime.fromisoformat(f"{words[0]} {words[1]}")
                begin = begin or at
                seconds, change = (at - begin).total_seconds(), int(words[2]) - live
        except (ValueError, IndexError):
            raise DataError(
                f"{path}, line {number}: {line!r}", 'lines are "milliseconds,add|remove,name", "milliseconds,live" or "date, time, live"'
            ) from None
        latest = max(latest, seconds)
        live += change
        if not (math.isfinite(seconds) and (begin or seconds >= 0) and live >= 0):
            expected = "times from 0 on, none of them endless, and no more machines gone than have come"
            raise DataError(f"{path}, line {number}: {line!r}", expected)
        if change:
            steps.append((latest, change))
    if sum(change for seconds, change in steps if seconds == steps[0][0]) <= 0:
        raise DataError(f"{path} is no trace: no machine comes first", "see [faults] trace")
    first = steps[0][0]
    return [(seconds - first, change) for seconds, change in steps]
