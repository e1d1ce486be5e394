"""The export `mallet`: the state of Mallet's sampler, every token with its topic, and its topic keys.

Forms as of Mallet's options --output-state and --output-topic-keys.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from regrow.models.lda.exports.documents import TokenTopics
from regrow.models.lda.model import TopicModel

__all__ = ["write_mallet"]


def write_mallet(model: TopicModel, tokens: TokenTopics, folder: Path, words: int) -> None:
    """state.gz and topic-keys.txt.

    state.gz is gzipped text, UTF-8: three lines of header, then for each token a line of document, source (NA, as the run knows none),
    place in the document, word id, word, topic. Its columns are separated by blanks, so a blank in a word becomes "_".
    """
    with (
        gzip.GzipFile(folder / "state.gz", "wb", compresslevel=5, mtime=0) as archive,
        io.BufferedWriter(archive, 1 << 20) as file,
    ):
        alpha = " ".join(repr(value) for value in model.arrays["alpha"].tolist())
        beta = float(model.arrays["beta"][0])
        file.write(f"#doc source pos typeindex type topic\n#alpha : {alpha}\n#beta : {beta!r}\n".encode())
        for lines in _documents(model, tokens):
            file.write(lines.encode())
    with open(folder / "topic-keys.txt", "w", encoding="utf-8", newline="\n") as keys:
        for k, (alpha_k, pairs) in enumerate(zip(model.arrays["alpha"].tolist(), model.top_words(words), strict=True)):
            keys.write(f"{k}\t{alpha_k!r}\t{' '.join(_joined(word) for word, _ in pairs)}\n")


def _documents(model: TopicModel, tokens: TokenTopics) -> Iterator[str]:
    """The lines of one document after the other."""
    typed = [f"{w} {_joined(word)}" for w, word in enumerate(model.vocabulary)]
    for block in tokens.blocks():
        for doc, (start, end) in enumerate(pairwise(block.doc_ptr.tolist()), block.first):
            own = zip(block.words[start:end].tolist(), block.topics[start:end].tolist(), strict=True)
            yield "".join([f"{doc} NA {at} {typed[w]} {topic}\n" for at, (w, topic) in enumerate(own)])


def _joined(word: str) -> str:
    return "_".join(word.split()) if len(word.split()) != 1 or word != word.strip() else word
