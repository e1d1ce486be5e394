"""Bytes by their addresses, eight at once. Whoever reads so needs eight bytes of anything behind the last one that matters.

Kernels that pass numbers to each other are put together without cost; arrays would be counted at each call. `address_of` is asked once, by
a kernel that has the array as its argument: so it stays where it is.
"""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = [
    "AHEAD", "address_of", "byte_at", "digits_end", "fetch", "find", "first_of_two", "hits_of_two", "how_many", "number_at", "ones_in",
    "put_byte", "put_number", "repeated", "word_at", "word_of", "zeros_below",
]  # fmt: skip

AHEAD = 8
"""How many bytes behind its end a text needs."""
_ONES, _HIGHS, _LOWS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080), np.uint64(0x7F7F7F7F7F7F7F7F)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_DIGITS, _NO_DIGIT = np.uint64(0x3030303030303030), np.uint64(0x7676767676767676)


def _address(typing, array):
    """How `address_of` becomes no instruction at all."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.ptrtoint(data, ir.IntType(64))

    return types.int64(array), generate


def _loading(kind, bits):
    """How a load from an address, aligned or not, becomes one instruction."""

    def load(typing, address):
        def generate(context, builder, signature, arguments):
            found = builder.load(builder.inttoptr(arguments[0], ir.IntType(bits).as_pointer()))
            found.align = 1
            return found

        return kind(types.int64), generate

    return load


def _storing(kind, bits):
    """How a store to an address, aligned or not, becomes one instruction."""

    def store(typing, address, value):
        def generate(context, builder, signature, arguments):
            builder.store(arguments[1], builder.inttoptr(arguments[0], ir.IntType(bits).as_pointer())).align = 1
            return context.get_dummy_value()

        return types.void(types.int64, kind), generate

    return store


def _prefetch(typing, address):
    """How `fetch` becomes one instruction."""

    def generate(context, builder, signature, arguments):
        pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        read, keep, data = (ir.Constant(number, n) for n in (0, 3, 1))
        builder.call(prefetch, [builder.inttoptr(arguments[0], pointer), read, keep, data])
        return context.get_dummy_value()

    return types.void(types.int64), generate


def _count_zeros(typing, word):
    """How `zeros_below` becomes one instruction."""

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), generate


def _count_ones(typing, word):
    """How `ones_in` becomes one instruction."""

    def generate(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


address_of: Any = intrinsic(_address)
"""address_of(array): where its first byte is, int64."""
byte_at: Any = intrinsic(_loading(types.uint8, 8))
"""byte_at(address)."""
word_at: Any = intrinsic(_loading(types.uint64, 64))
"""word_at(address): the eight bytes from there on, uint64, the first byte the lowest."""
number_at: Any = intrinsic(_loading(types.int64, 64))
"""number_at(address): the same as int64."""
put_byte: Any = intrinsic(_storing(types.uint8, 8))
"""put_byte(address, byte)."""
put_number: Any = intrinsic(_storing(types.int64, 64))
"""put_number(address, number): write eight bytes."""
fetch: Any = intrinsic(_prefetch)
"""fetch(address): that line of the cache will be read soon; nobody waits for it."""
ones_in: Any = intrinsic(_count_ones)
"""How many bits of a uint64 are 1."""
zeros_below: Any = intrinsic(_count_zeros)
"""How many zero bits lie below the lowest one of a uint64 that is not 0."""


@njit(inline="always")
def word_of(at, length):
    """The first eight bytes of so many, with zeros behind them."""
    word = word_at(at)
    if length < 8:
        word &= ~(_ALL << np.uint64(8 * length))
    return word


@njit(inline="always")
def repeated(byte):
    """A word of eight times this byte."""
    return _ONES * np.uint64(byte)


@njit(inline="always")
def first_of_two(at, end, a, b):
    """Where the first of two bytes stands from an address on, or `end`. a, b: words of them, `repeated`.

    (x - 1) & ~x & 128 is not 0 in the lowest byte of a word that is 0 (Mycroft 1987); what it says of bytes above that one may be wrong.
    """
    while at < end:
        word = word_at(at)
        x, y = word ^ a, word ^ b
        hit = ((x - _ONES) & ~x | (y - _ONES) & ~y) & _HIGHS
        if hit != np.uint64(0):
            at += np.int64(zeros_below(hit) >> np.uint64(3))
            break
        at += 8
    return min(at, end)


@njit(inline="always")
def hits_of_two(at, a, b):
    """Of eight bytes, the highest bit of each that is one of two. a, b: words of them, `repeated`. Here every byte is right."""
    word = word_at(at)
    x, y = word ^ a, word ^ b
    x, y = ((x & _LOWS) + _LOWS) | x, ((y & _LOWS) + _LOWS) | y
    return ~(x & y) & _HIGHS


@njit(inline="always")
def find(at, end, byte):
    """Where a byte stands first from an address on, or `end`."""
    word = repeated(byte)
    return first_of_two(at, end, word, word)


@njit(inline="always")
def digits_end(at, end):
    """The first byte from an address on that is no digit, or `end`.

    x + 118 has its highest bit from x = 10 on; what it says of bytes above the lowest such one may be wrong.
    """
    while at < end:
        word = word_at(at) ^ _DIGITS
        hit = ((word + _NO_DIGIT) | word) & _HIGHS
        if hit != np.uint64(0):
            at += np.int64(zeros_below(hit) >> np.uint64(3))
            break
        at += 8
    return min(at, end)


@njit(cache=True)
def how_many(text, byte):
    """How often a byte stands in a text."""
    found, at, word, whole = np.int64(0), address_of(text), repeated(byte), text.size // 8 * 8
    for i in range(0, whole, 8):
        found += np.int64(ones_in(hits_of_two(at + i, word, word)))
    for i in range(whole, text.size):
        found += text[i] == byte
    return found
