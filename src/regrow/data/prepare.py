"""Which program prepares a source, with which parameters."""

from __future__ import annotations

import re
import unicodedata

from regrow.data.bag import BagTokens
from regrow.data.segment import check_segment, dictionary_version
from regrow.data.source import Source, TextOptions
from regrow.data.text import TextTokens
from regrow.data.vocabulary import read_stop_words
from regrow.errors import UsageError

__all__ = ["buckets_for", "tokens_program"]

BUCKET_BYTES = 1 << 25
"""Text whose words are counted by one task, if the whole is more than that; ..."""
BUCKETS_MAX = 512
"""... until there are so many: each part of a text writes to each bucket."""


def tokens_program(source: Source, options: TextOptions | None = None, bytes_text: int | None = None) -> TextTokens | BagTokens:
    """The program that makes tokens of the parts that `ingest(source, ...)` gives.

    bytes_text      how much text that was; None: it is not yet known, and the program good for its checks and for small text
    Raises UsageError for options that cannot be, DataError for a file of stop words that is missing or broken.
    """
    options = options or TextOptions()
    if options.min_count < 1:
        raise UsageError(f"--min-count {options.min_count}", "the least is 1, which keeps every word")
    if not 0 < options.max_doc_share <= 1:
        raise UsageError(f"--max-doc-share {options.max_doc_share:g}", "a share is above 0 and at most 1, which keeps every word")
    stop_words = read_stop_words(options.stop_words, options.lower) if options.stop_words else []
    if source.kind == "bag":
        if options.token_pattern is not None:
            raise UsageError("--token-pattern has no meaning for bags of words: they are cut into words already", "leave it out")
        if options.segment != "auto":
            raise UsageError("--segment has no meaning for bags of words: they are cut into words already", "leave it out")
        return BagTokens(source.format, stop_words, options.min_count, options.max_doc_share)
    check_segment(options.segment, options.token_pattern)
    if options.token_pattern is not None:
        _check_pattern(options.token_pattern)
    return TextTokens(
        source.format,
        list(source.text_fields),
        options.lower,
        stop_words,
        options.min_count,
        options.max_doc_share,
        options.token_pattern,
        options.segment,
        unicodedata.unidata_version,
        dictionary_version() if options.segment == "jieba" else "",
        buckets_for(bytes_text or 0),
    )


def buckets_for(bytes_text: int) -> int:
    """How many tasks count and order the words of a text, from its size alone: one for a small text, which is the fastest then.

    The words of a bucket, were they all different, take some 250 MB of memory.
    """
    return max(1, min(BUCKETS_MAX, -(-bytes_text // BUCKET_BYTES)))


def _check_pattern(token_pattern: str) -> None:
    advice = r"give a regular expression of Python for one word, e.g. --token-pattern '[^\W_]+'"
    try:
        pattern = re.compile(token_pattern)
    except re.error as error:
        raise UsageError(f"--token-pattern '{token_pattern}' is no regular expression: {error}", advice) from error
    if pattern.groups > 1:
        raise UsageError(f"--token-pattern '{token_pattern}' has {pattern.groups} groups: which is the word?", "write groups as (?:...)")
    if pattern.fullmatch(""):
        raise UsageError(f"--token-pattern '{token_pattern}' matches the empty word", advice)
