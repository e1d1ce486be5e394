"""Arrays as columns of Arrow and parquet, and back.

pyarrow does most of this itself, and imports pandas for it where that is installed: half a second that nobody asked for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from regrow.packed import Strings
from regrow.program import Value

__all__ = ["from_arrow", "to_arrow"]


def to_arrow(value: Value) -> Any:
    """A column of a table. Raises ValueError for an array that is not one-dimensional, TypeError for one that holds no numbers."""
    import pyarrow as pa

    if isinstance(value, Strings):
        offsets = pa.py_buffer(np.ascontiguousarray(value.offsets, np.int64))
        return pa.LargeStringArray.from_buffers(len(value), offsets, pa.py_buffer(np.ascontiguousarray(value.utf8)))
    if value.ndim != 1:
        raise ValueError(f"a column has one dimension, and this array has shape {value.shape}")
    if value.dtype.kind not in "biuf":
        raise TypeError(f"a column holds numbers or booleans, and this array {value.dtype}; strings are packed by regrow.strings([...])")
    if value.dtype == np.bool_:
        return pa.array(value.tolist(), pa.bool_())
    numbers = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))  # pa.array(value) would import pandas
    return pa.Array.from_buffers(pa.from_numpy_dtype(numbers.dtype), len(numbers), [None, pa.py_buffer(numbers)])


def from_arrow(column: Any) -> Value:
    """An array of a column of a table; large strings as `Strings`. It is a view of the column where there is nothing to convert."""
    import pyarrow as pa

    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_boolean(column.type):
        return np.array(column.to_pylist(), np.bool_)
    numbers = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    if numbers and not column.null_count:  # `to_numpy` is the same, but imports pandas where that is installed
        return np.frombuffer(column.buffers()[1] or b"", column.type.to_pandas_dtype())[column.offset : column.offset + len(column)]
    if not pa.types.is_large_string(column.type):
        return np.asarray(column.to_numpy(zero_copy_only=False))
    _, offsets, utf8 = column.buffers()
    ends = np.frombuffer(offsets, np.int64)[column.offset : column.offset + len(column) + 1]
    text = np.frombuffer(utf8, np.uint8) if utf8 is not None else np.empty(0, np.uint8)
    return Strings(ends - ends[0], text[ends[0] : ends[-1]])
