"""The tail report: its numbers, its table, its JSON, its picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from regrow.errors import UsageError
from regrow.evaluation import BANDS, TailReport, band_of, draw


def report() -> TailReport:
    units = [4, 0, 10, 100, 1_000, 10_000, 20_000, 1_234]
    return TailReport.of_sums(units, [8.5 * n for n in units], [9.75 * n for n in units], "tokens")


def test_a_row_is_the_mean_of_its_units() -> None:
    counts = np.array([0, 1, 1, 3, 12_000])
    found = TailReport.of_units(band_of(counts), [9.0, 4.0, 6.0, 3.0, 1.0], [9.5, 7.0, 7.0, 3.0, 0.5])
    shown = {row.band: (row.units, row.share, row.loss, row.gain) for row in found.rows}
    assert list(shown) == list(BANDS)
    assert shown["0"] == (1, 0.2, 9.0, 0.5)
    assert shown["1"] == (2, 0.4, 5.0, 2.0)
    assert shown["2-4"] == (1, 0.2, 3.0, 0.0)
    assert shown["10,000+"] == (1, 0.2, 1.0, -0.5)
    assert shown["5-19"] == (0, 0.0, None, None)
    assert (found.total.units, found.total.loss, found.total.gain) == (5, 4.6, pytest.approx(0.8))


def test_the_order_of_the_units_changes_no_bit() -> None:
    random = np.random.default_rng(1)
    band, loss, baseline = random.integers(0, 8, 5_000), random.exponential(9, 5_000), random.exponential(10, 5_000)
    order = random.permutation(5_000)
    assert TailReport.of_units(band, loss, baseline) == TailReport.of_units(band[order], loss[order], baseline[order])


def test_the_json_is_a_list_with_a_row_for_every_band() -> None:
    rows = json.loads(json.dumps(report().to_json()))
    assert [list(row) for row in rows] == [["band", "units", "share", "loss", "gain"]] * 8
    assert [row["band"] for row in rows] == list(BANDS)
    assert sum(row["share"] for row in rows) == pytest.approx(1)
    assert rows[0] == {"band": "0", "units": 4, "share": 4 / 32_348, "loss": 8.5, "gain": 1.25}
    assert rows[1] == {"band": "1", "units": 0, "share": 0.0, "loss": None, "gain": None}


def test_the_table_is_aligned_and_shows_a_dash_where_there_is_nothing() -> None:
    lines = report().text().splitlines()
    assert len(lines) == 10
    assert lines[0].split() == ["band", "tokens", "share", "loss", "gain"]
    assert lines[2].split() == ["1", "0", "0.0", "%", "-", "-"]
    assert lines[7].split() == ["1,000-9,999", "20,000", "61.8", "%", "8.5000", "+1.2500"]
    assert lines[9].split() == ["all", "32,348", "100.0", "%", "8.5000", "+1.2500"]
    assert len({len(line) for line in lines}) == 1


def test_nothing_at_all_is_a_report_of_dashes() -> None:
    found = TailReport.of_sums([0] * 8, [0.0] * 8, [0.0] * 8)
    assert found.total.loss is None
    assert "-" in found.text().splitlines()[-1]


def test_sums_must_be_there_for_every_band() -> None:
    with pytest.raises(ValueError, match="zip"):
        TailReport.of_sums([1], [1.0], [1.0])


def test_the_picture_is_a_png(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    for reports in ({"a": report()}, {"a": report(), "b": report()}):
        draw(tmp_path / "tail.png", reports)
        assert (tmp_path / "tail.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_a_picture_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(UsageError, match="cannot be written"):
        draw(tmp_path / "nowhere" / "tail.png", {"a": report()})


def test_a_picture_without_matplotlib_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"regrow\[plot\]"):
        draw(tmp_path / "tail.png", {"a": report()})
