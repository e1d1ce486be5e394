"""Topics of unseen documents, each token to the topic that is best for it: RT-LDA's arg max, exactly, in O(topics of the document).

A sweep visits a document's tokens word by word, in the order in which the words first appear, and gives each

    z_i <- argmax_k (C_dk - [k = z_i] + a_k) phi_kw        (of equal ones the smallest k)

until a sweep changes nothing (or enough have been made). That is the rule of RT-LDA (Wang et al., "Peacock", 2014), with
probabilities in place of a draw; Mallet calls it maximize.

Why few topics need a look. Topics that are not in the document score a_k phi_kw, whatever the document, so the best of them is
best[w] if that one is not in the document; and if it is, no other topic outside can reach it. So the arg max over all K topics
is that over the topics in the document and best[w]; started from best[w] everywhere, a document has no topics but those: its slots.

Why few of those need one either.
- They are kept in descending order of their counts. (C + max a) other_phi[w] bounds the score of all that follow but best[w], which
  is looked at first, so the walk ends as soon as that is below what was found.
- A word without a dense row: its cells in slots are looked at all; for its other topics phi is base[k], and the walk takes
  that for all slots: too low for those with cells, but these have been looked at, so that it does no harm (it cannot exceed
  what was found, and where it equals that, it names a topic that was found or a larger one).
- A token is passed by if nothing has moved since its last visit.
- Tokens of one word that have the same topic are one visit: if the first stays, nothing has changed for the next; if it goes, the
  topic that it left has lost and the one that it went to has gained, so the next goes there too. From the first start, with the
  best topic of each word everywhere, that is so for all tokens of a word.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from regrow.models.lda.unseen.inference_tables import phi_in
from regrow.rng import uniform

__all__ = ["best_topics", "drawn_topic"]

Array = npt.NDArray[Any]

_int: Any = np.int64
_at: Any = np.uint64
"""For places: where numba knows that a number is not negative, it does not look for one that counts from the end."""


class Room(NamedTuple):
    """Where a document is worked on. Tokens are the known ones, words the distinct ones of them, slots the topics it may have.

    A visit is of tokens of one word that move together.

    local       [V] word -> its place in the document, -1 elsewhere; slot_of: [K] topic -> slot, -1 elsewhere
    visited     visit -> word of the document; together: how many tokens; topic: their slot; held: phi of it; seen: how many moves had
                been made at the last one
    word        word of the document -> word; times: its tokens; own: the slot of its best topic; best_phi, other_phi, row: as in FACTS
    slots       slot -> topic; counts, prior and base of it
    order       slots by descending count, and at each place of it topic and count; place: slot -> where it is there
    more        [tokens + 2] how many slots have a count of at least c
    cell_ptr    word of the document -> its cells in slots: [cell_ptr[u], cell_ptr[u + 1]) of cell_slot, cell_phi; if it has no dense row
    """

    local: Array
    slot_of: Array
    visited: Array
    together: Array
    topic: Array
    held: Array
    seen: Array
    word: Array
    times: Array
    own: Array
    best_phi: Array
    other_phi: Array
    row: Array
    slots: Array
    counts: Array
    prior: Array
    base: Array
    order: Array
    at_topic: Array
    at_count: Array
    place: Array
    more: Array
    cell_ptr: Array
    cell_slot: Array
    cell_phi: Array


@njit(cache=True)
def _room(t, words, doc_ptr):  # type: ignore[no-untyped-def]
    """Room for the largest of the documents."""
    tokens, cells = 0, 0
    for d in range(doc_ptr.size - 1):
        tokens = max(tokens, doc_ptr[d + 1] - doc_ptr[d])
        here = 0
        for i in range(doc_ptr[d], doc_ptr[d + 1]):
            if words[i] >= 0 and t.facts[words[i]].row < 0:
                here += t.facts[words[i]].cells
        cells = max(cells, here)
    cells = min(cells, t.topics.size) + 1
    topics = 2 * tokens
    return Room(
        np.full(t.facts.size, -1, np.int32), np.full(t.alpha.size, -1, np.int32),
        np.empty(tokens, np.int32), np.empty(tokens, np.int32), np.empty(tokens, np.int32), np.empty(tokens, np.float32),
        np.empty(tokens, np.int64),
        np.empty(tokens, np.int32), np.empty(tokens, np.int32), np.empty(tokens, np.int32),
        np.empty(tokens, np.float32), np.empty(tokens, np.float32), np.empty(tokens, np.int32),
        np.empty(topics, np.int32), np.empty(topics, np.int32), np.empty(topics), np.empty(topics, np.float32),
        np.empty(topics, np.int32), np.empty(topics, np.int32), np.empty(topics), np.empty(topics, np.int32),
        np.empty(tokens + 2, np.int32),
        np.empty(tokens + 1, np.int64), np.empty(cells, np.int32), np.empty(cells, np.float32),
    )  # fmt: skip


@njit(cache=True)
def best_topics(t, words, doc_ptr, keys, restarts, sweeps, ptr, topics, counts, known):  # type: ignore[no-untyped-def]
    """Topics of documents by arg max, started `restarts` times.

    t           Tables (with sums if restarts > 1)
    words       int32: numbers of words, below 0 or without cells: unknown; doc_ptr: int64 [D + 1]; keys: uint64 [D], of random numbers
    sweeps      at most so many in each restart
    ptr         int64 [D + 1], written: document d's topics are [ptr[d], ptr[d + 1]) of
    topics, counts      int32 and int64, written: topics in no order, and how many tokens they have, added up over restarts.
                Room: `restarts` times the number of words
    known       int64 [D], written: known tokens

    The first start gives every token the best topic of its word; later ones draw it ~ a_k phi_kw.
    """
    room = _room(t, words, doc_ptr)
    total = np.zeros(t.alpha.size, np.int64)
    largest = 0.0
    for k in range(t.alpha.size):
        largest = max(largest, t.alpha[k])
    size = 0
    ptr[0] = 0
    for d in range(doc_ptr.size - 1):
        for restart in range(restarts):
            own = words[doc_ptr[d] : doc_ptr[d + 1]]
            distinct, slots = _enter(t, room, own)
            if restart == 0:
                visits, tokens = _begin_with_best(room, distinct)
            else:
                visits, slots = _begin_drawn(t, room, own, keys[d], restart, distinct, slots)
                tokens = visits
            _look_up(t, room, slots, distinct)
            _put_in_order(room, tokens, slots)
            _settle(t, room, visits, slots, sweeps, largest)
            for q in range(slots):
                k = room.slots[q]
                if room.counts[q] > 0:
                    if total[k] == 0:
                        topics[size] = k
                        size += 1
                    total[k] += room.counts[q]
            known[d] = tokens
        for i in range(ptr[d], size):
            counts[i] = total[topics[i]]
            total[topics[i]] = 0
        ptr[d + 1] = size


@njit(inline="always")
def drawn_topic(facts, topics, cell_sums, base_sums, w, u):  # type: ignore[no-untyped-def]
    """A topic ~ a_k phi_kw, by u in [0, sum_k a_k phi_kw): first by the word's cells, then by what all topics have."""
    last = facts[w].start + facts[w].cells - 1
    in_cells = cell_sums[last]
    if u < in_cells:
        k = _int(topics[_first_above(cell_sums, facts[w].start, last, u)])
    else:
        k = _int(_first_above(base_sums, 0, base_sums.size - 1, u - in_cells))
    return k


