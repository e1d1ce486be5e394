"""FTRL-Proximal as a program: examples send gradients, weights fold them and answer with what the next round needs.

    examples    the examples of a slot: gradients under the weights that were asked for one round ahead, and the rows wanted next
    weights     the state of the features, changed by rows; folds gradients in the order of the partitions, then answers
    table       (at the end) a part of the dictionary with its weights
    end         (at the end) what examples cost before they were learned from: progressive validation

A round has from 256 to 32,768 examples (see `regrow.data.clicks.schedule`); each partition of examples has a stretch of it. Partitions are
part of what the model is; who works on them is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.clicks.round_kernels import rows_of
from regrow.data.readonly import read_only
from regrow.errors import DataError, UsageError
from regrow.evaluation.bands import BANDS, LOWEST
from regrow.models.logistic import calibration, kernels
from regrow.models.logistic.model import ClickModel, beyond
from regrow.program import Data, Partition, Program, Results, Role, Roles

__all__ = ["FTRL", "RATES"]

Array = npt.NDArray[Any]

RATES = ("alpha", "beta", "l1", "l2")


@dataclass(frozen=True)
class FTRL(Program):
    """Logistic regression by FTRL-Proximal.

    alpha, beta, l1, l2     of each model: learning rate, its offset, regularisation; all of one length: several train several models in
                one pass
    passes      visits of all examples
    fields      other values for features of some fields: name -> {"alpha": ..., "l1": ...}
    seen        examples of the runs that this one goes on from
    calibrate   gather what predictions are worth, by group of examples (see calibration.py)
    keep        which of several models is kept: its number, or -1 for the best in progressive validation

    Data: the layouts "slots" and "start" of `ClickRounds`, "dictionary" and "fields" of `ClickExamples`, and their facts.
    Metrics: `round_loss`, the mean log loss of a round's examples before they are learned from, and `progressive_loss`, that of all (of
    several models, the least).
    """

    alpha: Sequence[float] = (0.1,)
    beta: Sequence[float] = (1.0,)
    l1: Sequence[float] = (0.0,)
    l2: Sequence[float] = (0.0,)
    passes: int = 1
    fields: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    keep: int = -1
    seen: int = 0
    calibrate: bool = False

    def __post_init__(self) -> None:
        if not len(self.alpha) == len(self.beta) == len(self.l1) == len(self.l2) > 0:
            raise UsageError("alpha, beta, l1 and l2 of different lengths", "give one value of each for each model")
        if self.passes < 1:
            raise UsageError(f"--passes {self.passes}", "at least one")
        if not -1 <= self.keep < len(self.alpha):
            raise UsageError(f"keep={self.keep} of {len(self.alpha)} models", "a number from 0 on, or -1 for the best")
        if self.calibrate and len(self.alpha) > 1:
            raise UsageError("calibration of several models", "choose one: give one value of each rate")
        for where, rates in [("", dict(zip(RATES, values, strict=True))) for values in self._models] + list(self.fields.items()):
            for name, value in rates.items():
                if name not in RATES:
                    raise UsageError(f'field "{where}": there is no "{name}"', f"a field may have its own {', '.join(RATES)}")
                if not (value > 0 if name == "alpha" else value >= 0) or value == float("inf"):
                    raise UsageError(f"--{name} {value:g}", "alpha is above 0, the others are not below 0")

    @property
    def _models(self) -> list[tuple[float, float, float, float]]:
        return list(zip(self.alpha, self.beta, self.l1, self.l2, strict=True))

    def roles(self, data: Data) -> Roles:
        """One round for each slot, in each pass."""
        slots, turn = int(data.facts["slots"]), int(data.facts["turn"])
        return Roles(
            self.passes * slots,
            examples=Role(data["slots"] * turn // slots, data="slots", turn=turn, reads={"weights": -1}),
            weights=Role(data["start"], data="start", reads={"examples": 0}),
            table=Role(data["dictionary"], data="dictionary", when="last", reads={"weights": 0}),
            end=Role(1, data="fields", when="last", states=("examples",)),
        )

    # Every round

    def examples(self, part: Partition) -> None:
        """Gradients of the slot's examples, and the rows that the next slot's need."""
        fixed = part.fixed
        turn = len(fixed["rows"]) - 1
        slot = part.round % turn
        (cuts, at), gaps, models = fixed["cuts"], fixed["gaps"], len(self.alpha)
        begin, end = int(fixed["rows"][slot]), int(fixed["rows"][slot + 1])
        progress = _Progress.of(part.state, models)
        g = np.zeros((int(cuts[slot, -1] - cuts[slot, 0]), models))
        loss, weight = np.zeros(models), 0.0
        if begin < end:
            w = np.concatenate([message["w"] for message in part.inbox("weights")])
            row_ptr = read_only(fixed["row_ptr"][begin : end + 1])
            label, weights = read_only(fixed["label"][begin:end]), read_only(fixed["weight"][begin:end])
            losses, scores = np.empty((end - begin, models)), np.empty((end - begin, models))
            index, value = read_only(fixed["index"]), read_only(fixed["value"])
            kernels.gradients(row_ptr, index, value, label, weights, read_only(w), g, losses, scores)
            loss, weight = progress.added(read_only(fixed["rarest"][begin:end]), label, weights, losses)
            if part.round < part.rounds // self.passes:  # later, examples are known already
                part.keep(**progress.arrays, **self._calibrations(part, scores, begin, end))
        last, sent = part.round == part.rounds - 1, kernels.rounded(g)
        own = cuts[slot] - cuts[slot, 0]
        for receiver in range(len(own) - 1):
            rows, wanted = (gaps[at[k, receiver] : at[k, receiver + 1]] for k in (slot, slot + 1))
            mine = sent[own[receiver] : own[receiver + 1]]
            costs = {} if receiver else {"loss": loss, "weight": weight}  # the first adds them up
            part.send("weights", receiver, rows=rows, g=mine, wanted=wanted[:0] if last else wanted, **costs)

    def _calibrations(self, part: Partition, scores: Array, begin: int, end: int) -> dict[str, Array]:
        """The counts of what predictions were worth, with those of these examples."""
        if not self.calibrate:
            return {}
        fixed = part.fixed
        state = part.state if "groups" in part.state else None
        group, label, weight = (read_only(fixed[name][begin:end]) for name in ("group", "label", "weight"))
        return calibration.counted(state, read_only(scores[:, 0]), group, label, weight)

    def weights(self, part: Partition) -> None:
        """Fold gradients, then answer."""
        inbox, models = list(part.inbox("examples")), len(self.alpha)
        own, rates = self._rates(part)
        zn = read_only(part.state["zn"]) if part.state else self._first(part)
        g = read_only(np.concatenate([message["g"] for message in inbox]))
        ptr = np.cumsum([0] + [len(message["g"]) for message in inbox])
        rows = np.empty(ptr[-1], np.int32)
        for message, a, b in zip(inbox, ptr[:-1], ptr[1:], strict=True):
            _put_rows(message["rows"], rows[a:b])
        rows = read_only(rows)
        touched = kernels.union(rows, ptr)
        place = kernels.places(touched, len(zn))
        fresh = np.empty((len(touched), models, 2), np.float32)
        has_bias, zn = part.index == 0, read_only(zn)
        kernels.fold(rows, ptr, g, zn, own, rates, has_bias, touched, place, fresh)
        for message in inbox:
            wanted = np.empty(np.count_nonzero(message["wanted"]), np.int32)
            _put_rows(message["wanted"], wanted)
            w = np.empty((len(wanted), models), np.float32)
            kernels.answers(read_only(wanted), zn, place, fresh, own, rates, has_bias, w)
            part.send("examples", message.sender, w=w)
        if part.round == part.rounds - 1:
            zn = np.array(zn)
            zn[touched] = fresh
            ends = np.cumsum(part.fixed["sizes"])
            for bucket, mine in enumerate(np.split(zn, ends[:-1])):
                part.send("table", part.index * len(ends) + bucket, zn=mine)
        elif part.state:
            part.change(touched, zn=fresh)
        else:
            part.keep(zn=zn)
        if part.index == 0 and (weight := sum(float(message["weight"]) for message in inbox)):
            loss = np.zeros(models)
            for message in inbox:
                loss += message["loss"]
            if np.isfinite(loss).any():
                part.metric("round_loss", _least(loss) / weight)

    def _first(self, part: Partition) -> Array:
        """The state to begin with: nothing, or that of an earlier run."""
        zn = np.zeros((len(part.fixed["field"]), len(self.alpha), 2), np.float32)
        if "zn" in part.fixed:
            zn[:] = part.fixed["zn"][:, None]
        return zn

    def _rates(self, part: Partition) -> tuple[Array, Array]:
        """The field of each feature of a partition of weights (empty if all have the same rates), and the rates: [fields, models, 4]."""
        if not self.fields:
            return read_only(np.empty(0, np.int32)), np.array([self._models])
        return read_only(part.fixed["field"]), self.rates(list(part.fixed["names"]))

    def rates(self, names: Sequence[str]) -> Array:
        """alpha, beta, l1, l2 of each model for features of each of these fields: float64 [fields, models, 4]."""
        table = np.array([self._models] * max(1, len(names)))
        for number, name in enumerate(names):
            for rate, value in self.fields.get(name, {}).items():
                table[number, :, RATES.index(rate)] = value
        return table

    # At the end

    def table(self, part: Partition) -> None:
        """The state of a bucket of the dictionary, beside its names."""
        (message,) = part.inbox("weights")
        fixed = part.fixed
        part.result(value=fixed["value"], field=fixed["field"], hash=fixed["hash"], count=fixed["count"], zn=message["zn"])

    def end(self, part: Partition) -> None:
        """What examples cost before they were learned from, by band."""
        total = _Progress.of({}, len(self.alpha))
        counts: list[Mapping[str, Any]] = []
        for state in part.states("examples"):
            total.join(state)
            counts.append(state)
        if self.calibrate:
            part.result(**calibration.fitted([state for state in counts if "groups" in state]))
        losses = _summed(total.loss)
        if np.isfinite(losses).any():  # else there is no model, and `model` says why
            part.metric("progressive_loss", _least(losses) / max(float(total.weight.sum()), 1e-300))
        names = part.fixed["name"]
        unknown = [name for name in self.fields if name not in set(names)]
        if unknown:
            raise DataError(f'no feature has the field "{unknown[0]}"', f"the fields are: {', '.join(name for name in names if name)}")
        part.result(**total.arrays, name=names, **{name: part.fixed[name] for name in ("file", "line", "why")})

    def model(self, results: Results) -> Mapping[str, Any]:
        """The arrays of `ClickModel`. Raises DataError if a state, a weight or the loss of the kept one is no finite number."""
        (end,) = results["end"]
        loss = np.asarray(end["loss"])
        totals = _summed(loss)
        totals[~np.isfinite(totals)] = np.inf
        best = self.keep if self.keep >= 0 else int(np.argmin(totals))
        zn, field = results.concatenated("table", "zn"), results.concatenated("table", "field")
        w = kernels.weights_of(read_only(zn), read_only(field), self.rates(list(end["name"])), True, best)
        fine = np.isfinite(zn[:, best]).all(axis=1) & np.isfinite(w)
        if not fine.all():
            first = int(np.argmin(fine))
            raise beyond(end["name"][int(field[first])], results.concatenated("table", "value")[first], int((~fine).sum()))
        if totals[best] == np.inf:
            raise DataError("the log loss of the training rows is no finite number", "take a smaller --alpha, or a larger --beta")
        grid = {f"models.{name}": np.array(values, np.float64) for name, values in zip(RATES, zip(*self._models, strict=True), strict=True)}
        weight = float(np.asarray(end["weight"]).sum())
        return {
            "features.value": results.concatenated("table", "value"),
            "features.field": field,
            "features.hash": results.concatenated("table", "hash"),
            "features.count": results.concatenated("table", "count"),
            "features.weight": w,
            "features.z": np.ascontiguousarray(zn[:, best, 0]),
            "features.n": np.ascontiguousarray(zn[:, best, 1]),
            "fields.name": end["name"],
            "skipped.file": end["file"],
            "skipped.line": end["line"],
            "skipped.why": end["why"],
            **{f"progress.{name}": np.asarray(end[name]) for name in ("units", "clicks", "weight")},
            "progress.loss": np.ascontiguousarray(loss[:, best]),
            **grid,
            "models.loss": totals / max(weight, 1e-300),
            "kept": np.array([best]),
            **{f"calibration.{name}": end[f"calibration_{name}"] for name in ("group", "p") if self.calibrate},
        }

    def report(self, model: Mapping[str, Any]) -> str:
        """The largest weights, and the table of progressive validation."""
        return ClickModel(model, self.parameters()).summary()

    def warm(self) -> None:
        """Compile or load the kernels."""
        from regrow.models.logistic.warming import warm_training

        warm_training(len(self.alpha), self.calibrate)


@dataclass(frozen=True)
class _Progress:
    """Progressive validation by band: examples, weights of examples, of those that are clicks, log losses of each model."""

    units: Array
    weight: Array
    clicks: Array
    loss: Array

    @staticmethod
    def of(state: Mapping[str, Any], models: int) -> _Progress:
        """From a state; nothing, if there is none."""
        if state:
            return _Progress(*(np.array(state[name]) for name in ("units", "weight", "clicks", "loss")))
        bands = len(BANDS)
        return _Progress(np.zeros(bands, np.int64), np.zeros(bands), np.zeros(bands), np.zeros((bands, models)))

    def added(self, rarest: Array, label: Array, weight: Array, losses: Array) -> tuple[Array, float]:
        """Add examples; returns the sums of their losses and weights."""
        loss = np.zeros(losses.shape[1])
        return loss, kernels.add_by_band(rarest, _LOWEST, label, weight, losses, self.units, self.weight, self.clicks, self.loss, loss)

    def join(self, state: Mapping[str, Any]) -> None:
        """Add what another partition has."""
        for name in ("units", "weight", "clicks", "loss") if state else ():
            mine = getattr(self, name)
            mine += state[name]

    @property
    def arrays(self) -> dict[str, Array]:
        """By name."""
        return dict(vars(self))


def _summed(by_band: Array) -> Array:
    """The sums over the bands, one after the other: those of several models side by side are those of one."""
    total = np.zeros(by_band.shape[1])
    for band in by_band:
        total += band
    return total


def _put_rows(gaps: Array, rows: Array) -> None:
    """Fill in the rows of a partition of weights that are named by gaps (see `gaps_of`): int32."""
    rows_of(read_only(gaps), np.iinfo(gaps.dtype).max, rows)


def _least(losses: Array) -> float:
    """The least of those that are finite."""
    return float(losses[np.isfinite(losses)].min())


_LOWEST = np.array(LOWEST, np.int64)
