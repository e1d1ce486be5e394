"""regrow ctr train."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from regrow.cli.ctr.options import BadRows, Format, Since, Time, Until, Weight
from regrow.cli.ctr.training_options import (
    L1,
    L2,
    Admit,
    Alpha,
    Backoff,
    Beta,
    Binned,
    Calibrate,
    Cross,
    Features,
    Field,
    HashBits,
    MinCount,
    Multi,
    Numeric,
    Partitions,
    Passes,
    TextField,
    Topics,
    TrainingLabel,
)
from regrow.cli.options import Files, Header, Seed
from regrow.cli.training import GoingOn, Training, refuse_the_runs_own, training_command
from regrow.errors import UsageError

if TYPE_CHECKING:
    from regrow.data.clicks import ClickOptions
    from regrow.models.logistic.program import FTRL

__all__ = ["train"]


@training_command("ctr train")
def train(
    context: typer.Context,
    files: Files,
    label: TrainingLabel = None,
    features: Features = None,
    numeric: Numeric = None,
    binned: Binned = None,
    multi: Multi = None,
    cross: Cross = None,
    backoff: Backoff = None,
    weight: Weight = None,
    time: Time = None,
    since: Since = None,
    until: Until = None,
    alpha: Alpha = "0.1",
    beta: Beta = "1",
    l1: L1 = "0",
    l2: L2 = "0",
    field: Field = None,
    passes: Passes = 1,
    min_count: MinCount = 1,
    admit: Admit = None,
    hash_bits: HashBits = 0,
    topics: Topics = None,
    text_field: TextField = None,
    going_on: GoingOn = None,
    calibrate: Calibrate = None,
    bad_rows: BadRows = "fail",
    seed: Seed = 1,
    format: Format = None,
    header: Header = None,
    partitions: Partitions = None,
    *,
    training: Training,
) -> None:
    """Learn the chance of a click from rows with a label: tables, libsvm, libffm, Vowpal Wabbit, Criteo's files; plain or compressed.

    Each value of a column is a feature with a weight of its own, however rare; --backoff adds what it falls back on.
    """
    from regrow.data.clicks import ClickOptions
    from regrow.data.clicks.options import names_of
    from regrow.models.logistic.program import FTRL

    rates = _rates(alpha, beta, l1, l2)
    program = FTRL(**rates, passes=passes, fields=dict(_field(text) for text in field or []))  # type: ignore[arg-type]
    options = ClickOptions(
        format, label, names_of(features) or None, names_of(numeric), names_of(binned), multi or (), cross or (), backoff or (),
        weight, time, since, until, header, bad_rows, min_count, admit, hash_bits,
        calibrate="" if calibrate == "all" else calibrate,
        topics=topics,
        text_field=text_field,
    )  # fmt: skip
    if going_on is not None:
        refuse_the_runs_own(context, THE_RUNS_OWN)
    _train(files, program, options, going_on, seed, _partitions(partitions), training)


def _train(
    files: list[str],
    program: FTRL,
    options: ClickOptions,
    start: Path | None,
    seed: int,
    partitions: tuple[int, int] | None,
    training: Training,
) -> None:
    """Train on files and topics of theirs, with the back-offs that are found, if that is asked; or only list these."""
    from regrow.launch import with_stdin
    from regrow.models.logistic.specs import clicks_spec, continued_clicks_spec, own_options, read_clicks
    from regrow.models.logistic.topic_specs import with_topics

    if start is not None:
        known = own_options(read_clicks(start)[1], options)
        options = replace(options, topics=known.topics, text_field=known.text_field, topics_digest=known.topics_digest)
    with with_stdin(files) as (given, own), with_topics(given, own, options, training.way) as (names, spooled, options):
        if options.backoff and options.backoff[0] in ("find", "auto"):
            levels = _found_backoffs(names, options)
            if options.backoff[0] == "find":
                return
            options = replace(options, backoff=levels)
        if start is not None:
            spec = continued_clicks_spec(start, names, passes=program.passes, options=options, spooled=spooled)
        else:
            spec = clicks_spec(names, program, seed=seed, options=options, partitions=partitions, spooled=spooled)
        training.run(spec)


RATES = ("alpha", "beta", "l1", "l2")


THE_RUNS_OWN = "label features numeric binned multi cross backoff weight alpha beta l1 l2 field min_count admit hash_bits seed"
THE_RUNS_OWN += " partitions calibrate topics text_field"


def _found_backoffs(names: Sequence[str], options: ClickOptions) -> list[str]:
    """The columns that lie within others, as --backoff takes them; shown, as the answer if they were only asked for."""
    from regrow.data.clicks.containment import containments

    levels = [f"{fine}:{','.join(coarser)}" for fine, coarser in containments(names, options).items()]
    asked = options.backoff[0] == "find"
    shown = [f"--backoff {text}" if asked else f"back-off {text}" for text in levels]
    print("\n".join(shown) or "no column lies within another", file=sys.stdout if asked else sys.stderr)
    return levels


def _rates(*texts: str) -> dict[str, list[float]]:
    """The rates of each model: every alpha with every beta, l1 and l2."""
    models = itertools.product(*(_numbers(name, text) for name, text in zip(RATES, texts, strict=True)))
    return {name: list(values) for name, values in zip(RATES, zip(*models, strict=True), strict=True)}


def _numbers(name: str, text: str) -> list[float]:
    try:
        return [float(number) for number in text.split(",")]
    except ValueError:
        raise UsageError(f"--{name} {text}", f"a number, or several with commas between them, e.g. --{name} 0.05,0.1") from None


def _field(text: str) -> tuple[str, dict[str, float]]:
    name, colon, rest = text.partition(":")
    advice = "write --field NAME:RATE=X,RATE=X, e.g. --field pair:alpha=0.3,l2=1"
    if not colon:
        raise UsageError(f"--field {text}", advice)
    rates = {}
    for pair in rest.split(","):
        rate, equals, number = pair.partition("=")
        if not equals or rate.strip() not in RATES:
            raise UsageError(f"--field {text}", advice)
        try:
            rates[rate.strip()] = float(number)
        except ValueError:
            raise UsageError(f"--field {text}: {number} is no number", advice) from None
    return name, rates


def _partitions(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    examples, _, weights = text.lower().partition("x")
    if not (examples.isdecimal() and (weights or "1").isdecimal()):
        raise UsageError(f"--partitions {text}", "partitions of examples x of weights, e.g. 4x2")
    return int(examples), int(weights or 1)
