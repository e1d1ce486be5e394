"""Files of edges of any form make the same graph; what is broken is named with its file and line."""

from __future__ import annotations

import bz2
import gzip
import itertools
import lzma
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.io
import scipy.sparse

from reference import Reference
from regrow.data.graphs import GraphNodes, GraphOptions, GraphParts, describe_graph
from regrow.data.ingest import ingest
from regrow.errors import DataError, UsageError
from regrow.packed import Strings

EDGES = [(5, 900, 1.0), (900, 5, 2.5), (5, 5, 0.25), (12, 5, 1.0), (5, 900, 3.0), (-4, 12, 1e-3)]


def nodes_of(folder: Path, paths: list[str], part_bytes: int = 1 << 20, buckets: int = 1, **options: Any) -> tuple[Any, dict[str, float]]:
    """The edges and nodes that files make, and the facts."""
    source, settled = describe_graph(paths, GraphOptions(**options))
    layouts: dict[str, list[Any]] = {}
    ingest(source, lambda layout, _, arrays: layouts.setdefault(layout, []).append(arrays), part_bytes_target=part_bytes)
    said = source.to_json()
    about, names = said["graph"], [file["name"] for file in said["files"]]
    program = GraphNodes(about["files"], names, about["numbers"], about["nodes"], buckets, not settled.undirected)
    results = Reference(program, layouts).run()
    return results, results.metrics


def found(folder: Path, text: str | bytes, name: str = "edges.txt", **more: Any) -> list[tuple[Any, Any, float]]:
    """The edges of a file, by ids."""
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return edges_of(nodes_of(folder, [str(folder / name)], **more)[0])


def edges_of(results: Any) -> list[tuple[Any, Any, float]]:
    ids = results.concatenated("nodes", "id")
    ids = list(ids) if isinstance(ids, Strings) else ids.tolist()
    edges = []
    for part in results["edges"]:
        weight = part["weight"].tolist() if len(part["weight"]) else [1.0] * len(part["source"])
        edges += [(ids[a], ids[b], w) for a, b, w in zip(part["source"].tolist(), part["target"].tolist(), weight, strict=True)]
    return edges


PLAIN = [(a, b, 1.0) for a, b, _ in EDGES]


@pytest.mark.parametrize("between", ["\t", " ", ",", "  \t "])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lists_of_any_form(tmp_path: Path, between: str, end: str) -> None:
    text = f"# a comment{end}% another{end}{end}" + end.join(f"{a}{between}{b}{between}{w!r}" for a, b, w in EDGES)
    assert found(tmp_path, text) == PLAIN
    assert found(tmp_path, text, weight="3") == EDGES
    assert found(tmp_path, text, weight="3", part_bytes=8) == EDGES


@pytest.mark.parametrize("header", [None, "yes"])
def test_a_header_names_columns(tmp_path: Path, header: str | None) -> None:
    text = "kind,to,heavy,from\n" + "".join(f"{n},{b},{w!r},{a}\n" for n, (a, b, w) in enumerate(EDGES))
    assert found(tmp_path, text, source="from", target="to", weight="heavy", header=header) == EDGES
    assert found(tmp_path, text, source="4", target="2", header="yes") == PLAIN
    assert found(tmp_path, "src dst\n1 2\n") == [(1, 2, 1.0)]
    assert found(tmp_path, "a b\nc d\n") == [("a", "b", 1.0), ("c", "d", 1.0)]
    assert found(tmp_path, "a b\nc d\n", header="yes") == [("c", "d", 1.0)]
    assert found(tmp_path, "1 2\n3 4\n", header="yes") == [(3, 4, 1.0)]


@pytest.mark.parametrize(("suffix", "packed"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)])
def test_compressed_files(tmp_path: Path, suffix: str, packed: Any) -> None:
    text = "".join(f"{a} {b}\n" for a, b, _ in EDGES).encode()
    assert found(tmp_path, packed(text), f"edges.txt{suffix}") == PLAIN


