"""regrow ctr and what cannot be learned from: which file and line, what was expected, what to do; never a model that is no numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from shell import Shell, refuses

INLINE = ("--engine", "inline")
LINES = "".join(f"{i % 2} 1:{i % 3 + 1} 2:0.5\n" for i in range(60))


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Shell(tmp_path, capsys)


def written(shell: Shell, name: str, text: str | bytes) -> str:
    (shell.folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return name


def test_a_value_that_no_float32_can_hold_is_refused_with_its_line(shell: Shell) -> None:
    found = shell("ctr", "train", written(shell, "a.libsvm", f"{LINES}1 3:1e308\n"), *INLINE)
    refuses(found, 3, "a.libsvm, line 61", '"1e308"', "float32")


def test_a_weight_that_stops_being_finite_is_named_and_there_is_no_model(shell: Shell) -> None:
    written(shell, "a.libsvm", f"{LINES}1 3:1e25\n0 3:-1e25 4:1e25\n{LINES}")
    refuses(shell("ctr", "train", "a.libsvm", *INLINE, "--run", "run"), 3, "feature 3 (and of 1 more)", "no finite number")
    assert not (shell.folder / "run" / "model").exists()


def test_of_several_models_one_that_stops_being_finite_is_not_kept(shell: Shell) -> None:
    written(shell, "a.libsvm", "1 1:1\n" * 5 + LINES * 10)
    train = ("ctr", "train", "a.libsvm", *INLINE, "--alpha")
    assert shell.run(*train, "1e300,0.1")["metrics"] == shell.run(*train, "0.1")["metrics"]
    refuses(shell(*train, "1e300"), 3, "no finite number")


ROWS = "".join(f"{i % 2},u{i % 3},{i % 5}\n" for i in range(60))
TABLE = f"y,a,b\n{ROWS}"


def table(shell: Shell, text: str = TABLE) -> tuple[object, ...]:
    return ("ctr", "train", written(shell, "a.csv", text), "--label", "y", *INLINE, "--run", "run")


def test_rows_that_are_skipped_are_counted_and_listed_in_the_json_and_on_stderr(shell: Shell) -> None:
    found = shell(*table(shell, f"{TABLE}1,u1\n2,u1,3\n"), "--bad-rows", "skip", "--json")
    assert found.code == 0
    assert found.json["metrics"]["bad_rows"] == 2
    assert [(row["file"], row["line"]) for row in found.json["skipped"]] == [("a.csv", 62), ("a.csv", 63)]
    assert "2 broken rows were left out, the first: a.csv, line 62: 2 fields" in found.err


def test_a_quote_that_takes_other_rows_along_is_an_error_even_where_rows_are_skipped(shell: Shell) -> None:
    found = shell(*table(shell, f'{TABLE}1,"u1,3\n{ROWS}'), "--bad-rows", "skip")
    refuses(found, 3, "a.csv, line 62", "never closed, which takes along the 60 lines after it")


def test_an_empty_list_of_features_is_a_slip(shell: Shell) -> None:
    refuses(shell(*table(shell), "--features", ","), 2, "empty name")


def test_a_cross_cannot_have_the_name_of_a_column(shell: Shell) -> None:
    refuses(shell(*table(shell), "--cross", "a:a,b"), 2, "--cross a:a,b", "a is a column already", "another name")


def test_a_label_that_never_occurs_is_an_error_and_labels_that_are_all_alike_are_told(shell: Shell) -> None:
    options = list(table(shell))
    options[options.index("y")] = "y=5"
    refuses(shell(*options), 3, 'no label is "5"', "--label COLUMN=VALUE")
    found = shell(*table(shell, TABLE.replace("\n0,", "\n1,")), "--overwrite")
    assert found.code == 0
    assert "warning: all 60 labels are 1" in found.err


def test_where_every_row_is_skipped_the_first_is_told(shell: Shell) -> None:
    refuses(shell(*table(shell), "--numeric", "a", "--bad-rows", "skip"), 3, "60 broken rows left out", 'a.csv, line 2: "u0" is no number')


def test_files_without_the_models_columns_are_told_which_these_are(shell: Shell) -> None:
    assert shell(*table(shell)).code == 0
    written(shell, "a.libsvm", LINES)
    for command in ("predict", "evaluate"):
        refuses(shell("ctr", command, "run", "a.libsvm", *INLINE), 3, "with the columns y, a, b: give one")
    refuses(shell("ctr", "explain", "run", "a.csv:1"), 3, "line 1 is the header", "rows begin at line 2")
    assert shell("ctr", "explain", "run", "a.csv:2").code == 0
    written(shell, "broken.csv", "y,a,b\n1,u1\n")
    refuses(shell("ctr", "evaluate", "run", "broken.csv", "--bad-rows", "skip", *INLINE), 3, "not one row to measure: 1 broken")


def test_rows_that_all_weigh_0_cannot_be_measured(shell: Shell) -> None:
    rows = [f"{i % 2},{'ab'[i % 3 == 0]},1" for i in range(60)]
    written(shell, "rows.csv", "\n".join(["y,a,w", *rows, ""]))
    shell("ctr", "train", "rows.csv", "--label", "y", "--weight", "w", *INLINE, "--run", "run")
    written(shell, "none.csv", "y,a,w\n1,a,0\n0,b,0\n")
    refuses(shell("ctr", "evaluate", "run", "none.csv", *INLINE), 3, "none.csv: all 2 rows weigh 0", 'the column "w"')
    written(shell, "some.csv", "y,a,w\n1,a,0\n0,b,2\n")
    assert shell.run("ctr", "evaluate", "run", "some.csv", *INLINE)["log_loss"] > 0


def test_rates_of_a_field_that_no_feature_has_are_wrong_usage(shell: Shell) -> None:
    refuses(shell(*table(shell), "--field", "nope:alpha=1"), 2, "--field nope", "the fields are: a, b")
    refuses(shell("ctr", "train", written(shell, "a.libsvm", LINES), "--field", "nope:alpha=1", *INLINE), 2, "have no fields")
    assert not (shell.folder / "run").exists()


def test_files_that_are_empty_or_utf16_are_told_so(shell: Shell) -> None:
    wide = written(shell, "wide.csv", TABLE.encode("utf-16"))
    refuses(shell("ctr", "train", wide, "--label", "y", *INLINE), 3, "mark of UTF-16", "iconv -f UTF-16")
    empty = written(shell, "empty.csv.gz", b"")
    refuses(shell("ctr", "train", empty, "--label", "y", *INLINE), 3, "empty.csv.gz is empty")


def test_what_leaves_no_feature_or_is_no_rate_or_no_picture_is_told_before_the_work(shell: Shell) -> None:
    refuses(shell(*table(shell), "--min-count", 1000), 3, "no feature is left: none is in 1,000 rows", "--min-count")
    refuses(shell(*table(shell), "--field", "a:alpha=x"), 2, "--field a:alpha=x: x is no number")
    assert shell(*table(shell), "--overwrite").code == 0
    refuses(shell("ctr", "evaluate", "run", "a.csv", *INLINE, "--png", "run"), 2, "--png run cannot be written: it is a folder")
