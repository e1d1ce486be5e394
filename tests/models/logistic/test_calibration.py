"""Calibration: chances that are wrong on purpose become right, for all rows and for a frequent value of a field."""

from __future__ import annotations

import math
import random
from pathlib import Path

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from models.logistic.test_program import trained
from regrow.data.clicks import ClickOptions
from regrow.errors import UsageError
from regrow.evaluation import ClickReport
from regrow.launch import launch
from regrow.models.logistic import FTRL, kernels
from regrow.models.logistic.specs import clicks_spec, scoring_spec
from regrow.models.logistic.unseen import Scores
from regrow.spec import How


def test_pooling_is_isotonic_regression() -> None:
    chance = np.random.default_rng(1)
    for _ in range(20):
        rows = chance.integers(1, 50, 64).astype(float)
        clicks = np.minimum(rows, chance.integers(0, 50, 64))
        p = np.empty(64)
        kernels.ascending(np.stack([rows, clicks], axis=1), p)
        assert p == pytest.approx(IsotonicRegression().fit_transform(np.arange(64), clicks / rows, sample_weight=rows), abs=1e-9)


def site_rows(number: int, seed: int) -> str:
    """Two features that say the same, so that an additive model says too much; and a site where nothing they say holds."""
    chance = random.Random(seed)
    lines = ["click,site,a,b"]
    for _ in range(number):
        site, a, b = chance.choice("xyz"), chance.randrange(2), chance.randrange(2)
        s = -1.0 + (2.0 if a and b else 0.0) if site != "z" else -2.0
        lines.append(f"{int(chance.random() < 1 / (1 + math.exp(-s)))},{site},{a},{b}")
    return "\n".join(lines) + "\n"


def report(folder: Path, run: Path) -> ClickReport:
    spec = scoring_spec(run, [str(folder / "test.csv")], Scores)
    rows = launch(spec, How("inline"), None).model
    return ClickReport.of(rows["score"], rows["label"], rows["weight"], rows["band"], 0.3)


def test_calibrated_chances_are_nearer_to_what_happens(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text(site_rows(6_000, 2))
    (tmp_path / "train.csv").write_text(site_rows(12_000, 1))
    found = {}
    for calibrate in (None, "", "site"):
        options = ClickOptions(label="click", calibrate=calibrate)
        spec = clicks_spec([str(tmp_path / "train.csv")], FTRL(), options=options)
        run = tmp_path / f"run-{calibrate}"
        launch(spec, How("inline"), run)
        found[calibrate] = report(tmp_path, run).total
    assert found["site"].log_loss < found[None].log_loss - 0.005
    assert found[""].log_loss <= found[None].log_loss + 0.001
    assert abs(found["site"].calibration - 1) < 0.05


def test_what_cannot_be_calibrated_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="name one of the features"):
        trained(tmp_path, site_rows(100, 1), label="click", name="rows.csv", calibrate="nobody")
    with pytest.raises(UsageError, match="several models"):
        trained(tmp_path, site_rows(100, 1), FTRL([0.1, 0.2], [1, 1], [0, 0], [0, 0]), label="click", name="rows.csv", calibrate="")
