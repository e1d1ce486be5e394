"""Words of scripts that are written without spaces: Chinese, Japanese, Thai, Lao, Khmer, Myanmar and their neighbours.

Where words end is not in the text. Without a dictionary, the characters and the pairs of neighbours of a run of such characters
serve as words: a pair is most Chinese words, and no part of any word is lost. A character is one code point with the marks after
it (vowels and tones of Thai, the voicing of kana); that is less than a syllable in Khmer and Myanmar, where consonants stack.

    auto            characters and pairs, in the order of the text: c1, c1c2, c2, c2c3, c3 ...
    characters      one character each
    bigrams         pairs; a run of one character is a word
    jieba           Han: the words that the package jieba finds; the other scripts: as auto
    none            a run is one word: for text that says where words end (by spaces, or by U+200B), or is of other scripts anyway

Words of other scripts, and digits of all, are the same under each.
"""

from __future__ import annotations

import functools
import importlib.metadata
import itertools
import re
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.records import Documents
from regrow.data.unicode import HAN, UNSPACED, UNSPACED_BUT_HAN, character_classes
from regrow.data.word_kernels import CHARACTERS, PAIRS
from regrow.errors import UsageError

__all__ = ["SEGMENTS", "by_dictionary", "check_segment", "classes_and_units", "dictionary_version"]

SEGMENTS = ("auto", "characters", "bigrams", "jieba", "none")

_BREAK = "\u200b"
"""Separates words and has no width."""
_HAN = re.compile("[" + "".join(f"{chr(first)}-{chr(end - 1)}" for first, end in HAN) + "]+")


def check_segment(segment: str, token_pattern: str | None) -> None:
    """Raises UsageError for a segment that is none, or that cannot be had here, or that a pattern leaves nothing to do."""
    if segment not in SEGMENTS:
        raise UsageError(f'there is no segment "{segment}"', f"--segment is one of {', '.join(SEGMENTS)}")
    if token_pattern is not None and segment not in ("auto", "none"):
        raise UsageError(f"--segment {segment} has no meaning where --token-pattern says what a word is", "leave one of them out")
    if segment == "jieba":
        dictionary_version()


def classes_and_units(segment: str) -> tuple[npt.NDArray[np.uint8], int]:
    """For `tokenise`: the classes of characters, and what of a run is a word."""
    runs = {"none": (), "jieba": UNSPACED_BUT_HAN}.get(segment, UNSPACED)
    return character_classes(runs), {"characters": CHARACTERS, "bigrams": PAIRS}.get(segment, CHARACTERS | PAIRS)


def dictionary_version() -> str:
    """The version of jieba, which belongs to what a run is: another one may find other words. Raises UsageError if there is none."""
    try:
        return importlib.metadata.version("jieba")
    except importlib.metadata.PackageNotFoundError:
        raise UsageError(
            "--segment jieba needs the package jieba, and it is not installed",
            "pip install 'regrow[jieba]', or leave the option out: characters and pairs need no dictionary",
        ) from None


@functools.cache
def _cutter() -> Any:
    """jieba's own dictionary, read from the package: not from its cache, a file in the temporary directory that anybody can write."""
    dictionary_version()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its age
        import jieba

        jieba.setLogLevel(60)
        cutter = jieba.Tokenizer()
        cutter.FREQ, cutter.total = cutter.gen_pfdict(cutter.get_dict_file())
        cutter.initialized = True
    return cutter


def by_dictionary(found: Documents) -> Documents:
    """The documents with breaks between the words that jieba finds in runs of Han, with its usual settings (unknown words by its model)."""
    cut = _cutter().lcut

    def words(run: re.Match[str]) -> str:
        return _BREAK + _BREAK.join(cut(run[0])) + _BREAK

    data = found.text.tobytes()
    pieces = [
        _HAN.sub(words, data[start:end].decode("utf-8")).encode("utf-8")
        for start, end in zip(found.starts.tolist(), found.ends.tolist(), strict=True)
    ]
    ends = np.fromiter(itertools.accumulate(map(len, pieces)), np.int64, len(pieces))
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]])[: len(ends)]
    return Documents(np.frombuffer(b"".join(pieces), np.uint8), starts, ends, found.per_document, found.quoted)
