"""The visit of words: an exact draw for every token, and a candidate for the next visit of documents. Twins in
tests/models/lda/naive.py.

With the counts C_w of the word, C_k of the topics and C_d of the document held still, and the token itself taken out of
all three, the topic is drawn from the conditional of collapsed Gibbs sampling (Griffiths and Steyvers, PNAS 2004)

    p(k) ~ (C_dk + a_k) f_k,   f_k = (C_wk + b) / (C_k + B)

in four parts whose sum is known (as SparseLDA cuts it: Yao, Mimno, McCallum, KDD 2009), by one uniform number u:

    own      k = s, the topic that the token has: (C_ds - 1 + a_s) (C_ws - 1 + b) / (C_s - 1 + B)
    listed   C_dk f_k over the other topics of the document: its list is read once; u lies in one of its blocks
    word     a_k C_wk / (C_k + B) over the other topics of the word: u is searched in prefix sums of the word
    smooth   a_k b / (C_k + B) over all other topics: u is searched in one prefix sum for all words

Where a sum over others is needed, s is left out by jumping over its share. f is one dense vector, in which the topics of
the word at hand are overwritten, and then restored. A list of more than `LONG` entries is not read: `CANDIDATES` topics
are drawn from C_dk + a_k (without the token), and one of them and s is chosen in proportion to f, which leaves the same
conditional invariant (a choice among independent proposals, weighted by target over proposal: Tjelmeland, 2004).

After all tokens of a word, each gets a candidate: with probability K b / (K b + n - 1) any topic, else that of another
of its n tokens.

Nothing depends on the order of words or on how documents are cut: counts stand still, sums are integers or run in the
order of a document's or a word's tokens, and random numbers are functions of the token's global id.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, uint64

from regrow.models.lda.training.count_kernels import places_of, width_of
from regrow.models.lda.training.document_kernels import BLOCK
from regrow.rng import bits, uniform

__all__ = ["LONG", "enter_word", "found_in", "largest_of", "leave_word", "prefixes_of_long", "propose", "visit_words", "weight_of"]

Array = npt.NDArray[Any]

LONG = 256
"""Lists of more entries are not read."""
CANDIDATES = 8
"""How many topics are drawn from a long list."""
AHEAD = 8
"""So many tokens before it is read, the beginning of a list is fetched into the nearest cache."""

_ONE, _BLOCK, _HALF = np.uint64(1), np.uint64(BLOCK), np.uint64(32)
_TWO, _THREE, _AHEAD = np.uint64(2), np.uint64(3), np.uint64(AHEAD)
_LOW = np.uint64(0xFFFFFFFF)
_TWO_32 = 4294967296.0


@njit(cache=True)
def prefixes_of_long(blocks: Array, entries: Array) -> Array:
    """For lists of more than LONG entries, ends[i] = the sum of counts up to and with entry i of the document; nothing if there are none.

    Returns uint32 or uint64, as long as `entries` or empty.
    """
    width, long_blocks = width_of(entries), uint64(LONG) // _BLOCK
    any_long = False
    for d in range(blocks.size - 1):
        any_long |= uint64(blocks[d + 1]) - uint64(blocks[d]) > long_blocks
    ends = np.zeros(entries.size if any_long else 0, np.uint64)
    for d in range(blocks.size - 1 if any_long else 0):
        first, end = uint64(blocks[d]), uint64(blocks[d + 1])
        if end - first > long_blocks:
            total = uint64(0)
            for e in range(first * _BLOCK, end * _BLOCK):
                total += uint64(entries[e]) >> width
                ends[e] = total
    return ends


@njit(inline="always")
def found_in(prefix, first, end, u):  # type: ignore[no-untyped-def]
    """The last place in [first, end) with prefix[place] <= u; `first` if there is none."""
    low, step = first, end - first
    while step > _ONE:
        half = step >> _ONE
        low += half * uint64(prefix[low + half] <= u)
        step -= half
    return low


@njit(inline="always")
def weight_of(entry, width, mask, f):  # type: ignore[no-untyped-def]
    """C_dk f_k of an entry of a list."""
    return float(np.int64(uint64(entry) >> width)) * f[uint64(entry) & mask]


@njit(inline="always")
def _listed(entries, first, last, sums, width, mask, f):  # type: ignore[no-untyped-def]
    """The sum of C_dk f_k over a list; sums[j] = that over the blocks up to and with block j."""
    total, n = 0.0, uint64(0)
    for e in range(first, last, _BLOCK):
        one, two = weight_of(entries[e], width, mask, f), weight_of(entries[e + _ONE], width, mask, f)
        three, four = weight_of(entries[e + _TWO], width, mask, f), weight_of(entries[e + _THREE], width, mask, f)
        total += (one + two) + (three + four)
        sums[n] = total
        n += _ONE
    return total


@njit(inline="always")
def _drawn_from_list(entries, first, last, sums, width, mask, f, u):  # type: ignore[no-untyped-def]
    """The topic in whose share u lies, for u below the sum of the list. No branch depends on chance."""
    j = uint64(0)
    for n in range((last - first) // _BLOCK):
        j += uint64(sums[n] <= u)
    e = first + j * _BLOCK
    u -= sums[j - _ONE] if j else 0.0
    one, two = weight_of(entries[e], width, mask, f), weight_of(entries[e + _ONE], width, mask, f)
    three = weight_of(entries[e + _TWO], width, mask, f)
    e += uint64(u >= one) + uint64(u >= one + two) + uint64(u >= (one + two) + three)
    return uint64(entries[e]) & mask


@njit(inline="always")
def _chosen_of_long(entries, ends, first, last, place, s, own, width, mask, f, alpha_below, key, item):  # type: ignore[no-untyped-def]
    """One of s and CANDIDATES topics drawn from C_dk + a_k without the token, in proportion to f (`own`: that of s without the token).

    first, last: of the document's list; place: that of the entry of s.
    """
    others = ends[last - _ONE] - _ONE
    topics = uint64(alpha_below.size - 1)
    alpha_sum = alpha_below[topics]
    total, chosen = own, s
    for draw in range(CANDIDATES):
        u = uniform(key, item, 2 * draw + 1) * (float(np.int64(others)) + alpha_sum)
        if u < float(np.int64(others)):
            rank = uint64(u)
            rank += uint64(rank >= ends[place] - _ONE)  # over the token itself, the last one of its entry
            low, step = first, last - first
            while step > _ONE:
                half = step >> _ONE
                low += half * uint64(ends[low + half - _ONE] <= rank)
                step -= half
            k = uint64(entries[low]) & mask
        else:
            k = found_in(alpha_below, uint64(0), topics, u - float(np.int64(others)))
        weight = own if k == s else f[k]
        total += weight
        if uniform(key, item, 2 * draw + 2) * total < weight:
            chosen = k
    return chosen


@njit(inline="always")
def enter_word(columns, counts, first, m, alpha, inverse, beta, f, place, prefix):  # type: ignore[no-untyped-def]
    """Overwrite f for the topics of a word, the cells [first, first + m). Returns the sum of a_k C_wk / (C_k + B); prefix: its parts."""
    of_word = 0.0
    for j in range(m):
        k, c = uint64(columns[first + j]), float(counts[first + j])
        f[k] = (c + beta) * inverse[k]
        place[k], prefix[j] = j, of_word
        of_word += alpha[k] * (c * inverse[k])
    prefix[m] = of_word
    return of_word


@njit(inline="always")
def leave_word(columns, first, m, inverse, beta, f):  # type: ignore[no-untyped-def]
    """Restore f."""
    for j in range(m):
        f[columns[first + j]] = beta * inverse[columns[first + j]]


@njit(cache=True, error_model="numpy")
def visit_words(
    places: Array, documents: Array, tokens: Array, slices: Array, lists: tuple[Array, Array, Array], cells: tuple[Array, Array, Array],
    priors: tuple[Array, Array, float], frozen: tuple[Array, Array], f: Array, key: np.uint64, topic: Array, fresh: Array,
) -> None:  # fmt: skip
    """Draw new topics of the tokens of a cell.

    places, documents, tokens   [n] unsigned: the token's entry in the list of its document, that document, the token's global id
    slices                      [W + 1]: word w's tokens are [slices[w], slices[w + 1])
    lists                       (blocks, entries, ends) of the documents of the row: from `visit_documents` and `prefixes_of_long`
    cells                       (ptr, columns, counts) of the words, in all rows: from `word_topics`
    priors                      (a_k float64 [K], prefix sums of a_k float64 [K + 1], b)
    frozen                      (1 / (C_k + B) float64 [K], prefix sums of a_k b / (C_k + B) float64 [K + 1])
    f                           [K] float64: b / (C_k + B), before and after
    topic                       [n] unsigned, written
    fresh                       [K] int64: the new topics are added
    """
    blocks, entries, ends = lists
    ptr, columns, counts = cells
    alpha, alpha_below, beta = priors
    inverse, below = frozen
    width = width_of(entries)
    mask, topics = (_ONE << width) - _ONE, uint64(f.size)
    words, last = uint64(slices.size - 1), uint64(documents.size) - _ONE
    place, sums = np.zeros(topics, np.uint32), np.empty(LONG // BLOCK, np.float64)
    fetched = uint64(0)
    prefix = np.empty(largest_of(ptr) + 1, np.float64)
    for w in range(words):
        start, end = uint64(slices[w]), uint64(slices[w + _ONE])
        if start == end:
            continue
        first = uint64(ptr[w])
        m = uint64(ptr[w + _ONE]) - first
        of_word = enter_word(columns, counts, first, m, alpha, inverse, beta, f, place, prefix)
        for i in range(start, end):
            fetched ^= uint64(entries[uint64(blocks[documents[min(i + _AHEAD, last)]]) * _BLOCK])
            d = documents[i]
            from_, to = uint64(blocks[d]) * _BLOCK, uint64(blocks[d + _ONE]) * _BLOCK
            entry = uint64(entries[from_ + uint64(places[i])])
            s = entry & mask
            f_s = f[s]
            own_f = (f_s - inverse[s]) / (1.0 - inverse[s])
            if to - from_ > uint64(LONG):
                own_place = from_ + uint64(places[i])
                k = _chosen_of_long(entries, ends, from_, to, own_place, s, own_f, width, mask, f, alpha_below, key, tokens[i])
            else:
                own = (float(np.int64(entry >> width)) - 1.0 + alpha[s]) * own_f
                f[s] = 0.0
                listed = _listed(entries, from_, to, sums, width, mask, f)
                j = uint64(place[s])
                left_out = prefix[j + _ONE] - prefix[j]
                of_base = alpha[s] * (beta * inverse[s])
                in_word = of_word - left_out
                u = uniform(key, tokens[i]) * (own + listed + in_word + (below[topics] - of_base))
                k = s
                if u >= own:
                    u -= own
                    if u < listed:
                        k = _drawn_from_list(entries, from_, to, sums, width, mask, f, u)
                    elif u - listed < in_word:
                        u -= listed
                        u += left_out if u >= prefix[j] else 0.0
                        k = uint64(columns[first + found_in(prefix, uint64(0), m, u)])
                    else:
                        u -= listed + in_word
                        u += of_base if u >= below[s] else 0.0
                        k = found_in(below, uint64(0), topics, u)
                f[s] = f_s
            topic[i] = k
            fresh[k] += 1
        leave_word(columns, first, m, inverse, beta, f)
        sums[0] = float(np.int64(fetched))  # so that the compiler does not take the fetching away


@njit(inline="always")
def largest_of(ptr):  # type: ignore[no-untyped-def]
    """The size of the largest group."""
    most = 0
    for g in range(ptr.size - 1):
        most = max(most, ptr[g + 1] - ptr[g])
    return most


@njit(cache=True, error_model="numpy")
def propose(
    topic: Array, tokens: Array, slices: Array, row_ptr: Array, topics: int, beta: float, key: np.uint64, half: int, pairs: Array
) -> None:
    """pairs[i] = the topic of a token and a candidate, drawn from C_wk + b without the token.

    topic, tokens: [N]; slices, row_ptr: as in `word_topics`; half: bits of a half of a pair; pairs: [N] uint32 or uint64, written.
    """
    sizes = np.zeros(slices.shape[1], np.int64)
    for r in range(slices.shape[0]):
        for w in range(slices.shape[1]):
            sizes[w] += np.int64(slices[r, w])
    own = np.empty(largest_of(sizes), np.uint32)
    for w in range(slices.shape[1] - 1):
        n = uint64(0)
        for r in range(slices.shape[0]):
            first, end = places_of(slices, row_ptr, r, w)
            for i in range(first, end):
                own[n] = topic[i]
                n += _ONE
        others = float(np.int64(n)) - 1.0
        any_topic = np.uint64(topics * beta / (topics * beta + others) * _TWO_32)
        place = uint64(0)
        for r in range(slices.shape[0]):
            first, end = places_of(slices, row_ptr, r, w)
            for i in range(first, end):
                random = bits(key, tokens[i])
                if random >> _HALF < any_topic:
                    candidate = (random & _LOW) * uint64(topics) >> _HALF
                else:
                    other = (random & _LOW) * (n - _ONE) >> _HALF
                    candidate = uint64(own[other + uint64(other >= place)])
                pairs[i] = uint64(topic[i]) | candidate << uint64(half)
                place += _ONE
