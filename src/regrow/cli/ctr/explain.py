"""regrow ctr explain."""

from __future__ import annotations

from typing import Annotated

import typer

from regrow.cli.options import Header, Json, Model

__all__ = ["explain"]


def explain(
    model: Model,
    row: Annotated[str, typer.Argument(metavar="ROW", help="A row as training had it, JSON, or FILE:LINE.", show_default=False)],
    header: Header = None,
    json: Json = False,
) -> None:
    """Say which features make the chance of a row: weight, contribution to the log odds, and how often training had them.

    ROW is a line as in the training files (of a table: its columns in their order), a JSON object of columns, or FILE:LINE for a
    line of a file with the columns of training.
    """
    from regrow.cli.shown import print_json
    from regrow.data.clicks import ClickOptions
    from regrow.models.logistic.explaining import explained
    from regrow.models.logistic.specs import read_clicks
    from regrow.models.logistic.topic_specs import with_topics_here

    clicks, files = read_clicks(model)
    found = explained(clicks, ClickOptions(**files.about["text"]), row, header, with_topics_here)
    if json:
        print_json(found.to_json())
        return
    print(found.text())
