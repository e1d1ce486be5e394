"""Topics of unseen documents by collapsed Gibbs sampling with the model's phi held fixed, averaged over sweeps.

    p(z_i = k) ~ (C_dk + a_k) phi_kw        with the token itself left out of C_dk

is drawn exactly in two parts, as SparseLDA splits it (Yao, Mimno, McCallum, KDD 2009): C_dk phi_kw, of the topics in the document only,
and a_k phi_kw, of which the model's tables hold the running sums. The phi of the first part is looked up once for a word and a topic
that the document has, and kept as long as it has it. Random numbers are functions of the document's key, the place of the
token in the document and the number of the sweep.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from regrow.models.lda.unseen.inference_kernels import drawn_topic
from regrow.models.lda.unseen.inference_tables import phi_in
from regrow.rng import uniform

__all__ = ["sampled_topics"]

Array = npt.NDArray[Any]

_int: Any = np.int64

KEPT = 64
"""The phi of so many topics of a document are kept."""


@njit(cache=True)
def sampled_topics(t, words, doc_ptr, keys, burn_in, samples, ptr, topics, counts, known):  # type: ignore[no-untyped-def]
    """Topics of documents, added up over `samples` sweeps after `burn_in` others.

    t       Tables with sums; words, doc_ptr, keys, ptr, topics, counts, known: as in `best_topics`; room: the number of words times
            `samples`, or times the number of topics if that is less

    Tokens start with topics drawn ~ a_k phi_kw.
    """
    total = np.zeros(t.alpha.size, np.int64)
    local = np.full(t.facts.size, -1, np.int32)
    longest = 0
    for d in range(doc_ptr.size - 1):
        longest = max(longest, doc_ptr[d + 1] - doc_ptr[d])
    room = _room(longest, t.alpha.size)
    size = 0
    ptr[0] = 0
    for d in range(doc_ptr.size - 1):
        tokens, distinct = _take(t, local, words[doc_ptr[d] : doc_ptr[d + 1]], room)
        phi = room.phi[:, :distinct]
        length = _start(t, room, phi, tokens, keys[d])
        for sweep in range(1, burn_in + samples + 1):
            length = _sweep(t, room, phi, tokens, keys[d], sweep, length)
            if sweep > burn_in:
                for j in range(length):
                    k = room.present[j]
                    if total[k] == 0:
                        topics[size] = k
                        size += 1
                    total[k] += room.counts[j]
        for j in range(length):
            room.place[room.present[j]] = -1
        known[d] = tokens
        for i in range(ptr[d], size):
            counts[i] = total[topics[i]]
            total[topics[i]] = 0
        ptr[d + 1] = size


class Room(NamedTuple):
    """Where a document is worked on. Words are the distinct known ones of it.

    at, word, topic     known token -> its place in the document, its word of the document, its topic
    which               word of the document -> word
    present, counts     the document's topics and their counts, as many as it has; place: [K] topic -> where it is there, or -1
    column              [KEPT] where the phi of the first topics that are present stand:
    phi                 [KEPT, words] of a topic's column and a word of the document; below 0: not looked up yet
    sums                running sums over the topics that are present
    """

    at: Array
    word: Array
    topic: Array
    which: Array
    present: Array
    counts: Array
    place: Array
    column: Array
    phi: Array
    sums: Array


@njit(cache=True)
def _room(tokens, topics):  # type: ignore[no-untyped-def]
    most = min(tokens, topics) + 1
    kept = min(most, KEPT)
    return Room(
        np.empty(tokens, np.int32), np.empty(tokens, np.int32), np.empty(tokens, np.int32), np.empty(tokens, np.int32),
        np.empty(most, np.int32), np.empty(most, np.int32), np.full(topics, -1, np.int32),
        np.arange(kept), np.empty((kept, tokens), np.float32), np.empty(most),
    )  # fmt: skip


@njit(cache=True)
def _take(t, local, words, room):  # type: ignore[no-untyped-def]
    """The known tokens of a document, by words of its own: (tokens, distinct words). local: [V], all -1, and so it is left."""
    tokens = distinct = 0
    for i in range(words.size):
        w = words[i]
        if w < 0 or t.facts[w].cells == 0:
            continue
        if local[w] < 0:
            local[w], room.which[distinct] = distinct, w
            distinct += 1
        room.at[tokens], room.word[tokens] = i, local[w]
        tokens += 1
    for u in range(distinct):
        local[room.which[u]] = -1
    return tokens, distinct


@njit(cache=True)
def _start(t, room, kept, tokens, key):  # type: ignore[no-untyped-def]
    """First topics; returns how many the document has."""
    facts, cell_sums, base_sums = t.facts, t.cell_sums, t.base_sums
    length = 0
    for i in range(tokens):
        w = _int(room.which[room.word[i]])
        mass = cell_sums[facts[w].start + facts[w].cells - 1] + base_sums[base_sums.size - 1]
        k = drawn_topic(facts, t.topics, cell_sums, base_sums, w, uniform(key, room.at[i], 0) * mass)
        room.topic[i] = k
        length = _entered(room.counts, room.place, room.present, room.column, kept, length, k)
    return length


@njit(cache=True)
def _sweep(t, room, kept, tokens, key, sweep, length):  # type: ignore[no-untyped-def]
    """Draw a new topic for every known token; returns how many topics the document has, of `length` before."""
    facts, topics, phi, base, dense, cell_sums, base_sums = t.facts, t.topics, t.phi, t.base, t.dense, t.cell_sums, t.base_sums
    at, word, topic, which, sums = room.at, room.word, room.topic, room.which, room.sums
    present, counts, place, column = room.present, room.counts, room.place, room.column
    outside = base_sums[base_sums.size - 1]
    for i in range(tokens):
        u = _int(word[i])
        w = _int(which[u])
        length = _left(counts, place, present, column, kept, length, topic[i])
        inside = 0.0
        for j in range(min(length, KEPT)):
            found = kept[column[j], u]
            if found < 0:
                found = phi_in(facts, topics, phi, base, dense, w, _int(present[j]))
                kept[column[j], u] = found
            inside += counts[j] * np.float64(found)
            sums[j] = inside
        for j in range(KEPT, length):
            inside += counts[j] * np.float64(phi_in(facts, topics, phi, base, dense, w, _int(present[j])))
            sums[j] = inside
        draw = uniform(key, at[i], sweep) * (inside + cell_sums[facts[w].start + facts[w].cells - 1] + outside)
        if draw < inside:
            j = 0
            while sums[j] <= draw:
                j += 1
            topic[i] = present[j]
            counts[j] += 1
        else:
            topic[i] = drawn_topic(facts, topics, cell_sums, base_sums, w, draw - inside)
            length = _entered(counts, place, present, column, kept, length, topic[i])
    return length


@njit(inline="always")
def _entered(counts, place, present, column, kept, length, k):  # type: ignore[no-untyped-def]
    """One more token of topic k."""
    j = _int(place[k])
    if j < 0:
        present[length], counts[length], place[k] = k, 0, length
        if length < KEPT:
            kept[column[length]] = -1
        j = length
        length += 1
    counts[j] += 1
    return length


@njit(inline="always")
def _left(counts, place, present, column, kept, length, k):  # type: ignore[no-untyped-def]
    """One token less of topic k: if it was the last, the last topic of the list takes its place, with its column or a new one."""
    j = _int(place[k])
    counts[j] -= 1
    if counts[j] == 0:
        place[k] = -1
        length -= 1
        if j < length:
            present[j], counts[j] = present[length], counts[length]
            place[present[j]] = j
            if length < KEPT:
                column[j], column[length] = column[length], column[j]
            elif j < KEPT:
                kept[column[j]] = -1
    return length
