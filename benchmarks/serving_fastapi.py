"""The peer of `serving.py`: a plain FastAPI application that serves the same model, as one writes it in an hour.

MODEL=RUN uvicorn --app-dir benchmarks serving_fastapi:app [--workers N]
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel

from regrow.data.known import Reading, known_texts, lexicon
from regrow.data.records import Documents
from regrow.models.lda.unseen.inference import infer_bags, inference_tables
from regrow.models.lda.unseen.inference_lines import topic_lines
from regrow.packed import strings
from regrow.store.model import read_model

app = FastAPI()
model = read_model(Path(os.environ["MODEL"]))
tables = inference_tables(model.arrays)
words = lexicon(model.arrays["vocabulary.word"], model.arrays.get("dropped.word", strings([])))
reading = Reading("txt", (), "")


class Asked(BaseModel):
    """A request."""

    texts: list[str]


@app.post("/v1/topics")
async def topics(asked: Asked) -> dict[str, Any]:
    """The topics of texts."""
    pieces = [text.encode() for text in asked.texts]
    ends = np.cumsum([len(piece) for piece in pieces], dtype=np.int64)
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]])
    known = known_texts(Documents(np.frombuffer(b"".join(pieces), np.uint8), starts, ends, 1), reading, words)
    found = infer_bags(tables, known.words, known.doc_ptr, known.texts_sha)
    lines = topic_lines(0, None, *found, np.diff(known.doc_ptr) - found.tokens, 0, 0.0).tobytes().splitlines()
    return {"model": model.digest, "documents": [json.loads(line) for line in lines]}


asked_once = known_texts(Documents(np.frombuffer(b"a", np.uint8), np.zeros(1, np.int64), np.ones(1, np.int64), 1), reading, words)
infer_bags(tables, asked_once.words, asked_once.doc_ptr, asked_once.texts_sha)
