"""regrow lda train."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from regrow.cli.options import (
    Format,
    Header,
    IdField,
    Seed,
    TextField,
    Vocabulary,
    parse_grid,
)
from regrow.cli.training import GoingOn, Training, refuse_the_runs_own, training_command

__all__ = ["train"]

Files = Annotated[
    list[str] | None,
    typer.Argument(metavar="FILES", help="Files, folders, patterns, or - for standard input; plain or compressed.", show_default=False),
]


@training_command("lda train")
def train(
    context: typer.Context,
    files: Files = None,
    topics: Annotated[int, typer.Option(metavar="K", help="Number of topics.")] = 100,
    rounds: Annotated[int, typer.Option(metavar="N", help="Visits of all tokens.")] = 200,
    alpha_sum: Annotated[float, typer.Option(metavar="A", help="Prior of topics in a document, summed over topics.")] = 5.0,
    alpha: Annotated[float | None, typer.Option(metavar="A", help="The same per topic; overrides --alpha-sum.", show_default=False)] = None,
    beta: Annotated[float, typer.Option(metavar="B", help="Prior of one word in a topic.")] = 0.01,
    start: Annotated[
        str, typer.Option(metavar="HOW", help="First topics: minhash (documents that share rare words begin alike) or random.")
    ] = "minhash",
    draws: Annotated[
        int, typer.Option(metavar="N", help="Draws of each token that the model counts, in the last round; 1: its topic alone.")
    ] = 16,
    learn_alpha: Annotated[bool, typer.Option("--learn-alpha", help="Learn how frequent each topic is (asymmetric prior).")] = False,
    learn_beta: Annotated[bool, typer.Option("--learn-beta", help="Learn the prior of a word in a topic.")] = False,
    learn_every: Annotated[int, typer.Option(metavar="N", help="Rounds between two looks at the priors.")] = 10,
    merge_every: Annotated[int, typer.Option(metavar="N", help="Rounds between two mergers of topics that say the same; 0: none.")] = 0,
    seed: Seed = 1,
    going_on: GoingOn = None,
    vocab: Vocabulary = None,
    format: Format = None,
    text_field: TextField = None,
    id_field: IdField = None,
    header: Header = None,
    token_pattern: Annotated[str | None, typer.Option(metavar="REGEX", help="What a word is.", show_default=False)] = None,
    segment: Annotated[
        str, typer.Option(metavar="HOW", help="Scripts without spaces: auto (characters and pairs), characters, bigrams, jieba, none.")
    ] = "auto",
    stop_words: Annotated[str | None, typer.Option(metavar="FILE", help='Words to drop: a file, or "english".', show_default=False)] = None,
    min_count: Annotated[int, typer.Option(metavar="N", help="Drop words with fewer occurrences; 1 keeps all.")] = 1,
    max_doc_share: Annotated[
        float, typer.Option(metavar="SHARE", help="Drop words that are in a larger share of the documents; 1 keeps all.")
    ] = 1.0,
    keep_case: Annotated[bool, typer.Option("--keep-case", help="Tell capital from small letters.")] = False,
    likelihood_every: Annotated[
        int, typer.Option(metavar="N", help="Rounds between two looks at the log-likelihood; 0: only at the end.")
    ] = 10,
    grid: Annotated[
        str | None, typer.Option(metavar="RxC", help="Blocks of documents x blocks of words [from the data].", show_default=False)
    ] = None,
    *,
    training: Training,
) -> None:
    """Learn topics from documents.

    Files of text (.txt a document per line, .jsonl, .csv, .tsv, .parquet, Mallet, Vowpal Wabbit), folders with a file per document, or
    bags of words (UCI, LDA-C, SVMlight, Matrix Market, scipy .npz); plain, .gz, .xz, .bz2 or .zst; - is standard input.
    """
    from regrow.data import TextOptions
    from regrow.launch import with_stdin
    from regrow.models.lda.program import LDA
    from regrow.models.lda.specs import continued_spec, told_of_memory, topics_spec

    blocks = parse_grid(grid)
    options = TextOptions(
        format, text_field, vocab, not keep_case, stop_words, min_count, max_doc_share, token_pattern, id_field, header, segment
    )
    with with_stdin(files or []) as (names, spooled):
        if going_on is not None:
            refuse_the_runs_own(context, THE_RUNS_OWN)
            spec = continued_spec(going_on, names, rounds, options=options, grid=blocks, spooled=spooled)
        else:
            program = LDA(
                topics,
                alpha_sum if alpha is None else alpha * topics,
                beta,
                rounds,
                likelihood_every,
                start,
                draws,
                learn_alpha=learn_alpha,
                learn_beta=learn_beta,
                learn_every=learn_every,
                merge_every=merge_every,
            )
            if (learn_alpha or learn_beta) and not program.learns:
                print(
                    f"{rounds} rounds are too few to learn priors: the first step is in round {program.learn_from} or soon after",
                    file=sys.stderr,
                )
            spec = topics_spec(names, program, seed=seed, options=options, grid=blocks, spooled=spooled)
            if told := told_of_memory(topics, training.way.crew):
                print(told, file=sys.stderr)
        if spec.source.format == "txt" and len(spec.source.files) > MANY_FILES:
            print("each line is a document; for one in each file name their folder, or say --format files", file=sys.stderr)
        training.run(spec)


MANY_FILES = 100
"""So many files of text are rather documents than collections of them."""
THE_RUNS_OWN = "topics alpha_sum alpha beta start draws learn_alpha learn_beta learn_every merge_every seed likelihood_every"
THE_RUNS_OWN += " token_pattern segment stop_words min_count max_doc_share keep_case"
