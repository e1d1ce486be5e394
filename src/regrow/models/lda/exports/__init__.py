"""Forms in which other programs read a topic model: one table of them, and the one way in which their files come to be."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from regrow.errors import DataError, UsageError
from regrow.models.lda.exports.documents import TokenTopics
from regrow.models.lda.exports.gensim import write_gensim
from regrow.models.lda.exports.mallet import write_mallet
from regrow.models.lda.exports.npz import write_npz
from regrow.models.lda.exports.parquet import write_parquet
from regrow.models.lda.exports.pyldavis import write_pyldavis
from regrow.models.lda.exports.words import write_csv, write_json, write_text
from regrow.models.lda.model import TopicModel

__all__ = ["EXPORTS", "Asked", "export_topics", "needs_tokens"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What an export is made of.

    tokens      the topics of the training text; None: the run does not hold them
    words       of each topic, where the form lists the most frequent
    """

    model: TopicModel
    folder: Path
    tokens: TokenTopics | None = None
    words: int = 10

    @property
    def text(self) -> TokenTopics:
        """The topics of the training text. Raises DataError if they are not there."""
        if self.tokens is None:
            raise DataError(
                "the topics of the documents are not there: a model alone does not hold them",
                "name the folder of the run, as training printed it first; or take a form that needs none: npz, parquet, gensim, json",
            )
        return self.tokens


EXPORTS: dict[str, Callable[[Asked], None]] = {
    "npz": lambda asked: write_npz(asked.model, asked.tokens, asked.folder),
    "parquet": lambda asked: write_parquet(asked.model, asked.tokens, asked.folder),
    "text": lambda asked: write_text(asked.model, asked.folder, asked.words),
    "csv": lambda asked: write_csv(asked.model, asked.folder, asked.words),
    "json": lambda asked: write_json(asked.model, asked.folder, asked.words),
    "gensim": lambda asked: write_gensim(asked.model, asked.folder),
    "mallet": lambda asked: write_mallet(asked.model, asked.text, asked.folder, asked.words),
    "pyldavis": lambda asked: write_pyldavis(asked.model, asked.text, asked.folder),
}
"""Name -> what writes the files of a form into a folder."""

_OF_TOKENS = {"npz": False, "parquet": False, "mallet": True, "pyldavis": True}


def needs_tokens(format: str) -> bool | None:
    """Whether a form tells of documents: True, it cannot do without; False, if they are there; None, it does not."""
    if format not in EXPORTS:
        raise UsageError(f'there is no export "{format}"', f"the formats are {', '.join(EXPORTS)}")
    return _OF_TOKENS.get(format)


def export_topics(model: TopicModel, format: str, out: Path, tokens: TokenTopics | None = None, words: int = 10) -> list[Path]:
    """Write a model to a folder in one of the forms of EXPORTS; returns the files, which were written aside and renamed.

    Raises UsageError for a form that there is not, that does not suit the model's size, or whose library is missing, and for a folder
    that cannot be written; DataError if the form tells of documents and `tokens` are not there.
    """
    needs_tokens(format)
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file", "name another folder: --out DIR")
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out, prefix=".export-") as aside:  # so that no file is ever half-written
            EXPORTS[format](Asked(model, Path(aside), tokens, words))
            names = sorted(os.listdir(aside))
            for name in names:
                os.replace(Path(aside) / name, out / name)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}", "name another folder: --out DIR") from None
    return [out / name for name in names]
