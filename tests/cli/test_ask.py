"""regrow ask: what it sends, what it shows, and what is refused before anybody is asked; the service is a stand-in."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from regrow.serving.client import Service
from shell import Shell, refuses

URL = "http://127.0.0.1:1"
CARD = {"name": "topics"}
ANSWER: dict[str, Any] = {"documents": [{"doc": 0, "topics": [[3, 0.75], [1, 0.25]], "tokens": 4, "unknown": 0}]}


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, capsys)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the service answers: [its card, its answer]."""
    told: list[Any] = [CARD, ANSWER]
    monkeypatch.setattr(Service, "get", lambda self, path: told[0])
    monkeypatch.setattr(Service, "post", lambda self, path, value: told[1])
    return told


def test_topics_are_shown_without_words_if_none_are_asked_for(shell: Shell, answers: list[Any]) -> None:
    ended = shell("ask", URL, "word", "--words", 0)
    assert (ended.code, ended.out) == (0, "     3  75.0 %\n     1  25.0 %\n4 known words\n")
    answers[1] = {**ANSWER, "words": {"3": ["socket"], "1": ["port"]}}
    assert "75.0 %  socket\n" in shell("ask", URL, "word", "--words", 1).out


@pytest.mark.parametrize("name", ["topics", "clicks", "ranks", "projections"])
@pytest.mark.parametrize(
    "answer", [{}, {"documents": 1, "rows": 1, "nodes": 1, "queries": 1}, {"documents": [[]], "rows": [[]], "nodes": [[]]}]
)
def test_an_answer_of_another_form_is_no_traceback(shell: Shell, answers: list[Any], name: str, answer: Any) -> None:
    answers[:] = [{"name": name}, answer]
    refuses(shell("ask", URL, "a=b"), 75, "it is no regrow serve")


def test_what_cannot_be_asked_is_refused_with_a_word(shell: Shell, answers: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def stdin(sent: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(sent)))

    stdin(b"")
    refuses(shell("ask", URL, "-"), 2, "nothing to ask")
    stdin(b"one\nl\xe4st\n")
    refuses(shell("ask", URL, "-"), 2, "line 2 of stdin is no UTF-8")
    stdin(b"a\n" * 1100)
    refuses(shell("ask", URL, "-"), 2, "1,100 at once, and 1,024 is the most", "ask for fewer")
    refuses(shell("ask", URL, "a\udcff"), 2, "text 1 is no UTF-8")
    refuses(shell("ask", "http://127.0.0.1:99999", "a"), 2, "is no URL")
    refuses(shell("ask", "http://user:pw@127.0.0.1:1", "a"), 2, "--token-file")
    stdin("\u00e4\nb\r\n".encode())
    assert shell("ask", URL, "-").code == 0


def test_options_of_serve_are_named_as_they_were_given(shell: Shell) -> None:
    refuses(shell("serve", "run", "--extra", -1), 2, "--extra -1")
    refuses(shell("serve", "run", "--copies", 0), 2, "--copies 0")
    refuses(shell("serve", "run", "--host", "999.1.1.1"), 2, "--host 999.1.1.1 is no address")
    refuses(shell("serve", "--replica", "http://a:b"), 2, "--replica http://a:b is no URL")
