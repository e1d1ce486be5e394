"""Exports for people and tables: each topic's most frequent words as text, CSV or JSON."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from regrow.models.lda.model import TopicModel

__all__ = ["write_csv", "write_json", "write_text"]


def write_text(model: TopicModel, folder: Path, words: int) -> None:
    """topics.txt: a line for each topic, its number, its tokens, and its words with their counts, separated by tabs."""
    with open(folder / "topics.txt", "w", encoding="utf-8", newline="\n") as file:
        for k, (total, pairs) in enumerate(zip(model.tokens_of_topics(), model.top_words(words), strict=True)):
            file.write("\t".join([str(k), str(total), *(f"{word} {count}" for word, count in pairs)]) + "\n")


def write_csv(model: TopicModel, folder: Path, words: int) -> None:
    """topics.csv: a row for each word of each topic, with the columns topic, tokens, place (from 1), word, count."""
    with open(folder / "topics.csv", "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["topic", "tokens", "place", "word", "count"])
        for k, (total, pairs) in enumerate(zip(model.tokens_of_topics(), model.top_words(words), strict=True)):
            table.writerows([k, total, place, word, count] for place, (word, count) in enumerate(pairs, 1))


def write_json(model: TopicModel, folder: Path, words: int) -> None:
    """topics.json: a list of {"topic", "tokens", "words": [[word, count], ...]}, as `regrow lda topics --json` prints it."""
    totals = model.tokens_of_topics()
    found = [{"topic": k, "tokens": totals[k], "words": pairs} for k, pairs in enumerate(model.top_words(words))]
    with open(folder / "topics.json", "w", encoding="utf-8", newline="\n") as file:
        json.dump(found, file, ensure_ascii=False)
        file.write("\n")