@njit(inline="always")
def _first_above(sums, low, high, u):  # type: ignore[no-untyped-def]
    """The first of [low, high] whose sum is above u; the last if there is none."""
    while low < high:
        middle = (low + high) >> 1
        if sums[middle] > u:
            high = middle
        else:
            low = middle + 1
    return low


@njit(cache=True)
def _enter(t, room, words):  # type: ignore[no-untyped-def]
    """Take a document's known words, and give each a slot for its best topic: (distinct words, slots)."""
    facts = t.facts
    local, slot_of, word, own, times, slot_topic, count = room.local, room.slot_of, room.word, room.own, room.times, room.slots, room.counts
    best_phi, other_phi, row = room.best_phi, room.other_phi, room.row
    slots = distinct = 0
    for i in range(words.size):
        w = _int(words[i])
        if w < 0:
            continue
        u = _int(local[w])
        if u < 0:
            fact = facts[w]
            if fact.cells == 0:
                continue
            u = distinct
            distinct += 1
            local[w], word[u], times[u] = u, w, 0
            best_phi[u], other_phi[u], row[u] = fact.best_phi, fact.other_phi, fact.row
            slots = _with_slot(slot_of, slot_topic, count, slots, fact.best)
            own[u] = slot_of[fact.best]
        times[u] += 1
    return distinct, slots


