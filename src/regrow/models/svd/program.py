"""Truncated SVD as a program: columns and rows take turns, and only thin tables travel between them.

    columns     (C) Z = A^T Y - alpha Q: their part of the sketch, from the rows' part
    factor      (1) the inverse Cholesky factor T of Z^T Z, added up in the order of the partitions, and the next shift alpha
    basis       (C) Q = Z T: orthonormal
    rows        (R) Y = A Q

That is a power iteration on A^T A with shifts; the first Z is random, line by line from the number of the column. A is never made: its
weights and what is expected of it (see scaling.py) are applied to the thin tables. At the end:

    ritz        (1) the singular values and the rotation W, from Y^T Y and Q^T Q
    vectors     (C) V = Q W;  coordinates (R): U S = Y W
    residuals   (C) A^T U - V S, which bounds the error of each singular value; the energy of each column
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.readonly import read_only
from regrow.errors import DataError, UsageError
from regrow.models.svd import dense_kernels as dense
from regrow.models.svd import kernels
from regrow.models.svd.model import FactorModel
from regrow.models.svd.nouns import nouns_of
from regrow.models.svd.scaling import SCALINGS, column_weights, expected, row_weights
from regrow.models.svd.sides import added, gram_of, lines_of, product, scaled, squares, times
from regrow.packed import Strings, strings
from regrow.program import Data, Partition, Program, Results, Role, Roles

__all__ = ["SVD"]

Array = npt.NDArray[Any]
Facts = Mapping[str, float]

RANK_MAX = 5_000
NOTHING = 1e-6
"""A singular value below this share of the largest counts as 0, and its vectors as zeros: it comes from squares, which hide it."""
EIGHTH = 8
"""The sketch is as wide as a multiple of this: what is added up side by side fills the machine's registers."""