def test_several_files_of_several_formats_are_one_graph(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1 2\n2 3\n")
    (tmp_path / "b.csv").write_text("from,to\n3,1\n1,4\n")
    pq.write_table(pa.table({"u": [4, 4], "v": [2, 7]}), tmp_path / "c.parquet")
    results, facts = nodes_of(tmp_path, [str(tmp_path)])
    assert [(a, b) for a, b, _ in edges_of(results)] == [(1, 2), (2, 3), (3, 1), (1, 4), (4, 2), (4, 7)]
    assert facts == {"nodes": 5, "lines": 6}


def test_parquet_of_numbers_and_of_texts(tmp_path: Path) -> None:
    columns = {"w": [w for *_, w in EDGES], "a": [a for a, *_ in EDGES], "b": [b for _, b, _ in EDGES]}
    pq.write_table(pa.table(columns), tmp_path / "e.parquet", row_group_size=2)
    options: dict[str, Any] = {"source": "a", "target": "b", "weight": "w"}
    results, _ = nodes_of(tmp_path, [str(tmp_path / "e.parquet")], **options)
    assert edges_of(results) == EDGES
    pq.write_table(pa.table({name: [str(v) for v in column] for name, column in columns.items()}), tmp_path / "e.parquet")
    results, _ = nodes_of(tmp_path, [str(tmp_path / "e.parquet")], **options)
    assert edges_of(results) == [(str(a), str(b), w) for a, b, w in EDGES]


@pytest.mark.parametrize("symmetry", ["general", "symmetric"])
@pytest.mark.parametrize("field", ["real", "pattern"])
def test_matrix_market_as_scipy_writes_it(tmp_path: Path, symmetry: str, field: str) -> None:
    chance = np.random.default_rng(1)
    matrix = scipy.sparse.random(9, 9, 0.3, random_state=chance, format="coo")
    matrix = (matrix + matrix.T).tocoo() if symmetry == "symmetric" else matrix
    scipy.io.mmwrite(tmp_path / "m.mtx", matrix, symmetry=symmetry, field=field, precision=17)
    results, facts = nodes_of(tmp_path, [str(tmp_path / "m.mtx")])
    expected = {
        (int(i) + 1, int(j) + 1): 1.0 if field == "pattern" else w for i, j, w in zip(matrix.row, matrix.col, matrix.data, strict=True)
    }
    assert {(a, b): w for a, b, w in edges_of(results)} == pytest.approx(expected, rel=1e-15)
    assert facts["nodes"] == 9, "nodes without edges are nodes"
    undirected, _ = nodes_of(tmp_path, [str(tmp_path / "m.mtx")], undirected=True)
    assert len(edges_of(undirected)) == len(matrix.data) - (symmetry == "symmetric") * np.count_nonzero(matrix.row > matrix.col)


def test_nodes_are_numbered_in_their_order_however_far_apart(tmp_path: Path) -> None:
    far = [(10**17, -(10**17)), (3, 10**17), (-(10**17), 3)]
    text = "".join(f"{a} {b}\n" for a, b in far)
    for part_bytes in (1, 1 << 20):
        (tmp_path / "far.txt").write_text(text)
        results, _ = nodes_of(tmp_path, [str(tmp_path / "far.txt")], part_bytes=part_bytes)
        assert results.concatenated("nodes", "id").tolist() == [-(10**17), 3, 10**17]
        assert [(a, b) for a, b, _ in edges_of(results)] == far


def test_texts_are_numbered_by_their_bytes_in_buckets(tmp_path: Path) -> None:
    names = [f"página {number * 7919 % 1000}" for number in range(300)]
    text = "".join(f"{a}\t{b}\n" for a, b in itertools.pairwise(names))
    (tmp_path / "t.tsv").write_text(text)
    for buckets in (1, 4):
        results, _ = nodes_of(tmp_path, [str(tmp_path / "t.tsv")], part_bytes=500, buckets=buckets)
        assert [(a, b) for a, b, _ in edges_of(results)] == list(itertools.pairwise(names))
        for part in results["nodes"]:
            assert list(part["id"]) == sorted(part["id"])
    assert len(results["nodes"]) == 4


@pytest.mark.parametrize("ids", ["number", "text"])
def test_names_are_kept_and_what_is_named_is_a_node(tmp_path: Path, ids: str) -> None:
    (tmp_path / "edges.txt").write_text("1 2\n2 30\n")
    (tmp_path / "names.csv").write_text("id,name\n30,thirty\n1,uno\n7,seven\n1,again\n")
    results, facts = nodes_of(tmp_path, [str(tmp_path / "edges.txt")], names=str(tmp_path / "names.csv"), ids=ids)
    named = dict(zip(map(str, results.concatenated("nodes", "id")), results.concatenated("nodes", "name"), strict=True))
    assert named == {"1": "uno", "2": "2", "7": "seven", "30": "thirty"}
    assert facts["lines"] == 2


def test_weights_that_are_there_twice_add_up_or_count_once(tmp_path: Path) -> None:
    results, facts = nodes_of(tmp_path, [_written(tmp_path, "".join(f"{a} {b} {w}\n" for a, b, w in EDGES))], weight="3")
    layouts = {name: list(results[name]) for name in ("nodes", "edges")}
    ids = results.concatenated("nodes", "id").tolist()
    place = ids.index(5)
    for once, expected in ((False, 1.0 + 0.25 + 3.0), (True, 0.25 + 3.0)):
        parts = Reference(GraphParts(int(facts["nodes"]), 1, once=once), layouts).run()["parts"]
        assert parts[0]["out"][place] == expected


def _written(folder: Path, text: str) -> str:
    (folder / "edges.txt").write_text(text)
    return str(folder / "edges.txt")


# What is broken


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("# c\n1 2\n\nx 3\n", {}, 'line 4: a whole number is expected for a node, and there is "x"'),
        ("1 2\n3\n", {}, 'line 2: source and target are expected, and the line is "3"'),
        ("1 2 1\n3 4 -0.5\n", {"weight": "3"}, "line 2: the weight -0.5 is below 0"),
        ("1 2 1\n3 4 heavy\n", {"weight": "3"}, 'line 2: a number is expected for the weight, and there is "heavy"'),
        ("1 2 1\n3 4 nan\n", {"weight": "3"}, "line 2: a number is expected for the weight"),
        ("1 2 1\n3 4\n", {"weight": "3"}, "line 2: 3 fields are expected"),
        ("a b\nc d\n", {"ids": "number"}, 'line 1: a whole number is expected for a node, and there is "a"'),
        ("a b\nc \xff\n".encode("latin-1"), {}, "line 2: byte 3 of the line is 0xff, which is not UTF-8"),
        ("1 2\n99999999999999999999 1\n", {}, "line 2: node 99999999999999999999 is too large"),
        ("# only\n% comments\n", {}, "holds no edge"),
        ("", {}, "is empty"),
        ("1\n2\n", {}, "line 1: two nodes are expected"),
        ("%%MatrixMarket matrix coordinate real general\n2 2 2\n1 2 1.0\n", {}, "line 2 says 2 edges, and there are 1"),
        ("%%MatrixMarket matrix coordinate real general\n2 2 1\n1 3 1.0\n", {}, "line 3: node 3 is not in 1..2"),
        ("%%MatrixMarket matrix coordinate real general\n2 3 1\n1 3 1.0\n", {}, "2 rows and 3 columns"),
        ("%%MatrixMarket matrix coordinate complex general\n2 2 1\n1 2 1 1\n", {}, "is no matrix of weights"),
        ("from,to\n1,2\n", {"source": "start"}, 'no column "start"'),
    ],
)
def test_what_is_broken_is_named_with_its_file_and_line(tmp_path: Path, text: str | bytes, options: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError) as error:
        found(tmp_path, text, "bad.txt", **options, **({"header": "yes"} if "source" in options else {}))
    assert said in error.value.message
    assert "bad.txt" in error.value.message
    assert error.value.advice


def test_a_line_is_counted_through_parts(tmp_path: Path) -> None:
    text = "".join(f"{i} {i + 1}\n" for i in range(5_000)) + "here it breaks\n"
    with pytest.raises(DataError, match="line 5,001: a whole number"):
        found(tmp_path, text, "bad.txt", part_bytes=1_000)


def test_parquet_that_is_no_graph(tmp_path: Path) -> None:
    for table, said in (
        ({"a": [1, None], "b": [1, 2]}, 'row 2: "a" is null'),
        ({"a": [1, 2]}, "an edge has two ends|has 1 column"),
        ({"a": [1, 2], "b": [1, 2], "w": [1.0, -1.0]}, "row 2: the weight is -1"),
    ):
        pq.write_table(pa.table(table), tmp_path / "e.parquet")
        with pytest.raises(DataError, match=said):
            nodes_of(tmp_path, [str(tmp_path / "e.parquet")], **({"weight": "w"} if "w" in table else {}))


@pytest.mark.parametrize(
    "wrong", [{"ids": "names"}, {"duplicates": "last"}, {"self_loops": "no"}, {"source": "1", "target": "1"}, {"format": "dot"}]
)
def test_options_that_cannot_be_are_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        found(tmp_path, "1 2\n", **wrong)
