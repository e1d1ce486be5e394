"""Documents under a vocabulary that is known already: which word of a model each token is, if any.

    lexicon(words, dropped)                     a model's vocabulary as a hash table of plain arrays: sent once, mapped by all
    names(words, lexicon)                       the words of a bag's vocabulary -> the model's numbers
    known_documents(part, reading, lexicon)     a part of the layout "text" -> numbers of words, and a hash of each text

A part is first cut into words with numbers of its own, exactly as for training; then each distinct word is looked up once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from regrow.data.bag import bag_tokens, numbered_words
from regrow.data.formats import named
from regrow.data.records import Documents, documents
from regrow.data.text import count_words
from regrow.data.vocabulary import WordSet, read_only
from regrow.data.word_kernels import map_stream, spelled
from regrow.data.wordset_kernels import find_words
from regrow.packed import Strings, strings
from regrow.program import Fixed

__all__ = ["DROPPED", "UNKNOWN", "KnownDocuments", "Reading", "known_documents", "known_texts", "lexicon", "names", "warm_reading"]

UNKNOWN = -1
"""The number of a word that the model has never seen."""
DROPPED = -2
"""The number of a word that counts as no word at all: a stop word, or one of too many documents."""

_TABLE = ("slots", "hashes", "starts", "lengths", "lines", "numbers")


@dataclass(frozen=True)
class Reading:
    """How documents were cut into words when a model was trained, and what is to be found where in new files. JSON values.

    format, text_fields, id_field       of the new files, as in `Source` and `TextOptions` (id_field: None, the field "id" if there
                                        is one; "", none)
    lower, token_pattern, segment       of the training, as in `TextOptions`
    """

    format: str
    text_fields: tuple[str, ...] = ()
    id_field: str | None = None
    lower: bool = True
    token_pattern: str | None = None
    segment: str = "auto"

    def __post_init__(self) -> None:
        object.__setattr__(self, "text_fields", tuple(self.text_fields))

    def to_json(self) -> dict[str, Any]:
        """As JSON values; `Reading(**value)` is the way back."""
        return asdict(self) | {"text_fields": list(self.text_fields)}


@dataclass(frozen=True)
class KnownDocuments:
    """Documents as numbers of a model's words.

    words       int32 [tokens]: numbers in the model, or UNKNOWN; words that it dropped are not there
    doc_ptr     int64 [D + 1]: document d is words[doc_ptr[d]:doc_ptr[d + 1]]
    texts_sha   uint64 [D]: the first 8 bytes, little-endian, of the SHA-256 of the document's text
    ids         the documents' own names, if they have any
    """

    words: npt.NDArray[np.int32]
    doc_ptr: npt.NDArray[np.int64]
    texts_sha: npt.NDArray[np.uint64]
    ids: Strings | None = None


def lexicon(words: Strings, dropped: Strings) -> dict[str, npt.NDArray[Any]]:
    """The hash table of a vocabulary: word w has the number w, and those of `dropped` (they may be in both) have DROPPED.

    Arrays named "lexicon_...", about 50 bytes a word (see `wordset_kernels` for the first five), and int32 "lexicon_numbers".
    """
    known = WordSet()
    first = known.add(words)
    numbers = np.full(len(known), UNKNOWN, np.int32)
    numbers[first[::-1]] = np.arange(len(words), dtype=np.int32)[::-1]  # of equal words the first
    barred = known.add(dropped)
    numbers = np.concatenate([numbers, np.full(len(known) - len(numbers), DROPPED, np.int32)])
    numbers[barred] = DROPPED
    return {f"lexicon_{name}": array for name, array in zip(_TABLE, (*known.table(), numbers), strict=True)}


def names(words: Strings, lexicon: Mapping[str, Any]) -> dict[str, Any]:
    """What `known_documents` needs of a bag's vocabulary: `numbers` int32, the model's for each, and `words` themselves."""
    return {"numbers": _looked_up(words, lexicon), "words": words}


def _looked_up(words: Strings, lexicon: Mapping[str, Any]) -> npt.NDArray[np.int32]:
    table = [read_only(lexicon[f"lexicon_{name}"]) for name in _TABLE]
    numbers: npt.NDArray[np.int32] = find_words(read_only(words.offsets), read_only(words.utf8), *table)
    return numbers


def known_documents(
    part: Fixed, reading: Reading, lexicon: Mapping[str, Any], numbers: npt.NDArray[np.int32] | None = None, words: Strings | None = None
) -> KnownDocuments:
    """The documents of a part of the layout "text" under a model's vocabulary.

    numbers, words      of `names`: for bags, which say words by number

    The text of a document, for its hash: its wanted fields joined by one space, in UTF-8, with quotes undoubled and without the
    line's end; for given words and bags: its words in order, joined by one space each. Raises as `documents` does.
    """
    if numbers is None or words is None:
        return known_texts(documents(part, reading.format, reading.text_fields, reading.id_field), reading, lexicon)
    stream, doc_ptr = bag_tokens(part, reading.format)
    if not len(words):  # there is no vocabulary: words are called by their numbers
        stream, words = numbered_words(part, reading.format, stream)
        numbers = _looked_up(words, lexicon)
    known, known_ptr = map_stream(read_only(stream), read_only(doc_ptr), read_only(numbers), UNKNOWN)
    return KnownDocuments(known, known_ptr, _words_sha(stream, doc_ptr, words))


def known_texts(found: Documents, reading: Reading, lexicon: Mapping[str, Any]) -> KnownDocuments:
    """Documents that are there already under a model's vocabulary: see `known_documents`. Of `reading` only the ways of training count."""
    stream, doc_ptr, own, _, _ = count_words(found, reading.lower, reading.token_pattern, reading.segment)
    numbers = _looked_up(own, lexicon)
    sha = _words_sha(stream, doc_ptr, own) if found.words_given else _texts_sha(found)
    known, known_ptr = map_stream(read_only(stream), read_only(doc_ptr), read_only(numbers), UNKNOWN)
    return KnownDocuments(known, known_ptr, sha, found.ids)


