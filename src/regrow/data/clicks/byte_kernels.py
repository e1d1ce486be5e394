"""Eight bytes at once. Whoever reads so needs eight bytes of anything behind the last one that matters."""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

__all__ = ["AHEAD", "find", "first_of_two", "repeated", "word_at", "word_of"]

AHEAD = 8
"""How many bytes behind its end a text needs."""
_ONES, _HIGHS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


def _load(typing, array, place):
    """How `word_at` becomes one load, aligned or not."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        pointer = builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(64).as_pointer())
        word = builder.load(pointer)
        word.align = 1
        return word

    return types.uint64(array, types.int64), generate


def _count_zeros(typing, word):
    """How `_zeros_below` becomes one instruction."""

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), generate


word_at: Any = intrinsic(_load)
"""word_at(text, place): the eight bytes from a place on, uint64, the first byte the lowest."""
_zeros_below: Any = intrinsic(_count_zeros)
"""How many zero bits lie below the lowest one of a uint64 that is not 0."""


@njit(inline="always")
def word_of(text, start, length):
    """The first eight bytes of text[start:start + length], with zeros behind them."""
    word = word_at(text, start)
    if length < 8:
        word &= ~(_ALL << np.uint64(8 * length))
    return word


@njit(inline="always")
def repeated(byte):
    """A word of eight times this byte."""
    return _ONES * np.uint64(byte)


@njit(inline="always")
def first_of_two(text, i, size, a, b):
    """Where the first of two bytes stands in text[i:size], or size. a, b: words of them, `repeated`.

    (x - 1) & ~x & 128 is not 0 in the lowest byte of a word that is 0 (Mycroft 1987); what it says of bytes above that one may be wrong.
    """
    while i < size:
        word = word_at(text, i)
        x, y = word ^ a, word ^ b
        hit = ((x - _ONES) & ~x | (y - _ONES) & ~y) & _HIGHS
        if hit != np.uint64(0):
            i += np.int64(_zeros_below(hit) >> np.uint64(3))
            break
        i += 8
    return min(i, size)


@njit(cache=True)
def find(text, i, size, byte):
    """Where a byte stands first in text[i:size], or size."""
    word = repeated(byte)
    return first_of_two(text, i, size, word, word)