@dataclass(frozen=True)
class SVD(Program):
    """Truncated singular value decomposition by a randomized range finder (Halko, Martinsson and Tropp, SIAM Review 53, 2011) with
    dynamic shifts (Feng, Yu and Xie, ACM Trans. Math. Softw. 50, 2024).

    rank        k, how many singular vectors
    scaling     what of the matrix is factored: see scaling.py; "auto": "chi2" for counts, "none" for other numbers
    power       visits of the columns, each with one of the rows: more make the vectors more exact
    oversampling    columns of the sketch beyond the rank; None: a tenth of it and ten
    keep        keep the documents' coordinates, which queries for documents need

    Data: the layouts "rows", "columns", "vocabulary" and "about" of a matrix (see `MatrixLayout`), and its facts.
    Metrics: `energy`, the squared Frobenius norm of what is factored, and `explained`, how much of it is in the model.
    """

    rank: int = 100
    scaling: str = "auto"
    power: int = 4
    oversampling: int | None = None
    keep: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.rank <= RANK_MAX:
            raise UsageError(f"--rank {self.rank}", f"a number from 1 to {RANK_MAX:,}, e.g. --rank 100")
        if self.scaling not in SCALINGS:
            raise UsageError(f"--scaling {self.scaling}", f"it is one of {', '.join(SCALINGS)}")
        if not 1 <= self.power <= 100:
            raise UsageError(f"--power {self.power}", "from 1 to 100 visits, e.g. --power 4")
        if self.oversampling is not None and not 0 <= self.oversampling <= RANK_MAX:
            raise UsageError(f"--oversampling {self.oversampling}", f"a number from 0 to {RANK_MAX:,}, e.g. --oversampling 20")

    # What a matrix asks for

    def settled(self, facts: Facts) -> str:
        """The scaling for a matrix of which these are the facts. Raises DataError for one that cannot be."""
        negatives = int(facts["negatives"])
        if self.scaling == "auto":
            return "none" if negatives or facts["fractions"] or facts.get("ratings") else "chi2"
        if self.scaling != "none" and negatives:
            raise DataError(
                f"{negatives:,} of the matrix's values are below 0, and --scaling {self.scaling} is for counts",
                "take --scaling none, or leave them out",
            )
        return self.scaling

    def width(self, facts: Facts) -> int:
        """How many columns the sketch has. Raises DataError if the matrix has no values, or the rank is more than it can have."""
        if not facts["cells"]:
            raise DataError("the matrix has no value other than 0", "check the input")
        documents, words = int(facts["documents"]), int(facts["words"])
        centred = self.settled(facts) == "chi2"
        most = min(documents, words) - centred
        if self.rank > most:
            why = ' (chi-square scaling takes one away: "none" and "tfidf" do not)' if centred else ""
            raise DataError(
                f"rank {self.rank:,} is more than the matrix can have: it has {documents:,} rows and {words:,} columns, "
                f"so at most {most:,} singular values{why}",
                f"say --rank {most} or less" if most > 0 else "give more documents",
            )
        more = 10 + self.rank // 10 if self.oversampling is None else self.oversampling
        return min(-(-(self.rank + more) // EIGHTH) * EIGHTH, documents, words)

    def roles(self, data: Data) -> Roles:
        """A round for each visit, and one more for the first, random sketch."""
        self.width(data.facts)  # so that what cannot be is said at once
        rows, columns, rounds = data["rows"], data["columns"], self.power + 1
        return Roles(
            rounds,
            about=Role(1, data="about", every=rounds),
            columns=Role(columns, data="columns", reads={"rows": -1, "basis": -1, "factor": -1, "about": 0}),
            factor=Role(1, reads={"columns": 0}),
            basis=Role(columns, data="columns", reads={"columns": 0, "factor": 0, "about": 0}),
            rows=Role(rows, data="rows", reads={"basis": 0, "about": 0}),
            ritz=Role(1, when="last", reads={"rows": 0, "basis": 0}),
            vectors=Role(columns, when="last", reads={"basis": 0, "ritz": 0}),
            coordinates=Role(rows, data="rows", when="last", reads={"rows": 0, "ritz": 0, "about": 0}),
            residuals=Role(columns, data="columns", when="last", reads={"coordinates": 0, "vectors": 0, "ritz": 0, "about": 0}),
            vocabulary=Role(data["vocabulary"], data="vocabulary", when="last"),
        )

    # Every round

    def about(self, part: Partition) -> None:
        """Tell all what the matrix is like."""
        for reader in ("columns", "basis", "rows", "coordinates", "residuals"):
            part.broadcast(reader, **part.fixed)
        part.result(scaling=strings([self.settled(_numbers(part.fixed))]), **part.fixed)

    def columns(self, part: Partition) -> None:
        """The columns' part of the sketch."""
        facts = _about(part)
        side, width = self._columns(part, facts), self.width(facts)
        if part.round == 0:
            z = np.empty((lines_of(part.fixed), width))
            kernels.random_lines(part.key("start"), int(part.fixed["first"][0]), read_only(side.weight), z)
        else:
            rows = list(part.inbox("rows"))
            z = side.finished(product(part.fixed, rows, "y", width), added(rows, "inner"))
            (factor,), (basis,) = part.inbox("factor"), part.inbox("basis")
            if (shift := float(factor["shift"])) > 0:
                z -= shift * basis["q"]
        z = self._sent(part, z)
        part.send("factor", 0, gram=gram_of(z.astype(np.float64)))
        part.send("basis", part.index, z=z)

    def factor(self, part: Partition) -> None:
        """What makes the sketch orthonormal, and the next shift: half of what the least of it is stretched by, as far as is known."""
        t, lifted = dense.inverse_factor(read_only(added(part.inbox("columns"), "gram")), False)
        shift = float(np.asarray(part.state["shift"])) if part.state else 0.0
        if part.round > 0 and not lifted:
            least = 1.0 / float(dense.largest_stretch(read_only(t)))
            shift = max(shift, 0.5 * (least + shift))
        part.keep(shift=shift if not lifted else 0.0)
        part.broadcast("basis", t=t)
        part.broadcast("columns", shift=shift if not lifted else 0.0)

    def basis(self, part: Partition) -> None:
        """The columns' part of an orthonormal basis."""
        (columns,), (factor,) = part.inbox("columns"), part.inbox("factor")
        side = self._columns(part, _about(part))
        q = times(columns["z"], factor["t"], upper=True)
        first = {"weight": side.weight} if part.round == 0 else {}
        part.broadcast("rows", q=self._sent(part, scaled(q, side.weight)), inner=side.inner(q), **first)
        if part.round < part.rounds - 1:
            part.send("columns", part.index, q=self._sent(part, q))
        else:
            part.send("vectors", part.index, q=q)
            part.send("ritz", 0, basis=gram_of(q))

    def rows(self, part: Partition) -> None:
        """The rows' part of what the matrix makes of the basis."""
        facts, inbox = _about(part), list(part.inbox("basis"))
        weight = read_only(part.state["weight"]) if part.state else self._weights_of_rows(part, facts)
        side = _Scaled(weight, expected(self.settled(facts), part.fixed["total"], facts["total"]))
        y = side.finished(product(part.fixed, inbox, "q", self.width(facts)), added(inbox, "inner"))
        if part.round < part.rounds - 1:
            part.broadcast("columns", y=self._sent(part, scaled(y, weight)), inner=side.inner(y))
        else:
            part.send("coordinates", part.index, y=y, weight=weight)
            part.send("ritz", 0, gram=gram_of(y))

    def _sent(self, part: Partition, lines: Array) -> Array:
        """Half as much travels before the last round: what it loses is noise in the sketch, which the next visit takes away."""
        with np.errstate(over="ignore"):  # what that makes is refused at the end, by `model`
            return lines.astype(np.float32) if part.round < part.rounds - 1 else lines

    def _columns(self, part: Partition, facts: Facts) -> _Scaled:
        total, entries, scaling = part.fixed["total"], part.fixed["entries"], self.settled(facts)
        return _Scaled(column_weights(scaling, total, entries, int(facts["documents"])), expected(scaling, total, facts["total"]))

    def _weights_of_rows(self, part: Partition, facts: Facts) -> Array:
        """Found in the first round, kept for the others."""
        scaling = self.settled(facts)
        lengths = squares(part.fixed, part.inbox("basis"), "weight") if scaling == "tfidf" else np.empty(0)
        weight = row_weights(scaling, part.fixed["total"], part.fixed["entries"], lengths)
        part.keep(weight=weight)
        return weight

    # At the end

    def ritz(self, part: Partition) -> None:
        """Singular values and vectors within the basis. The basis is orthonormal but for rounding: what is missing is made good here."""
        t, _ = dense.inverse_factor(read_only(added(part.inbox("basis"), "basis")), True)
        values, turned = dense.jacobi(dense.congruent(read_only(added(part.inbox("rows"), "gram")), t))
        sigma = np.sqrt(np.maximum(values, 0.0))
        sigma[sigma <= NOTHING * sigma[0]] = 0.0
        w = times(t, np.ascontiguousarray(turned[: self.rank].T)) * (sigma[: self.rank] > 0)
        for reader in ("vectors", "coordinates"):
            part.broadcast(reader, w=w)
        part.broadcast("coordinates", sigma=sigma[: self.rank])
        part.broadcast("residuals", sigma=sigma[: self.rank])
        part.result(singular_values=sigma[: self.rank], following=sigma[self.rank : self.rank + 1])

    def vectors(self, part: Partition) -> None:
        """The right singular vectors, a row for each column."""
        (basis,), (ritz,) = part.inbox("basis"), part.inbox("ritz")
        v = times(basis["q"], ritz["w"])
        part.result(v=v)
        part.send("residuals", part.index, v=v)

    def coordinates(self, part: Partition) -> None:
        """The left singular vectors times the singular values."""
        (rows,), (ritz,) = part.inbox("rows"), part.inbox("ritz")
        facts, weight, sigma = _about(part), rows["weight"], ritz["sigma"]
        found = times(rows["y"], ritz["w"])
        u = np.divide(found, sigma, out=np.zeros_like(found), where=sigma > 0)
        side = _Scaled(weight, expected(self.settled(facts), part.fixed["total"], facts["total"]))
        u = np.column_stack([u, np.ones(len(u))])  # the last one is for the sums of columns
        part.broadcast("residuals", u=scaled(u, weight), inner=side.inner(u), weight=weight)
        if self.keep:
            part.result(us=found.astype(np.float32))
        if "names" in part.fixed:
            part.result(name=part.fixed["names"])

    def residuals(self, part: Partition) -> None:
        """How far the vectors are from singular ones, and the energy of each column: all of it, and what the model has."""
        facts, rows = _about(part), list(part.inbox("coordinates"))
        (vectors,), (ritz,) = part.inbox("vectors"), part.inbox("ritz")
        side, v = self._columns(part, facts), np.asarray(vectors["v"]) * ritz["sigma"]
        rest = side.finished(product(part.fixed, rows, "u", self.rank + 1), added(rows, "inner"))
        mean = rest[:, -1] / facts["documents"]
        rest = rest[:, :-1] - v
        energy = np.maximum(squares(part.fixed, rows, "weight") * side.weight * side.weight - side.expected * side.expected, 0.0)
        explained = np.zeros(len(v))
        for k in range(self.rank):
            explained += v[:, k] * v[:, k]
        part.result(squares=_sums(rest * rest), energy=energy, mean=mean, weight=side.weight)
        part.metric("energy", float(_sums(energy[:, None])[0]))
        part.metric("explained", float(_sums(explained[:, None])[0]))

    def vocabulary(self, part: Partition) -> None:
        """The words stay as they are."""
        part.result(**part.fixed)

    def model(self, results: Results) -> Mapping[str, Any]:
        """The arrays of `FactorModel`. Of each pair of vectors the sign is that with which the largest entry of the right one is positive,
        the first of several. Raises DataError for a matrix whose values are too large or too small to be factored."""
        (about,), (ritz,) = results["about"], results["ritz"]
        v = results.concatenated("vectors", "v")
        _check_range(v, np.asarray(ritz["singular_values"]), str(about["scaling"][0]))
        largest = np.argmax(np.abs(v), axis=0)
        sign = np.where(v[largest, np.arange(self.rank)] < 0, -1.0, 1.0)
        missing = np.zeros(self.rank)
        for part in results["residuals"]:
            missing = missing + np.asarray(part["squares"])
        arrays: dict[str, Any] = {
            "vocabulary.word": results.concatenated("vocabulary", "words"),
            "vocabulary.count": results.concatenated("vocabulary", "counts"),
            **{f"vocabulary.{name}": results.concatenated("residuals", name) for name in ("energy", "mean", "weight")},
            "dropped.word": _dropped(results),
            "vectors": v * sign,
            "singular_values": ritz["singular_values"],
            "following": ritz["following"],
            "residuals": np.sqrt(missing),
            "scaling": about["scaling"],
            "size": np.array([int(np.asarray(about["documents"])), len(v)]),
        }
        if self.keep:
            arrays["coordinates"] = results.concatenated("coordinates", "us") * sign.astype(np.float32)
        if any("name" in part for part in results["coordinates"]):
            arrays["documents.name"] = results.concatenated("coordinates", "name")
        return arrays

    def report(self, model: Mapping[str, Any]) -> str:
        """Singular values, error, and the energy by band."""
        return FactorModel(model, self.parameters()).summary()

    def report_of(self, model: Mapping[str, Any], about: Mapping[str, Any]) -> str:
        """The same, with rows and columns called what they are."""
        return FactorModel(model, self.parameters(), nouns_of(about)).summary()

    def warm(self) -> None:
        """Compile or load the kernels."""
        from regrow.models.svd.warming import warm

        warm()


@dataclass(frozen=True)
class _Scaled:
    """A side's weights, and its part of what is expected."""

    weight: Array
    expected: Array

    def inner(self, lines: Array) -> Array:
        """Its part of the product of what is expected with lines: float64 [width]."""
        found: Array = kernels.added_up(read_only(lines), read_only(self.expected))
        return found

    def finished(self, lines: Array, inner: Array) -> Array:
        """Lines of a product times their weights, less what is expected; they are changed."""
        kernels.scale_in_place(lines, read_only(self.weight))
        if self.expected.any():
            kernels.take_outer(lines, read_only(self.expected), read_only(inner))
        return lines


def _sums(lines: Array) -> Array:
    """The sum of each column, line by line."""
    found: Array = kernels.added_up(read_only(lines), read_only(np.ones(len(lines))))
    return found


def _numbers(arrays: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(np.asarray(value).reshape(())) for name, value in arrays.items()}


def _about(part: Partition) -> dict[str, float]:
    (message,) = part.inbox("about")
    return _numbers(message)


def _check_range(vectors: Array, singular_values: Array, scaling: str) -> None:
    """Scalings may leave nothing of a matrix; as it is, one that has values has a singular value above 0."""
    large = not (np.isfinite(vectors).all() and np.isfinite(singular_values).all())
    if large or (scaling == "none" and not np.any(singular_values)):
        raise DataError(
            f"the values of the matrix are too {'large' if large else 'small'} to be factored: their squares leave the range of numbers",
            "multiply all of them by the same number, so that they are near 1",
        )


def _dropped(results: Results) -> Strings:
    dropped: list[Any] = [part["dropped"] for part in results["vocabulary"] if "dropped" in part]
    return Strings.concatenate(dropped) if dropped else strings([])
