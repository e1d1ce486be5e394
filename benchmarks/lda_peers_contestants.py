"""Who takes part in `lda_peers.py`, how each is set, and its training in a process of its own.

    python benchmarks/lda_peers_contestants.py NAME CORPUS.npz ORDER.json      one JSON object per line: settings, then checkpoints

Clocks: `cpu_seconds` is user and system time of training alone: of the process between the calls that score it; for regrow, which
trains in processes of its own, its summary's `cpu_seconds`: coordinator and all attempts, with files and checks. `job_seconds` adds
what comes before: importing the library and bringing the bag of words into its form. Nobody's evaluation counts.

Settings of gensim and scikit-learn ended lowest after 20 to 60 CPU-seconds with 100 topics on package descriptions (2.0 M tokens), of
chunks of 500 to 8,000 documents, decay 0.5 to 0.9, offset 10 and 64, 10 to 200 iterations a document, eta 0.01, 0.1 and "auto".
"""

from __future__ import annotations

import contextlib
import json
import resource
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from lda_peers_corpus import Corpus

if TYPE_CHECKING:
    from lda_peers_evaluator import Topics

Array = npt.NDArray[Any]


def cpu() -> float:
    """CPU seconds of this process and of its ended children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


class Enough(Exception):
    """The budget is spent."""


class Watch:
    """Stops the clock at each checkpoint, scores what there is, and says when it is enough."""

    def __init__(self, corpus: Corpus, budget: float, checkpoints: int, own: float) -> None:
        """own: CPU seconds that were spent before the contestant had its turn."""
        self.corpus = corpus
        self.targets = [budget / 2**i for i in reversed(range(checkpoints))]
        self.due, self.spent, self.scoring = 0, 0.0, own
        self.mark = cpu()

    def start(self) -> None:
        """Training starts now."""
        self.mark = cpu()

    def steps(self, done: int) -> int:
        """How many more iterations the next checkpoint is away, after so many: at least one."""
        spent = self.spent + cpu() - self.mark
        return max(1, int((self.targets[self.due] - spent) * done / spent)) if done else 1

    def look(self, iterations: float, topics: Callable[[], Topics]) -> None:
        """Called between iterations: a checkpoint, if one is due."""
        now = cpu()
        self.spent, self.mark = self.spent + now - self.mark, now
        if self.spent < self.targets[self.due]:
            return
        self.report(iterations, self.spent, now - self.scoring, topics())
        while self.due < len(self.targets) and self.spent >= self.targets[self.due]:
            self.due += 1
        self.mark = cpu()
        self.scoring += self.mark - now
        if self.due == len(self.targets):
            raise Enough

    def report(self, iterations: float, cpu_seconds: float, job_seconds: float, topics: Topics) -> None:
        """Score and write a line."""
        from lda_peers_evaluator import evaluate, evaluate_recorded_way

        found = evaluate(self.corpus, topics)
        checkpoint = {
            "iterations": round(iterations, 2),
            "cpu_seconds": round(cpu_seconds, 3),
            "job_seconds": round(job_seconds, 3),
            "perplexity": found.perplexity,
            "loss": found.total.loss,
            "gain": found.total.gain,
            "alpha_sum": float(topics.alpha.sum()),
            "beta": topics.rest,
            "bands": found.to_json(),
            **(evaluate_recorded_way(self.corpus, topics) if len(self.corpus.stored) else {}),
        }
        print(json.dumps(checkpoint), flush=True)


@dataclass(frozen=True)
class Contestant:
    """peer, module: what is installed by which name; settings: with which the library is called, by topics and alpha sum."""

    peer: str
    module: str
    settings: Callable[[int, float], dict[str, Any]]
    train: Callable[[Corpus, int, int, dict[str, Any], Watch], None]
    note: str = ""


# regrow


def train_regrow(corpus: Corpus, topics: int, seed: int, settings: dict[str, Any], watch: Watch) -> None:
    """A whole run for each checkpoint: a run of fewer rounds is the beginning of a longer one, but for what its model counts."""
    from lda_peers_evaluator import Topics

    from regrow.models.lda.specs import read_topics

    options = {name: value for name, value in settings.items() if value is not False}
    with tempfile.TemporaryDirectory(prefix="regrow-peers-") as folder:
        command = [sys.executable, "-m", "regrow.cli.main", "lda", "train", corpus.docword, "--vocab", corpus.vocab]
        command += ["--topics", str(topics), "--seed", str(seed), "--run", f"{folder}/run", "--overwrite", "--json"]
        for name, value in options.items():
            command += [f"--{name}"] if value is True else [f"--{name}", str(value)]
        words = Path(corpus.vocab).read_text(encoding="utf-8").splitlines()
        line = {word: w for w, word in enumerate(words)}
        done, spent = 8, run(command, 8)[0]["cpu_seconds"]  # compiles and prepares, and shows how long a round takes
        shown = 0
        for target in watch.targets:
            done = max(1, round(done * target / spent))
            if done == shown:  # the same bytes again
                continue
            shown = done
            summary, job_seconds = run(command, done)
            spent = summary["cpu_seconds"]
            model = read_topics(Path(folder) / "run")
            arrays, beta = model.arrays, float(model.arrays["beta"][0])
            weights = np.full((model.topics, len(line)), beta, np.float32)
            number = np.array([line[word] for word in model.vocabulary])
            weights[arrays["topics"], np.repeat(number, np.diff(arrays["word_ptr"]))] += arrays["counts"]
            watch.report(done, spent, job_seconds, Topics(weights, beta, np.array(arrays["alpha"])))


def run(command: list[str], rounds: int) -> tuple[dict[str, Any], float]:
    """One run of regrow: its summary, and the CPU seconds of all its processes."""
    before = cpu()
    ended = subprocess.run([*command, "--rounds", str(rounds)], capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"exit {ended.returncode}: {ended.stderr.strip()}")
    return json.loads(ended.stdout), cpu() - before


# Peers


def train_tomotopy(corpus: Corpus, topics: int, seed: int, settings: dict[str, Any], watch: Watch) -> None:
    import tomotopy
    from lda_peers_evaluator import Topics

    warnings.simplefilter("ignore", RuntimeWarning)  # train(0) says that many workers may differ
    own = dict(settings)
    optim_interval, workers = own.pop("optim_interval"), own.pop("workers")
    scheme = getattr(tomotopy.ParallelScheme, own.pop("parallel"))
    model = tomotopy.LDAModel(k=topics, seed=seed, **own)
    model.optim_interval = optim_interval
    names = [str(w) for w in range(len(corpus.word_counts))]
    for words in documents(corpus):
        model.add_doc([names[w] for w in words])
    model.train(0, workers=workers, parallel=scheme)

    def found() -> Topics:
        weights = np.full((topics, len(names)), model.eta, np.float32)
        order = np.array([int(name) for name in model.used_vocabs])
        for k in range(topics):
            weights[k, order] = model.get_topic_word_dist(k, normalize=False)
        return Topics(weights, float(model.eta), np.array(model.alpha, np.float64))

    watch.start()
    done = 0
    while True:
        steps = watch.steps(done)
        model.train(steps, workers=workers, parallel=scheme)
        done += steps
        watch.look(done, found)


def train_gensim(corpus: Corpus, topics: int, seed: int, settings: dict[str, Any], watch: Watch) -> None:
    from gensim.models import LdaModel
    from lda_peers_evaluator import Topics

    own = dict(settings)
    passes = own.pop("passes")
    order = shuffled(corpus, seed)
    bags = [list(zip(*cells(corpus, d), strict=True)) for d in order]

    class Watched(LdaModel):  # type: ignore[misc]
        """LdaModel that shows itself after each update."""

        updates = 0

        def do_mstep(self, *args: Any, **kwargs: Any) -> None:
            super().do_mstep(*args, **kwargs)
            self.updates += 1
            watch.look(self.updates * self.chunksize / corpus.documents, self.found)

        def found(self) -> Topics:
            return Topics(self.state.get_lambda().astype(np.float32), float(np.mean(self.eta)), np.array(self.alpha, np.float64))

    id2word = {w: str(w) for w in range(len(corpus.word_counts))}
    model = Watched(num_topics=topics, id2word=id2word, random_state=seed, dtype=np.float32, eval_every=None, **own)
    watch.start()
    model.update(bags, passes=passes)


def train_sklearn(corpus: Corpus, topics: int, seed: int, settings: dict[str, Any], watch: Watch) -> None:
    from lda_peers_evaluator import Topics
    from scipy.sparse import csr_matrix
    from sklearn.decomposition import LatentDirichletAllocation

    shape = (corpus.documents, len(corpus.word_counts))
    table = csr_matrix((corpus.counts.astype(np.float32), corpus.words, corpus.ptr), shape)[shuffled(corpus, seed)]
    model = LatentDirichletAllocation(
        topics, random_state=seed, total_samples=corpus.documents, n_jobs=1, evaluate_every=-1, learning_method="online", **settings
    )

    def found() -> Topics:
        alpha = np.full(topics, model.doc_topic_prior_)
        return Topics(model.components_.astype(np.float32), float(model.topic_word_prior_), alpha)

    watch.start()
    done = 0
    while True:
        start = done % corpus.documents
        batch = table[start : start + model.batch_size]
        model.partial_fit(batch)
        done += batch.shape[0]
        watch.look(done / corpus.documents, found)


def documents(corpus: Corpus) -> list[list[int]]:
    """Documents as lists of tokens, equal words side by side."""
    return [np.repeat(*cells(corpus, d)).tolist() for d in range(corpus.documents)]


def cells(corpus: Corpus, d: int) -> tuple[list[int], list[int]]:
    """Words and counts of a document."""
    own = slice(corpus.ptr[d], corpus.ptr[d + 1])
    return corpus.words[own].tolist(), corpus.counts[own].tolist()


def shuffled(corpus: Corpus, seed: int) -> Array:
    """Numbers of the documents in an order of their own: who learns chunk by chunk wants chunks that are alike."""
    return np.random.default_rng(seed).permutation(corpus.documents)


REGROW = {"beta": 0.01, "workers": 1, "likelihood-every": 0}
TOMOTOPY = {"eta": 0.01, "min_cf": 0, "rm_top": 0, "workers": 1, "parallel": "NONE"}
WHOLE_RUNS = (
    "a run of its own for each checkpoint, as a user gets it; CPU-s are of all its training: files, checks of determinism, durable cuts "
    "and coordination included"
)
CONTESTANTS = {
    "regrow": Contestant("regrow", "regrow", lambda k, a: {"alpha-sum": a, **REGROW}, train_regrow, WHOLE_RUNS),
    "regrow, alpha learned": Contestant(
        "regrow", "regrow", lambda k, a: {"alpha-sum": a, "learn-alpha": True, **REGROW}, train_regrow, WHOLE_RUNS
    ),
    "tomotopy": Contestant(
        "tomotopy",
        "tomotopy",
        lambda k, a: {"alpha": a / k, "optim_interval": 0, **TOMOTOPY},
        train_tomotopy,
        "LDAModel, collapsed Gibbs sampling; one worker, so that no ParallelScheme splits or merges anything",
    ),
    "tomotopy, alpha learned": Contestant(
        "tomotopy",
        "tomotopy",
        lambda k, a: {"alpha": a / k, "optim_interval": 20, **TOMOTOPY},
        train_tomotopy,
        "the same with its own optimisation of alpha (it has none of eta); its default, every 10 iterations, takes half of the time",
    ),
    "gensim": Contestant(
        "gensim",
        "gensim",
        lambda k, a: {
            "alpha": "auto", "eta": 0.01, "chunksize": 4000, "passes": 1_000_000, "decay": 0.7, "offset": 10.0, "iterations": 10,
        },
        train_gensim,
        "LdaModel, online variational Bayes, float32, documents shuffled; not LdaMulticore, which cannot learn alpha and gives one worker "
        "nothing to share; passes until the time is spent",
    ),
    "scikit-learn": Contestant(
        "scikit-learn",
        "sklearn",
        lambda k, a: {
            "doc_topic_prior": a / k, "topic_word_prior": 0.01, "batch_size": 2000, "learning_decay": 0.7, "learning_offset": 10.0,
            "max_doc_update_iter": 20,
        },
        train_sklearn,
        "LatentDirichletAllocation, learning_method='online', evaluate_every off, float32, documents shuffled, n_jobs=1, partial_fit batch "
        "by batch, pass after pass",
    ),
}  # fmt: skip


def main() -> None:
    """Train one contestant; a line for its settings, then one for each checkpoint."""
    name, path, order = sys.argv[1], Path(sys.argv[2]), json.loads(Path(sys.argv[3]).read_text())
    contestant, corpus = CONTESTANTS[name], Corpus.load(path)
    settings = contestant.settings(order["topics"], order["alpha_sum"]) | order["settings"].get(contestant.peer, {})
    print(json.dumps({"settings": settings, "version": version(contestant.peer), "note": contestant.note}), flush=True)
    watch = Watch(corpus, order["budget"], order["checkpoints"], cpu())
    with contextlib.suppress(Enough):
        contestant.train(corpus, order["topics"], order["seed"], settings, watch)


if __name__ == "__main__":
    main()
