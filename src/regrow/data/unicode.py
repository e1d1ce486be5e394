"""What a character is to the tokeniser: tables over all code points, made from Python's own Unicode data.

The built-in words, in one sentence: **a word is a run of letters, digits and marks, with apostrophes inside**; runs of scripts
that are written without spaces are cut as `regrow.data.segment` says; everything else separates.
"""

from __future__ import annotations

import functools
import sys
import unicodedata

import numpy as np
import numpy.typing as npt

__all__ = ["APOSTROPHE", "HAN", "LETTER", "MARK", "RUN", "SEPARATOR", "UNSPACED", "UNSPACED_BUT_HAN", "character_classes", "lower_cases"]

SEPARATOR, LETTER, MARK, RUN, APOSTROPHE = range(5)

Ranges = tuple[tuple[int, int], ...]
HAN: Ranges = ((0x3005, 0x3008), (0x3021, 0x302A), (0x3400, 0x4DC0), (0x4E00, 0xA000), (0xF900, 0xFB00), (0x20000, 0x40000))
_KANA: Ranges = ((0x3031, 0x303D), (0x3041, 0x3100), (0x31F0, 0x3200), (0xFF66, 0xFFA0), (0x1AFF0, 0x1B170))
_SOUTH_EAST_ASIAN: Ranges = (
    (0x0E00, 0x0F00),  # Thai, Lao
    (0x1000, 0x10A0),  # Myanmar
    (0x1780, 0x1800),  # Khmer
    (0x1950, 0x19E0),  # Tai Le, New Tai Lue
    (0x1A20, 0x1AB0),  # Tai Tham
    (0x1B00, 0x1B80),  # Balinese
    (0xA980, 0xAA00),  # Javanese, Myanmar
    (0xAA60, 0xAAE0),  # Myanmar, Tai Viet
)
UNSPACED_BUT_HAN = _KANA + _SOUTH_EAST_ASIAN
UNSPACED = HAN + UNSPACED_BUT_HAN
"""Code points of scripts that are written without spaces between words; Hangul has spaces, and Tibetan marks syllables."""
_LETTERS_END = 0x40000
"""No letters are beyond plane 3."""
LOWER_END = 0x20000
"""No letter with case is beyond plane 1."""


@functools.cache
def character_classes(runs: Ranges = UNSPACED) -> npt.NDArray[np.uint8]:
    """uint8 [0x110000]: SEPARATOR, LETTER (or digit), MARK (only after a letter), RUN (a letter in `runs`) or APOSTROPHE."""
    kinds = {"L": LETTER, "N": LETTER, "M": MARK}
    category = unicodedata.category
    table = np.zeros(sys.maxunicode + 1, np.uint8)
    table[:_LETTERS_END] = [kinds.get(category(chr(c))[0], SEPARATOR) for c in range(_LETTERS_END)]
    for first, end in runs:
        for code in range(first, end):
            if table[code] == LETTER and category(chr(code)) != "Nd":  # digits make numbers, which are words
                table[code] = RUN
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
