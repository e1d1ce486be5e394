"""What is like some words: the numbers of `regrow svd query`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from regrow.errors import DataError
from regrow.serving.answers import Answers, Asked, listed, only
from regrow.serving.forms import BadRequest
from regrow.serving.limits import Limits

__all__ = ["Projections"]

WORDS_MOST = 1000


class ProjectionsAsked(Asked, kw_only=True):
    """Lists of words (or names of columns); count: how many words and documents that are most like each list."""

    queries: list[list[str]]
    count: Annotated[int, Meta(ge=1, le=1000)] = 10


class ProjectionsItem(msgspec.Struct, omit_defaults=True):
    """Words with their cosine, documents with theirs; which of the words the model knows. error: it knows none of them."""

    words: list[tuple[str, float]] = []
    documents: list[dict[str, Any]] = []
    known: list[str] = []
    unknown: list[str] = []
    error: str = ""


class Projections(Answers):
    """A model of factors."""

    name = "projections"
    items = "queries"
    asked = ProjectionsAsked
    line = list[str]
    item = ProjectionsItem
    example: ClassVar[Mapping[str, Any]] = {"queries": [["socket", "connection"]], "count": 5}
    outputs = (("words", "BYTES", (-1,)), ("cosines", "FP64", (-1,)))

    @staticmethod
    def prepare(files: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The arrays of the model, and its words as a hash table."""
        import numpy as np

        from regrow.models.svd.model import FactorModel
        from regrow.models.svd.querying import word_table

        model = FactorModel(files.arrays, files.parameters)
        if not (np.isfinite(model.vectors).all() and np.isfinite(model.singular_values).all()):
            raise DataError("the factors are no numbers", "train it again")
        table = {f"table_{number}": array for number, array in enumerate(word_table(model.vocabulary))}
        return {**files.arrays, **table}, {"text": files.about.get("text", {}), "parameters": dict(files.parameters), "table": len(table)}

    @staticmethod
    def card(files: Any) -> dict[str, Any]:
        """Sizes, errors, and the explained energy by band."""
        from regrow.models.svd.model import FactorModel

        return FactorModel(files.arrays, files.parameters).to_json()

    @staticmethod
    def golden(files: Any) -> list[dict[str, Any]]:
        """Frequent words, rare ones, unknown ones."""
        words, size = files.arrays["vocabulary.word"], len(files.arrays["vocabulary.word"])
        return [
            {"queries": [[words[0]], words[: min(size, 5)], words[max(0, size - 5) :], ["qzxj unknown"], [words[0], "qzxj"]], "count": 5}
        ]

    def __init__(self, arrays: Mapping[str, Any], note: Mapping[str, Any]) -> None:
        from regrow.models.svd.model import FactorModel

        self.model = FactorModel(arrays, note["parameters"])
        self.table = [arrays[f"table_{number}"] for number in range(note["table"])]
        self.text = note["text"]

    def work(self, asked: ProjectionsAsked, limits: Limits) -> Iterator[list[bytes]]:
        """Each query is a piece: it is compared with all words and documents."""
        if len(asked.queries) > limits.items:
            raise BadRequest(
                f"{len(asked.queries):,} queries, and {limits.items:,} at once is the most", "send fewer, or use /v1/batch", 413
            )
        for number, words in enumerate(asked.queries):
            if len(words) > WORDS_MOST:
                raise BadRequest(f"query {number} has {len(words):,} words, and {WORDS_MOST:,} is the most", "send fewer", 413)
        for words in asked.queries:
            yield [self._line(words, asked.count)]

    def _line(self, words: Sequence[str], count: int) -> bytes:
        from regrow.models.svd.querying import queried

        try:
            return msgspec.json.encode(queried(self.model, self.text, words, count, self.table).to_json())
        except DataError as error:
            return msgspec.json.encode(ProjectionsItem(unknown=list(words), error=error.message))

    @staticmethod
    def together(lines: Sequence[Any], first: int) -> dict[str, Any]:
        """Queries."""
        return {"queries": list(lines)}

    @staticmethod
    def inputs(card: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Words."""
        return [listed("words")]

    @staticmethod
    def of_tensors(inputs: Mapping[str, Sequence[Any]], parameters: Mapping[str, Any]) -> dict[str, Any]:
        """BYTES in an input called "words": one query of all of them."""
        return {"queries": [only(inputs, "words")], **parameters}

    @staticmethod
    def to_tensors(items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Words and cosines of the first query."""
        words = items[0].get("words", []) if items else []
        return [
            {"name": "words", "datatype": "BYTES", "shape": [len(words)], "data": [word for word, _ in words]},
            {"name": "cosines", "datatype": "FP64", "shape": [len(words)], "data": [cosine for _, cosine in words]},
        ]
