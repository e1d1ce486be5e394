"""The export `pyldavis`: what `pyLDAvis.prepare` takes, so that `prepare(**np.load("pyldavis.npz"), vocab=...)` draws the topics."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from regrow.errors import UsageError
from regrow.models.lda.exports.documents import TokenTopics
from regrow.models.lda.model import TopicModel

__all__ = ["write_pyldavis"]

CELLS_MAX = 1 << 27
"""pyLDAvis takes dense tables of topics by words and of documents by topics, and copies them: 1 GiB each at this size."""


def write_pyldavis(model: TopicModel, tokens: TokenTopics, folder: Path) -> None:
    """pyldavis.npz: topic_term_dists [K, V], doc_topic_dists [D, K], doc_lengths [D], term_frequency [V]; vocab.json: the words.

    Of the training text: phi and theta are the posterior means under the model's priors. Raises UsageError if a table would be too
    large; it is a picture for a few hundred topics.
    """
    advice = "export mallet or parquet instead, or train with fewer topics"
    if tokens.documents * model.topics > CELLS_MAX:
        raise UsageError(
            f"pyLDAvis takes a dense table of {tokens.documents:,} documents by {model.topics:,} topics, more than {CELLS_MAX:,} cells",
            advice,
        )
    phi = model.dense(CELLS_MAX, "pyLDAvis", advice)
    phi += float(model.arrays["beta"][0])
    phi /= phi.sum(axis=1, keepdims=True)
    theta, lengths = np.tile(np.asarray(model.arrays["alpha"]), (tokens.documents, 1)), np.zeros(tokens.documents, np.int64)
    for block in tokens.blocks():
        ptr, topics, counts = block.counts(tokens.topics)
        own = slice(block.first, block.first + len(ptr) - 1)
        theta[own][np.repeat(np.arange(len(ptr) - 1), np.diff(ptr)), topics] += counts
        lengths[own] = np.diff(block.doc_ptr)
    theta /= theta.sum(axis=1, keepdims=True)
    frequency = np.asarray(model.arrays["vocabulary.count"])
    np.savez(folder / "pyldavis.npz", topic_term_dists=phi, doc_topic_dists=theta, doc_lengths=lengths, term_frequency=frequency)
    (folder / "vocab.json").write_text(json.dumps(list(model.vocabulary), ensure_ascii=False) + "\n", encoding="utf-8")
