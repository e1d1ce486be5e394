"""regrow lda evaluate: its fields, its table, its picture, the same bytes whoever works, and what it refuses."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

import regrow
from regrow.evaluation import BANDS
from shell import Shell, refuses, themes

FIELDS = ("perplexity", "loss", "documents", "tokens", "unknown", "topics", "alpha_sum", "beta")
FIELDS += ("coherence_npmi", "distinct_topics", "bands")
INLINE = ("--engine", "inline", "--verify", "off")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with runs of 3 and of 6 topics on the same documents, and one of other documents."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "docs.txt").write_text(themes(150))
    (folder / "others.txt").write_text(themes(60, seed=9, words=30))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        for name, topics, alpha_sum, text in (("three", 3, 1.5, "docs"), ("six", 6, 5.0, "docs"), ("others", 3, 5.0, "others")):
            regrow.LDA(topics, alpha_sum=alpha_sum, rounds=30).fit(folder / f"{text}.txt", engine="inline", run=folder / name)
    return folder


@pytest.fixture
def heldout(shell: Shell) -> str:
    (shell.folder / "heldout.txt").write_text(themes(40, seed=2) + "\nnever seen words of nobody knows where\nalone\n")
    return "heldout.txt"


def test_the_fields_are_those_of_the_interface(shell: Shell, runs: Path, heldout: str) -> None:
    found = shell.run("lda", "evaluate", runs / "three", heldout, *INLINE)
    assert set(FIELDS) <= set(found)
    assert found["perplexity"] == pytest.approx(math.exp(found["loss"]))
    assert (found["topics"], found["alpha_sum"], found["beta"]) == (3, 1.5, 0.01)
    assert 1 <= found["distinct_topics"] <= 3
    assert -1 <= found["coherence_npmi"] <= 1
    rows = found["bands"]
    assert [row["band"] for row in rows] == list(BANDS)
    assert all(set(row) == {"band", "units", "share", "loss", "gain"} for row in rows)
    assert sum(row["units"] for row in rows) == found["tokens"]
    assert sum(row["share"] for row in rows) == pytest.approx(1)
    assert sum(row["units"] * row["loss"] for row in rows if row["units"]) / found["tokens"] == pytest.approx(found["loss"])
    assert found["unknown"] == rows[0]["units"] > 0
    assert (rows[-1]["units"], rows[-1]["loss"], rows[-1]["gain"]) == (0, None, None)
    assert found["documents"] + found["documents_without_score"] == len((shell.folder / heldout).read_text().splitlines())
    head = rows[4]
    assert head["gain"] > 0.1, "the themes of these documents are easily found"


def test_people_see_a_table_and_scripts_see_nothing_else(shell: Shell, runs: Path, heldout: str) -> None:
    ended = shell("lda", "evaluate", runs / "three" / "model", heldout, *INLINE)
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert lines[0].startswith("perplexity ")
    assert lines[0].endswith("(K = 3, alpha sum 1.5, beta 0.01)")
    assert [line.split()[0] for line in lines[5:13]] == list(BANDS)
    assert lines[12].split()[-2:] == ["-", "-"]
    assert "coherence" in lines[-2]
    assert not (shell.folder / "runs").exists(), "a run that nobody named goes away"


@pytest.mark.processes
def test_the_same_bytes_whoever_works(shell: Shell, runs: Path, heldout: str) -> None:
    (shell.folder / heldout).write_text(themes(4_000, seed=3))  # parts of text enough for two
    outs = {
        shell("lda", "evaluate", runs / "six", heldout, "--json", "--run", f"r{number}", *how).out
        for number, how in enumerate((INLINE, ("--workers", 1, "--verify", "off"), ("--workers", 2, "--preempt", 0.2)))
    }
    assert len(outs) == 1
    assert json.loads(outs.pop())["documents"] > 3_000
    assert len({shell("digest", f"r{number}").out for number in range(3)}) == 1


def test_a_model_against_itself_and_against_another(shell: Shell, runs: Path, heldout: str) -> None:
    same = shell.run("lda", "evaluate", runs / "three", heldout, "--against", runs / "three", *INLINE)["against"]
    assert (same["difference"], same["low"], same["high"]) == (0.0, 0.0, 0.0)
    found = shell.run("lda", "evaluate", runs / "three", heldout, "--against", runs / "six", *INLINE)
    other = shell.run("lda", "evaluate", runs / "six", heldout, *INLINE)
    assert {name: found["against"][name] for name in FIELDS if name != "bands"} == {name: other[name] for name in FIELDS if name != "bands"}
    assert found["against"]["difference"] == pytest.approx(found["loss"] - other["loss"], rel=1e-9)
    assert found["against"]["low"] < found["against"]["difference"] < found["against"]["high"]
    assert [row["units"] for row in found["against"]["bands"]] == [row["units"] for row in found["bands"]]
    text = shell("lda", "evaluate", runs / "three", heldout, "--against", runs / "others", *INLINE).out
    assert "against" in text
    assert text.splitlines()[-1].split()[0] == "all"


def test_the_run_can_be_kept_and_shown_again(shell: Shell, runs: Path, heldout: str) -> None:
    first = shell("lda", "evaluate", runs / "three", heldout, "--run", "e", "--against", runs / "six", *INLINE)
    assert first.out.startswith("perplexity")
    assert (shell.folder / "e-against" / "done").exists()
    again = shell("resume", "e")
    assert again.code == 0
    refuses(shell("lda", "evaluate", runs / "three", heldout, "--run", "e", *INLINE), 2, "--overwrite")
    refuses(shell("lda", "topics", "e"), 3, "Completion", "regrow lda train")


def test_a_picture_is_drawn(shell: Shell, runs: Path, heldout: str) -> None:
    pytest.importorskip("matplotlib")
    for more in ((), ("--against", runs / "six")):
        assert shell("lda", "evaluate", runs / "three", heldout, "--png", "tail.png", *more, *INLINE).code == 0
        assert (shell.folder / "tail.png").read_bytes().startswith(b"\x89PNG")
    refuses(
        shell("lda", "evaluate", runs / "three", heldout, "--png", "nowhere/tail.png", *INLINE), 2, "cannot be written", "--png tail.png"
    )


def test_fields_of_tables_are_found(shell: Shell, runs: Path, heldout: str) -> None:
    lines = (shell.folder / heldout).read_text().splitlines()
    (shell.folder / "heldout.jsonl").write_text("".join(json.dumps({"body": line}) + "\n" for line in lines))
    found = shell.run("lda", "evaluate", runs / "three", "heldout.jsonl", "--text-field", "body", *INLINE)
    assert found == shell.run("lda", "evaluate", runs / "three", heldout, *INLINE)


def test_a_bag_of_words_is_measured_as_its_words_in_order(shell: Shell, runs: Path, heldout: str) -> None:
    docs = [sorted(line.split()) for line in (shell.folder / heldout).read_text().splitlines() if line]
    names = sorted({word for doc in docs for word in doc})
    triples = [f"{d} {names.index(word) + 1} {doc.count(word)}" for d, doc in enumerate(docs, 1) for word in sorted(set(doc))]
    (shell.folder / "docword.txt").write_text("\n".join([str(len(docs)), str(len(names)), str(len(triples)), *triples]) + "\n")
    (shell.folder / "vocab.txt").write_text("\n".join(names) + "\n")
    (shell.folder / "words.txt").write_text("".join(" ".join(doc) + "\n" for doc in docs))
    found = shell.run("lda", "evaluate", runs / "three", "docword.txt", "--vocab", "vocab.txt", *INLINE)
    assert found == shell.run("lda", "evaluate", runs / "three", "words.txt", *INLINE)
    assert found["unknown"] > 0


def test_what_cannot_be_measured_is_refused(shell: Shell, runs: Path) -> None:
    for name, text in (("empty", ""), ("blank", "\n\n"), ("single", "alone\n")):
        (shell.folder / f"{name}.txt").write_text(text)
    refuses(shell("lda", "evaluate", runs / "three", "empty.txt", *INLINE), 3, "empty.txt")
    refuses(shell("lda", "evaluate", runs / "three", "blank.txt", *INLINE), 3)
    refuses(shell("lda", "evaluate", runs / "three", "missing.txt", *INLINE), 3, "missing.txt")
    refuses(shell("lda", "evaluate", "nowhere", "single.txt", *INLINE), 3, "nowhere")


def test_numbers_are_no_names_of_words(shell: Shell) -> None:
    (shell.folder / "bag.ldac").write_text("2 0:1 1:2\n1 3:1\n")
    shell.run("lda", "train", "docs.txt", "--topics", 3, "--rounds", 2, "--engine", "inline", "--run", "named")
    for command in (("evaluate", "named", "bag.ldac"), ("infer", "named", "bag.ldac"), ("train", "bag.ldac", "--continue", "named")):
        refuses(shell("lda", *command), 2, "bag.ldac calls its words by numbers", "--vocab FILE")
