"""Options of `regrow ctr train` alone: what becomes of columns, rates, admission."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = [
    "L1",
    "L2",
    "Admit",
    "Alpha",
    "Backoff",
    "Beta",
    "Binned",
    "Calibrate",
    "Cross",
    "Features",
    "Field",
    "HashBits",
    "MinCount",
    "Multi",
    "Numeric",
    "Partitions",
    "Passes",
    "TextField",
    "Topics",
    "TrainingLabel",
]

Many = list[str] | None
TrainingLabel = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN[=VALUE]",
        help="Tables: the label; it is 1 where it says so, or where it is VALUE. Nodes have theirs with --node-label.",
        show_default=False,
    ),
]
Features = Annotated[
    str | None, typer.Option(metavar="COLUMNS", help="Tables: columns that become features [all others].", show_default=False)
]
Numeric = Annotated[
    str | None, typer.Option(metavar="COLUMNS", help="Those whose number counts, as sign(x) log(1 + |x|).", show_default=False)
]
Binned = Annotated[
    str | None, typer.Option(metavar="COLUMNS", help="Those whose number falls into bins, floor(log(x)^2).", show_default=False)
]
Multi = Annotated[
    Many, typer.Option(metavar="COLUMN:CHARACTER", help="A column of several values, and what parts them.", show_default=False)
]
Cross = Annotated[Many, typer.Option(metavar="NAME:COLUMN,COLUMN", help="A feature of several columns together.", show_default=False)]
Backoff = Annotated[
    Many,
    typer.Option(
        metavar="NAME:COARSER,...",
        help="What rare values of a feature fall back on; a NAME that is no column is their cross; find: list, auto: use some.",
        show_default=False,
    ),
]
Alpha = Annotated[str, typer.Option(metavar="A[,A...]", help="Learning rate; several train several models in one pass.")]
Beta = Annotated[str, typer.Option(metavar="B[,B...]", help="Offset of the learning rate.")]
L1 = Annotated[str, typer.Option(metavar="L[,L...]", help="Regularisation that makes weights 0.")]
L2 = Annotated[str, typer.Option(metavar="L[,L...]", help="Regularisation that makes weights small.")]
Field = Annotated[
    Many, typer.Option(metavar="NAME:RATE=X,...", help="Other rates for a field, e.g. pair:alpha=0.3,l2=1.", show_default=False)
]
Passes = Annotated[int, typer.Option(metavar="N", help="Visits of all examples.")]
MinCount = Annotated[int, typer.Option(metavar="N", help="Leave out features of fewer rows; 1 keeps all.")]
Admit = Annotated[
    float | None, typer.Option(metavar="P", help="Let a feature in at each sight with this chance [at once].", show_default=False)
]
HashBits = Annotated[int, typer.Option(metavar="BITS", help="Let features share 2^BITS weights; 0: each has its own, and a name.")]
Topics = Annotated[
    str | None, typer.Option(metavar="RUN", help="A topic model: the topics of --text-field become features.", show_default=False)
]
TextField = Annotated[str | None, typer.Option(metavar="COLUMN", help="The column of text for --topics.", show_default=False)]
Calibrate = Annotated[
    str | None,
    typer.Option(
        metavar="FIELD", help="Calibrate: all rows together (all), and frequent values of a field by themselves.", show_default=False
    ),
]
Partitions = Annotated[
    str | None, typer.Option(metavar="ExW", help="Partitions of examples x of weights [from the data].", show_default=False)
]
