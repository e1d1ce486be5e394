"""An exponential, a logarithm and a log-gamma whose bits are the same on every machine.

`np.exp`, `np.log` and `math.lgamma` differ in their last bits from one C library to another and, with vector units, from one CPU to
another. What is folded into a model or printed as its likelihood must not. These use only + - * / on float64, each
rounded once as IEEE 754 says, and the bits of the exponent.

exp         x = k log 2 + r with |r| <= log(2) / 2, exp x = 2^k exp r; exp r by its series to r^13 / 13!. Error below 1 ulp.
log         x = 2^e m with sqrt(1/2) <= m < sqrt(2), f = m - 1, s = f / (2 + f):
            log m = 2 artanh s = f - f^2/2 + s (f^2/2 + R),  R = 2 (s^2/3 + s^4/5 + ...)
            (the arrangement of Ng and Turkowski in fdlibm, with the plain series for R). Error below 1 ulp.
log_gamma   in [1.5, 2.5]: log Gamma(2 + y) = (1 - gamma) y + sum_{k>=2} (-1)^k (zeta(k) - 1) y^k / k
            (Abramowitz and Stegun 6.1.33); from 8 on: Stirling's series (6.1.40); elsewhere moved there by
            Gamma(x + 1) = x Gamma(x). Relative error below 1e-15, also near the zeros at 1 and 2 (found against 40 digits: 7e-16).
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["exp", "log", "log_gamma"]

_FRACTION = np.uint64(0x000FFFFFFFFFFFFF)
_EXPONENT_OF_ONE = np.uint64(0x3FF0000000000000)
_ABOVE_ROOT_HALF = np.uint64(0x3FF0000000000000 - 0x3FE6A09E667F3BCD)  # from the bits of sqrt(1/2) to those of 1
_SMALLEST_NORMAL = 2.2250738585072014e-308
_TWO_54 = 18014398509481984.0
_LN2_HIGH = 0.6931471804855391  # 33 bits, so that a multiple by an exponent is exact
_LN2_LOW = 7.440617110012397e-11
_INVERSE = (0.0, *(1.0 / i for i in range(1, 14)))
_HALF_LOG_TWO_PI_LESS_HALF = 0.4189385332046728

# (-1)^k (zeta(k) - 1) / k for k = 1 (where the limit is 1 - Euler's gamma) to 28
_AT_TWO = (
    0.42278433509846713, 0.3224670334241132, -0.0673523010531981, 0.020580808427784546, -0.007385551028673986,
    0.0028905103307415234, -0.001192753911703261, 0.0005096695247430425, -0.00022315475845357939, 9.945751278180853e-05,
    -4.492623673813314e-05, 2.050721277567069e-05, -9.439488275268397e-06, 4.374866789907488e-06, -2.039215753801366e-06,
    9.55141213040742e-07, -4.492469198764566e-07, 2.1207184805554665e-07, -1.0043224823968099e-07, 4.7698101693639804e-08,
    -2.2711094608943164e-08, 1.0838659214896955e-08, -5.183475041970047e-09, 2.4836745438024785e-09, -1.1921401405860912e-09,
    5.731367241678862e-10, -2.7595228851242334e-10, 1.330476437424449e-10,
)  # fmt: skip

# B_2k / (2k (2k - 1)) for k = 1 to 9
_STIRLING = (
    1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400, 43867 / 244188,
)  # fmt: skip


@njit(cache=True)
def exp(x: float) -> float:
    """e to the power of x: 0 below -745.2, infinity above 709.8, not a number for one that is none."""
    if x != x:
        return x
    if x > 709.782712893384:
        return np.inf
    if x < -745.2:
        return 0.0
    k = np.floor(x * 1.4426950408889634 + 0.5)
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    series = 1.0
    for i in range(13, 0, -1):
        series = 1.0 + series * r * _INVERSE[i]
    shift = np.int64(k)
    if shift < -1021:  # in two steps: the result is subnormal
        return series * np.uint64((shift + 54 + 1023) << 52).view(np.float64) * (1.0 / _TWO_54)
    if shift > 1023:
        return series * 2.0 * np.uint64((shift - 1 + 1023) << 52).view(np.float64)
    return series * np.uint64((shift + 1023) << 52).view(np.float64)


@njit(cache=True)
def log(x: float) -> float:
    """The natural logarithm of a finite x > 0 (subnormal numbers too); not a number for x < 0, minus infinity for 0."""
    if not x > 0.0:
        return -np.inf if x == 0.0 else np.nan
    if x == np.inf:
        return x
    shift = 0
    if x < _SMALLEST_NORMAL:
        x *= _TWO_54
        shift = 54
    # Adding what lies between sqrt(1/2) and 1 makes the exponent field change at sqrt(1/2) instead of 1.
    bits = np.float64(x).view(np.uint64) + _ABOVE_ROOT_HALF
    exponent = np.int64(bits >> np.uint64(52)) - 1023 - shift
    m = np.uint64((bits & _FRACTION) + (_EXPONENT_OF_ONE - _ABOVE_ROOT_HALF)).view(np.float64)
    f = m - 1.0
    s = f / (2.0 + f)
    q = s * s
    series = 0.0
    for odd in range(23, 1, -2):
        series = q * (series + 2.0 / odd)
    half = 0.5 * f * f
    return exponent * _LN2_HIGH - ((half - (s * (half + series) + exponent * _LN2_LOW)) - f)


@njit(cache=True)
def _log_gamma_at_two(y: float) -> float:
    """log Gamma(2 + y) for |y| <= 1/2."""
    series = 0.0
    for k in range(len(_AT_TWO) - 1, -1, -1):
        series = y * (series + _AT_TWO[k])
    return series


@njit(cache=True)
def log_gamma(x: float) -> float:
    """The logarithm of Gamma(x) for a finite x > 0; not a number elsewhere."""
    if not x > 0.0:
        return np.nan
    if x < 0.5:
        return _log_gamma_at_two(x) - log(x * (1.0 + x))
    if x < 1.5:
        return _log_gamma_at_two(x - 1.0) - log(x)
    if x < 2.5:
        return _log_gamma_at_two(x - 2.0)
    if x < 8.0:
        product = 1.0
        while x >= 2.5:
            x -= 1.0
            product *= x
        return _log_gamma_at_two(x - 2.0) + log(product)
    inverse = 1.0 / x
    square = inverse * inverse
    series = 0.0
    for k in range(len(_STIRLING) - 1, 0, -1):
        series = square * (series + _STIRLING[k])
    series = inverse * (series + _STIRLING[0])
    return (x - 0.5) * (log(x) - 1.0) + (_HALF_LOG_TWO_PI_LESS_HALF + series)
