"""regrow lda: topics."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from regrow.cli.options import DurableEvery, Engine, Files, Json, Overwrite, Preempt, RunDir, Seed, Verify, Workers, how, parse_grid
from regrow.errors import UsageError

__all__ = ["lda"]

lda = typer.Typer(no_args_is_help=True, help="Topics (latent Dirichlet allocation).", rich_markup_mode=None)

Model = Annotated[Path, typer.Argument(metavar="RUN", help="A finished run, or a model folder.", show_default=False)]


@lda.command(short_help="Learn topics from text or a bag of words.")
def train(
    files: Files,
    topics: Annotated[int, typer.Option(metavar="K", help="Number of topics.")] = 100,
    rounds: Annotated[int, typer.Option(metavar="N", help="Visits of all tokens.")] = 200,
    alpha_sum: Annotated[float, typer.Option(metavar="A", help="Prior of topics in a document, summed over topics.")] = 5.0,
    alpha: Annotated[float | None, typer.Option(metavar="A", help="The same per topic; overrides --alpha-sum.", show_default=False)] = None,
    beta: Annotated[float, typer.Option(metavar="B", help="Prior of one word in a topic.")] = 0.01,
    seed: Seed = 1,
    vocab: Annotated[
        str | None, typer.Option(metavar="FILE", help="The words of a bag of words, one per line.", show_default=False)
    ] = None,
    format: Annotated[
        str | None, typer.Option(metavar="NAME", help="txt, jsonl, csv, tsv or bag [by name and content].", show_default=False)
    ] = None,
    text_field: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Fields with text (jsonl, csv, tsv), e.g. title,body [text].", show_default=False),
    ] = None,
    token_pattern: Annotated[str | None, typer.Option(metavar="REGEX", help="What a word is.", show_default=False)] = None,
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
    run: RunDir = None,
    workers: Workers = None,
    engine: Engine = None,
    preempt: Preempt = None,
    durable_every: DurableEvery = None,
    verify: Verify = "auto",
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Prepare the input afresh, and keep nothing for other runs.")] = False,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Learn topics from text (.txt a document per line, .jsonl, .csv, .tsv; plain or .gz) or a UCI bag of words."""
    from regrow.cli.shown import run_and_show
    from regrow.data import TextOptions
    from regrow.launch import default_run
    from regrow.models.lda.estimator import topics_spec
    from regrow.models.lda.program import LDA
    from regrow.running import begin

    program = LDA(topics, alpha_sum if alpha is None else alpha * topics, beta, rounds, likelihood_every)
    options = TextOptions(format, text_field, vocab, not keep_case, stop_words, min_count, max_doc_share, token_pattern)
    way = how(engine, workers, preempt, durable_every, verify, cache=not no_cache)
    spec = topics_spec(files, program, seed=seed, options=options, grid=parse_grid(grid))
    path = run or default_run("lda train")
    run_and_show(path, lambda watcher: begin(spec, path, way, watcher, overwrite=overwrite), json)


@lda.command(short_help="Show the most frequent words of each topic.")
def topics(
    model: Model,
    words: Annotated[int, typer.Option(metavar="N", help="Words of each topic.")] = 10,
    json: Json = False,
) -> None:
    """Show each topic's most frequent words: number, tokens, words."""
    from regrow.cli.shown import print_json
    from regrow.models.lda.estimator import read_topics

    found = read_topics(model)
    totals, lists = found.topic_totals.tolist(), found.top_words(words)
    if json:
        print_json([{"topic": k, "tokens": totals[k], "words": pairs} for k, pairs in enumerate(lists)])
        return
    for k, pairs in enumerate(lists):
        print(f"{k}\t{totals[k]}\t{' '.join(word for word, _ in pairs)}")


@lda.command(short_help="Write the model for other programs.")
def export(
    model: Model,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write to.", show_default=False)],
    format: Annotated[str, typer.Option(metavar="NAME", help="npz: counts.npz (scipy CSR, words x topics) and vocab.txt.")] = "npz",
) -> None:
    """Write a topic model in a form that other programs read. Prints the files."""
    from regrow.models.lda.estimator import read_topics

    if format != "npz":
        raise UsageError(f"--format {format}", "the format is npz")
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file", "name a folder: --out DIR")
    found = read_topics(model)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out, prefix=".export-") as aside:  # so that no file is ever half-written
            found.export_npz(aside)
            for name in ("counts.npz", "vocab.txt"):
                os.replace(Path(aside) / name, out / name)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}", "name another folder: --out DIR") from None
    print(f"{out / 'counts.npz'}\n{out / 'vocab.txt'}")
