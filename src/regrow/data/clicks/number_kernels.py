"""Decimal numbers in bytes. The same bits everywhere: one multiplication or division by an exact power of ten, where that is enough."""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

from regrow.data.clicks.byte_kernels import address_of, byte_at

__all__ = ["MOST", "decimal", "number_in"]

MOST = float(np.finfo(np.float32).max)
"""The largest number that is kept as a float32, as values and weights are."""
_TENS = np.array([10.0**power for power in range(23)])


@njit(cache=True)
def _decimal(i, end):
    """The number between two addresses, such as 3, -0.25, +.5, 1e-3: (number, True), or (0, False) if that is no finite number.

    Of up to 15 digits with a power of ten up to 22 it is the nearest float64; of others, within a few units in the last place.
    """
    negative = i < end and byte_at(i) == 45
    i += i < end and (byte_at(i) == 45 or byte_at(i) == 43)
    digits, mantissa, power, point = 0, np.int64(0), 0, False
    while i < end and (48 <= byte_at(i) <= 57 or (byte_at(i) == 46 and not point)):
        if byte_at(i) == 46:
            point = True
        else:
            digits += 1
            if mantissa < 10**17:
                mantissa = 10 * mantissa + np.int64(byte_at(i)) - 48
                power -= point
            else:
                power += not point
        i += 1
    if not digits:
        return 0.0, False
    if i < end and (byte_at(i) == 69 or byte_at(i) == 101):
        i += 1
        sign = -1 if i < end and byte_at(i) == 45 else 1
        i += i < end and (byte_at(i) == 45 or byte_at(i) == 43)
        exponent, digits = np.int64(0), 0
        while i < end and 48 <= byte_at(i) <= 57:
            exponent = min(10 * exponent + np.int64(byte_at(i)) - 48, np.int64(100000))
            digits += 1
            i += 1
        if not digits:
            return 0.0, False
        power += sign * int(exponent)
    if i < end:
        return 0.0, False
    value = np.float64(mantissa)
    while power > 0 and value < np.inf and value > 0.0:
        step = min(power, 22)
        value *= _TENS[step]
        power -= step
    while power < 0 and value > 0.0:
        step = min(-power, 22)
        value /= _TENS[step]
        power += step
    if value == np.inf:
        return 0.0, False
    return (-value if negative else value), True


@njit(cache=True)
def decimal(text, start, end):
    """The number written in text[start:end], as `number_in`."""
    return _decimal(address_of(text) + start, address_of(text) + end)


@njit(inline="always")
def number_in(at, end):
    """The number written from one address to another: (number, True), or (0, False) if that is no finite number.

    Digits alone, which most numbers are, are read here.
    """
    mantissa, i = np.int64(0), at
    while i < end and i - at < 15 and 48 <= byte_at(i) <= 57:
        mantissa = 10 * mantissa + np.int64(byte_at(i)) - 48
        i += 1
    if i == end and i > at:
        return np.float64(mantissa), True
    return _decimal(at, end)
