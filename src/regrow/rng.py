"""Random numbers by coordinates: a pure function of (seed, role, stream, round) and the global id of an item.

Nothing here remembers anything. The same coordinates give the same bits on every machine, in any order, in any
process, so a task that is redone draws what it drew before.

A key is 64 bits of BLAKE2b over its four coordinates. `bits` is the finaliser of SplitMix64 (Steele, Lea, Flood,
"Fast splittable pseudorandom number generators", OOPSLA 2014; constants of Stafford's variant 13), applied to
key + item * golden ratio, so the items of one key are the outputs of one SplitMix64 sequence.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numba import njit, uint64

__all__ = ["GENERATOR", "bits", "key_of", "uniform", "uniforms", "warm"]

GENERATOR = "splitmix64-1"
"""Name and version of the generator: part of a run's identity."""

_ITEM_STEP = np.uint64(0x9E3779B97F4A7C15)
_DRAW_STEP = np.uint64(0xD1342543DE82EF95)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_TO_UNIT = 1.0 / 9007199254740992.0  # 2^-53


def key_of(seed: int, role: str, stream: str, round: int) -> np.uint64:
    """The 64-bit key of one stream of one role in one round."""
    text = f"{seed}\x1f{role}\x1f{stream}\x1f{round}".encode()
    return np.uint64(int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little"))


@njit(inline="always")
def bits(key, item, draw=0):  # type: ignore[no-untyped-def]
    """64 random bits of an item (an unsigned or non-negative integer); `draw` numbers further draws of the same item."""
    x = uint64(key) + uint64(item) * _ITEM_STEP + uint64(draw) * _DRAW_STEP
    x = (x ^ (x >> uint64(30))) * _MIX_1
    x = (x ^ (x >> uint64(27))) * _MIX_2
    return x ^ (x >> uint64(31))


@njit(inline="always")
def uniform(key, item, draw=0):  # type: ignore[no-untyped-def]
    """A float64 in [0, 1) with 53 random bits."""
    return float(bits(key, item, draw) >> uint64(11)) * _TO_UNIT


@njit(cache=True)
def uniforms(key, items, draw=0):  # type: ignore[no-untyped-def]
    """`uniform` of each of an array of items, for programs without kernels of their own: float64 of the same length."""
    found = np.empty(len(items))
    for i in range(len(items)):
        found[i] = uniform(key, items[i], draw)
    return found


def warm() -> None:
    """Compile what plain Python calls, before the first worker starts: a worker that lives shortly must not compile."""
    uniforms(np.uint64(1), np.zeros(1, np.int64))
    uniforms(np.uint64(1), np.zeros(1, np.int64), 1)
