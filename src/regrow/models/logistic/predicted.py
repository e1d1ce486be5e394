"""Predictions as a file: lines as they come, or a parquet file of the same columns."""

from __future__ import annotations

import io
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

__all__ = ["Sink"]

BLOCK_BYTES = 1 << 24


class Sink:
    """A file that takes lines of predictions. Raises OSError where it cannot be written."""

    def __init__(self, path: Path, *, parquet: bool) -> None:
        self._file: IO[bytes] = open(path, "wb")  # noqa: SIM115 - closed on exit
        self._parquet = parquet
        self._held = bytearray()
        self._writer: Any = None

    def write(self, lines: bytes) -> None:
        """Take whole lines."""
        if not self._parquet:
            self._file.write(lines)
            return
        self._held += lines
        if len(self._held) >= BLOCK_BYTES:
            self._flush()

    def _flush(self) -> None:
        """Write what is held; without any rows the file still has its columns."""
        import pyarrow as pa
        import pyarrow.json as pj
        import pyarrow.parquet as pq

        schema = pa.schema([("p", pa.float64()), ("label", pa.int8()), ("unseen", pa.int32())])
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file, schema, compression="zstd")
        if self._held:
            table = pj.read_json(io.BytesIO(bytes(self._held)), parse_options=pj.ParseOptions(explicit_schema=schema))
            self._held.clear()
            self._writer.write_table(table)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None and self._parquet:
            self._flush()
        if self._writer is not None:
            self._writer.close()
        self._file.close()
