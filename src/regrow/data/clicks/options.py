"""What a user may say of rows: which columns there are, what becomes of them, and which features are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from regrow.errors import UsageError

__all__ = ["ClickOptions", "check_options", "named_lists", "names_of"]


@dataclass(frozen=True)
class ClickOptions:
    """All of it as JSON values.

    format      csv, tsv, parquet, criteo, libsvm, libffm or vw; None: by the files' names and first lines
    label       tables: the column of the label, or COLUMN=VALUE for a label that is 1 where the column has that value; others: =VALUE
    features    tables: the columns that become features; None: all but those of label, weight and time
    numeric, binned     of these, those whose number counts (as sign(x) log(1 + |x|)), and those whose number falls into bins
    multi       of these, those with several values: COLUMN:SEPARATOR
    cross       features of several columns: NAME:COLUMN,COLUMN,...
    backoff     NAME:COARSER,...: features that rare values of NAME fall back on (see `plan_of`)
    weight, time    tables: their columns; rows are left out whose time is before `since`, or not before `until`
    header      csv, tsv: "no" if there is no line with names: then columns are numbers from 1
    bad_rows    "fail", or "skip" to leave out rows that are broken, and to report them
    min_count   features of fewer rows are left out: none by default
    admit       a feature is let in at each sight with this chance; None: at once
    calibrate   the field whose frequent values get calibrations of their own; "": one for all rows; None: none
    topics, text_field, topics_digest   a topic model, the column of text of which it gives topics, and its digest when it was trained with
    columns     tables: the names of the columns; not asked for, but settled when the files are looked at
    hash_bits   features share 2^hash_bits weights by their hash; 0: each has its own
    """

    format: str | None = None
    label: str | None = None
    features: Sequence[str] | None = None
    numeric: Sequence[str] = ()
    binned: Sequence[str] = ()
    multi: Sequence[str] = ()
    cross: Sequence[str] = ()
    backoff: Sequence[str] = ()
    weight: str | None = None
    time: str | None = None
    since: str | None = None
    until: str | None = None
    header: str | None = None
    bad_rows: str = "fail"
    min_count: int = 1
    admit: float | None = None
    hash_bits: int = 0
    columns: Sequence[str] | None = None
    calibrate: str | None = None
    topics: str | None = None
    text_field: str | None = None
    topics_digest: str = ""


def check_options(options: ClickOptions) -> None:
    """Raises UsageError for what cannot be, whatever the files are."""
    if options.header not in (None, "yes", "no"):
        raise UsageError(f"--header {options.header}", "say yes if the first line names the columns, or no if it is a row")
    if options.bad_rows not in ("fail", "skip"):
        raise UsageError(f"--bad-rows {options.bad_rows}", "fail, or skip to leave them out and report them")
    if options.min_count < 1:
        raise UsageError(f"--min-count {options.min_count}", "the least is 1, which keeps every feature")
    if options.admit is not None and not 0 < options.admit <= 1:
        raise UsageError(f"--admit {options.admit:g}", "a chance is above 0 and at most 1, which lets every feature in at first sight")
    if options.hash_bits and not 8 <= options.hash_bits <= 30:
        raise UsageError(
            f"--hash-bits {options.hash_bits}", "from 8 to 30, e.g. 22; or leave it out: every feature has a weight of its own"
        )
    if (options.since or options.until) and options.time is None:
        raise UsageError("--since and --until need to know where the time is", "name its column: --time COLUMN")


def names_of(text: str | None) -> tuple[str, ...]:
    """Names separated by commas. Raises UsageError for one that is empty."""
    names = tuple(name.strip() for name in text.split(",")) if text is not None else ()
    if not all(names):
        raise UsageError(f'"{text}" has an empty name', "separate names by single commas")
    return names


def named_lists(option: str, given: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """NAME:A,B,... several times, as name -> (A, B, ...). Raises UsageError."""
    found: dict[str, tuple[str, ...]] = {}
    for text in given:
        name, colon, rest = text.partition(":")
        if not colon or not name.strip() or not rest.strip():
            raise UsageError(f"{option} {text}", f"write {option} NAME:COLUMN,COLUMN, e.g. {option} pair:user,item")
        if name.strip() in found:
            raise UsageError(f"{option} names {name.strip()} twice", "say all of it at once")
        found[name.strip()] = names_of(rest)
    return found
