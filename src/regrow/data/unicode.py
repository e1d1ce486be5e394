"""What a character is to the tokeniser: tables over all code points, made from Python's own Unicode data.

The built-in words, in one sentence: **a word is a run of letters, digits and marks, with apostrophes inside**; Han
ideographs and Hiragana, which are written without spaces, are words of one character each; everything else separates.
"""

from __future__ import annotations

import functools
import sys
import unicodedata

import numpy as np
import numpy.typing as npt

__all__ = ["ALONE", "APOSTROPHE", "LETTER", "MARK", "SEPARATOR", "character_classes", "lower_cases"]

SEPARATOR, LETTER, MARK, ALONE, APOSTROPHE = range(5)

_ALONE = ((0x3005, 0x3008), (0x3021, 0x302A), (0x3041, 0x30A0), (0x3400, 0x4DC0), (0x4E00, 0xA000), (0xF900, 0xFB00), (0x1B001, 0x1B120),
          (0x20000, 0x40000))  # fmt: skip
_LETTERS_END = 0x40000
"""No letters are beyond plane 3."""
LOWER_END = 0x20000
"""No letter with case is beyond plane 1."""


@functools.cache
def character_classes() -> npt.NDArray[np.uint8]:
    """uint8 [0x110000]: SEPARATOR, LETTER (or digit), MARK (only inside a word), ALONE (a word by itself) or APOSTROPHE."""
    kinds = {"L": LETTER, "N": LETTER, "M": MARK}
    category = unicodedata.category
    table = np.zeros(sys.maxunicode + 1, np.uint8)
    table[:_LETTERS_END] = [kinds.get(category(chr(c))[0], SEPARATOR) for c in range(_LETTERS_END)]
    for first, end in _ALONE:
        table[first:end][table[first:end] == LETTER] = ALONE
    table[[0x27, 0x2019]] = APOSTROPHE
    table.flags.writeable = False
    return table


@functools.cache
def lower_cases(lower: bool) -> npt.NDArray[np.int32]:
    """int32 [0x20000]: the lower case of each code point, or itself; -1 for the one whose lower case is two (U+0130)."""
    table = np.arange(LOWER_END, dtype=np.int32)
    if lower:
        for code in range(LOWER_END):
            small = chr(code).lower()
            table[code] = ord(small) if len(small) == 1 else -1
    table.flags.writeable = False
    return table
