"""The project's own exp, log and log-gamma, against the C library's."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import numpy as np
import pytest
from scipy.special import loggamma

from regrow.arithmetic import exp, log, log_gamma

RANDOM = np.random.default_rng(20)
WIDE = np.concatenate([10.0 ** RANDOM.uniform(-300, 300, 3000), 2.0 ** np.arange(-1074, 1024, 13.0)])
NEAR_ONE = 1 + RANDOM.uniform(-1, 1, 2000) * 10.0 ** -RANDOM.uniform(0.5, 15, 2000)


@pytest.mark.parametrize(
    "values", [WIDE, NEAR_ONE, RANDOM.uniform(1e-3, 50, 3000), np.arange(1, 2000.0)], ids=["wide", "one", "small", "whole"]
)
def test_log_is_within_two_units_in_the_last_place(values: np.ndarray) -> None:
    for x in values:
        expected = math.log(x)
        assert abs(log(x) - expected) <= 2 * math.ulp(expected), x


@pytest.mark.parametrize("values", [RANDOM.uniform(-740, 709, 5000), RANDOM.uniform(-2, 2, 5000)], ids=["wide", "small"])
def test_exp_is_within_two_units_in_the_last_place(values: np.ndarray) -> None:
    for x in values:
        expected = math.exp(x)
        assert abs(exp(x) - expected) <= 2 * math.ulp(expected), x


def test_exp_at_the_edges() -> None:
    assert exp(0.0) == 1.0
    assert exp(-math.inf) == exp(-1e9) == 0.0
    assert exp(math.inf) == exp(710.0) == math.inf
    assert math.isnan(exp(math.nan))
    assert exp(-745.0) == 5e-324
    assert exp(709.7) == pytest.approx(math.exp(709.7), rel=1e-15)


def test_log_at_the_edges() -> None:
    assert log(1.0) == 0.0
    assert log(0.0) == -math.inf
    assert log(math.inf) == math.inf
    assert math.isnan(log(-1.0))
    assert math.isnan(log(math.nan))
    assert log(5e-324) == pytest.approx(math.log(5e-324), rel=1e-15)


@pytest.mark.parametrize(
    "values",
    [10.0 ** RANDOM.uniform(-300, 305, 3000), RANDOM.uniform(1e-4, 20, 5000), NEAR_ONE, 1 + NEAR_ONE, np.arange(1, 3000) + 0.01],
    ids=["wide", "small", "one", "two", "counts"],
)
def test_log_gamma_has_fourteen_digits(values: np.ndarray) -> None:
    for x in values:
        # Near its zeros the C library's has few digits left; scipy's complex one takes Taylor's series there.
        expected = loggamma(complex(x)).real if min(abs(x - 1), abs(x - 2)) < 0.2 else math.lgamma(x)
        assert abs(log_gamma(x) - expected) <= 1e-14 * abs(expected), x


def test_log_gamma_at_its_zeros_and_outside() -> None:
    assert log_gamma(1.0) == 0.0
    assert log_gamma(2.0) == 0.0
    assert log_gamma(3.0) == pytest.approx(math.log(2), rel=1e-15)
    assert math.isnan(log_gamma(0.0))
    assert math.isnan(log_gamma(-1.5))


@pytest.mark.slow
def test_a_plain_processor_gives_the_same_bits() -> None:
    """Compiled for any x86-64 (no vector extensions, no fused multiply-add) and for this one: not a bit differs."""
    code = (
        "import numpy as np; from regrow.arithmetic import exp, log, log_gamma\n"
        "x = 10.0 ** np.random.default_rng(3).uniform(-9, 9, 5000)\n"
        "import zlib; print(zlib.crc32(np.array([(log(v), log_gamma(v)) for v in x]).tobytes()))"
    )
    prints = []
    for extra in ({}, {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}):
        run = subprocess.run([sys.executable, "-c", code], env={**os.environ, **extra}, capture_output=True, text=True, check=True)
        prints.append(run.stdout)
    assert prints[0] == prints[1]
