"""The export `gensim`: an LdaModel of gensim with the same topics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from regrow.errors import UsageError
from regrow.models.lda.model import TopicModel

__all__ = ["write_gensim"]

CELLS_MAX = 1 << 27
"""gensim holds several tables of topics by words, dense: 1 GiB each at this size."""


def write_gensim(model: TopicModel, folder: Path) -> None:
    """`gensim.models.LdaModel.load(folder / "model")`, with a Dictionary as its id2word; the Dictionary also as file "dictionary".

    gensim keeps lambda = eta + counts, from which it makes its topics: those are phi exactly. For documents it uses
    exp(E[log beta]), a table of its own, which is phi here, as our counts come from sampling: the digamma of a small lambda
    would all but rule out rare words. Raises UsageError if the dense tables would be too large, or gensim is missing.
    """
    table = model.dense(CELLS_MAX, "gensim", "export npz or parquet instead, which stay sparse")
    gensim = _gensim()
    dictionary = _dictionary(gensim, model)
    beta = float(model.arrays["beta"][0])
    made = gensim.models.LdaModel(
        num_topics=model.topics,
        id2word=dictionary,
        alpha=np.asarray(model.arrays["alpha"], np.float64),
        eta=beta,
        dtype=np.float64,
        minimum_probability=0.0,
        random_state=0,
    )
    made.state.sstats[...] = table
    table += beta
    table /= table.sum(axis=1, keepdims=True)
    made.expElogbeta = table
    made.num_updates = made.state.numdocs = int(model.topic_totals.sum() > 0)
    made.save(str(folder / "model"))
    dictionary.save(str(folder / "dictionary"))


def _gensim() -> Any:
    try:
        import gensim
    except ImportError:
        raise UsageError("gensim is not installed", "pip install 'regrow[gensim]'") from None
    return gensim


def _dictionary(gensim: Any, model: TopicModel) -> Any:
    """A Dictionary with our word ids. Raises UsageError if a word stands in the vocabulary twice, as a Dictionary cannot hold it."""
    words = list(model.vocabulary)
    dictionary = gensim.corpora.Dictionary()
    dictionary.token2id = {word: w for w, word in enumerate(words)}
    if len(dictionary.token2id) < len(words):
        raise UsageError("the vocabulary holds a word twice, which a Dictionary of gensim cannot", "export npz or parquet instead")
    dictionary.id2token = dict(enumerate(words))
    dictionary.cfs = dict(enumerate(np.asarray(model.arrays["vocabulary.count"]).tolist()))
    dictionary.num_pos = int(np.sum(model.arrays["vocabulary.count"]))
    return dictionary
