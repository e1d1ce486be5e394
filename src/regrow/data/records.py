"""A part of a text -> its documents, as pieces of bytes."""

from __future__ import annotations

from collections.abc import Sequence

from regrow.data.formats import text_format
from regrow.data.formats.facts import Documents
from regrow.program import Fixed

__all__ = ["Documents", "documents"]


def documents(part: Fixed, format: str, text_fields: Sequence[str], id_field: str | None = None) -> Documents:
    """The documents of a part of the layout "text" (see `ingest`).

    id_field    where their names are: None, in the field "id" if there is one; "", nowhere: it costs nothing
    Raises DataError, with file and line, for bytes that are not UTF-8, and for a record without the wanted fields.
    """
    return text_format(format).documents(part, text_fields, id_field)
