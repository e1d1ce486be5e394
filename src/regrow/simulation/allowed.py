"""Which numbers a scenario may hold: a key has the same bounds in every table."""

from __future__ import annotations

import math
from collections.abc import Mapping

__all__ = ["SIZE_MAX", "why_not"]

ABOVE_ZERO = math.ulp(0.0)
SHARE = (0.0, 1.0)
SPREAD = (0.0, 3.0)
"""Of a logarithm: two thirds are within a factor of 20."""
RATE = (0.0, 3600.0)
"""A loss every second."""
SIZE_MAX = 1_000_000
SECONDS_MAX = 1e9
"""Thirty years."""
OTHERS = (0.0, 1e18)
"""Whatever is not named here: products and sums of such are still numbers."""
BANDWIDTH = (1.0, 1e30)
ALLOWED: Mapping[str, tuple[float, float]] = {
    "rounds": (1, SIZE_MAX),
    "partitions": (1, 10 * SIZE_MAX),
    "seconds": (ABOVE_ZERO, SECONDS_MAX),
    "spread": SPREAD,
    "fan_out": (1, 10 * SIZE_MAX),
    "every": (1, SIZE_MAX),
    "count": (1, SIZE_MAX),
    "workers": (1, SIZE_MAX),
    "zones": (1, SIZE_MAX),
    "speed_spread": SPREAD,
    "replaced": SHARE,
    "network_bandwidth": BANDWIDTH,
    "storage_bandwidth": BANDWIDTH,
    "worker_per_hour": RATE,
    "machine_per_hour": RATE,
    "zone_per_hour": RATE,
    "slow_per_hour": RATE,
    "artifact_per_hour": RATE,
    "coordinator_per_hour": RATE,
    "power_per_hour": RATE,
    "flipped": SHARE,
    "notice": SHARE,
    "frozen": SHARE,
    "slow_factor": (ABOVE_ZERO, 1e6),
    "detect_seconds": (ABOVE_ZERO, SECONDS_MAX),
    "trace_scale": (1, SIZE_MAX),
    "run_ahead_rounds": (1, SIZE_MAX),
    "goodput_min": SHARE,
}


def why_not(name: str, value: float) -> str:
    """What a number of this name must be, if it is not; else ""."""
    least, most = ALLOWED.get(name, OTHERS)
    if least <= value <= most:
        return ""
    if value != value:
        return "it is a finite number; nan is none"
    if (least, most) == SHARE:
        return "a share: 0 to 1"
    if value > most:
        return f"at most {most:,.0f}"
    return {0.0: "not below 0", ABOVE_ZERO: "more than 0"}.get(least, f"at least {least:,.0f}")
