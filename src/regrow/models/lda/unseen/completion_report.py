"""What `Completion` measured, in words and numbers: INTERFACE's fields, the table by band, two models beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from regrow.errors import DataError
from regrow.evaluation import Comparison, TailReport, compare
from regrow.models.lda.unseen.completion_kernels import NAT

__all__ = ["compared", "fields_of", "tail_of", "text_of"]


def tail_of(measured: Mapping[str, Any]) -> TailReport:
    """The tail report from the arrays of `Completion.model`."""
    units: list[int] = np.asarray(measured["units"]).sum(axis=0, dtype=np.int64).tolist()
    loss = [sum(measured["loss"][:, band].tolist()) / NAT for band in range(len(units))]
    return TailReport.of_sums(units, loss, measured["baseline"].tolist(), "tokens")


def fields_of(measured: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `lda evaluate --json`.

    documents, tokens: those with scored tokens, and these; unknown: scored tokens that training never saw. coherence_npmi: null if it
    is known of no topic; coherence_topics: of how many it is known.
    """
    tail, coherence = tail_of(measured), measured["coherence"]
    known = coherence[~np.isnan(coherence)]
    return {
        "perplexity": tail.perplexity,
        "loss": tail.total.loss,
        "documents": len(measured["units"]),
        "tokens": tail.total.units,
        "unknown": tail.rows[0].units,
        "documents_without_score": int(measured["documents"][0]) - len(measured["units"]),
        "topics": int(measured["topics"][0]),
        "alpha_sum": float(measured["alpha_sum"][0]),
        "beta": float(measured["beta"][0]),
        "coherence_npmi": sum(known.tolist()) / len(known) if len(known) else None,
        "coherence_topics": len(known),
        "distinct_topics": int(measured["distinct_topics"][0]),
        "bands": tail.to_json(),
    }


def text_of(measured: Mapping[str, Any]) -> str:
    """The same for people."""
    found, tail = fields_of(measured), tail_of(measured)
    coherence = found["coherence_npmi"]
    without = found["documents_without_score"]
    return "\n".join(
        [
            perplexity_line(found),
            f"{found['documents']:,} documents, {found['tokens']:,} tokens scored, {found['unknown']:,} of them unknown to the model"
            + (f"; {without:,} documents too short" if without else ""),
            "",
            "loss, and gain over the unigram, in nats per token, by how often the word stood in the training text:",
            tail.text(),
            "",
            f"coherence (NPMI) {'-' if coherence is None else f'{coherence:.4f}'} over {found['coherence_topics']:,} topics",
            f"distinct topics {found['distinct_topics']:,} of {found['topics']:,}",
        ]
    )


def perplexity_line(found: Mapping[str, Any]) -> str:
    """The perplexity with all that it depends on besides the documents."""
    return f"perplexity {found['perplexity']:,.2f} (K = {found['topics']:,}, alpha sum {found['alpha_sum']:g}, beta {found['beta']:g})"


def compared(first: Mapping[str, Any], second: Mapping[str, Any]) -> Comparison:
    """Two models measured on the same documents, from the arrays of both.

    Where the training counts of the words differ, their bands do, and only all tokens together are compared. Raises DataError if the
    models cut the documents into different words.
    """
    mine, other = np.asarray(first["units"]), np.asarray(second["units"])
    tokens = [units.sum(axis=1) for units in (mine, other)]
    if not np.array_equal(*tokens):
        counts = " and ".join(f"{int(sums.sum()):,} scored tokens in {len(sums):,} documents" for sums in tokens)
        raise DataError(
            f"the two models cut these documents into different words: {counts}",
            "compare models that were trained with the same options for text and words",
        )
    losses = [np.asarray(measured["loss"]) / NAT for measured in (first, second)]
    if np.array_equal(mine, other):
        return compare(mine, *losses)
    in_all = compare(tokens[0][:, None], *(loss.sum(axis=1, keepdims=True) for loss in losses), bands=("all",))
    return replace(in_all, rows=())
