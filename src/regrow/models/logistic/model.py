"""What training makes: weights by feature, with names and counts; and what people ask of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.errors import DataError
from regrow.evaluation.bands import BANDS
from regrow.evaluation.tail import aligned
from regrow.packed import Strings

__all__ = ["ClickModel", "beyond", "shown_value"]

Array = npt.NDArray[Any]
_ARRAYS = (*(f"features.{name}" for name in ("value", "field", "hash", "count", "weight", "z", "n")), "fields.name")


def shown_value(value: str) -> str:
    """A feature's value for people: the parts of a cross with a sign between them, a missing value named."""
    return value.replace("\x1f", " & ") if value else "(missing)"


def beyond(field: str, value: str, features: int = 1) -> DataError:
    """The error for features whose state is no finite number: the first by its field and value, and how many there are."""
    name = f"{field}={shown_value(value)}" if field else shown_value(value)
    more = f" (and of {features - 1:,} more)" if features > 1 else ""
    return DataError(
        f"training went beyond what numbers can hold: the weight of feature {name}{more} is no finite number",
        "values or rates are too large: bring values near 1 (tables: --numeric takes logarithms), or take a smaller --alpha",
    )


class ClickModel:
    """A trained model: a view of its arrays, which may be memory-mapped.

    arrays      as `FTRL.model` makes them: of each feature value Strings, field int32, hash uint64, count int64, weight float32, and the
                state z, n float32; feature 0 is the bias; fields.name Strings; progress.*: progressive validation by band
    parameters  those of the program that trained it
    """

    def __init__(self, arrays: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
        missing = [name for name in _ARRAYS if name not in arrays]
        if missing:
            raise DataError(f"a model of clicks without {', '.join(missing)}", f"it has {', '.join(sorted(arrays))}")
        self.arrays = arrays
        self.parameters = dict(parameters)

    @property
    def features(self) -> int:
        """How many features there are, with the bias."""
        return len(self.arrays["features.weight"])

    @property
    def weights(self) -> Array:
        """The weight of each feature: float32."""
        found: Array = self.arrays["features.weight"]
        return found

    @property
    def fields(self) -> list[str]:
        """The names of the fields."""
        return list(self.arrays["fields.name"])

    @property
    def base_rate(self) -> float:
        """The share of clicks in training."""
        weight = float(self.arrays["progress.weight"].sum())
        return float(self.arrays["progress.clicks"].sum()) / weight if weight else 0.5

    @property
    def progressive_loss(self) -> float:
        """The mean log loss of examples before they were learned from."""
        return float(self.arrays["progress.loss"].sum()) / max(float(self.arrays["progress.weight"].sum()), 1e-300)

    def name(self, feature: int) -> tuple[str, str]:
        """The field and the value of a feature, for people."""
        values: Strings = self.arrays["features.value"]
        return self.fields[int(self.arrays["features.field"][feature])], shown_value(values[feature])

    def top(self, n: int = 10) -> list[tuple[str, str, float, int]]:
        """The features with the largest weights by size: (field, value, weight, count)."""
        order = np.argsort(-np.abs(self.weights), kind="stable")[:n].tolist()
        return [(*self.name(i), float(self.weights[i]), int(self.arrays["features.count"][i])) for i in order]

    def summary(self) -> str:
        """Progressive validation by band, models side by side, and rows that were left out, as lines of text."""
        lines = [("band", "examples", "clicks", "progressive loss")]
        units, clicks, weight, loss = (self.arrays[f"progress.{name}"] for name in ("units", "clicks", "weight", "loss"))
        for band, name in enumerate(BANDS):
            shown = f"{loss[band] / weight[band]:.4f}" if weight[band] else "-"
            lines.append((name, f"{units[band]:,}", f"{clicks[band]:,.0f}", shown))
        lines.append(("all", f"{units.sum():,}", f"{clicks.sum():,.0f}", f"{self.progressive_loss:.4f}"))
        text = f"{self.features - 1:,} features, {np.count_nonzero(self.weights):,} weights that are not 0\n{aligned(lines)}"
        if len(self.arrays.get("models.loss", ())) > 1:
            text += "\n" + aligned(self._models())
        for file, line, why in list(zip(*(self.arrays[f"skipped.{name}"] for name in ("file", "line", "why")), strict=True))[:5]:
            text += f"\nleft out: {file}, line {line:,}: {why}"
        return text

    def _models(self) -> list[tuple[str, ...]]:
        found: list[tuple[str, ...]] = [("model", "alpha", "beta", "l1", "l2", "progressive loss", "")]
        columns = [self.arrays[f"models.{name}"] for name in ("alpha", "beta", "l1", "l2", "loss")]
        for number, (*rates, loss) in enumerate(zip(*columns, strict=True)):
            kept = "kept" if number == int(self.arrays["kept"][0]) else ""
            found.append((str(number), *(f"{rate:g}" for rate in rates), f"{loss:.5f}", kept))
        return found
