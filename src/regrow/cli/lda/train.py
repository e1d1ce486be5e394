"""regrow lda train."""

from __future__ import annotations

from typing import Annotated

import typer

from regrow.cli.options import DurableEvery, Engine, Files, Json, Overwrite, Preempt, RunDir, Seed, Verify, Workers, how, parse_grid

__all__ = ["train"]


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
    from regrow.models.lda.program import LDA
    from regrow.models.lda.specs import topics_spec
    from regrow.running import begin

    program = LDA(topics, alpha_sum if alpha is None else alpha * topics, beta, rounds, likelihood_every)
    options = TextOptions(format, text_field, vocab, not keep_case, stop_words, min_count, max_doc_share, token_pattern)
    way = how(engine, workers, preempt, durable_every, verify, cache=not no_cache)
    spec = topics_spec(files, program, seed=seed, options=options, grid=parse_grid(grid))
    path = run or default_run("lda train")
    run_and_show(path, lambda watcher: begin(spec, path, way, watcher, overwrite=overwrite), json)
