"""What the rows and the columns of a factored matrix are called, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["DOCUMENTS", "Nouns", "nouns_of"]


class Nouns(NamedTuple):
    """What the rows and the columns are called, in the plural."""

    rows: str
    columns: str


DOCUMENTS = Nouns("documents", "words")
"""Of text and bags of words, and of models that do not say what they were made of."""


def nouns_of(about: Mapping[str, Any]) -> Nouns:
    """Those of a model of which model.json says this: documents and words, rows and columns, or what a table of ratings calls them."""
    source = about.get("source") or {}
    match source.get("kind"):
        case "numbers":
            return Nouns("rows", "columns")
        case "ratings":
            names = source.get("fields", [])[:2]
            return Nouns(*map(_plural, names)) if len(names) == 2 and not any(name.isdigit() for name in names) else Nouns("users", "items")
        case _:
            return DOCUMENTS


def _plural(name: str) -> str:
    return name if name.endswith(("s", "S")) or not name[-1:].isalpha() else f"{name}s"
