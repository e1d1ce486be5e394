"""The words of bags, which say them by number: a file with one word per line, or a dictionary that gensim saved as text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from regrow.data.formats import bag_format
from regrow.data.inputs import checked
from regrow.data.source import Source, undecodable
from regrow.data.streams import Stream
from regrow.errors import DataError
from regrow.packed import strings

__all__ = ["read_vocabulary"]

_ENTRY = re.compile(r"(\d{1,15})\t(.*)\t(\d+)")


def read_vocabulary(source: Source) -> dict[str, Any]:
    """The layout "words" of a bag: `words` strings, word w is number w (none, if there is no vocabulary), and `missing` int32: numbers
    that the dictionary leaves out. These have names that no other word has: # and the number.

    Raises DataError for fewer words than the files say (where they say it: or for more, unless the format allows it), an empty line,
    a word or a number that is there twice.
    """
    name = source.vocabulary
    if name is None:
        return {"words": strings([]), "missing": np.zeros(0, np.int32)}
    lines = [line.rstrip("\r") for line in _text(name).removesuffix("\n").split("\n")]
    words, missing = _of_dictionary(name, lines) if _is_dictionary(lines) else (_of_lines(name, lines), [])
    size = source.files[0].words if source.files else 0
    if len(words) < size or (size and len(words) > size and bag_format(source.format).exact):
        raise DataError(
            f"{name} has {len(words):,} {'numbers of words' if missing else 'lines'}, and {_said(source)} says {size:,} words",
            "give the vocabulary that belongs to it: line n is the word with number n",
        )
    return {"words": strings(words), "missing": np.array(missing, np.int32)}


def _said(source: Source) -> str:
    return f"the header of {source.files[0].name}"


def _is_dictionary(lines: list[str]) -> bool:
    """Whether lines are `number<TAB>word<TAB>documents`, after one with the number of documents (which old versions leave out)."""
    begin = 1 if lines[0].strip().isdigit() else 0
    return len(lines) > begin and _ENTRY.fullmatch(lines[begin]) is not None


def _of_lines(name: str, lines: list[str]) -> list[str]:
    words = [line.strip() for line in lines]
    first: dict[str, int] = {}
    for line, word in enumerate(words, 1):
        if not word:
            raise DataError(f"{name}, line {line:,}: the line is empty", "line n is the word with number n: every line needs one")
        if first.setdefault(word, line) != line:
            raise DataError(
                f'{name}, line {line:,}: "{word}" is already on line {first[word]:,}', "a word has one number: make it two words, or one"
            )
    return words


def _of_dictionary(name: str, lines: list[str]) -> tuple[list[str], list[int]]:
    """The words by number, and the numbers that have none: a dictionary that was filtered has gaps."""
    numbers: dict[str, int] = {}
    words: dict[int, str] = {}
    for line, entry in enumerate(lines, 1):
        found = _ENTRY.fullmatch(entry)
        if not found:
            if line == 1 or not entry.strip():
                continue
            raise DataError(
                f'{name}, line {line:,}: `number<TAB>word<TAB>documents` is expected, and the line is "{entry[:60]}"',
                "write the dictionary again: dictionary.save_as_text(file)",
            )
        number, word = int(found[1]), found[2]
        if number >= 2**31:
            raise DataError(f"{name}, line {line:,}: the number {number:,} is above 2,147,483,647", "number words without large gaps")
        for twice in (words.get(number), word if word in numbers else None):
            if twice is not None:
                raise DataError(f'{name}, line {line:,}: "{twice}" is there twice, or shares its number', "a word has one number")
        numbers[word], words[number] = number, word
    missing = sorted(set(range(max(words) + 1)) - words.keys())
    for number in missing:
        words[number] = f"#{number}"
        while words[number] in numbers:
            words[number] = "#" + words[number]
    return [words[number] for number in range(len(words))], missing


def _text(name: str) -> str:
    data = b"".join(Stream(checked(name)).blocks())
    if data.startswith(b"\x80"):
        raise DataError(
            f"{name} is a pickle, not a text", f"save the dictionary as text: dictionary.save_as_text({Path(name).stem!r} + '.txt')"
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise undecodable(name, data, error, 1) from error