@njit(cache=True)
def _begin_with_best(room, distinct):  # type: ignore[no-untyped-def]
    """Give all tokens the best topic of their word, and visit those of a word together: (visits, tokens)."""
    tokens = 0
    for u in range(distinct):
        room.visited[u], room.together[u], room.topic[u], room.seen[u] = u, room.times[u], room.own[u], -1
        room.held[u] = room.best_phi[u]
        room.counts[room.own[u]] += room.times[u]
        tokens += room.times[u]
    return distinct, tokens


@njit(cache=True)
def _begin_drawn(t, room, words, key, restart, distinct, slots):  # type: ignore[no-untyped-def]
    """Draw the topic of each token ~ a_k phi_kw, and visit them one by one, by words: (visits, slots)."""
    facts, topics, cell_sums, base_sums = t.facts, t.topics, t.cell_sums, t.base_sums
    first = 0
    for u in range(distinct):  # from now on `times` says where the word's next token goes
        room.times[u], first = first, first + room.times[u]
    for i in range(words.size):
        w = _int(words[i])
        u = _int(room.local[w]) if w >= 0 else -1
        if u < 0:
            continue
        mass = cell_sums[facts[w].start + facts[w].cells - 1] + base_sums[base_sums.size - 1]
        k = drawn_topic(facts, topics, cell_sums, base_sums, w, uniform(key, i, restart) * mass)
        slots = _with_slot(room.slot_of, room.slots, room.counts, slots, k)
        v, q = room.times[u], room.slot_of[k]
        room.times[u] += 1
        room.visited[v], room.together[v], room.topic[v], room.seen[v] = u, 1, q, -1
        room.held[v] = phi_in(facts, topics, t.phi, t.base, t.dense, w, k)
        room.counts[q] += 1
    return first, slots


@njit(inline="always")
def _with_slot(slot_of, slot_topic, count, slots, k):  # type: ignore[no-untyped-def]
    """Give topic k a slot if it has none; how many there are now."""
    if slot_of[k] < 0:
        slot_of[k], slot_topic[slots], count[slots] = slots, k, 0
        slots += 1
    return slots


@njit(cache=True)
def _look_up(t, room, slots, distinct):  # type: ignore[no-untyped-def]
    """What the model says of slots and words; forget which words and topics the document has."""
    facts, topics, phi = t.facts, t.topics, t.phi
    slot_of, cell_ptr, cell_slot, cell_phi = room.slot_of, room.cell_ptr, room.cell_slot, room.cell_phi
    size = 0
    for u in range(distinct):
        w = _int(room.word[u])
        room.local[w] = -1
        cell_ptr[u] = size
        if room.row[u] < 0:
            start = facts[w].start
            for i in range(start, start + facts[w].cells):
                q = slot_of[topics[i]]
                cell_slot[size], cell_phi[size] = q, phi[i]
                size += q >= 0  # written in any case: a branch that nobody can predict costs more
    cell_ptr[distinct] = size
    for q in range(slots):
        k = room.slots[q]
        slot_of[k] = -1
        room.prior[q], room.base[q] = t.alpha[k], t.base[k]


@njit(cache=True)
def _put_in_order(room, tokens, slots):  # type: ignore[no-untyped-def]
    """Slots by descending count."""
    more = room.more
    for c in range(tokens + 2):
        more[c] = 0
    for q in range(slots):
        more[room.counts[q]] += 1
    for c in range(tokens, -1, -1):
        more[c] += more[c + 1]
    for q in range(slots):
        c = room.counts[q] + 1
        room.order[more[c]], room.place[q] = q, more[c]
        room.at_topic[more[c]], room.at_count[more[c]] = room.slots[q], room.counts[q]
        more[c] += 1  # until all of count c - 1 have their places: then it is what more[c - 1] was
    for c in range(tokens + 1):
        more[c] = more[c + 1]
    more[tokens + 1] = 0