def _words_sha(stream: npt.NDArray[np.int32], doc_ptr: npt.NDArray[np.int64], words: Strings) -> npt.NDArray[np.uint64]:
    utf8, ends = spelled(read_only(stream), read_only(doc_ptr), read_only(words.offsets), read_only(words.utf8))
    data, starts = utf8.tobytes(), [0, *(ends[:-1] + 1).tolist()]
    return _hashes([data[start:end] for start, end in zip(starts, ends.tolist(), strict=False)])


def _texts_sha(found: Documents) -> npt.NDArray[np.uint64]:
    data, step = found.text.tobytes(), found.per_document
    pieces = [data[start:end] for start, end in zip(found.starts.tolist(), found.ends.tolist(), strict=True)]
    if found.quoted and b'""' in data:
        pieces = [piece.replace(b'""', b'"') for piece in pieces]
    if step > 1:
        pieces = [b" ".join(pieces[i : i + step]) for i in range(0, len(pieces), step)]
    return _hashes(pieces)


def _hashes(texts: Sequence[bytes]) -> npt.NDArray[np.uint64]:
    """uint64 [texts]: the beginning of the SHA-256 of each."""
    sha256 = hashlib.sha256
    return np.frombuffer(b"".join([sha256(text).digest() for text in texts]), "<u8")[::4].astype(np.uint64)


def warm_reading(reading: Reading) -> None:
    """Compile or load the kernels."""
    named(reading.format).warm()
    table = lexicon(strings(["a"]), strings([]))
    text = np.frombuffer(b"a b", np.uint8)
    one = np.array([0], np.int64)
    found = Documents(text, one, one + 3, 1)
    stream, doc_ptr, own, _, _ = count_words(found, reading.lower, None, reading.segment)
    map_stream(read_only(stream), read_only(doc_ptr), read_only(_looked_up(own, table)), UNKNOWN)
    spelled(read_only(stream), read_only(doc_ptr), read_only(own.offsets), read_only(own.utf8))
