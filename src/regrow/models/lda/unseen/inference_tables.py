"""What inference needs of a model, made once: the probabilities of words, laid out so that each is one look away.

phi_kw = (C_wk + b) / (C_k + B) is rounded to float32 once; that number is what every method uses. A word has it

    in its cells        topics with a count, ascending
    base[k]             for all other topics: b / (C_k + B)
    in a dense row      besides, if the word has a cell for every eighth topic: found without a search

A dense row is at most 32 bytes for each cell of the word, so that the tables stay within a small multiple of the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["Tables", "phi_in", "steady", "table_arrays", "tables_from", "tables_of"]

Array = npt.NDArray[Any]

_int: Any = np.int64

DENSE_SHARE = 8
"""A word has a dense row if it has at least one cell for so many topics."""


FACTS = np.dtype(
    [
        ("start", np.int64),
        ("cells", np.int32),
        ("best", np.int32),
        ("best_phi", np.float32),
        ("other_phi", np.float32),
        ("row", np.int64),
    ]
)


class Tables(NamedTuple):
    """The tables of V words and K topics.

    topics, phi uint32 and float32, by word: topics ascending, and phi_kw
    base        float32 [K]
    alpha       float64 [K]
    facts       FACTS [V]: what is said of each word, in one place of 32 bytes, half a line of the cache:
                start, cells        the word's cells are [start, start + cells) of topics and phi
                best                argmax_k a_k phi_kw over all topics, of equal ones the smallest
                best_phi, other_phi its phi, and the largest phi of all other topics
                row                 the word's row of `dense`, or -1
    dense       float32 [rows, K]
    cell_sums   float64, as long as `phi`: running sums over the word's cells of a_k (phi_kw - base[k]); may be empty
    base_sums   float64 [K]: running sums of a_k base[k]; may be empty
    """

    topics: Array
    phi: Array
    base: Array
    alpha: Array
    facts: Array
    dense: Array
    cell_sums: Array
    base_sums: Array


def tables_of(model: Mapping[str, Any], sums: bool = False) -> Tables:
    """The tables of the arrays of a topic model (see `LDA.model`). `sums`: also those from which topics are drawn."""
    word_ptr = steady(model["word_ptr"])  # one type for all models: kernels are compiled before they are needed
    topics, counts = steady(model["topics"].astype(np.uint32, copy=False)), steady(model["counts"].astype(np.float64, copy=False))
    totals, alpha, beta = steady(model["topic_totals"].astype(np.float64)), steady(model["alpha"]), float(model["beta"][0])
    facts = np.zeros(len(word_ptr) - 1, FACTS)
    phi, base, rows = _word_tables(word_ptr, topics, counts, totals, alpha, beta, facts)
    dense = _dense_rows(facts, topics, phi, base, rows)
    none = np.zeros(0)
    cell_sums, base_sums = _sums(facts, topics, phi, base, alpha) if sums else (none, none)
    made = [topics, phi, base, alpha, facts, dense, cell_sums, base_sums]
    return Tables(*(steady(array) for array in made))


def table_arrays(tables: Tables) -> dict[str, Array]:
    """Tables as arrays of numbers, as a message takes them."""
    return tables._asdict() | {"facts": tables.facts.view(np.int64)}


def tables_from(arrays: Mapping[str, Any]) -> Tables:
    """Tables of `table_arrays`, as a message brings them: views, not copies."""
    whole = {name: steady(arrays[name]) for name in Tables._fields}
    return Tables(**whole | {"facts": whole["facts"].view(FACTS)})


def steady(array: Any) -> Array:
    """The array as kernels are compiled for it, wherever it comes from: read-only, aligned, contiguous."""
    view: Array = np.asarray(array).view(np.ndarray)
    flags = view.flags
    if not (flags.c_contiguous and flags.aligned):
        view = np.require(view, requirements=["C", "A"]).view()
    view.flags.writeable = False
    return view


@njit(cache=True, error_model="numpy")
def _word_tables(word_ptr, topics, counts, totals, alpha, beta, facts):  # type: ignore[no-untyped-def]
    words, size = word_ptr.size - 1, totals.size
    phi, base = np.empty(topics.size, np.float32), np.empty(size, np.float32)
    first, second = 0, -1  # the two topics with the largest a_k base[k], and of these below the largest base[k]
    largest, next_largest = np.float32(0), np.float32(0)
    for k in range(size):
        base[k] = beta / (totals[k] + words * beta)
        if alpha[k] * base[k] > alpha[first] * base[first]:
            first = k
    for k in range(size):
        if base[k] > largest:
            largest, next_largest, second = base[k], largest, k
        elif base[k] > next_largest:
            next_largest = base[k]
    rows = 0
    for w in range(words):
        top, score, found = first, alpha[first] * base[first], base[first]
        for i in range(word_ptr[w], word_ptr[w + 1]):
            k = _int(topics[i])
            phi[i] = (counts[i] + beta) / (totals[k] + words * beta)
            own = alpha[k] * phi[i]
            if own > score or (own == score and k <= top):
                top, score, found = k, own, phi[i]
        other = next_largest if top == second else largest
        for i in range(word_ptr[w], word_ptr[w + 1]):
            if topics[i] != top and phi[i] > other:
                other = phi[i]
        own_facts = facts[w]
        own_facts.start, own_facts.cells = word_ptr[w], word_ptr[w + 1] - word_ptr[w]
        own_facts.best, own_facts.best_phi, own_facts.other_phi, own_facts.row = top, found, other, -1
        if own_facts.cells * DENSE_SHARE >= size:
            own_facts.row = rows
            rows += 1
    return phi, base, rows


@njit(cache=True)
def _dense_rows(facts, topics, phi, base, rows):  # type: ignore[no-untyped-def]
    dense = np.empty((rows, base.size), np.float32)
    for w in range(facts.size):
        if facts[w].row >= 0:
            dense[facts[w].row] = base
            for i in range(facts[w].start, facts[w].start + facts[w].cells):
                dense[facts[w].row, topics[i]] = phi[i]
    return dense


@njit(cache=True)
def _sums(facts, topics, phi, base, alpha):  # type: ignore[no-untyped-def]
    cell_sums, base_sums = np.empty(phi.size), np.empty(base.size)
    for w in range(facts.size):
        total = 0.0
        for i in range(facts[w].start, facts[w].start + facts[w].cells):
            total += alpha[topics[i]] * (np.float64(phi[i]) - np.float64(base[topics[i]]))
            cell_sums[i] = total
    total = 0.0
    for k in range(base.size):
        total += alpha[k] * base[k]
        base_sums[k] = total
    return cell_sums, base_sums


@njit(inline="always")
def phi_in(facts, topics, phi, base, dense, w, k):  # type: ignore[no-untyped-def]
    """phi of word w in topic k."""
    found = base[k]
    if facts[w].row >= 0:
        found = dense[facts[w].row, k]
    else:
        low, end = facts[w].start, facts[w].start + facts[w].cells
        high = end
        while low < high:
            middle = (low + high) >> 1
            if topics[middle] < k:
                low = middle + 1
            else:
                high = middle
        if low < end and topics[low] == k:
            found = phi[low]
    return found
