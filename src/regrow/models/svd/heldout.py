"""How much a model has of rows that it has not seen, band by band of the columns' frequency in training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data import TextOptions
from regrow.data.readonly import read_only
from regrow.errors import DataError
from regrow.evaluation.bands import BANDS, band_of
from regrow.evaluation.tail import aligned
from regrow.models.svd import kernels
from regrow.models.svd.model import FactorModel, share_text
from regrow.models.svd.reading import Reader
from regrow.models.svd.scaling import inverse_roots
from regrow.models.svd.sides import gram_of

__all__ = ["HeldOut", "heldout"]

Array = npt.NDArray[Any]


class HeldOut:
    """Sums over rows, each scaled as training scaled its rows (of chi2: with what training expects of its columns taken away).

    A row x is rebuilt as V V^T x. Of the columns of band b, with V_b their lines of V, the error of all rows together is

        sum |x_b|^2 - 2 sum y . (V_b^T x_b) + sum y^T (V_b^T V_b) y,    y = V^T x
    """

    def __init__(self, model: FactorModel) -> None:
        self.model, self.documents, self.entries, self.left_out = model, 0, 0, 0
        self._weight = read_only(model.arrays["vocabulary.weight"])
        self._band = band_of(np.maximum(model.arrays["vocabulary.count"], 0))
        self._table = read_only(model.vectors * self._weight[:, None])
        roots = np.divide(1.0, self._weight, out=np.zeros(len(self._weight)), where=self._weight > 0)
        self._total = _summed(roots * roots) if model.scaling == "chi2" else 1.0
        self._expected = roots / np.sqrt(self._total) if model.scaling == "chi2" else np.zeros(len(roots))
        own = [np.flatnonzero(self._band == number) for number in range(len(BANDS))]
        self._units = [len(columns) for columns in own]
        self._grams = [gram_of(model.vectors[columns]) for columns in own]
        self._turned = [kernels.added_up(read_only(model.vectors[columns]), read_only(self._expected[columns])) for columns in own]
        self._mass = [_summed(self._expected[columns] ** 2) for columns in own]
        self._energy, self._cross = np.zeros(len(BANDS)), np.zeros(len(BANDS))
        self._places = np.zeros((model.rank, model.rank))

    def add(self, ptr: Array, index: Array, value: Array) -> None:
        """Rows whose entries are [ptr[i], ptr[i + 1]) of index and value. Raises DataError for values that the scaling cannot have."""
        if self.model.scaling != "none" and (value < 0).any():
            raise DataError("there are values below 0", f"the model has the scaling {self.model.scaling}, which is for counts")
        value, rows = np.ascontiguousarray(value, np.float64), len(ptr) - 1
        scale, expected = self._scales(ptr, index, value)
        there, parts, y = self._band[index], [], np.zeros((rows, self.model.rank))
        for number in range(len(BANDS)):
            mine = there == number
            before = np.concatenate([np.zeros(1, np.int64), np.cumsum(mine)])
            cells = read_only(before[ptr]), read_only(index[mine].astype(np.int32)), read_only(value[mine])
            squares, common, part = np.zeros(rows), np.zeros((rows, 1)), np.zeros((rows, self.model.rank))
            kernels.add_squares(*cells, self._weight, squares)
            kernels.add_product(*cells, read_only((self._weight * self._expected)[:, None]), common)
            kernels.add_product(*cells, self._table, part)
            part = part * scale[:, None] - expected[:, None] * self._turned[number]
            energy = squares * scale * scale - 2.0 * expected * common[:, 0] * scale + expected * expected * self._mass[number]
            self._energy[number] += _summed(energy)
            parts.append(part)
            y += part
        for number, part in enumerate(parts):
            self._cross[number] += _summed((part * y).reshape(-1))
        self._places += gram_of(y)
        self.documents += rows
        self.entries += len(index)

    def _scales(self, ptr: Array, index: Array, value: Array) -> tuple[Array, Array]:
        """The weight of each row, and its part of what is expected."""
        rows, cells = len(ptr) - 1, (read_only(ptr.astype(np.int64)), read_only(index.astype(np.int32)), read_only(value))
        if self.model.scaling == "none":
            return np.ones(rows), np.zeros(rows)
        sizes = np.zeros((rows, 1))
        if self.model.scaling == "tfidf":
            kernels.add_squares(*cells, self._weight, sizes[:, 0])
            return inverse_roots(sizes[:, 0]), np.zeros(rows)
        kernels.add_product(*cells, read_only(np.ones((len(self._weight), 1))), sizes)
        return inverse_roots(sizes[:, 0]), np.sqrt(sizes[:, 0] / self._total)

    def to_json(self) -> dict[str, Any]:
        """What `regrow svd evaluate RUN FILES --json` prints."""
        bands, total = [], max(_summed(self._energy), 1e-300)
        lost = 0.0
        for number, name in enumerate(BANDS):
            energy = float(self._energy[number])
            error = max(0.0, energy - 2.0 * float(self._cross[number]) + _contracted(self._grams[number], self._places))
            lost += error
            loss = error / energy if energy > 1e-12 * total else None
            gain = None if loss is None else 1.0 - loss
            bands.append({"band": name, "units": self._units[number], "share": energy / total, "loss": loss, "gain": gain})
        return {
            "rank": self.model.rank,
            "scaling": self.model.scaling,
            "documents": self.documents,
            "entries": self.entries,
            "unknown": self.left_out,
            "energy": _summed(self._energy),
            "explained": 1.0 - lost / total,
            "frobenius_error": float(np.sqrt(lost / total)),
            "bands": bands,
        }

    def text(self) -> str:
        """What a person reads: a line, and the table by band."""
        found, nouns = self.to_json(), self.model.nouns
        lines = [("band", nouns.columns, "share of energy", "explained")]
        for row in found["bands"]:
            lines.append((row["band"], f"{row['units']:,}", f"{100 * row['share']:.1f} %", share_text(row["gain"])))
        lines.append(("all", f"{sum(self._units):,}", "100.0 %", share_text(found["explained"])))
        return (
            f"{self.documents:,} {nouns.rows} with {self.entries:,} entries under known {nouns.columns}; "
            f"{self.left_out:,} {nouns.columns} or entries are not in the model\n{aligned(lines)}"
        )


def heldout(model: FactorModel, files: Sequence[str], options: TextOptions) -> HeldOut:
    """What a model has of the rows of files, read as `options` say.

    Raises DataError or UsageError for files that do not fit, or of which the model knows nothing.
    """
    found, reader = HeldOut(model), Reader(model.arrays)
    reader.each(files, options, found.add)
    found.left_out = reader.left_out
    if not found.entries:
        advice = "give files like those of training; --vocab names the columns of those that have none"
        raise DataError(f"{', '.join(files[:5])}: none of its {model.nouns.columns} is in the model", advice)
    return found


def _summed(values: Array) -> float:
    """Their sum, one after the other."""
    return float(kernels.added_up(read_only(values.reshape(-1, 1)), read_only(np.ones(values.size)))[0])


def _contracted(one: Array, other: Array) -> float:
    """The sum of one * other over symmetric tables of which the upper triangles are given."""
    both = np.triu(one) * np.triu(other)
    return 2.0 * _summed(both.reshape(-1)) - _summed(np.diag(both).copy())
