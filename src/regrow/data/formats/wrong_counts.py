"""Messages for what is wrong in bags of words: which line, what was expected, what to do."""

from __future__ import annotations

from regrow.data.bag_kernels import COUNT, FRACTION, ORDER, PAIRS
from regrow.data.formats.facts import shown_line
from regrow.errors import DataError
from regrow.program import Fixed

__all__ = ["ADVICE", "broken", "mismatched", "told_of_count"]

ADVICE = {
    FRACTION: "topics are learned from counts: write how often each word occurs, from which tf-idf and other weights are made",
    COUNT: "a count is a whole number from 1: leave out words that do not occur",
    PAIRS: "the file was cut off or edited: fetch or write it again",
    ORDER: "the file has changed while it was read: begin again",
}


def broken(part: Fixed, kind: int, line: int, told: str, advice: str) -> DataError:
    """The error for the line that is `line` newlines after the part's beginning; `advice` where the kind of error has none."""
    return DataError(f"{part['file'][0]}, line {int(part['source'][1]) + line:,}: {told}", ADVICE.get(kind, advice))


def told_of_count(kind: int, piece: bytes, form: str) -> str:
    """What is wrong with a piece of a line, where `form` is expected."""
    shown = shown_line(piece)
    if kind == FRACTION:
        return f"the count in {shown} is not a whole number"
    if kind == COUNT:
        return f"the count in {shown} is not in 1..2,147,483,647"
    return f"{form} is expected, and there is {shown}"


def mismatched(name: str, line: int, things: str, says: int, found: int) -> DataError:
    """The error for a file that holds another number of things than its header says."""
    return DataError(
        f"{name}, line {line:,}: the header says {says:,} {things}, and the file holds {found:,}",
        "the file was cut off or edited: fetch it again, or put the right number there",
    )
