"""A table of counts, documents by words, as people hand it over: numpy, pandas, lists of lists, scipy.sparse."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.models.habits import WrongData, WrongKind

__all__ = ["Counts", "check_columns", "column_names", "counts_of"]

Array = npt.NDArray[Any]

COUNT_MAX = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class Counts:
    """The cells that are not 0 by rows: row d has columns[ptr[d]:ptr[d + 1]], ascending, with as many counts (int64, or float64 if they
    may be any numbers).

    names   of the columns, if they have any
    """

    ptr: Array
    columns: Array
    counts: Array
    shape: tuple[int, int]
    names: tuple[str, ...] | None = None


def counts_of(table: Any, learner: str, *, whole: bool = True) -> Counts:
    """The counts in a table of two dimensions; not `whole`: numbers of any kind. `learner` is named in the messages.

    Raises WrongData for what is no table of whole numbers from 0 to 2^31 - 1 (or of finite numbers), WrongKind for what is no table of
    numbers at all.
    """
    names = column_names(table)
    ptr, columns, values, shape = _sparse(table) if hasattr(table, "tocsr") else _dense(table)
    for size, what in zip(shape, ("sample", "feature"), strict=True):
        if not size:
            raise WrongData(f"Found array with 0 {what}(s) (shape={shape}) while a minimum of 1 is required.", "give at least one")
    if whole:
        _check_values(values, learner)
    else:
        _check_finite(values, "leave it out, or fill it in")
    kept, kind = values != 0, np.int64 if whole else np.float64
    ptr = np.concatenate([[0], np.cumsum(kept)])[ptr]
    return Counts(ptr.astype(np.int64), columns[kept].astype(np.int64), values[kept].astype(kind), shape, names)


def _sparse(table: Any) -> tuple[Array, Array, Array, tuple[int, int]]:
    if len(table.shape) != 2:
        raise _no_table(len(table.shape))
    csr = table.tocsr()
    if not csr.has_canonical_format:
        csr = csr.copy()
        csr.sum_duplicates()
    return csr.indptr, csr.indices, _numbers(csr.data), (int(csr.shape[0]), int(csr.shape[1]))


def _dense(table: Any) -> tuple[Array, Array, Array, tuple[int, int]]:
    dense = np.asarray(table)
    if dense.ndim != 2:
        raise _no_table(dense.ndim)
    dense = np.ascontiguousarray(_numbers(dense))
    rows, columns = np.nonzero(dense)
    ptr = np.searchsorted(rows, np.arange(len(dense) + 1))
    return ptr, columns, dense[rows, columns], (dense.shape[0], dense.shape[1])


def _no_table(dimensions: int) -> WrongData:
    return WrongData(
        f"Expected 2D array, got {'scalar' if not dimensions else f'{dimensions}D'} array instead",
        "Reshape your data: a row for each document and a column for each word; or give files, strings, or lists of words",
    )


def _numbers(array: Array) -> Array:
    """The array as integers or float64. Raises WrongKind."""
    if array.dtype.kind == "c":
        raise WrongData("Complex data not supported", "counts are whole numbers from 0 on")
    if array.dtype.kind in "biu":
        return array
    try:
        return array.astype(np.float64)
    except TypeError as error:
        raise WrongKind(f"the table holds what is no number: {error}", "counts are whole numbers from 0 on") from None
    except ValueError as error:
        raise WrongData(f"the table holds what is no number: {error}", "counts are whole numbers from 0 on") from None


def _check_values(values: Array, learner: str) -> None:
    advice = "counts are whole numbers from 0 on: how often each word is in each document, as CountVectorizer gives them"
    _check_finite(values, advice)
    if values.size and values.min() < 0:
        raise WrongData(f"Negative values in data passed to {learner}: {values.min():g}", advice)
    if values.dtype.kind == "f" and (odd := values[values != np.rint(values)]).size:
        raise WrongData(f"{odd.size:,} of the counts passed to {learner} are no whole numbers, the first {odd[0]:g}", advice)
    if values.size and values.max() > COUNT_MAX:
        raise WrongData(f"a count of {values.max():,} passed to {learner} is more than {COUNT_MAX:,}", advice)


def _check_finite(values: Array, advice: str) -> None:
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise WrongData(f"Input X contains {'NaN' if np.isnan(values).any() else 'infinity'}.", advice)


# Names of columns


def column_names(table: Any) -> tuple[str, ...] | None:
    """The names of a DataFrame's columns; None if it is none, or they are no strings."""
    columns: Any = getattr(table, "columns", None)
    names = list(columns) if columns is not None else []
    texts = [isinstance(name, str) for name in names]
    if any(texts) and not all(texts):
        raise WrongKind("some names of columns are strings and some are not", "name all by strings: X.columns = X.columns.astype(str)")
    return tuple(str(name) for name in names) if names and all(texts) else None


def check_columns(counts: Counts, width: int, names: Sequence[str] | None, learner: str) -> None:
    """Whether a table has the columns that another had at fit. Raises WrongData; warns if only one of the two has names."""
    if names is not None and counts.names is not None and tuple(names) != counts.names:
        raise WrongData("The feature names should match those that were passed during fit." + _difference(names, counts.names))
    if counts.shape[1] != width:
        raise WrongData(f"X has {counts.shape[1]} features, but {learner} is expecting {width} features as input")
    if names is not None and counts.names is None:
        warnings.warn(f"X does not have valid feature names, but {learner} was fitted with feature names", stacklevel=4)
    if names is None and counts.names is not None:
        warnings.warn(f"X has feature names, but {learner} was fitted without feature names", stacklevel=4)


def _difference(then: Sequence[str], now: Sequence[str]) -> str:
    unseen, missing = [name for name in now if name not in set(then)], [name for name in then if name not in set(now)]
    told = ""
    for what, names in (("Feature names unseen at fit time:", unseen), ("Feature names seen at fit time, yet now missing:", missing)):
        if names:
            told += "\n".join(["", what, *(f"- {name}" for name in names[:5])]) + ("\n- ..." if len(names) > 5 else "")
    return told or "\nFeature names must be in the same order as they were in fit.\n"
