"""regrow svd evaluate."""

from __future__ import annotations

from regrow.cli.options import Json, Model

__all__ = ["evaluate"]


def evaluate(model: Model, json: Json = False) -> None:
    """Say how exact a model is, and how much of the matrix it has: in all, and of rare and frequent words.

    Energy is the sum of squares of what was factored. A band's loss is the share of its energy that the model has not.
    """
    from regrow.cli.shown import print_json
    from regrow.models.svd.specs import read_factors

    factors, _ = read_factors(model)
    if json:
        print_json(factors.to_json())
        return
    print(factors.summary())
