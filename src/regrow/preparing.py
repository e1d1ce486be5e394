"""How the user's files become the data of the program that was asked for: each step a stage of its own.

    text        files -> parts of the layout "text"; for programs on unseen documents also the layout "model"
    tokens      text -> numbers of words, and the vocabulary
    grid        tokens -> rows and columns
    examples    text of rows with a label -> examples, dictionary of features
    rounds      examples -> the rounds in which they are visited
    nodes       text of edges -> edges by numbers of nodes, and what the nodes are called
    parts       edges -> nodes in ranges, edges sorted by where they lead
    entries     numbers or ratings -> entries by row, and what columns are called
    cells       tokens or entries -> rows and columns of a matrix

A run that goes on from an earlier one begins with the tokens of that (again), and gives new words numbers after the old (words).
A stage that is whole is never repeated. The last one becomes RUN/data. RUN/prepared.json says which code makes them all: what other
code made may be laid out otherwise, and is not gone on from.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from regrow import prepared
from regrow.crash import point
from regrow.data import Again, Grid, Ingested, Renumber, default_grid, ingest, tokens_program
from regrow.data.clicks import ClickExamples, ClickRounds, buckets_for, default_partitions, turn_of
from regrow.data.graphs import GraphNodes, GraphParts
from regrow.data.graphs import buckets_for as names_buckets
from regrow.data.graphs import default_partitions as default_ranges
from regrow.data.matrix import DocumentNames, MatrixCells, MatrixLayout, RatingCells, default_blocks
from regrow.data.vocabulary import read_stop_words
from regrow.errors import DataError
from regrow.identity import difference
from regrow.job import Job, ProgramName
from regrow.program import Arrays, Program
from regrow.spec import Spec, input_digest, write_json
from regrow.stage import Around, Stage
from regrow.store.dataset import Dataset, DatasetWriter
from regrow.store.model import read_model

__all__ = ["Preparing"]


class Preparing:
    """The data of one run: what is there already, what an earlier run made of the same input, or what is made now."""

    def __init__(self, spec: Spec, around: Around, *, resumed: bool, accept_changes: bool = False) -> None:
        self.spec, self.around, self.resumed, self.accept_changes = spec, around, resumed, accept_changes
        self.run = around.run
        self.stages = around.run / "stages"

    def dataset(self) -> Dataset:
        """The data of the last program, in RUN/data. Raises DataError if other code began to make it, and nobody accepts that."""
        data = self.run / "data"
        self._check_code(data)
        if (data / "dataset.json").exists():
            dataset = Dataset.open(data)
            damage = dataset.damage() if self.resumed else ""
            if not damage:
                shutil.rmtree(self.stages, ignore_errors=True)
                if self.resumed and (others := self._changed_inputs()):
                    self.around.story.tell("input changed", files=others)
                return dataset
            self.around.story.tell("prepared data is damaged: made again from the input", cause=damage)
        shutil.rmtree(data, ignore_errors=True)
        began = time.monotonic()
        key = self._cache_key()
        cache = Path(self.around.how.cache) if self.around.how.cache else None
        if cache is not None and prepared.fetch(cache, key, data):
            self.around.story.tell("prepared data reused", key=key)
        else:
            self._make(data)
            if cache is not None:
                prepared.keep(cache, key, data)
        self.around.session.prepare_seconds += time.monotonic() - began
        self.around.session.write()
        shutil.rmtree(self.stages, ignore_errors=True)
        return Dataset.open(data)

    def _check_code(self, data: Path) -> None:
        """Note which code prepares this run; what other code has prepared is refused, or deleted if changes are accepted."""
        path, now = self.run / "prepared.json", {"code": prepared.code_digest(), "layout": prepared.LAYOUT}
        then = json.loads(path.read_text()) if path.exists() else {}
        if now.items() <= then.items():
            return
        if data.exists() or self.stages.exists():
            changes = difference(then, now, "preparing.")
            if not self.accept_changes:
                raise DataError(
                    f"{self.run} was begun as another run:\n  " + "\n  ".join(changes),
                    "prepare its data again, and let the model say so: regrow resume --accept-changes; or begin anew",
                )
            shutil.rmtree(data, ignore_errors=True)
            shutil.rmtree(self.stages, ignore_errors=True)
            self.around.story.tell("prepared data made again", changes=changes)
        write_json(path, {**then, **now})

    def _stop_words(self, name: str) -> list[str]:
        """The words of a file, which are noted: parts that are prepared later leave out the same. Raises DataError for other words."""
        words = read_stop_words(name, self.spec.options.lower)
        path, now = self.run / "prepared.json", hashlib.sha256("\n".join(words).encode()).hexdigest()
        then = json.loads(path.read_text())
        if name != "english" and then.setdefault("stop_words", now) != now:
            raise DataError(f"{name}: other stop words than when the run began", "put them back, or begin anew")
        write_json(path, then)
        return words

    def _changed_inputs(self) -> list[str]:
        """Input files that are seen, without being read, to be others than when the run began. It need not have them any more."""
        return [file.name for file in self.spec.source.files if os.path.exists(file.name) and os.path.getsize(file.name) != file.bytes]

    def _cache_key(self) -> str:
        """What prepared data is a function of."""
        spec = self.spec
        found = spec.input_digest
        if not found or (self.resumed and not (self.stages / "text" / "data" / "dataset.json").exists()):
            found = input_digest(spec.source)
        if spec.input_digest and found != spec.input_digest:
            which = ", ".join(self._changed_inputs()) or "the input files"
            raise DataError(f"{which}: changed since the run began, which must read its input again", "put it back, or begin anew")
        about: list[Any] = [found, spec.source.to_json() | {"files": [file.name for file in spec.source.files]}, spec.options_json()]
        about += [spec.pipeline, spec.grid, spec.topics, spec.model_digest, prepared.code_digest()]
        if stop_words := getattr(spec.options, "stop_words", None):  # the words, as the file of that name may change
            about.append(self._stop_words(stop_words))
        return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:32]

    def _make(self, data: Path) -> None:
        """Text, tokens, grid: each a dataset in its own folder; the last one becomes the run's data."""
        if self.spec.pipeline == "text":
            made = self._text()
        elif self.spec.pipeline == "clicks":
            made = self._clicks()
        elif self.spec.pipeline == "graph":
            made = self._graph()
        elif self.spec.pipeline == "matrix":
            made = self._matrix()
        elif self.spec.start is None:
            made = self._grid(self._tokens())
        else:
            made = self._going_on(Path(self.spec.start))
        point("data-made")
        os.rename(made.path, data)
        point("data-published")

    def _tokens(self) -> Dataset:
        options = self.spec.options
        if self.spec.start is not None:  # which new words stay is decided when it is known which are new
            options = replace(options, min_count=1, max_doc_share=1.0)
        text = self._text()
        return self._stage("tokens", tokens_program(self.spec.source, options, int(text.facts["bytes"])), text)

    def _grid(self, tokens: Dataset, pairs: str = "", more: Mapping[str, Arrays] | None = None) -> Dataset:
        rows, columns = self.spec.grid or default_grid(int(tokens.facts["tokens"]), self.spec.topics)
        rows, columns = min(rows, int(tokens.facts["documents"])), min(columns, int(tokens.facts["words"]))  # more would be empty
        return self._stage("grid", Grid(rows, columns, pairs), tokens, more)

    # Clicks

    def _clicks(self) -> Dataset:
        """What training meets, round by round, and the dictionary."""
        options, text = self.spec.options, self._text()
        source, buckets = self.spec.source.to_json(), buckets_for(int(text.facts["bytes"]))
        skip = options.bad_rows == "skip"
        kept = options.min_count, options.admit, options.hash_bits
        program = ClickExamples(source["format"], source["plan"], skip, buckets, *kept, self.spec.start is not None, options.calibrate)
        made = self._stage("examples", program, text)
        examples = int(made.facts["examples"])
        partitions, weights = self.spec.grid or default_partitions(made.facts, buckets)
        turn = turn_of(examples, made.facts["values"], partitions)
        rounds = self._stage(
            "rounds", ClickRounds(examples, turn, partitions, min(weights, buckets), int(self.spec.parameters["seen"])), made
        )
        layouts = [("slots", rounds, "slots"), ("start", rounds, "start"), ("dictionary", made, "dictionary"), ("fields", made, "fields")]
        return self._joined("clicks", layouts, {**made.facts, **rounds.facts})

    # Graphs

    def _graph(self) -> Dataset:
        """Nodes in ranges, and the edges between them."""
        options, source, text = self.spec.options, self.spec.source.to_json(), self._text()
        about, buckets = source["graph"], names_buckets(int(text.facts["bytes"]))
        files, names = about["files"], [file["name"] for file in source["files"]]
        nodes = self._stage("nodes", GraphNodes(files, names, about["numbers"], about["nodes"], buckets, not options.undirected), text)
        count, edges = int(nodes.facts["nodes"]), int(nodes.facts["lines"]) * (2 if options.undirected else 1)
        ranges = self.spec.grid[0] if self.spec.grid else default_ranges(count, edges)
        once, drop = options.duplicates == "once", options.self_loops == "drop"
        return self._stage("parts", GraphParts(count, min(ranges, count), options.undirected, once, drop), nodes)

    # Matrices

    def _matrix(self) -> Dataset:
        """Rows and columns of a matrix, in cells, and what it is like."""
        tokens = self._tokens() if self.spec.source.kind in ("text", "bag") else self._entries()
        facts, named = {name: int(value) for name, value in tokens.facts.items()}, False
        if self.spec.source.kind == "text" and self.spec.source.format != "txt":
            source = self.spec.source
            names = self._stage("names", DocumentNames(source.format, list(source.text_fields), self.spec.options.id_field), self._text())
            if named := names.facts["named"] > 0:
                layouts = [("tokens", tokens, "tokens"), ("vocabulary", tokens, "vocabulary"), ("names", names, "names")]
                tokens = self._joined("called", layouts, tokens.facts)
        rows, columns = self.spec.grid or default_blocks(facts["tokens"], self.spec.topics or 1)
        made = self._stage("cells", MatrixLayout(min(rows, facts["documents"]), min(columns, facts["words"]), named), tokens)
        about = {"ratings": 0.0, **tokens.facts, **made.facts}
        shown = {name: np.array(about[name]) for name in ("documents", "words", "cells", "fractions", "negatives", "total", "ratings")}
        layouts = [(name, made, name) for name in ("rows", "columns", "vocabulary")]
        return self._joined("matrix", layouts, {name: float(about[name]) for name in shown}, {"about": shown})

    def _entries(self) -> Dataset:
        """The entries of files of numbers, or of ratings, by row."""
        spec, text = self.spec, self._text()
        if spec.source.kind == "ratings":
            return self._stage("entries", RatingCells(), text)
        options = spec.options
        stop_words = read_stop_words(options.stop_words, options.lower) if options.stop_words else []
        return self._stage("entries", MatrixCells(spec.source.format, stop_words, options.min_count, options.max_doc_share), text)

    # Going on from a finished run

    def _going_on(self, start: Path) -> Dataset:
        """The grid of an earlier run's tokens, with their topics, and of new documents after them."""
        files = read_model(start)
        if files.digest != self.spec.model_digest:
            raise DataError(f"{start} has changed since the run began", "put it back, or begin anew")
        data, kept = Dataset.open(start / "data"), Dataset.open(start / "kept")
        layouts = [(name, data, name) for name in ("rows", "columns", "vocabulary")] + [("kept", kept, "topics_of_tokens")]
        tokens = self._stage("again", Again(), self._joined("old", layouts, {}))
        if self.spec.source.files:
            tokens = self._with_new(tokens)
        pairs = np.asarray(kept.part("topics_of_tokens", 0)["pairs"]).dtype.name
        return self._grid(tokens, pairs, {"priors": {name: files.arrays[name] for name in ("alpha", "beta")}})

    def _with_new(self, old: Dataset) -> Dataset:
        """The tokens of old documents and, after them, of new ones; the vocabulary of both."""
        new = self._tokens()
        layouts = [("old", old, "vocabulary"), ("new", new, "vocabulary"), ("tokens", new, "tokens")]
        words = self._stage("words", Renumber(self.spec.options.min_count), self._joined("both", layouts, {}))
        facts = {name: old.facts[name] + words.facts[name] for name in ("tokens", "documents")} | {"words": words.facts["words"]}
        layouts = [("tokens", old, "tokens"), ("tokens", words, "tokens"), ("vocabulary", words, "vocabulary")]
        return self._joined("union", layouts, facts)

    def _joined(
        self, name: str, layouts: Sequence[tuple[str, Dataset, str]], facts: Mapping[str, float], more: Mapping[str, Arrays] | None = None
    ) -> Dataset:
        """A dataset of layouts of others: (name here, dataset, name there); `more` are layouts of one part beside them."""
        folder = self.stages / name
        shutil.rmtree(folder, ignore_errors=True)
        writer = DatasetWriter(folder)
        for here, dataset, there in layouts:
            writer.link(here, dataset, there)
        for layout, arrays in (more or {}).items():
            writer.add(layout, 0, arrays)
        return writer.publish(facts)

    # Stages

    def _text(self) -> Dataset:
        folder = self.stages / "text" / "data"
        if (folder / "dataset.json").exists():
            return Dataset.open(folder)
        shutil.rmtree(folder, ignore_errors=True)
        writer = DatasetWriter(folder)
        if self.spec.model is not None:
            self._add_model(writer)
        if self.spec.pipeline == "clicks" and self.spec.start is not None:
            self._add_model(writer, "known", self.spec.start)
        progress = self.around.watcher.progress
        found: Ingested = ingest(
            self.spec.source, writer.add, lambda done, total: progress("reading", done, total), readers=self.around.how.crew
        )
        self.around.story.tell("input read", parts=found.parts, bytes=found.bytes_text, digest=found.digest)
        return writer.publish({"bytes": found.bytes_text, "lines": found.lines})

    def _add_model(self, writer: DatasetWriter, layout: str = "model", model: str | None = None) -> None:
        """A layout of one part: the arrays of a trained model."""
        model = model or self.spec.model
        assert model is not None
        files = read_model(Path(model))
        if files.digest != self.spec.model_digest:
            raise DataError(f"the model {model} has changed since the run began", "put it back, or begin anew")
        writer.add(layout, 0, files.arrays)

    def _stage(self, name: str, program: Program, dataset: Dataset, more: Mapping[str, Arrays] | None = None) -> Dataset:
        """One preparing program: its results become a dataset; `more` are layouts of one part beside them."""
        folder = self.stages / name
        if (folder / "data" / "dataset.json").exists():
            return Dataset.open(folder / "data")
        folder.mkdir(parents=True, exist_ok=True)
        kind = ProgramName(type(program).__module__, type(program).__qualname__)
        job = Job(kind, program.parameters(), self.spec.seed, dataset.path.absolute(), folder.absolute())
        shutil.rmtree(folder / "data", ignore_errors=True)
        outcome = Stage(self.around, name, job).to_the_end()
        writer = DatasetWriter(folder / "data")
        for role, parts in outcome.results.items():
            for index, arrays in enumerate(parts):
                if arrays:
                    writer.take(role, index, outcome.artifact_of(role, index), arrays)
        for layout, arrays in (more or {}).items():
            writer.add(layout, 0, arrays)
        made = writer.publish(outcome.results.metrics)
        outcome.directory.clear()
        return made
