"""regrow ask."""

from __future__ import annotations

import json as encoding
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from regrow.cli.options import Json
from regrow.errors import UsageError

__all__ = ["ask"]

Asked = dict[str, Any]


def ask(
    url: Annotated[str, typer.Argument(metavar="URL", help="A service: regrow serve prints it.", show_default=False)],
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXT...", help="Texts; rows (COLUMN=VALUE,... or JSON); names of nodes; words; - reads lines.", show_default=False
        ),
    ],
    top: Annotated[
        int, typer.Option(metavar="N", help="Only the N largest topics of a text, or most similar words; 0: all topics that it has.")
    ] = 5,
    words: Annotated[int, typer.Option(metavar="N", help="Words that name each topic.")] = 6,
    deadline: Annotated[float, typer.Option(metavar="SECONDS", help="How long to wait.")] = 10.0,
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The token that the service asks for.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Ask a service: the topics of texts, the chance of a click of rows, the ranks of nodes, what is like some words."""
    from regrow.serving.client import Service

    if not 0 < deadline <= 300:
        raise UsageError(f"--deadline {deadline:g}", "seconds, at most 300")
    service = Service(url, deadline, token_file)
    items = [item for text in what for item in (_lines() if text == "-" else [text])]
    _check(items, url)
    card = service.get("/v1/model")
    name = str(card.get("name", "no model"))
    if name == "topics":
        found = service.post("/v1/topics", {"texts": items, "top": top, "words": words})
    elif name == "clicks":
        lines = card.get("rows_format") in ("libsvm", "libffm", "vw")
        found = service.post("/v1/clicks", {"lines": items} if lines else {"rows": [_row(item) for item in items]})
    elif name == "ranks":
        found = service.post("/v1/ranks", {"nodes": items})
    elif name == "projections":
        found = service.post("/v1/projections", {"queries": [item.split() for item in items], "count": top or 10})
    else:
        raise UsageError(f"{url} serves {name}, which this regrow cannot ask for", "ask with curl; see its page /docs")
    try:
        shown = encoding.dumps(found, ensure_ascii=False) if json else _shown(name, found)
    except (LookupError, TypeError, ValueError, AttributeError):
        raise service.stranger() from None
    print(shown)


def _lines() -> list[str]:
    """The lines of stdin. Raises UsageError."""
    lines = []
    for number, line in enumerate(sys.stdin.buffer, 1):
        try:
            lines.append(line.decode().rstrip("\r\n"))
        except UnicodeDecodeError:
            raise UsageError(f"line {number:,} of stdin is no UTF-8", "e.g. iconv -f latin1 -t utf-8 FILE | regrow ask URL -") from None
    return lines


def _check(items: list[str], url: str) -> None:
    from regrow.serving.limits import Limits

    most = Limits().items
    if not items:
        raise UsageError("nothing to ask: stdin is empty", "give texts, rows, names or words")
    if len(items) > most:
        how = f"curl -H 'Content-Type: application/x-ndjson' --data-binary @FILE {url.rstrip('/')}/v1/batch"
        raise UsageError(f"{len(items):,} at once, and {most:,} is the most", f"ask for fewer, or send lines of JSON: {how}")
    for number, item in enumerate(items, 1):
        if not item.isascii() and any("\ud800" <= character <= "\udfff" for character in item):
            raise UsageError(f"text {number:,} is no UTF-8", "give texts in UTF-8")


def _shown(name: str, found: Asked) -> str:
    """An answer for people."""
    if name == "topics":
        return "\n\n".join(_topics(document, found.get("words", {})) for document in found["documents"])
    if name == "clicks":
        return "\n".join(f"{row['p']:.6f}" + (f"\t{row['unseen']} unseen" if row["unseen"] else "") for row in found["rows"])
    if name == "ranks":
        return "\n".join(_rank(node) for node in found["nodes"])
    return "\n\n".join(_like(query) for query in found["queries"])


def _topics(document: Asked, words: Asked) -> str:
    lines = [f"{k:>6} {100 * share:5.1f} %  {' '.join(words.get(str(k), []))}".rstrip() for k, share in document["topics"]]
    lines.append(f"{document['tokens']:,} known words" + (f", {document['unknown']:,} unknown" if document["unknown"] else ""))
    return "\n".join(lines)


def _rank(node: Asked) -> str:
    return f"-\t{node['name']}\tunknown" if node.get("unknown") else f"{node['place']}\t{node['name']}\t{node['rank']:.12g}"


def _like(query: Asked) -> str:
    if query.get("error"):
        return str(query["error"])
    lines = [f"{cosine:8.3f}  {word}" for word, cosine in query.get("words", [])]
    lines += [f"{document['similarity']:8.3f}  document {document.get('id', document['doc'])}" for document in query.get("documents", [])]
    return "\n".join(lines)


def _row(text: str) -> Asked:
    """A row: JSON, or COLUMN=VALUE,... Raises UsageError."""
    if text.lstrip().startswith("{"):
        try:
            found: Asked = encoding.loads(text)
            return found
        except ValueError as error:
            raise UsageError(f"{text[:80]}: {error}", 'e.g. {"site": "news", "ad": "4711"}') from None
    pairs = [pair.partition("=") for pair in text.split(",")]
    if not all(equals for _, equals, _ in pairs):
        raise UsageError(f"{text[:80]} is no row", "write COLUMN=VALUE,COLUMN=VALUE, or JSON")
    return {name.strip(): value for name, _, value in pairs}
