"""Topics of texts: the numbers of `regrow lda infer`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from regrow.serving.answers import Answers, Asked, listed, only
from regrow.serving.forms import BadRequest
from regrow.serving.limits import Limits

__all__ = ["Topics"]

PIECE_DOCUMENTS, PIECE_BYTES = 64, 1 << 16
"""So many documents, or bytes of text, are answered in one piece."""
NAMED = 20
"""Words of each topic that are kept for its name."""


class TopicsAsked(Asked):
    """Texts, or texts that are cut into words already; what `lda infer` takes as options.

    words: the answer also says so many of the most frequent words of each topic that it names
    """

    texts: list[str] | None = None
    tokens: list[list[str]] | None = None
    method: Literal["argmax", "sampling"] = "argmax"
    restarts: Annotated[int, Meta(ge=1, le=100)] = 1
    sweeps: Annotated[int, Meta(ge=1, le=1000)] = 50
    samples: Annotated[int, Meta(ge=1, le=1000)] = 20
    burn_in: Annotated[int, Meta(ge=0, le=1000)] = 20
    top: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    min_share: Annotated[float, Meta(ge=0, le=1)] = 0.0
    words: Annotated[int, Meta(ge=0, le=NAMED)] = 0


class TopicsLine(msgspec.Struct, forbid_unknown_fields=True):
    """A line of a batch."""

    text: str | None = None
    tokens: list[str] | None = None


class TopicsItem(msgspec.Struct, omit_defaults=True):
    """The topics of a document, largest first; tokens: words that the model knows; unknown: those that it has never seen."""

    doc: int
    topics: list[tuple[int, float]]
    tokens: int
    unknown: int


class Topics(Answers):
    """A topic model."""

    name = "topics"
    items = "documents"
    asked = TopicsAsked
    line = TopicsLine | str
    item = TopicsItem
    example: ClassVar[Mapping[str, Any]] = {"texts": ["a socket that waits for connections"], "top": 3, "words": 5}
    outputs = (("topics", "INT32", (-1, -1)), ("shares", "FP64", (-1, -1)), ("tokens", "INT64", (-1,)), ("unknown", "INT64", (-1,)))

    @staticmethod
    def prepare(files: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Tables of inference, vocabulary as a hash table, the most frequent words of each topic."""
        import numpy as np

        from regrow.data import TextOptions
        from regrow.data.known import Reading, lexicon
        from regrow.models.lda.model import TopicModel
        from regrow.models.lda.unseen import checked
        from regrow.models.lda.unseen.inference_tables import table_arrays, tables_of
        from regrow.packed import strings

        model = checked(files.arrays)
        topics = TopicModel(model, files.parameters)
        lists = topics.top_words(NAMED)
        names = np.array(list(accumulate((len(pairs) for pairs in lists), initial=0)), np.int64)
        arrays = {f"t_{name}": array for name, array in table_arrays(tables_of(model, sums=True)).items()}
        arrays |= lexicon(model["vocabulary.word"], model.get("dropped.word", strings([])))
        text, known = files.about.get("text", {}), TextOptions()
        own = {name: text.get(name, getattr(known, name)) for name in ("lower", "token_pattern", "segment")}
        reading = Reading("txt", (), "", own["lower"], own["token_pattern"], own["segment"]).to_json()
        return {**arrays, "name_ptr": names, "name_words": strings([word for pairs in lists for word, _ in pairs])}, {"reading": reading}

    @staticmethod
    def card(files: Any) -> dict[str, Any]:
        """Sizes, priors, and how the words of the vocabulary and their tokens are spread over the bands of frequency."""
        import numpy as np

        from regrow.evaluation.bands import BANDS, band_of

        counts = np.asarray(files.arrays["vocabulary.count"])
        band = band_of(counts)
        total = max(int(counts.sum()), 1)
        bands = [
            {"band": name, "words": int(mine.sum()), "units": int(counts[mine].sum()), "share": round(int(counts[mine].sum()) / total, 6)}
            for number, name in enumerate(BANDS)
            for mine in [band == number]
        ]
        return {
            "topics": len(files.arrays["topic_totals"]),
            "words": len(counts),
            "alpha_sum": float(np.add.accumulate(files.arrays["alpha"])[-1]),
            "beta": float(files.arrays["beta"][0]),
            "bands": bands,
        }

    @staticmethod
    def golden(files: Any) -> list[dict[str, Any]]:
        """Frequent words, rare ones, some of everywhere, unknown ones, nothing; both methods."""
        words, size = files.arrays["vocabulary.word"], len(files.arrays["vocabulary.word"])
        frequent, rare = words[: min(size, 40)], words[max(0, size - 40) :]
        spread = [words[i] for i in range(0, size, max(1, size // 40))]
        texts = [
            " ".join(frequent),
            " ".join(rare),
            " ".join(spread),
            " ".join(frequent[:3] * 5 + rare[:3]),
            "",
            "qzxj unknown \u00e9\u4e2d",
        ]
        given = {"tokens": [frequent, rare, spread, []]}
        return [{"texts": texts, "words": 3}, {"texts": texts, "method": "sampling", "samples": 3, "burn_in": 3}, {**given, "restarts": 2}]

    def __init__(self, arrays: Mapping[str, Any], note: Mapping[str, Any]) -> None:
        from regrow.data.known import Reading
        from regrow.models.lda.unseen.inference_tables import Tables, tables_from

        self.tables = tables_from({name: arrays[f"t_{name}"] for name in Tables._fields})
        self.lexicon = {name: array for name, array in arrays.items() if name.startswith("lexicon_")}
        self.reading = Reading(**note["reading"])
        self.names, self.name_ptr = arrays["name_words"], arrays["name_ptr"]

    def work(self, asked: TopicsAsked, limits: Limits) -> Iterator[list[bytes]]:
        """Documents in pieces."""
        from regrow.models.lda.unseen.inference import Method

        method = Method(asked.method, asked.restarts, asked.sweeps, asked.samples, asked.burn_in)
        pieces, given = self._encoded(asked, limits)
        visits = asked.samples + asked.burn_in if asked.method == "sampling" else 8 * asked.restarts
        share = min(1.0, 8 / visits)  # of what one piece may hold: argmax visits a text some eight times
        first = start = 0
        while start < len(pieces):
            end, size = start + 1, len(pieces[start])
            while end < len(pieces) and end - start < share * PIECE_DOCUMENTS and size + len(pieces[end]) <= share * PIECE_BYTES:
                size += len(pieces[end])
                end += 1
            yield self._piece(pieces[start:end], given, asked, method, asked.first + first, limits)
            first, start = first + end - start, end

    def _encoded(self, asked: TopicsAsked, limits: Limits) -> tuple[list[bytes], bool]:
        """The documents as bytes (of given words: with a zero byte between them), and whether words are given. Raises BadRequest."""
        if (asked.texts is None) == (asked.tokens is None):
            raise BadRequest('there must be "texts" or "tokens", and not both', 'e.g. {"texts": ["some text"]}')
        if asked.texts is not None:
            pieces = [text.encode("utf-8", "replace") for text in asked.texts]
        else:
            assert asked.tokens is not None
            for number, words in enumerate(asked.tokens):
                if any("\0" in word for word in words):
                    raise BadRequest(f"document {number}: a word has a zero byte", "remove it: words cannot hold one")
            pieces = ["\0".join([word for word in words if word]).encode("utf-8", "replace") for words in asked.tokens]
        if len(pieces) > limits.items:
            raise BadRequest(f"{len(pieces):,} documents, and {limits.items:,} at once is the most", "send fewer, or use /v1/batch", 413)
        if not asked.first <= 2**53 or asked.first < 0:
            raise BadRequest(f'"first" is {asked.first}', "a number from 0 on")
        for number, piece in enumerate(pieces):
            if len(piece) > limits.item_bytes:
                raise BadRequest(f"document {number} has {len(piece):,} bytes, and {limits.item_bytes:,} is the most", "cut it", 413)
        return pieces, asked.tokens is not None

    def _piece(self, pieces: Sequence[bytes], given: bool, asked: TopicsAsked, method: Any, first: int, limits: Limits) -> list[bytes]:
        import numpy as np

        from regrow.data.known import known_texts
        from regrow.data.records import Documents
        from regrow.models.lda.unseen.inference import infer_bags
        from regrow.models.lda.unseen.inference_lines import topic_lines

        ends = np.cumsum([len(piece) for piece in pieces], dtype=np.int64)
        starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]])
        found = Documents(np.frombuffer(b"".join(pieces), np.uint8), starts, ends, 1, False, given)
        known = known_texts(found, self.reading, self.lexicon)
        sizes = np.diff(known.doc_ptr)
        if int(sizes.max(initial=0)) > limits.words:
            raise BadRequest(
                f"document {first + int(sizes.argmax())} has {int(sizes.max()):,} words, and {limits.words:,} is the most", "cut it", 413
            )
        inferred = infer_bags(self.tables, known.words, known.doc_ptr, known.texts_sha, method)
        lines = topic_lines(first, None, *inferred, sizes - inferred.tokens, asked.top, asked.min_share)
        return lines.tobytes().splitlines()

    def behind(self, asked: TopicsAsked, lines: Sequence[bytes]) -> bytes:
        """The words of the topics that were named, if they were asked for."""
        if not asked.words:
            return b""
        topics = sorted({k for line in lines for k, _ in msgspec.json.decode(line, type=TopicsItem).topics})
        ptr = self.name_ptr
        named = {str(k): self.names[int(ptr[k]) : min(int(ptr[k]) + asked.words, int(ptr[k + 1]))] for k in topics}
        return b', "words": ' + msgspec.json.encode(named)

    @staticmethod
    def together(lines: Sequence[Any], first: int) -> dict[str, Any]:
        """Texts, or words, as the first line has it."""
        texts = [line if isinstance(line, str) else line.text for line in lines]
        if all(text is not None for text in texts):
            return {"texts": texts, "first": first}
        if any(text is not None for text in texts) or any(line.tokens is None for line in lines):
            raise BadRequest('every line must be a text, or {"text": ...}; or every line must be {"tokens": [...]}')
        return {"tokens": [line.tokens for line in lines], "first": first}

    @staticmethod
    def inputs(card: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Texts."""
        return [listed("texts")]

    @staticmethod
    def of_tensors(inputs: Mapping[str, Sequence[Any]], parameters: Mapping[str, Any]) -> dict[str, Any]:
        """BYTES, in an input called "texts"."""
        return {"texts": only(inputs, "texts"), **parameters}

    @staticmethod
    def to_tensors(items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Topics and shares, filled up with -1 and 0 to the most that any document has."""
        width = max((len(item["topics"]) for item in items), default=0)
        topics = [k for item in items for k, _ in [*item["topics"], *[(-1, 0.0)] * (width - len(item["topics"]))]]
        shares = [p for item in items for _, p in [*item["topics"], *[(-1, 0.0)] * (width - len(item["topics"]))]]
        n = len(items)
        return [
            {"name": "topics", "datatype": "INT32", "shape": [n, width], "data": topics},
            {"name": "shares", "datatype": "FP64", "shape": [n, width], "data": shares},
            {"name": "tokens", "datatype": "INT64", "shape": [n], "data": [item["tokens"] for item in items]},
            {"name": "unknown", "datatype": "INT64", "shape": [n], "data": [item["unknown"] for item in items]},
        ]
