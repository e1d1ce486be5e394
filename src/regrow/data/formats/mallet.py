"""Lines `name label text`, as `mallet import-file` reads them: said with --format mallet, as nothing in the lines shows it."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from regrow.data.formats.facts import Documents
from regrow.data.formats.txt import Txt, utf8_of
from regrow.data.record_kernels import RETURN
from regrow.packed import strings
from regrow.program import Fixed

__all__ = ["MALLET"]

_LINE = re.compile(rb"^([^ \t\n\r\f\v]*)[ \t\r\f\v,]*([^ \t\n\r\f\v]*)[ \t\r\f\v,]*([^\n]*)$", re.MULTILINE)
"""Name and label end at white space, and white space and commas after them are skipped, as by Mallet's default expression."""


class Mallet(Txt):
    """Every line that is not blank is a document: the first word is its name, the second its label, which is skipped."""

    name = "mallet"

    def documents(self, part: Fixed, wanted: Sequence[str], id_field: str | None) -> Documents:
        """Find name and text of each line."""
        text = utf8_of(part)
        data = text.tobytes()
        found = [match for match in _LINE.finditer(data) if match[0] and not match[0].isspace()]
        places = np.array([match.span(3) for match in found], np.int64).reshape(-1, 2)
        places[:, 1] -= (places[:, 1] > places[:, 0]) & (text[places[:, 1] - 1] == RETURN)
        ids = None if id_field == "" else strings(match[1].decode("utf-8") for match in found)
        return Documents(text, places[:, 0].copy(), places[:, 1].copy(), 1, ids=ids)


MALLET = Mallet()
