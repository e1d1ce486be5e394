"""The parameters of a program: the fields of its dataclass, from texts of the command line or JSON values of a run."""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from regrow.errors import ProgramError, UsageError
from regrow.program import Program
from regrow.traces import guest

__all__ = ["check_parameters", "make"]


def make(kind: type[Program], parameters: Mapping[str, Any]) -> Program:
    """A program with parameters from JSON values or texts of the command line. Raises UsageError, naming the parameter."""
    if not dataclasses.is_dataclass(kind):
        raise ProgramError(f"{kind.__name__} is no dataclass", "put @dataclass(frozen=True) above the class")
    if not getattr(kind, "__dataclass_params__").frozen:  # noqa: B009
        raise ProgramError(f"{kind.__name__} is not frozen: a task could change it", "write @dataclass(frozen=True)")
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}
    with guest(f"the types of {kind.__name__}'s parameters cannot be read"):
        hints = get_type_hints(kind)
    for name in parameters:
        if name not in fields:
            raise UsageError(f'{kind.__name__} has no parameter "{name}"', _known(name, fields, hints))
    values = {name: _converted(name, value, hints[name], fields[name]) for name, value in parameters.items()}
    missing = [name for name, field in fields.items() if name not in values and not _has_default(field)]
    if missing:
        raise UsageError(f"{kind.__name__} needs {', '.join(missing)}", f"give it, e.g. --set {missing[0]}={_example(hints[missing[0]])}")
    with guest(f"{kind.__name__} does not take these parameters"):
        return kind(**values)


def check_parameters(program: Program) -> None:
    """Raise ProgramError for a parameter that a run cannot write down: it must be a JSON value, so that every process has the same."""
    for name, value in program.parameters().items():
        try:
            json.dumps(value)
        except (TypeError, ValueError):
            raise ProgramError(
                f"{type(program).__name__}.{name} is a {type(value).__name__}",
                "parameters are numbers, texts, truth values, and lists of those; what is larger is data",
            ) from None


def _known(name: str, fields: Mapping[str, dataclasses.Field[Any]], hints: Mapping[str, Any]) -> str:
    """What a program has instead of a parameter that it has not."""
    near = difflib.get_close_matches(name, fields, 1, 0.5)
    known = ", ".join(f"{other} ({_name(hints[other])}{_default(field)})" for other, field in fields.items())
    return (f'did you mean "{near[0]}"? ' if near else "") + f"it has: {known or 'none'}"


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def _default(field: dataclasses.Field[Any]) -> str:
    return f", {field.default!r}" if field.default is not dataclasses.MISSING else ""


class _Misfit(Exception):
    """A text that is no value of a type."""


def _converted(name: str, value: Any, hint: Any, field: dataclasses.Field[Any]) -> Any:
    """A JSON value or a text as the type that a field has. Raises UsageError."""
    try:
        return _as(value, hint)
    except _Misfit:
        usual = field.default if field.default is not dataclasses.MISSING else None
        shown = _text(usual) if usual is not None and usual != "" else _example(hint)
        raise UsageError(f'{name}="{value}" is no {_name(hint)}', f"give a value like --set {name}={shown}") from None


def _as(value: Any, hint: Any) -> Any:
    """A text is taken for what the type says; a JSON value is it already, but for tuples (lists in JSON) and whole floats."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _as_one_of(value, inner)
    if origin is Literal:
        for choice in inner:
            if value == choice or (isinstance(value, str) and value == str(choice)):
                return choice
        raise _Misfit
    if (origin or hint) in (tuple, list):
        return _as_sequence(value, origin or hint, inner)
    if isinstance(value, str) and hint in (int, float, bool):
        return _parsed(value, hint)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and hint not in (str, Any):
        try:
            return json.loads(value)
        except ValueError:
            raise _Misfit from None
    return value


def _as_one_of(value: Any, kinds: Sequence[Any]) -> Any:
    if NoneType in kinds and (value is None or value == "none"):
        return None
    for kind in sorted((kind for kind in kinds if kind is not NoneType), key=lambda kind: kind is str):  # any text is a str: that last
        try:
            return _as(value, kind)
        except _Misfit:
            continue
    raise _Misfit


def _as_sequence(value: Any, kind: type, inner: Sequence[Any]) -> Any:
    """ "0.1,0.2" as (0.1, 0.2)."""
    if isinstance(value, str):
        value = [item.strip() for item in value.strip("()[] ").split(",") if item.strip()]
    if not isinstance(value, (list, tuple)):
        raise _Misfit
    if kind is tuple and inner and inner[-1] is not Ellipsis:
        if len(inner) != len(value):
            raise _Misfit
        return tuple(_as(item, hint) for item, hint in zip(value, inner, strict=True))
    return kind(_as(item, inner[0] if inner else Any) for item in value)


def _parsed(text: str, hint: type) -> Any:
    truths = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    try:
        value = truths[text.lower()] if hint is bool else hint(text.replace("_", ""))
    except (ValueError, KeyError):
        raise _Misfit from None
    if isinstance(value, float) and not math.isfinite(value):
        raise _Misfit
    return value


def _name(hint: Any) -> str:
    """A type as its author wrote it."""
    if get_origin(hint) is Literal:
        return " or ".join(map(repr, get_args(hint)))
    return hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint).replace("typing.", "").replace("NoneType", "None")


def _example(hint: Any) -> str:
    """A value of a type, as one would type it."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return _text(inner[0])
    if origin in (Union, UnionType):
        return _example(next(kind for kind in inner if kind is not NoneType))
    if (origin or hint) in (tuple, list):
        return f"{_example(inner[0])},{_example(inner[-1] if inner[-1] is not Ellipsis else inner[0])}" if inner else "1,2"
    return {int: "3", float: "0.5", bool: "yes", str: "text"}.get(hint, "...")


def _text(value: Any) -> str:
    """A value as one would type it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(map(_text, value)) if isinstance(value, (tuple, list)) else str(value)
