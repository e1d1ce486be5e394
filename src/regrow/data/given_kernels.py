"""Kernels that read words that are given, with their counts (errors as in `bag_kernels`)."""
# mypy: allow-untyped-defs, allow-untyped-decorators, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import njit

from regrow.data.bag_kernels import COLON, FINE, FORM, NEWLINE, blanks_end, whole

__all__ = ["given_words"]

BAR = 124


@njit(cache=True)
def given_words(text):
    """Lines `lead |space word word:count ... |space ...` of Vowpal Wabbit, one document each; empty lines are none.

    Returns (words uint8: those of a document one after another with a zero byte between, each as often as its count says;
    starts, ends of the documents in it, leads, where the leads end in the text: int64 [documents]; kind, line, start, end).
    """
    bound, lines = 1, 1
    for i in range(text.size):
        bound += text[i] <= 32 or text[i] == BAR
        lines += text[i] == NEWLINE
    begins, sizes, counts = np.empty(bound, np.int64), np.empty(bound, np.int64), np.empty(bound, np.int64)
    until, leads, lead_ends = np.zeros(lines + 1, np.int64), np.empty(lines, np.int64), np.empty(lines, np.int64)
    none, nowhere = np.empty(0, np.uint8), np.empty(0, np.int64)
    size, bytes_, documents, line, i = 0, 0, 0, 0, 0
    while i < text.size:
        i = blanks_end(text, i)
        if i < text.size and text[i] != NEWLINE:
            leads[documents] = i
            while i < text.size and text[i] != BAR and text[i] != NEWLINE:
                i += 1
            lead_ends[documents] = i
            if i >= text.size or text[i] == NEWLINE:
                return none, nowhere, nowhere, nowhere, nowhere, FORM, line, leads[documents], i
            while i < text.size and text[i] != NEWLINE:
                i = blanks_end(text, i)
                if i >= text.size or text[i] == NEWLINE:
                    break
                start, colon, space = i, -1, text[i] == BAR
                i += space
                while i < text.size and text[i] > 32 and text[i] != BAR:
                    if text[i] == COLON:
                        colon = i
                    i += 1
                count, kind = 1, FINE
                if colon >= 0:
                    count, kind = whole(text, colon + 1, i)
                if kind == FINE and space and count != 1:
                    kind = FORM  # the weight of a name space would weigh its words
                if kind == FINE and colon == start:
                    kind = FORM
                if kind:
                    return none, nowhere, nowhere, nowhere, nowhere, kind, line, start, i
                if not space:
                    begins[size], sizes[size], counts[size] = start, (colon if colon >= 0 else i) - start, count
                    bytes_ += (sizes[size] + 1) * count
                    size += 1
            documents += 1
            until[documents] = size
        i += 1
        line += 1
    words, starts, ends = np.empty(bytes_, np.uint8), np.empty(documents, np.int64), np.empty(documents, np.int64)
    at = 0
    for document in range(documents):
        starts[document] = at
        for j in range(until[document], until[document + 1]):
            for _ in range(counts[j]):
                for k in range(begins[j], begins[j] + sizes[j]):
                    words[at] = text[k]
                    at += 1
                words[at] = 0
                at += 1
        ends[document] = max(at - 1, starts[document])
    return words, starts, ends, leads[:documents].copy(), lead_ends[:documents].copy(), FINE, 0, 0, 0
