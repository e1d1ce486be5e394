"""regrow svd train."""

from __future__ import annotations

from typing import Annotated

import typer

from regrow.cli.options import Files, Format, Header, IdField, Seed, TextField, Vocabulary, parse_grid
from regrow.cli.training import Training, training_command

__all__ = ["train"]


@training_command("svd train")
def train(
    files: Files,
    rank: Annotated[int, typer.Option(metavar="K", help="Number of singular vectors.")] = 100,
    scaling: Annotated[
        str,
        typer.Option(metavar="HOW", help="What is factored: chi2 (residuals), tfidf, none; auto: chi2 for counts, none for other numbers."),
    ] = "auto",
    power: Annotated[int, typer.Option(metavar="N", help="Visits of the matrix, from both sides: more make it more exact.")] = 4,
    oversampling: Annotated[
        int | None, typer.Option(metavar="P", help="Columns of the sketch beyond the rank [10 + K / 10].", show_default=False)
    ] = None,
    no_documents: Annotated[bool, typer.Option("--no-documents", help="Do not keep where the documents are.")] = False,
    ratings: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMNS", help="Tables of ratings: row, column and value of an entry [user,item,rating].", show_default=False
        ),
    ] = None,
    seed: Seed = 1,
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
    grid: Annotated[
        str | None, typer.Option(metavar="RxC", help="Blocks of rows x blocks of columns [from the data].", show_default=False)
    ] = None,
    *,
    training: Training,
) -> None:
    """Factor a matrix: its largest singular values, and where its rows and columns are along them.

    Text and bags of words as for topics (documents by words), matrices of any numbers (Matrix Market, SVMlight, scipy .npz), ratings
    (csv, tsv, parquet: user, item, rating); plain, .gz, .xz, .bz2 or .zst; - is standard input.
    """
    from regrow.data import TextOptions
    from regrow.launch import with_stdin
    from regrow.models.svd.program import SVD
    from regrow.models.svd.specs import factors_spec

    options = TextOptions(
        format, text_field, vocab, not keep_case, stop_words, min_count, max_doc_share, token_pattern, id_field, header, segment
    )
    program, blocks = SVD(rank, scaling, power, oversampling, not no_documents), parse_grid(grid)
    with with_stdin(files) as (names, spooled):
        training.run(factors_spec(names, program, seed=seed, options=options, ratings=ratings, blocks=blocks, spooled=spooled))
