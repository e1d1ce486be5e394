"""Features as a model knows them: a dictionary as a hash table, and the numbers that the features of new rows have in it."""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from regrow.data.clicks.parsed import Parsed
from regrow.data.readonly import read_only

__all__ = ["dictionary_table", "numbers_of"]

Array = npt.NDArray[Any]


def dictionary_table(arrays: Mapping[str, Any], hash_bits: int = 0) -> dict[str, Any]:
    """What `numbers_of` needs of a model with `features.*` and `fields.name`: as arrays that can be broadcast."""
    value = arrays["features.value"]
    hashes = read_only(np.asarray(arrays["features.hash"], np.uint64))
    size = 1 << 10
    while size < 2 * len(hashes):
        size *= 2
    slots = np.full(size if not hash_bits else 1, -1, np.int32)
    if not hash_bits:
        _fill(hashes, slots)
    return {
        "table_slots": slots, "table_hash": hashes, "table_field": np.asarray(arrays["features.field"], np.int32),
        "table_offsets": value.offsets, "table_utf8": value.utf8, "table_names": arrays["fields.name"], "table_bits": hash_bits,
    }  # fmt: skip


def numbers_of(parsed: Parsed, table: Mapping[str, Any]) -> Array:
    """The number of each feature of a part in the model, or -1 (int64)."""
    bits = int(table["table_bits"])
    if bits:
        return (parsed.hash >> np.uint64(64 - bits)).astype(np.int64) + 1
    places = {name: number for number, name in enumerate(table["table_names"])}
    fields = np.array([places.get(name, -1) for name in parsed.names], np.int32)
    value = parsed.value_of
    arrays = [read_only(array) for array in (parsed.hash, fields[parsed.field], value.offsets, value.utf8)]
    found: Array = _found(*arrays, *(read_only(table[f"table_{name}"]) for name in ("slots", "hash", "field", "offsets", "utf8")))
    return found


@njit(cache=True)
def _fill(hashes, slots):
    mask = slots.size - 1
    for feature in range(hashes.size):
        at = np.int64(hashes[feature]) & mask
        while slots[at] >= 0:
            at = (at + 1) & mask
        slots[at] = feature


@njit(cache=True)
def _found(hashes, field, offsets, utf8, slots, known, known_field, known_offsets, known_utf8):
    """The number in the table of each feature with the same hash, field and bytes; -1 for others."""
    found = np.full(hashes.size, -1, np.int64)
    mask = slots.size - 1
    for i in range(hashes.size):
        at = np.int64(hashes[i]) & mask
        length = offsets[i + 1] - offsets[i]
        while slots[at] >= 0:
            feature = slots[at]
            first = known_offsets[feature]
            if known[feature] == hashes[i] and known_field[feature] == field[i] and known_offsets[feature + 1] - first == length:
                j = 0
                while j < length and known_utf8[first + j] == utf8[offsets[i] + j]:
                    j += 1
                if j == length:
                    found[i] = feature
                    break
            at = (at + 1) & mask
    return found
