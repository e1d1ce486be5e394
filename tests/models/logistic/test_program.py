"""FTRL as a program, on the engine: what its slow twin says, to the bit; and what it learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.logistic import naive
from models.logistic.clicks import csv_text, libsvm_text, rows
from regrow.data.clicks import ClickOptions
from regrow.errors import UsageError
from regrow.launch import launch
from regrow.models.logistic import FTRL, ClickModel
from regrow.models.logistic.specs import clicks_spec, read_clicks
from regrow.spec import How


def trained(folder: Path, text: str, program: FTRL | None = None, name: str = "rows.libsvm", **more: Any) -> ClickModel:
    (folder / name).write_text(text)
    partitions = more.pop("partitions", None)
    spec = clicks_spec([str(folder / name)], program or FTRL(), options=ClickOptions(**more), partitions=partitions)
    return read_clicks(launch(spec, How("inline"), folder / f"run-{name}-{len(list(folder.iterdir()))}").path)[0]


def naive_rows(text: str) -> list[naive.Row]:
    found = []
    for line in text.splitlines():
        label, *pairs = line.split()
        features = [(id, float(x)) for id, x in (pair.split(":") for pair in pairs)]
        found.append((int(float(label) > 0), features, 1.0))
    return found


@pytest.mark.parametrize(
    ("rates", "partitions", "passes"),
    [({}, (4, 1), 1), ({"alpha": 0.3, "beta": 0.5, "l1": 0.2, "l2": 2.0}, (3, 1), 2), ({"l1": 1.0}, (1, 1), 1)],
    ids=["plain", "regularised", "one partition"],
)
def test_the_state_is_the_slow_twins_to_the_bit(tmp_path: Path, rates: dict[str, float], partitions: tuple[int, int], passes: int) -> None:
    text = libsvm_text(3_000)
    twin = naive.Ftrl(**rates)
    losses = twin.train(naive_rows(text), partitions[0], passes)
    program = FTRL(**{name: [value] for name, value in rates.items()}, passes=passes)
    model = trained(tmp_path, text, program, partitions=partitions)
    names = list(model.arrays["features.value"])
    z = dict(zip(names, model.arrays["features.z"].tolist(), strict=True))
    n = dict(zip(names, model.arrays["features.n"].tolist(), strict=True))
    weights = dict(zip(names, model.weights.tolist(), strict=True))
    assert {name: (z[name], n[name]) for name in names} == twin.state
    assert weights == {name: twin.weight(name) for name in names}
    first_pass = losses[: len(losses) // passes]
    sizes = [256] * (len(first_pass) - 1) + [3_000 - 256 * (len(first_pass) - 1)]
    expected = sum(loss * size for loss, size in zip(first_pass, sizes, strict=True)) / 3_000
    assert model.progressive_loss == pytest.approx(expected, rel=1e-12)


def test_partitions_of_weights_and_buckets_change_no_weight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = csv_text(4_000)
    options = {"label": "click", "name": "rows.csv"}
    one = trained(tmp_path, text, **options)
    monkeypatch.setattr("regrow.preparing.buckets_for", lambda _: 8)
    many = trained(tmp_path, text, partitions=(4, 4), **options)

    def by_name(model: ClickModel) -> dict[tuple[str, str], tuple[float, int]]:
        counts = model.arrays["features.count"]
        return {model.name(i): (float(model.weights[i]), int(counts[i])) for i in range(model.features)}

    assert by_name(one) == by_name(many)
    assert one.features == many.features > 1_000


def test_counts_are_those_of_the_rows_and_names_are_kept(tmp_path: Path) -> None:
    model = trained(tmp_path, csv_text(1_000), label="click", name="rows.csv")
    counts = {model.name(i): int(model.arrays["features.count"][i]) for i in range(model.features)}
    expected: dict[tuple[str, str], int] = {("", "(bias)"): 1_000}
    for _, user, item, category in rows(1_000):
        for field, value in (("user", user), ("item", item), ("category", category)):
            expected[field, value] = expected.get((field, value), 0) + 1
    assert counts == expected


def test_several_models_side_by_side_are_those_of_runs_of_their_own(tmp_path: Path) -> None:
    text = libsvm_text(2_000)
    grid = FTRL(alpha=[0.05, 0.2, 5.0], beta=[1.0] * 3, l1=[0.0, 0.5, 0.0], l2=[0.0] * 3)
    together = trained(tmp_path, text, grid)
    losses = together.arrays["models.loss"].tolist()
    assert int(together.arrays["kept"][0]) == losses.index(min(losses))
    for number in range(3):
        single = FTRL(alpha=[grid.alpha[number]], beta=[1.0], l1=[grid.l1[number]], l2=[0.0])
        alone = trained(tmp_path, text, single)
        assert alone.arrays["models.loss"][0] == losses[number]
        if number == together.arrays["kept"][0]:
            assert np.array_equal(alone.weights, together.weights)


def test_a_field_may_have_rates_of_its_own(tmp_path: Path) -> None:
    text = csv_text(2_000)
    plain = trained(tmp_path, text, label="click", name="rows.csv")
    other = trained(tmp_path, text, FTRL(fields={"item": {"l1": 1e6}}), label="click", name="rows.csv")
    of_item = np.array([other.name(i)[0] == "item" for i in range(other.features)])
    assert not other.weights[of_item].any()
    assert other.weights[~of_item].any()
    assert plain.weights[of_item].any()
    with pytest.raises(UsageError, match="itme: no feature has it"):
        trained(tmp_path, text, FTRL(fields={"itme": {"l1": 1.0}}), label="click", name="rows.csv")


@pytest.mark.parametrize(
    "rates", [{"alpha": [0.0]}, {"l1": [-1.0]}, {"passes": 0}, {"alpha": [0.1, 0.2]}, {"fields": {"a": {"gamma": 1.0}}}]
)
def test_rates_that_cannot_be_are_refused(rates: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        FTRL(**rates)


def test_features_of_few_rows_are_left_out_only_if_asked(tmp_path: Path) -> None:
    text = csv_text(1_000)
    whole = trained(tmp_path, text, label="click", name="rows.csv")
    cut = trained(tmp_path, text, label="click", name="rows.csv", min_count=5)
    assert cut.features == np.count_nonzero(whole.arrays["features.count"] >= 5) < whole.features
    chance = trained(tmp_path, text, label="click", name="rows.csv", admit=0.3)
    assert cut.arrays["features.count"].min() >= 5
    counts = chance.arrays["features.count"]
    share = np.count_nonzero(counts == 1) / np.count_nonzero(whole.arrays["features.count"] == 1)
    assert 0.2 < share < 0.4
    assert np.count_nonzero(counts >= 20) == np.count_nonzero(whole.arrays["features.count"] >= 20)


def test_hashed_weights_are_as_many_as_was_said(tmp_path: Path) -> None:
    model = trained(tmp_path, csv_text(1_000), label="click", name="rows.csv", hash_bits=8)
    assert model.features == 257
    assert model.arrays["features.count"][0] == 1_000
    assert model.arrays["features.count"][1:].sum() == 3_000
