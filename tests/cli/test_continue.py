"""Going on from a finished run: more rounds, new documents, new words; the bytes are those of one run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from regrow.models.lda.specs import read_topics
from shell import Shell, refuses, themes

INLINE = ("--engine", "inline")
TRAIN = ("lda", "train", "docs.txt", "--topics", 4, *INLINE)


@pytest.mark.parametrize(
    "more", [(), ("--learn-alpha", "--learn-beta", "--learn-every", 5), ("--merge-every", 14)], ids=["plain", "priors", "merging"]
)
def test_two_runs_after_one_another_end_like_one(shell: Shell, more: tuple[object, ...]) -> None:
    whole = shell.run(*TRAIN, "--rounds", 40, "--run", "whole", *more)
    shell.run(*TRAIN, "--rounds", 25, "--run", "first", *more)
    second = shell.run("lda", "train", "--continue", "first", "--rounds", 15, "--run", "second", "--grid", "3x2", *INLINE)
    assert second["digest"] == whole["digest"]
    shell.run(*TRAIN, "--rounds", 10, "--run", "a", *more)
    shell.run("lda", "train", "--continue", "a", "--rounds", 10, "--run", "b", *INLINE)
    assert shell.run("lda", "train", "--continue", "b", "--rounds", 20, "--run", "c", *INLINE)["digest"] == whole["digest"]


def new_documents(shell: Shell) -> None:
    text = themes(60, seed=2).replace("t1w", "n1w")  # one theme speaks in new words
    (shell.folder / "new.txt").write_text(text)


def test_new_documents_bring_new_words_and_the_old_keep_their_numbers(shell: Shell) -> None:
    new_documents(shell)
    first = shell.run(*TRAIN, "--rounds", 30, "--run", "first")
    second = shell.run("lda", "train", "new.txt", "--continue", "first", "--rounds", 30, "--run", "second", *INLINE)
    old, new = read_topics(shell.folder / "first"), read_topics(shell.folder / "second")
    assert list(new.vocabulary)[: len(old.vocabulary)] == list(old.vocabulary)
    added = set(list(new.vocabulary)[len(old.vocabulary) :])
    assert {word for word in added if word.startswith("n1w")}
    text = [*(shell.folder / "docs.txt").read_text().split(), *(shell.folder / "new.txt").read_text().split()]
    assert dict(zip(new.vocabulary, new.arrays["vocabulary.count"].tolist(), strict=True)) == {word: text.count(word) for word in set(text)}
    assert second["tokens"] == len(text) == first["tokens"] + len((shell.folder / "new.txt").read_text().split())
    still = [{word for word, _ in words} for words in new.top_words(40)]
    kept = [len({word for word, _ in words} & still[k]) >= 5 for k, words in enumerate(old.top_words(10))]
    assert sum(kept) >= len(kept) - 1, "topics keep their numbers: what they spoke of they still speak of; one may have found the new theme"


@pytest.mark.processes
def test_the_same_bytes_on_workers_that_are_killed(shell: Shell) -> None:
    new_documents(shell)
    shell.run(*TRAIN, "--rounds", 20, "--run", "first")
    quiet = shell.run("lda", "train", "new.txt", "--continue", "first", "--rounds", 40, "--run", "quiet", *INLINE)
    fire = shell.run("lda", "train", "new.txt", "--continue", "first", "--rounds", 40, "--run", "fire", "--workers", 2, "--preempt", 0.1)
    assert fire["digest"] == quiet["digest"]


@pytest.mark.parametrize(
    ("says", "told"), [('{"layout": 0}', "an earlier"), ('{"layout": 1000}', "a later"), ("{}", "an earlier"), (None, "an earlier")]
)
def test_a_run_that_another_version_laid_out_otherwise_is_not_gone_on_from(shell: Shell, says: str | None, told: str) -> None:
    shell.run(*TRAIN, "--rounds", 2, "--run", "first")
    prepared = shell.folder / "first" / "prepared.json"
    prepared.unlink() if says is None else prepared.write_text(says)
    ended = shell("lda", "train", "--continue", "first", "--rounds", 2, "--run", "second", *INLINE)
    refuses(ended, 3, f"first was prepared by {told} version of regrow")
    assert "train it again" in ended.err
    assert not (shell.folder / "second").exists()


def test_filters_of_the_first_run_hold_for_new_documents(shell: Shell) -> None:
    (shell.folder / "docs.txt").write_text("the tail the tail grows grows\n" * 10 + "once\n")
    (shell.folder / "new.txt").write_text("The Head the head once rare\n" * 1 + "the tail head\n")
    (shell.folder / "stop.txt").write_text("the\n")
    shell.run(*TRAIN, "--rounds", 5, "--run", "first", "--stop-words", "stop.txt", "--min-count", 2)
    shell.run("lda", "train", "new.txt", "--continue", "first", "--rounds", 5, "--run", "second", *INLINE)
    assert list(read_topics(shell.folder / "second").vocabulary) == ["grows", "tail", "head"]


def test_what_cannot_be_gone_on_from_is_said(shell: Shell) -> None:
    shell.run(*TRAIN, "--rounds", 3, "--run", "first")
    again = ("lda", "train", "--rounds", 3, *INLINE, "--continue")
    refuses(shell(*again, "nowhere"), 3, "nowhere holds no model")
    refuses(shell(*again, "first/model"), 3, "first/model holds no data to go on from", "name the folder of a run")
    refuses(shell(*again, "first", "--topics", 7), 2, "--topics with --continue", "leave the option out")
    refuses(shell(*again, "first", "missing.txt"), 3, "missing.txt: no such file")
    refuses(shell("lda", "train", *INLINE), 2, "no input file is named")
    damaged = next(Path(shell.folder / "first" / "kept").glob("topics_of_tokens.*"))
    damaged.write_bytes(damaged.read_bytes()[:-100])
    assert shell(*again, "first", "--run", "x").code == 3
    shutil.rmtree(shell.folder / "first" / "kept")
    refuses(shell(*again, "first", "--run", "y"), 3, "holds no kept to go on from")


def test_a_run_does_not_take_the_place_of_what_it_is_made_from(shell: Shell) -> None:
    digest = shell.run(*TRAIN, "--rounds", 3, "--run", "first")["digest"]
    over = ("--run", "first", "--overwrite")
    refuses(shell("lda", "train", "--continue", "first", *INLINE, *over), 2, "first would take the place of", "--run DIR")
    refuses(shell("lda", "infer", "first", "docs.txt", *INLINE, *over), 2, "first would take the place of")
    shutil.copy(shell.folder / "docs.txt", shell.folder / "first" / "docs.txt")
    refuses(shell("lda", "train", "first/docs.txt", *INLINE, *over), 2, "first would take the place of first/docs.txt")
    assert shell("digest", "first").out.strip() == digest
