"""regrow ctr: from rows to a report, as a person does it."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import pytest

from models.logistic.clicks import csv_text, libsvm_text
from shell import Ended, Shell, refuses


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "train.csv").write_text(csv_text(6_000, 1))
    (tmp_path / "test.csv").write_text(csv_text(3_000, 1))
    return Shell(tmp_path, capsys)


INLINE = ("--engine", "inline")


def train(shell: Shell, *more: object, run: str = "run") -> dict[str, object]:
    return shell.run("ctr", "train", "train.csv", "--label", "click", *INLINE, "--run", run, *more)


def test_train_evaluate_predict_and_explain_say_the_same(shell: Shell) -> None:
    found = train(shell)
    assert found["examples"] == 6_000
    assert found["examples_per_second"]
    report = shell.run("ctr", "evaluate", "run", "test.csv", *INLINE)
    assert report["examples"] == 3_000
    assert report["log_loss"] < report["baseline_loss"]
    assert report["auc_interval"][0] < report["auc"] < report["auc_interval"][1]
    assert sum(band["units"] for band in report["bands"]) == 3_000
    assert 0.8 < report["calibration"] < 1.25
    lines = [json.loads(line) for line in shell("ctr", "predict", "run", "test.csv", *INLINE).out.splitlines()]
    loss = -sum(math.log(line["p"] if line["label"] else 1 - line["p"]) for line in lines) / 3_000
    assert loss == pytest.approx(report["log_loss"], rel=1e-6)
    assert sum(line["p"] for line in lines) / sum(line["label"] for line in lines) == pytest.approx(report["calibration"], rel=1e-6)
    third = (shell.folder / "test.csv").read_text().splitlines()[3]
    for row in (third, "test.csv:4", json.dumps(dict(zip(("click", "user", "item", "category"), third.split(","), strict=True)))):
        told = shell.run("ctr", "explain", "run", row)
        assert told["p"] == pytest.approx(lines[2]["p"], rel=1e-8)
        assert sum(part["contribution"] for part in told["features"]) == pytest.approx(told["score"], rel=1e-6)
        assert {part["field"] for part in told["features"]} == {"", "user", "item", "category"}


def test_predictions_go_into_a_file_of_lines_or_parquet(shell: Shell) -> None:
    import pyarrow.parquet as pq

    (shell.folder / "train.csv").write_text(csv_text(500))
    train(shell)
    assert shell("ctr", "predict", "run", "test.csv", *INLINE, "--out", "p.jsonl").code == 0
    assert shell("ctr", "predict", "run", "test.csv", *INLINE, "--out", "p.parquet").code == 0
    lines = [json.loads(line) for line in (shell.folder / "p.jsonl").read_text().splitlines()]
    assert pq.read_table(shell.folder / "p.parquet").to_pylist() == lines
    refuses(shell("ctr", "predict", "run", "test.csv", *INLINE, "--out", "nowhere/p.parquet"), 2, "cannot be written")
    none = shell("ctr", "predict", "run", "test.csv", *INLINE, "--out", "p.parquet", "--time", "item", "--since", "j")
    assert "--since j: 0 rows are within" in none.err
    assert pq.read_table(shell.folder / "p.parquet").to_pydict() == {"p": [], "label": [], "unseen": []}


def test_rows_without_a_label_are_predicted_and_columns_may_stand_in_any_order(shell: Shell) -> None:
    (shell.folder / "train.csv").write_text(csv_text(500))
    train(shell)
    with_label = shell("ctr", "predict", "run", "test.csv", *INLINE).out.splitlines()
    rows = [line.split(",") for line in (shell.folder / "test.csv").read_text().splitlines()]
    (shell.folder / "new.csv").write_text("".join(f"{c},{i},{u}\n" for _, u, i, c in rows))
    without = shell("ctr", "predict", "run", "new.csv", *INLINE).out.splitlines()
    assert [json.loads(line)["p"] for line in without] == [json.loads(line)["p"] for line in with_label]
    assert "label" not in json.loads(without[0])


def test_backoff_is_measured_against_a_flat_model_on_the_same_rows(shell: Shell) -> None:
    train(shell, "--features", "user,item", run="flat")
    train(shell, "--features", "user,item", "--backoff", "item:category", run="back")
    (shell.folder / "new.csv").write_text(csv_text(3_000, 1))
    found = shell.run("ctr", "evaluate", "back", "test.csv", *INLINE, "--against", "flat", "--field", "item")
    assert found["against"]["difference"] < 0
    assert found["against"]["high"] < 0
    text = shell("ctr", "evaluate", "back", "test.csv", *INLINE, "--against", "flat").out
    assert "below 0 back is better" in text


def test_a_cross_is_made_where_a_backoff_names_no_column(shell: Shell) -> None:
    train(shell, "--features", "user", "--backoff", "pair:user,item")
    told = shell.run("ctr", "explain", "run", "1,u3,i0,c1")
    assert {part["field"] for part in told["features"]} == {"", "user", "item", "pair"}
    assert next(part["value"] for part in told["features"] if part["field"] == "pair") == "u3 & i0"


def test_what_lies_within_what_is_listed_and_used_if_asked(shell: Shell) -> None:
    (shell.folder / "train.csv").write_text(csv_text(1_000))
    options = ("ctr", "train", "train.csv", "--label", "click", "--features", "user,item", *INLINE)
    found = shell(*options, "--backoff", "find", "--run", "none")
    assert found.out == "--backoff item:category\n"
    assert not (shell.folder / "none").exists()
    by_hand = shell.run(*options, "--backoff", "item:category", "--run", "by-hand")
    told = shell(*options, "--backoff", "auto", "--run", "auto")
    assert "back-off item:category" in told.err
    assert shell("digest", "auto").out.strip() == by_hand["digest"]


def test_libsvm_lines_from_a_compressed_file_and_from_stdin(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    import io
    import sys

    text = libsvm_text(2_000)
    (shell.folder / "a.libsvm.gz").write_bytes(gzip.compress(text.encode()))
    first = shell.run("ctr", "train", "a.libsvm.gz", *INLINE)
    stdin = io.TextIOWrapper(io.BytesIO(text.encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    second = shell.run("ctr", "train", "-", *INLINE)
    assert first["digest"] == second["digest"]
    report = shell.run("ctr", "evaluate", str(first["run"]), "a.libsvm.gz", *INLINE)
    assert report["log_loss"] < report["baseline_loss"]


def test_a_split_by_time_leaves_out_what_is_later(shell: Shell) -> None:
    rows = csv_text(1_000).splitlines()
    days = [f"{line},2024-01-{1 + n // 100:02}" for n, line in enumerate(rows[1:])]
    (shell.folder / "days.csv").write_text("\n".join([rows[0] + ",day", *days]) + "\n")
    found = shell.run("ctr", "train", "days.csv", "--label", "click", "--time", "day", "--until", "2024-01-08", *INLINE, "--run", "early")
    assert found["examples"] == 700
    report = shell.run("ctr", "evaluate", "early", "days.csv", "--since", "2024-01-08", *INLINE)
    assert report["examples"] == 300


def test_a_time_that_is_written_otherwise_than_the_bound_is_named_not_compared(shell: Shell) -> None:
    def days(*times: str, bound: str) -> Ended:
        (shell.folder / "days.csv").write_text("click,a,day\n" + "".join(f"{n % 2},u{n % 3},{day}\n" for n, day in enumerate(times)))
        until = ("--time", "day", "--until", bound, "--run", "run", "--overwrite")
        return shell("ctr", "train", "days.csv", "--label", "click", *until, *INLINE, "--json")

    days_of_january = [f"2024-01-{day:02}" for day in range(1, 21)]
    for times, bound in (
        (days_of_january, "20240108"),
        (days_of_january, "2024/01/08"),
        (days_of_january, "202"),
        ([str(1_700_000_000 + n) for n in range(20)], "2024-01-08"),
        ([f"{hour}:30" for hour in range(10, 24)], "9"),
        (["2024-1-2", *days_of_january], "2024-01-08"),
    ):
        refuses(
            days(*times, bound=bound), 3, "days.csv, line 2", f'the time is "{times[0]}"', f"--until {bound}", "as the times are written"
        )
    refuses(days(*days_of_january, "", bound="2024-01-08"), 3, "days.csv, line 22", "there is no time")
    for times, bound, within in (
        (days_of_january, "2024", 0),
        (days_of_january, "2024-01", 0),
        (days_of_january, "2024-01-08", 7),
        ([f"{day}T10:00:00Z" for day in days_of_january], "2024-01-08", 7),
        ([f"{n}.5" for n in range(20)], "1e1", 10),
        (["Mon", "Tue", "Wed"] * 5, "Tue", 5),
    ):
        found = days(*times, bound=bound)
        if not within:
            refuses(found, 3, "not one example", "--until")
            continue
        assert (found.json["examples"], found.json["metrics"]["left_out"]) == (within, len(times) - within)
        assert f"--until {bound}: {within} rows are within, {len(times) - within} were left out" in found.err


def test_what_cannot_be_is_said_with_what_to_do(shell: Shell) -> None:
    ctr = ("ctr", "train", "train.csv", *INLINE, "--run", "run")
    refuses(shell(*ctr), 2, "which column of train.csv is the label?", "--label")
    refuses(shell(*ctr, "--label", "clik"), 3, 'no column "clik"', "click, user, item")
    refuses(shell(*ctr, "--label", "click", "--features", "usr"), 3, 'no column "usr"')
    refuses(shell(*ctr, "--label", "click", "--features", "click,user"), 2, "it would tell the answer")
    refuses(shell(*ctr, "--label", "click", "--alpha", "x"), 2, "--alpha x")
    refuses(shell(*ctr, "--label", "click", "--numeric", "user"), 3, "train.csv, line 2", "is no number")
    refuses(shell(*ctr, "--label", "item", "--overwrite"), 3, "train.csv, line 2", "the label is")
    refuses(shell("ctr", "evaluate", "nowhere", "test.csv"), 3, "holds no model")
    (shell.folder / "train.csv").write_text(csv_text(500))
    train(shell, "--overwrite")
    refuses(shell("ctr", "evaluate", "run", "test.csv", "--field", "nobody"), 2, "user, item, category")
    refuses(shell("ctr", "explain", "run", "1,u1"), 3, "ROW has 2 fields")


def test_broken_rows_fail_with_their_line_or_are_left_out_and_told(shell: Shell) -> None:
    good = csv_text(500)
    (shell.folder / "bad.csv").write_text(good + "1,u1\n" + "maybe,u1,i1,c1\n" + '0,"u2,i2,c2\n')
    ctr = ("ctr", "train", "bad.csv", "--label", "click", *INLINE, "--run", "run")
    refuses(shell(*ctr), 3, "bad.csv, line 502", "2 fields, and the first line has 4")
    found = shell(*ctr, "--bad-rows", "skip", "--overwrite")
    assert found.code == 0, found.err
    assert "left out: bad.csv, line 503: the label is" in found.out
    assert "a quote is opened and never closed" in found.out
    assert shell.run(*ctr, "--bad-rows", "skip", "--overwrite")["metrics"]["progressive_loss"] > 0
