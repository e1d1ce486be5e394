"""What becomes of the columns of a table: options and names of columns -> the items that make features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.clicks.feature_set import with_ahead
from regrow.data.clicks.options import ClickOptions, named_lists
from regrow.data.clicks.set_kernels import SEED, hashes_of
from regrow.data.clicks.table_kernels import BINNED, CATEGORY, CROSS, MULTI, NUMERIC
from regrow.data.formats.facts import shown_names
from regrow.data.readonly import read_only
from regrow.errors import DataError, UsageError
from regrow.packed import strings

__all__ = ["Item", "Plan", "plan_of", "seeds_of", "split_label"]


@dataclass(frozen=True)
class Item:
    """One source of features. what: CATEGORY, MULTI, NUMERIC, BINNED or CROSS; parts: its columns; between: the byte that parts values."""

    name: str
    what: int
    parts: tuple[int, ...]
    between: int = 0


@dataclass(frozen=True)
class Plan:
    """Items, the columns of label, weight and time (-1: none), and the label that means 1 ("": 1, true, yes and the like)."""

    columns: tuple[str, ...]
    items: tuple[Item, ...]
    label: int = -1
    positive: str = ""
    weight: int = -1
    time: int = -1
    since: str = ""
    until: str = ""

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return {**vars(self), "columns": list(self.columns), "items": [[i.name, i.what, list(i.parts), i.between] for i in self.items]}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Plan:
        """The plan that `to_json` made."""
        items = tuple(Item(name, what, tuple(parts), between) for name, what, parts, between in value["items"])
        return Plan(**{**value, "columns": tuple(value["columns"]), "items": items})


def seeds_of(names: Sequence[str]) -> npt.NDArray[np.uint64]:
    """The hash of each field's name, of which the hashes of its features begin: uint64."""
    packed = strings(names)
    seeds: npt.NDArray[np.uint64] = hashes_of(
        read_only(packed.offsets), read_only(with_ahead(packed.utf8)), np.full(len(names), SEED, np.uint64)
    )
    return seeds


def split_label(label: str | None) -> tuple[str, str]:
    """COLUMN=VALUE -> (column, value); without "=", the value is ""."""
    column, _, value = (label or "").partition("=")
    return column, value


def plan_of(
    name: str, columns: Sequence[str], options: ClickOptions, *, needs_label: bool, header: bool = False
) -> tuple[Plan, ClickOptions]:
    """What becomes of the columns, and the options with all that was left open settled: the features by name.

    name: of the file, for errors; header: whether its first line names the columns.
    A back-off NAME:A,B adds the features A and B, and NAME itself: its column, or, if there is none, the cross of A and B.
    Raises DataError for a column that the file has not, UsageError for options that do not fit each other.
    """
    place = {column: i for i, column in enumerate(columns)}
    if len(place) < len(columns):
        twice = next(column for i, column in enumerate(columns) if place[column] != i)
        raise DataError(f'{name}, line 1: two columns are called "{twice}"', "rename one; or say --header no if the first line is a row")
    where = f"{name}, line 1" if header else name
    label, positive = split_label(options.label)
    if needs_label and not label:
        raise UsageError(
            f"which column of {name} is the label? (columns: {shown_names(columns)})",
            "name it with --label COLUMN, or --label COLUMN=VALUE for a label that is 1 where the column has that value",
        )
    special = {"--label": label if needs_label or label in place else "", "--weight": options.weight, "--time": options.time}
    if not needs_label and options.weight not in place:
        special["--weight"] = None
    for option, column in special.items():
        if column and column not in place:
            advice = _advice(options, f"name another one with {option}")
            raise DataError(f'{where}: no column "{column}" (columns: {shown_names(columns)})', advice)
    wanted, crosses = _wanted(
        where, columns, options, {label, options.weight, options.time, options.text_field if options.topics else None}
    )
    items = [_item(where, feature, place, options, crosses) for feature in wanted]
    at = {option: place[column] if column else -1 for option, column in special.items()}
    plan = Plan(
        tuple(columns), tuple(items), at["--label"], positive, at["--weight"], at["--time"], options.since or "", options.until or ""
    )
    return plan, replace(options, features=list(wanted), columns=list(columns))


def _wanted(
    where: str, columns: Sequence[str], options: ClickOptions, special: set[str | None]
) -> tuple[list[str], Mapping[str, tuple[str, ...]]]:
    """The features in their order, and of how many columns crosses are made."""
    crosses, levels = dict(named_lists("--cross", options.cross)), named_lists("--backoff", options.backoff)
    if taken := next((cross for cross in crosses if cross in columns), None):
        raise UsageError(f"--cross {taken}:{','.join(crosses[taken])}: {taken} is a column already", "choose another name")
    multi = [text.partition(":")[0] for text in options.multi]
    wanted = [column for column in columns if column not in special] if options.features is None else list(options.features)
    wanted += [feature for feature in [*options.numeric, *options.binned, *multi, *crosses] if feature not in wanted]
    for fine, coarser in levels.items():
        if fine not in columns and fine not in crosses:
            if len(coarser) < 2:
                raise DataError(f'{where}: no column "{fine}" (columns: {shown_names(columns)})', "name another one with --backoff")
            crosses[fine] = tuple(level for level in coarser if level in columns)
        wanted += [feature for feature in (fine, *coarser) if feature not in wanted]
    if len(set(wanted)) < len(wanted):
        twice = next(feature for feature in wanted if wanted.count(feature) > 1)
        raise UsageError(f"--features names {twice} twice", "once is enough")
    if not wanted:
        raise UsageError(f"{where} has no column left for features", "name some with --features")
    if label := next((feature for feature in wanted if feature in special and feature == split_label(options.label)[0]), None):
        raise UsageError(f"--features names the label, {label}", "leave it out: it would tell the answer")
    return wanted, crosses


def _item(where: str, feature: str, place: Mapping[str, int], options: ClickOptions, crosses: Mapping[str, tuple[str, ...]]) -> Item:
    parts = crosses.get(feature, (feature,))
    for column in parts:
        if column not in place:
            advice = _advice(options, "name others with --features")
            raise DataError(f'{where}: no column "{column}" (columns: {shown_names(list(place))})', advice)
    at = tuple(place[column] for column in parts)
    if feature in crosses:
        return Item(feature, CROSS, at)
    for text in options.multi:
        column, _, between = text.partition(":")
        if column == feature:
            if len(between.encode()) > 1:
                raise UsageError(f"--multi {text}", "name one character that parts the values, e.g. --multi tags:;")
            return Item(feature, MULTI, at, ord(between or "|"))
    return Item(feature, NUMERIC if feature in options.numeric else BINNED if feature in options.binned else CATEGORY, at)


def _advice(options: ClickOptions, first: str) -> str:
    """What to do about a column that a file has not: of a model's own columns, give them."""
    if options.columns is None:
        return first
    return f"the model was trained on tables with the columns {shown_names(options.columns)}: give one with these"
