"""Topics of documents as lines of JSON, written byte by byte: json.dumps of a document takes longer than its topics.

{"doc": 0, "id": "a name", "topics": [[17, 0.613208], [4, 0.250000]], "tokens": 133, "unknown": 2}
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from regrow.models.lda.unseen.inference_tables import steady
from regrow.packed import Strings

__all__ = ["ordered", "topic_lines"]

Array = npt.NDArray[Any]

MILLION = 1_000_000

_DOC = np.frombuffer(b'{"doc": ', np.uint8)
_ID = np.frombuffer(b', "id": "', np.uint8)
_TOPICS = np.frombuffer(b', "topics": [', np.uint8)
_TOKENS = np.frombuffer(b', "tokens": ', np.uint8)
_UNKNOWN = np.frombuffer(b', "unknown": ', np.uint8)
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
_SHORT = np.zeros(128, np.uint8)
"""Bytes that JSON escapes by one letter -> that letter."""
for _byte, _letter in zip(b'"\\\b\f\n\r\t', b'"\\bfnrt', strict=True):
    _SHORT[_byte] = _letter

_FIXED = 160
"""Room for the words of a line and its three numbers."""
_PAIR = 32
"""Room for `[topic, share], `."""


def topic_lines(
    first: int, ids: Strings | None, ptr: Array, topics: Array, shares: Array, tokens: Array, unknown: Array, top: int, least: float
) -> Array:
    """One line for each document: uint8.

    first       the number of the first document
    ids         names; None, or an empty one: no field "id"
    ptr         int64 [D + 1]: document d's topics are [ptr[d], ptr[d + 1]) of topics int32, shares float64
    tokens, unknown     int64 [D]
    top         only so many topics of each document; 0: all
    least       only topics whose share, as printed, is at least this

    A share is printed as millionths, rounded half up; topics by descending printed share, of equal ones the smaller first.
    """
    millionths = _rounded(shares)
    offsets, utf8 = (ids.offsets, ids.utf8) if ids is not None else (np.zeros(len(ptr), np.int64), np.zeros(0, np.uint8))
    room = len(tokens) * _FIXED + len(topics) * _PAIR + 6 * int(offsets[-1])
    lines = np.empty(room, np.uint8)
    names, text, bounds, who, much, known, others = map(steady, (offsets, utf8, ptr, topics, millionths, tokens, unknown))
    return lines[: _write(lines, first, names, text, bounds, who, much, known, others, top, _fewest(least))].copy()


def _fewest(least: float) -> int:
    """The fewest millionths that are at least a share."""
    fewest = int(least * MILLION)
    while fewest > 0 and (fewest - 1) / MILLION >= least:
        fewest -= 1
    while fewest / MILLION < least:
        fewest += 1
    return fewest


@njit(cache=True)
def _rounded(shares):  # type: ignore[no-untyped-def]
    """Millionths, rounded half up."""
    found = np.empty(shares.size, np.int32)
    for i in range(shares.size):
        found[i] = np.int32(shares[i] * MILLION + 0.5)
    return found


@njit(cache=True)
def ordered(ptr, topics, shares):  # type: ignore[no-untyped-def]
    """Sort the topics of each document by descending share, of equal ones the smaller first: in place."""
    for d in range(ptr.size - 1):
        _sort(topics[ptr[d] : ptr[d + 1]], shares[ptr[d] : ptr[d + 1]])


@njit(cache=True)
def _sort(topics, shares):  # type: ignore[no-untyped-def]
    """One document's: by insertion if they are few, else twice by numpy's stable order."""
    if topics.size > 64:
        order = np.argsort(topics, kind="mergesort")
        order = order[np.argsort(-shares[order], kind="mergesort")]
        topics[:], shares[:] = topics[order], shares[order]
        return
    for i in range(1, topics.size):
        k, share, j = topics[i], shares[i], i
        while j > 0 and (shares[j - 1] < share or (shares[j - 1] == share and topics[j - 1] > k)):
            topics[j], shares[j] = topics[j - 1], shares[j - 1]
            j -= 1
        topics[j], shares[j] = k, share


@njit(cache=True)
def _write(lines, first, offsets, utf8, ptr, topics, millionths, tokens, unknown, top, fewest):  # type: ignore[no-untyped-def]
    """Write all lines; returns their length."""
    at = 0
    for d in range(ptr.size - 1):
        at = _text(lines, at, _DOC)
        at = _number(lines, at, first + d)
        if offsets[d + 1] > offsets[d]:
            at = _text(lines, at, _ID)
            at = _escaped(lines, at, utf8[offsets[d] : offsets[d + 1]])
            lines[at] = 0x22
            at += 1
        at = _text(lines, at, _TOPICS)
        own, parts = topics[ptr[d] : ptr[d + 1]].copy(), millionths[ptr[d] : ptr[d + 1]].copy()
        _sort(own, parts)
        shown = min(own.size, top) if top > 0 else own.size
        for i in range(shown):
            if parts[i] < fewest:
                break
            if i > 0:
                lines[at], lines[at + 1] = 0x2C, 0x20
                at += 2
            lines[at] = 0x5B
            at = _number(lines, at + 1, np.int64(own[i]))
            lines[at], lines[at + 1] = 0x2C, 0x20
            at = _share(lines, at + 2, parts[i])
            lines[at] = 0x5D
            at += 1
        lines[at] = 0x5D
        at = _text(lines, at + 1, _TOKENS)
        at = _number(lines, at, tokens[d])
        at = _text(lines, at, _UNKNOWN)
        at = _number(lines, at, unknown[d])
        lines[at], lines[at + 1] = 0x7D, 0x0A
        at += 2
    return at


@njit(cache=True)
def _text(lines, at, text):  # type: ignore[no-untyped-def]
    for i in range(text.size):
        lines[at + i] = text[i]
    return at + text.size


@njit(cache=True)
def _number(lines, at, number):  # type: ignore[no-untyped-def]
    """A number from 0 on, in decimal digits."""
    digits, rest = 1, number // 10
    while rest > 0:
        digits += 1
        rest //= 10
    for i in range(at + digits - 1, at - 1, -1):
        lines[i] = 0x30 + number % 10
        number //= 10
    return at + digits


@njit(cache=True)
def _share(lines, at, millionths):  # type: ignore[no-untyped-def]
    """Millionths as a number with six decimals."""
    lines[at], lines[at + 1] = 0x30 + millionths // MILLION, 0x2E
    rest = millionths % MILLION
    for i in range(at + 7, at + 1, -1):
        lines[i] = 0x30 + rest % 10
        rest //= 10
    return at + 8


@njit(cache=True)
def _escaped(lines, at, text):  # type: ignore[no-untyped-def]
    """The inside of a JSON string; UTF-8 stays as it is."""
    for byte in text:
        if byte < 128 and _SHORT[byte]:
            lines[at], lines[at + 1] = 0x5C, _SHORT[byte]
            at += 2
        elif byte < 0x20:
            lines[at], lines[at + 1], lines[at + 2], lines[at + 3] = 0x5C, 0x75, 0x30, 0x30
            lines[at + 4], lines[at + 5] = _HEX[byte >> 4], _HEX[byte & 15]
            at += 6
        else:
            lines[at] = byte
            at += 1
    return at
