"""Rows with a label -> examples, a dictionary of features with names, and the rounds in which they are visited.

    describe_clicks(paths, options) -> ClickSource      look at the files, check them
    ClickExamples       the program "text" -> "rows", "dictionary", "fields": each part is parsed once
    ClickRounds         the program "rows", "dictionary" -> "slots", "start": what training meets, round by round

Files become parts of the layout "text" as all others (see `regrow.data.ingest`).
"""

from regrow.data.clicks.examples import BIAS, ClickExamples, buckets_for, parse
from regrow.data.clicks.options import ClickOptions
from regrow.data.clicks.plan import Plan
from regrow.data.clicks.rounds import ClickRounds, default_partitions, turn_of
from regrow.data.clicks.source import ClickSource, describe_clicks

__all__ = [
    "BIAS",
    "ClickExamples",
    "ClickOptions",
    "ClickRounds",
    "ClickSource",
    "Plan",
    "buckets_for",
    "default_partitions",
    "describe_clicks",
    "parse",
    "turn_of",
]
