"""Words of scripts that are written without spaces."""

from __future__ import annotations

import importlib.metadata
import tempfile
from pathlib import Path
from typing import Any

import pytest

from data.preparing import documents_of, tokens_of, write
from data.test_words import cut
from regrow.data import TextOptions, describe, tokens_program
from regrow.data.segment import SEGMENTS
from regrow.errors import UsageError


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("我爱topics模型", ["我", "我爱", "爱", "topics", "模", "模型", "型"]),
        ("人。人民", ["人", "人", "人民", "民"]),
        ("データのモデル", ["デ", "デー", "ー", "ータ", "タ", "タの", "の", "のモ", "モ", "モデ", "デ", "デル", "ル"]),
        ("か\u3099き", ["か\u3099", "か\u3099き", "き"]),
        ("ที่นี่", ["ที่", "ที่นี่", "นี่"]),
        ("ไทย ๒๕๖๕", ["ไ", "ไท", "ท", "ทย", "ย", "๒๕๖๕"]),
        ("ខ្មែរ\u200bនៅ", ["ខ្", "ខ្មែ", "មែ", "មែរ", "រ", "នៅ"]),
        ("မြန်", ["မြ", "မြန်", "န်"]),
        ("한국어 주제", ["한국어", "주제"]),
        ("𠀀𠀁", ["𠀀", "𠀀𠀁", "𠀁"]),
    ],
)
def test_characters_and_pairs_stand_in_the_order_of_the_text(text: str, words: list[str]) -> None:
    assert cut([text])[0] == [words]


def test_each_segment_says_what_of_a_run_is_a_word() -> None:
    assert cut(["模型x型"], segment="characters")[0] == [["模", "型", "x", "型"]]
    assert cut(["模型x型"], segment="bigrams")[0] == [["模型", "x", "型"]]
    assert cut(["模型x型 人"], segment="none")[0] == [["模型x型", "人"]]


def test_a_long_run_is_cut_without_losing_a_character() -> None:
    text = "".join(chr(0x4E00 + i * 7 % 20_000) for i in range(30_000))
    (words,), _, _ = cut([text])
    assert "".join(words[::2]) == text
    assert words[1::2] == [text[i : i + 2] for i in range(len(text) - 1)]


def test_jieba_finds_the_words_of_its_dictionary_and_leaves_other_scripts_alone() -> None:
    pytest.importorskip("jieba")
    documents, counts, _ = cut(["我们学习Topic模型,ひと", "", "学习"], segment="jieba")
    assert documents == [["我们", "学习", "topic", "模型", "ひ", "ひと", "と"], [], ["学习"]]
    assert counts["学习"] == 2


def test_jieba_leaves_nothing_behind_and_takes_nothing_from_the_temporary_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("jieba")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "jieba.cache").write_bytes(b"not a dictionary")
    from regrow.data import segment

    segment._cutter.cache_clear()
    assert cut(["学习模型"], segment="jieba")[0] == [["学习", "模型"]]
    assert [path.name for path in tmp_path.iterdir()] == ["jieba.cache"]


def test_the_version_of_the_dictionary_belongs_to_what_a_run_is(tmp_path: Path) -> None:
    pytest.importorskip("jieba")
    source = describe([write(tmp_path, "docs.txt", "学习 模型\n")])
    assert tokens_program(source, TextOptions(segment="jieba")).parameters()["dictionary"] == importlib.metadata.version("jieba")
    assert tokens_program(source, TextOptions()).parameters()["dictionary"] == ""


@pytest.mark.parametrize(("segment", "words"), [("auto", ["学", "学习", "习"]), ("jieba", ["学习"]), ("none", ["学习"])])
def test_the_option_reaches_the_words(tmp_path: Path, segment: str, words: list[str]) -> None:
    if segment == "jieba":
        pytest.importorskip("jieba")
    path = write(tmp_path, "docs.txt", "学习\n")
    assert documents_of(tokens_of([path], TextOptions(segment=segment))) == [words]


def test_a_segment_that_cannot_be_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = describe([write(tmp_path, "docs.txt", "a\n")])
    with pytest.raises(UsageError, match='no segment "words"') as caught:
        tokens_program(source, TextOptions(segment="words"))
    assert all(segment in caught.value.advice for segment in SEGMENTS)
    with pytest.raises(UsageError, match="--token-pattern"):
        tokens_program(source, TextOptions(segment="bigrams", token_pattern=r"\w"))
    bag = describe([write(tmp_path, "docword.txt", "1\n1\n1\n1 1 1\n")])
    with pytest.raises(UsageError, match="no meaning for bags"):
        tokens_program(bag, TextOptions(segment="bigrams"))

    def missing(name: str, *_: Any) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(UsageError, match="jieba") as caught:
        tokens_program(source, TextOptions(segment="jieba"))
    assert "pip install 'regrow[jieba]'" in caught.value.advice
