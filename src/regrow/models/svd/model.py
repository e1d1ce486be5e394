"""What training makes: singular values and vectors, with names and counts; and what people ask of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.readonly import read_only
from regrow.errors import DataError
from regrow.evaluation.bands import BANDS, band_of
from regrow.evaluation.tail import aligned
from regrow.models.svd import kernels
from regrow.models.svd.nouns import DOCUMENTS, Nouns
from regrow.models.svd.scaling import inverse_roots
from regrow.packed import Strings

__all__ = ["FactorModel", "Similar", "share_text"]

Array = npt.NDArray[Any]
_ARRAYS = ("vectors", "singular_values", "residuals", "scaling", "size", "vocabulary.word", "vocabulary.count", "vocabulary.energy")

Similar = list[tuple[int, float]]
"""Numbers of words or documents with the cosine, the most similar first."""


class FactorModel:
    """A trained model of rank k, V words and D documents: a view of its arrays, which may be memory-mapped.

    arrays      as `SVD.model` makes them: vectors float64 [V, k], the right singular vectors; singular_values float64 [k]; coordinates
                float32 [D, k], the left ones times the singular values (if they were kept); residuals float64 [k]: within so much of each
                singular value there is a true one; following float64 [1]: about the first that is left out; vocabulary: word Strings,
                count int64 [V], and of the factored matrix's columns weight, mean and energy float64 [V]; documents.name Strings [D], if
                they have names; scaling Strings [1]; size int64 [2]: D, V
    parameters  those of the program that trained it
    nouns       what its rows and columns are called, for people; here they are documents and words
    """

    def __init__(self, arrays: Mapping[str, Any], parameters: Mapping[str, Any], nouns: Nouns = DOCUMENTS) -> None:
        missing = [name for name in _ARRAYS if name not in arrays]
        if missing:
            raise DataError(f"a model of factors without {', '.join(missing)}", f"it has {', '.join(sorted(arrays))}")
        self.arrays = arrays
        self.parameters = dict(parameters)
        self.nouns = nouns

    @property
    def rank(self) -> int:
        """k."""
        return len(self.arrays["singular_values"])

    @property
    def scaling(self) -> str:
        """chi2, tfidf or none."""
        return str(self.arrays["scaling"][0])

    @property
    def documents(self) -> int:
        """D."""
        return int(self.arrays["size"][0])

    @property
    def vocabulary(self) -> Strings:
        """The words, or the names of the columns."""
        found: Strings = self.arrays["vocabulary.word"]
        return found

    @property
    def singular_values(self) -> Array:
        """float64 [k], descending."""
        found: Array = self.arrays["singular_values"]
        return found

    @property
    def vectors(self) -> Array:
        """The right singular vectors, a row for each word: float64 [V, k]."""
        found: Array = self.arrays["vectors"]
        return found

    # How good it is

    @property
    def energy(self) -> float:
        """The squared Frobenius norm of the matrix that was factored."""
        return float(self.arrays["vocabulary.energy"].sum())

    @property
    def explained(self) -> float:
        """The share of the energy that the model has."""
        return min(1.0, float((self.singular_values**2).sum()) / self.energy) if self.energy else 0.0

    @property
    def error(self) -> float:
        """How far at most a singular value is from a true one."""
        return float(self.arrays["residuals"].max(initial=0.0))

    def bands(self) -> list[dict[str, Any]]:
        """For each band of frequency: units, its words; share, of all energy; loss, the part of the band's energy that the model has not;
        gain, the part that it has: that of nothing at all is 0.
        """
        band = band_of(np.maximum(self.arrays["vocabulary.count"], 0))
        energy, found = self.arrays["vocabulary.energy"], ((self.vectors * self.singular_values) ** 2).sum(axis=1)
        total = max(self.energy, 1e-300)
        rows = []
        for number, name in enumerate(BANDS):
            mine = band == number
            all_of, has = float(energy[mine].sum()), float(found[mine].sum())
            gain = min(1.0, has / all_of) if all_of > 0 else None
            loss = None if gain is None else 1.0 - gain
            rows.append({"band": name, "units": int(mine.sum()), "share": all_of / total, "loss": loss, "gain": gain})
        return rows

    def to_json(self) -> dict[str, Any]:
        """What `regrow svd evaluate --json` prints."""
        return {
            "rank": self.rank,
            "scaling": self.scaling,
            "documents": self.documents,
            "words": len(self.vocabulary),
            "energy": self.energy,
            "explained": self.explained,
            "error": self.error,
            "relative_error": self.error / max(float(self.singular_values[0]), 1e-300),
            "frobenius_error": float(np.sqrt(max(0.0, 1.0 - self.explained))),
            "following": float(self.arrays["following"][0]) if len(self.arrays["following"]) else 0.0,
            "bands": self.bands(),
        }

    def summary(self) -> str:
        """Singular values, error, and the energy by band, as lines of text."""
        found, sigma = self.to_json(), self.singular_values
        shown = " ".join(f"{value:.4g}" for value in sigma[:8].tolist()) + (f" ... {sigma[-1]:.4g}" if len(sigma) > 8 else "")
        what = {"chi2": "chi-square residuals", "tfidf": "tf-idf", "none": "the values as they are"}[self.scaling]
        lines = [("band", self.nouns.columns, "share of energy", "explained")]
        for row in found["bands"]:
            lines.append((row["band"], f"{row['units']:,}", f"{100 * row['share']:.1f} %", share_text(row["gain"])))
        lines.append(("all", f"{found['words']:,}", "100.0 %", share_text(self.explained)))
        return (
            f"rank {self.rank:,} of {self.documents:,} {self.nouns.rows} by {found['words']:,} {self.nouns.columns}, {what}\n"
            f"singular values {shown}; left out: {found['following']:.4g} and less\n"
            f"error: at most {found['error']:.2g} in a singular value ({found['relative_error']:.1g} of the largest); "
            f"{found['frobenius_error']:.4f} of the matrix is left out (Frobenius)\n"
            f"{aligned(lines)}"
        )

    # Words and documents

    def folded(self, ptr: Array, index: Array, value: Array) -> Array:
        """The coordinates of documents: float64 [documents, k]. Their entries are [ptr[d], ptr[d + 1]) of index and value.

        Of those that it was trained on, what it has of them. A document depends on itself alone.
        """
        pointers = read_only(np.ascontiguousarray(ptr, np.int64))
        index, value = read_only(np.ascontiguousarray(index, np.int32)), read_only(np.ascontiguousarray(value, np.float64))
        weight, found = self.arrays["vocabulary.weight"], np.zeros((len(ptr) - 1, self.rank))
        table = read_only(self.vectors * weight[:, None])
        kernels.add_product(pointers, index, value, table, found)
        if self.scaling == "none":
            return found
        sizes = np.zeros((len(found), 1))
        if self.scaling == "chi2":
            kernels.add_product(pointers, index, value, read_only(np.ones((len(weight), 1))), sizes)
        else:
            kernels.add_squares(pointers, index, value, read_only(weight), sizes[:, 0])
        return found * inverse_roots(sizes[:, 0])[:, None]

    def like_words(self, words: Array, n: int = 10) -> Similar:
        """The n words most like these together (numbers), without themselves: by the cosine of their rows of V S."""
        own = self.vectors[words] * self.singular_values
        squares = kernels.added_up(read_only(np.ascontiguousarray((own * own).T)), read_only(np.ones(self.rank)))
        target = kernels.added_up(read_only(own), read_only(inverse_roots(squares)))
        found = _nearest(self.vectors, self.singular_values, target, n + len(words))
        mine = set(np.asarray(words).tolist())
        return [(w, c) for w, c in found if w not in mine][:n]

    def like_document(self, coordinates: Array, n: int = 10) -> Similar:
        """The n documents most like coordinates of one: by cosine. Raises DataError if the model has not kept them."""
        if "coordinates" not in self.arrays:
            raise DataError(f"the model has not kept its {self.nouns.rows}", "train it without --no-documents")
        return _nearest(self.arrays["coordinates"], np.ones(self.rank), coordinates, n)

    def document_name(self, document: int) -> str | None:
        """The name of a document, if it has one."""
        names: Strings | None = self.arrays.get("documents.name")
        return names[document] or None if names is not None else None


def _nearest(lines: Array, weight: Array, target: Array, n: int) -> Similar:
    """The lines which, times a weight, have the largest cosine to a target above 0, equal ones by number."""
    cosine = np.empty(len(lines))
    kernels.cosines(read_only(lines), read_only(weight), read_only(target), cosine)
    order = np.argsort(-cosine, kind="stable")[:n]
    return [(int(i), float(cosine[i])) for i in order.tolist() if cosine[i] > 0]


def share_text(value: float | None) -> str:
    """A share as people read it; a dash, if there is none."""
    return "-" if value is None else f"{100 * value:.1f} %"
