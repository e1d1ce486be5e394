"""A trained model on disk: model.json, arrays in safetensors, tables in parquet; and its digest.

Strings are columns of tables: those called "table.column" of table.parquet, together with arrays of that table and their
length. The digest is SHA-256 over, for each array and column in the order of their names: name, dtype, shape, little-endian
bytes in C order (strings: their int64 offsets, then their UTF-8 bytes). Paths, times and versions are not in it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from regrow.columns import from_arrow, to_arrow
from regrow.crash import point
from regrow.errors import DataError
from regrow.packed import Strings
from regrow.program import Value
from regrow.store.durable import sync, sync_all

__all__ = ["BEFORE", "ModelFiles", "digest_of", "publish_model", "read_model"]

FORMAT = 1
BEFORE = "model.before"
"""In a run, the model of the one whose place it has taken: a new run may fail, and begins with data that may be broken."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model as it was read."""

    path: Path
    kind: str
    """The program that made it, "place:Class"."""
    parameters: Mapping[str, Any]
    digest: str
    about: Mapping[str, Any]
    """All of model.json."""
    arrays: Mapping[str, Value]


def digest_of(arrays: Mapping[str, Value]) -> str:
    """The model digest: 64 hex digits."""
    sha = hashlib.sha256()
    for name in sorted(arrays):
        value = arrays[name]
        if isinstance(value, Strings):
            sha.update(f"{name}\0utf8\0{[len(value)]}\0".encode())
            sha.update(np.ascontiguousarray(value.offsets, "<i8").data)
            sha.update(np.ascontiguousarray(value.utf8).data)
        else:
            array = np.ascontiguousarray(value, value.dtype.newbyteorder("<")).reshape(value.shape)
            sha.update(f"{name}\0{array.dtype.name}\0{list(array.shape)}\0".encode())
            sha.update(array.reshape(-1).data)
    return sha.hexdigest()


def publish_model(folder: Path, arrays: Mapping[str, Value], about: Mapping[str, Any]) -> str:
    """Write a model aside, make it durable, and rename it to `folder`; returns its digest. Raises TypeError, and writes nothing, for
    arrays of anything but numbers of at most 64 bits and booleans."""
    from safetensors.numpy import save_file

    for name, value in arrays.items():
        if not isinstance(value, Strings) and (value.dtype.kind not in "biuf" or value.dtype.itemsize > 8):
            raise TypeError(
                f'"{name}" has type {value.dtype}: a model holds numbers, booleans, and strings packed by regrow.strings([...])'
            )

    aside = folder.with_name(folder.name + ".new")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    digest = digest_of(arrays)
    tables = _tables(arrays)
    columns = {name for table in tables.values() for name in table.values()}
    plain = {name: value for name, value in arrays.items() if name not in columns and not isinstance(value, Strings)}
    save_file({name: np.ascontiguousarray(value).reshape(value.shape) for name, value in plain.items()}, aside / "arrays.safetensors")
    _write_tables(aside, tables, arrays)
    text = json.dumps({**about, "format": FORMAT, "digest": digest}, indent=1, sort_keys=True)
    (aside / "model.json").write_text(text + "\n")
    point("model-aside")
    sync_all(aside)
    point("model-durable")
    if folder.exists():
        shutil.rmtree(folder)
    os.rename(aside, folder)
    point("model-published")
    sync(folder.parent)
    return digest


def _tables(arrays: Mapping[str, Value]) -> dict[str, dict[str, str]]:
    """Which arrays are columns of which table: table -> column -> name. A table has strings, and arrays of their length."""
    tables: dict[str, dict[str, str]] = {}
    lengths: dict[str, int] = {}
    for name in sorted(arrays, key=lambda name: (not isinstance(arrays[name], Strings), name)):
        value, (table, _, column) = arrays[name], name.rpartition(".")
        fits = table in tables and lengths[table] == len(value) if isinstance(value, Strings) or np.ndim(value) == 1 else False
        if isinstance(value, Strings) and not fits and (not table or table in tables):
            table = column = name  # strings that fit no table have one of their own
        if fits or isinstance(value, Strings):
            tables.setdefault(table, {})[column] = name
            lengths[table] = len(value)
    return tables


def _write_tables(folder: Path, tables: Mapping[str, Mapping[str, str]], arrays: Mapping[str, Value]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for table, columns in tables.items():
        content = {column: to_arrow(arrays[name]) for column, name in columns.items()}
        pq.write_table(pa.table(content), folder / f"{table}.parquet", compression="zstd")


def read_model(path: Path) -> ModelFiles:
    """Read a model, or the model of a finished run. Raises DataError if there is none, or a run is not finished."""
    folder = path / "model" if (path / "run.json").exists() else path
    if not (folder / "model.json").exists():
        before = f"; the model that was there before: {path / BEFORE}" if (path / BEFORE).exists() else ""
        if (path / "run.json").exists():
            raise DataError(f"{path} is not finished", f"go on with it: regrow resume {path}{before}")
        raise DataError(f"{path} holds no model", f"name a run (the folder that training printed first) or its model folder{before}")
    try:
        about = _read_about(folder / "model.json")
        if about["format"] != FORMAT:
            raise DataError(
                f"{folder} has format {about['format']}, this regrow reads format {FORMAT}", "read it with the regrow that wrote it"
            )
        arrays = _read_arrays(folder)
        if (found := digest_of(arrays)) != about["digest"]:
            raise ValueError(f"its content has digest {found}, model.json says {about['digest']}")
        return ModelFiles(folder, about["kind"], about["parameters"], about["digest"], about, arrays)
    except (OSError, ValueError, KeyError, TypeError) as why:
        raise DataError(f"{folder} is damaged: {why}", "train again, or fetch it again") from None


def _read_about(file: Path) -> dict[str, Any]:
    """What model.json says. Raises DataError if it is no word of regrow's, ValueError if it is no JSON."""
    try:
        about = json.loads(file.read_text())
    except ValueError as why:
        raise ValueError(f"{file.name}: {why}") from None
    if not isinstance(about, dict) or not {"format", "kind", "digest"} <= about.keys():
        raise DataError(f"{file} is none that regrow wrote", "name a run (the folder that training printed first) or its model folder")
    return about


def _read_arrays(folder: Path) -> dict[str, Value]:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays: dict[str, Value] = dict(load_file(folder / "arrays.safetensors"))
    except SafetensorError as why:
        raise ValueError(f"arrays.safetensors: {why}") from None
    for table in sorted(folder.glob("*.parquet")):
        try:
            content = pq.ParquetFile(table, memory_map=True).read()  # `read_table` is the same, but imports what reads whole folders
        except (pa.ArrowException, OSError) as why:
            raise ValueError(f"{table.name}: {why}") from None
        for column in content.column_names:
            name = table.stem if column == table.stem and len(content.column_names) == 1 else f"{table.stem}.{column}"
            arrays[name] = from_arrow(content[column])
    return arrays
