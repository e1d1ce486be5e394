"""What models answer: one file for each kind of model.

A new kind is a class like `Topics`, and a line in KINDS. What it must keep: an answer is a function of the model and the request alone,
the numbers are those of its command (`lda infer`, `ctr predict`), and between two pieces of work at most some milliseconds pass.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, ClassVar

import msgspec

from regrow.errors import DataError
from regrow.serving.forms import BadRequest
from regrow.serving.limits import Limits

__all__ = ["KINDS", "Answers", "Asked", "kind_of", "listed", "named_kind", "only"]


class Asked(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What a request may say of every model.

    first   the number of its first item; a batch is cut into requests, and goes on counting
    """

    first: int = 0


class Answers(ABC):
    """A model as it answers.

    name        of the endpoint, /v1/<name>
    items       what the list of answers is called
    asked, line, item   the forms of a request, of a line of a batch, of one answer
    example     a request, for the page of the API
    outputs     of the v2 protocol: name, datatype, shape
    """

    name: ClassVar[str]
    items: ClassVar[str]
    asked: ClassVar[type[Asked]]
    line: ClassVar[Any]
    item: ClassVar[type[msgspec.Struct]]
    example: ClassVar[Mapping[str, Any]]
    outputs: ClassVar[Sequence[tuple[str, str, tuple[int, ...]]]]

    # When a model is made ready, once for all replicas

    @staticmethod
    @abstractmethod
    def prepare(files: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """(arrays that are mapped by all replicas, what else they must know as JSON values) of a model (a `ModelFiles`).

        Raises DataError for a model that cannot be served.
        """

    @staticmethod
    @abstractmethod
    def card(files: Any) -> dict[str, Any]:
        """What the model card says of it."""

    @staticmethod
    @abstractmethod
    def golden(files: Any) -> list[dict[str, Any]]:
        """Requests that a replica must answer as the model was answered when it was made ready, before it answers others."""

    # In a replica

    @abstractmethod
    def __init__(self, arrays: Mapping[str, Any], note: Mapping[str, Any]) -> None:
        """From what `prepare` gave, mapped."""

    @abstractmethod
    def work(self, asked: Any, limits: Limits) -> Iterator[list[bytes]]:
        """The answers, piece by piece, each a JSON object. Raises BadRequest before its first piece for what it can see by then."""

    def behind(self, asked: Any, lines: Sequence[bytes]) -> bytes:
        """What the body says behind the list of answers: `, "name": ...`, or nothing."""
        return b""

    # In the router, which holds no model

    @staticmethod
    @abstractmethod
    def together(lines: Sequence[Any], first: int) -> dict[str, Any]:
        """A request of the lines of a batch, the first of which has this number."""

    @staticmethod
    @abstractmethod
    def inputs(card: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Inputs of the v2 protocol that the model of a card takes: name, datatype, shape."""

    @staticmethod
    @abstractmethod
    def of_tensors(inputs: Mapping[str, Sequence[Any]], parameters: Mapping[str, Any]) -> dict[str, Any]:
        """A request of the inputs of the v2 protocol, by name. Raises BadRequest."""

    @staticmethod
    @abstractmethod
    def to_tensors(items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Outputs of the v2 protocol: name, datatype, shape, data."""


KINDS = {
    "regrow.models.lda.program:LDA": "topics:Topics",
    "regrow.models.logistic.program:FTRL": "clicks:Clicks",
    "regrow.models.pagerank.program:PageRank": "ranks:Ranks",
    "regrow.models.svd.program:SVD": "projections:Projections",
}
"""The program that made a model -> module and class in this folder."""


def listed(name: str, datatype: str = "BYTES") -> dict[str, Any]:
    """An input of the v2 protocol that is a list of any length."""
    return {"name": name, "datatype": datatype, "shape": [-1]}


def only(inputs: Mapping[str, Sequence[Any]], name: str, forms: type | tuple[type, ...] = str) -> list[Any]:
    """The values of the one input of the v2 protocol that there may be. Raises BadRequest."""
    if set(inputs) != {name} or not all(isinstance(value, forms) and not isinstance(value, bool) for value in inputs[name]):
        told = ", ".join(f'"{other[:80]}"' for other in inputs) or "none"
        raise BadRequest(f'there must be one input "{name}" of datatype BYTES; the inputs are: {told}'[:500], "see /v2/models/NAME")
    return list(inputs[name])


def kind_of(kind: str, path: Any = "it") -> type[Answers]:
    """The class that answers for models of a program. Raises DataError if there is none."""
    if kind not in KINDS:
        raise DataError(f"{path} holds a model of {kind}, which cannot be served", f"name a run of one of: {', '.join(KINDS)}")
    return _loaded(KINDS[kind])


def named_kind(name: str) -> type[Answers] | None:
    """The class by the name of its endpoint."""
    for place in KINDS.values():
        if (found := _loaded(place)).name == name:
            return found
    return None


def _loaded(place: str) -> type[Answers]:
    module, _, name = place.partition(":")
    found: type[Answers] = getattr(import_module(f"regrow.serving.answers.{module}"), name)
    return found