@njit(cache=True)
def _settle(t, room, visits, slots, sweeps, largest):  # type: ignore[no-untyped-def]
    """Visit the tokens until nothing changes, or `sweeps` times. largest: of all a_k.

    Arrays go to the functions below one by one: a tuple of them would be counted in and out at every visit.
    """
    visited, together, topic, held_phi, seen, own = room.visited, room.together, room.topic, room.held, room.seen, room.own
    counts, prior, base, slot_topic = room.counts, room.prior, room.base, room.slots
    order, at_topic, at_count, place, more = room.order, room.at_topic, room.at_count, room.place, room.more
    cell_ptr, cell_slot, cell_phi = room.cell_ptr, room.cell_slot, room.cell_phi
    best_phi, other_phi, row, dense, alpha = room.best_phi, room.other_phi, room.row, t.dense, t.alpha
    base_most = np.float32(0)
    for q in range(slots):
        base_most = max(base_most, base[q])
    moves = 0
    for _ in range(sweeps):
        before = moves
        for i in range(visits):
            u, held = _at(visited[i]), _at(topic[i])
            if seen[i] == moves:
                continue
            best, phi, score = held, held_phi[i], (counts[held] - 1 + prior[held]) * held_phi[i]
            q = _at(own[u])
            if q != held:
                other = (counts[q] + prior[q]) * best_phi[u]
                if other >= score and (other > score or slot_topic[q] < slot_topic[best]):
                    best, phi, score = q, best_phi[u], other
            if row[u] >= 0:
                r, bound, here, length = _at(row[u]), other_phi[u], _int(place[held]), more[1]
                for j in range(length):
                    if (at_count[j] + largest) * bound < score:
                        break
                    k = _at(at_topic[j])
                    found = dense[r, k]
                    other = (at_count[j] + alpha[k]) * found
                    if other >= score and j != here and (other > score or k < slot_topic[best]):
                        best, phi, score = _at(order[j]), found, other
            else:
                for j in range(cell_ptr[u], cell_ptr[u + 1]):
                    q = _at(cell_slot[j])
                    other = (counts[q] + prior[q]) * cell_phi[j]
                    if other >= score and q != held and (other > score or slot_topic[q] < slot_topic[best]):
                        best, phi, score = q, cell_phi[j], other
                for j in range(more[1]):
                    if (at_count[j] + largest) * base_most < score:
                        break
                    q = _at(order[j])
                    other = (counts[q] + prior[q]) * base[q]
                    if other >= score and q != held and (other > score or slot_topic[q] < slot_topic[best]):
                        best, phi, score = q, base[q], other
            if best != held:
                topic[i], held_phi[i] = best, phi
                moves += 1
                for _ in range(together[i]):
                    _move(order, at_topic, at_count, place, more, counts, held, best)
            seen[i] = moves
        if moves == before:
            break


@njit(inline="always")
def _move(order, at_topic, at_count, place, more, counts, held, best):  # type: ignore[no-untyped-def]
    """One token goes from a slot to another: the one becomes the last of its count, the other the first, before they change."""
    c = _at(counts[held])
    _swap(order, at_topic, at_count, place, held, _at(more[c] - 1))
    more[c] -= 1
    counts[held] -= 1
    at_count[place[held]] -= 1.0
    c = _at(counts[best] + 1)
    _swap(order, at_topic, at_count, place, best, _at(more[c]))
    more[c] += 1
    counts[best] += 1
    at_count[place[best]] += 1.0


@njit(inline="always")
def _swap(order, at_topic, at_count, place, q, there):  # type: ignore[no-untyped-def]
    """Slot q and the one that is there, which has the same count, change places."""
    here, other = _at(place[q]), _at(order[there])
    order[here], order[there] = other, q
    place[q], place[other] = there, here
    at_topic[here], at_topic[there] = at_topic[there], at_topic[here]
    at_count[here], at_count[there] = at_count[there], at_count[here]
