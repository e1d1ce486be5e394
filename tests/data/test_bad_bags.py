"""Every broken bag of words gets a message that names the file and the line, says what was expected, and what to do."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from data.preparing import tokens_of, write
from regrow.data import TextOptions, describe
from regrow.errors import DataError

MM = "%%MatrixMarket matrix coordinate real general\n2 3 3\n"
LONG = " ".join(f"{i}:{i + 1}" for i in range(9000))
SQUARE = "%%MatrixMarket matrix coordinate real symmetric\n3 3 2\n"
DOWN = "%%MatrixMarket matrix coordinate real general\n2 3 3\n2 1 1\n"


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def saved(x: Any, kind: str = "csr") -> bytes:
    file = io.BytesIO()
    scipy.sparse.save_npz(file, scipy.sparse.csr_matrix(x).asformat(kind))
    return file.getvalue()


def csr(shape: Any = (2, 3), data: Any = (1, 2, 3), indices: Any = (0, 1, 2), indptr: Any = (0, 1, 3), kind: Any = b"csr") -> bytes:
    return npz(format=kind, shape=np.array(shape), data=np.array(data), indices=np.array(indices), indptr=np.array(indptr))


BAD = [
    # name, content, the vocabulary, what the message says
    ("x.lda-c", "2 0:1 1:1\n3 0:1 1:2\n", None, "x.lda-c, line 2: the line says 3 pairs `id:count`, and has 2"),
    ("x.lda-c", "2 0:1 1:1\n0 0:1\n", None, "x.lda-c, line 2: the line says 0 pairs `id:count`, and has 1"),
    ("x.txt", "2 0:1 1:1\n1 2:1\n2 0:1 3:1 1:1\n", None, "x.txt, line 3: the line says 2 pairs `id:count`, and has 3"),
    ("x.lda-c", "1 0:1\n\n1 0:2.37\n", None, 'x.lda-c, line 3: the count in "0:2.37" is not a whole number'),
    ("x.lda-c", "1 0:1\n1 0:1e-3\n", None, 'line 2: the count in "0:1e-3" is not a whole number'),
    ("x.lda-c", "1 0:1\n1 0:1.00000000000000000000001\n", None, "is not a whole number"),
    ("x.lda-c", "1 0:1\n1 7:0\n", None, 'line 2: the count in "7:0" is not in 1..2,147,483,647'),
    ("x.lda-c", "1 0:1\n1 7:-2\n", None, 'line 2: the count in "7:-2" is not in 1..'),
    ("x.lda-c", "1 0:1\n1 7:2147483648\n", None, 'the count in "7:2147483648" is not in 1..'),
    ("x.lda-c", "1 0:1\n1 7:1e400\n", None, 'the count in "7:1e400" is not in 1..'),
    ("x.lda-c", "1 0:1\n1 7:nan\n", None, 'line 2: `id:count` is expected, and there is "7:nan"'),
    ("x.lda-c", "1 0:1\n1 7:inf\n", None, 'line 2: `id:count` is expected, and there is "7:inf"'),
    ("x.lda-c", "1 0:1\n1 7:\n", None, 'line 2: `id:count` is expected, and there is "7:"'),
    ("x.lda-c", "1 0:1\n1 -7:1\n", None, 'line 2: `id:count` is expected, and there is "-7:1"'),
    ("x.lda-c", "1 0:1\n1 a:1\n", None, 'line 2: `id:count` is expected, and there is "a:1"'),
    ("x.lda-c", "1 0:1\n1 0\n", None, 'line 2: `id:count` is expected, and there is "0"'),
    ("x.lda-c", "1 0:1\nword 0:1\n", None, 'line 2: `id:count` is expected, and there is "word"'),
    ("x.lda-c", "1 0:1\n1.0 0:1\n", None, 'line 2: `id:count` is expected, and there is "1.0"'),
    ("x.lda-c", "1 0:1\n1 134217728:1\n", None, "line 2: word 134,217,728 is not in 0..134,217,727"),
    ("x.lda-c", "1 0:1\n1 99999999999999999999999:1\n", None, "line 2: word 99,999,999,999,999,999,999,999 is not in 0.."),
    ("x.lda-c", "1 0:1\n1 3:1\n", "a\nb\nc\n", "x.lda-c, line 2: word 3 is not in 0..2: the vocabulary has 3 words"),
    ("x.lda-c", "0\n0\n", None, "no words were found in any document"),
    ("x.svm", "1 1:1\n1 1:0.5 # x\n", None, 'x.svm, line 2: the count in "1:0.5" is not a whole number'),
    ("x.svm", "1 1:1\n1 qid:2 1:0.5\n", None, 'the count in "1:0.5" is not'),
    ("x.svm", "1 1:1\n1 qid:2 qid:3 1:1\n", None, 'line 2: `id:count` is expected, and there is "qid:3"'),
    ("x.svm", "1 1:1\n1 2 1:1\n", None, 'line 2: `id:count` is expected, and there is "2"'),
    ("x.svm", "1 1:1\n1 1:1 qid:2\n", None, 'line 2: `id:count` is expected, and there is "qid:2"'),
    ("x.svm", "1 1:1\n1 4:1\n", "a\nb\nc\n", "x.svm, line 2: word 4 is not in 1..3: the vocabulary has 3 words"),
    ("x.svm", "1 0:1\n1 3:1\n", "a\nb\nc\n", "x.svm, line 2: word 3 is not in 0..2: the vocabulary has 3 words"),
    ("x.mtx", "%%MatrixMarkt\n1 1 1\n1 1 1\n", None, "x.mtx, line 1: `%%MatrixMarket matrix coordinate ...` is expected, and the line is"),
    ("x.mtx", "%%MatrixMarket matrix array real general\n1 1\n1\n", None, "x.mtx, line 1: "),
    ("x.mtx", MM.replace("general", "upper"), None, "is no sparse matrix of real numbers"),
    ("x.mtx", MM.replace("real", "complex"), None, "is no sparse matrix of real numbers"),
    ("x.mtx", MM.replace("general", "symmetric"), None, "x.mtx, line 2: 2 rows by 3 columns, and line 1 says symmetric"),
    ("x.mtx", SQUARE + "3 1 1\n", None, "x.mtx, line 2: the header says 2 entries, and the file holds 1"),
    ("x.mtx", SQUARE + "3 1 1\n3 1 1\n2 1 1\n", None, "x.mtx, line 2: the header says 2 entries, and the file holds 3"),
    ("x.mtx", SQUARE + "3 1 1\n1 4 1\n", None, "x.mtx, line 4: the word is not in 1..3"),
    ("x.mtx", SQUARE.replace("symm", "skew-symm") + "3 1 1\n2 1 1\n", None, "has as many values below 0 as above, and counts are expected"),
    ("x.mtx", SQUARE.replace("symm", "skew-symm").replace("real", "pattern"), None, "entries without values have no sign"),
    ("x.mtx", MM.replace("2 3 3", "%\n\n2 x 3"), None, "x.mtx, line 4: the numbers of rows (documents), columns (words) and entries"),
    ("x.mtx", MM.replace("2 3 3", "0 3 3"), None, "x.mtx, line 2: a matrix of 0 rows by 3 columns"),
    ("x.mtx", MM, None, "x.mtx holds a header and nothing else"),
    ("x.mtx", MM + "1 1 1\n1 2 1\n", None, "x.mtx, line 2: the header says 3 entries, and the file holds 2"),
    ("x.mtx", MM + "1 1 1\n1 2 1\n2 1 1\n2 2 1\n", None, "x.mtx, line 2: the header says 3 entries, and the file holds 4"),
    ("x.mtx", DOWN + "1 1 1\n", None, "x.mtx, line 2: the header says 3 entries, and the file holds 2"),
    ("x.mtx", MM + "1 1 1\n1 2 2.37\n2 1 1\n", None, 'x.mtx, line 4: the count in "2.37" is not a whole number'),
    ("x.mtx", DOWN + "1 1 2.37\n2 1 1\n", None, 'x.mtx, line 4: the count in "2.37" is not a whole number'),
    ("x.mtx", MM + "1 1 1\n1 2 0\n2 1 1\n", None, 'x.mtx, line 4: the count in "0" is not in 1..'),
    ("x.mtx", MM + "1 1 1\n1 2 nan\n2 1 1\n", None, "x.mtx, line 4: `document word count` is expected, and there is"),
    ("x.mtx", MM + "1 1 1\n1 2\n2 1 1\n", None, 'x.mtx, line 4: `document word count` is expected, and there is "'),
    ("x.mtx", MM + "1 1 1\n1 2 3 4\n2 1 1\n", None, "x.mtx, line 4: `document word count` is expected"),
    ("x.mtx", MM + "1 1 1\n1 -2 3\n2 1 1\n", None, "x.mtx, line 4: `document word count` is expected"),
    ("x.mtx", MM + "1 1 1\n3 2 3\n3 1 1\n", None, "x.mtx, line 4: the document is not in 1..2"),
    ("x.mtx", DOWN + "1 1 1\n3 2 3\n", None, "x.mtx, line 5: the document is not in 1..2"),
    ("x.mtx", MM + "0 1 1\n1 2 3\n2 1 1\n", None, "x.mtx, line 3: the document is not in 1..2"),
    ("x.mtx", MM + "1 1 1\n1 4 3\n2 1 1\n", None, "x.mtx, line 4: the word is not in 1..3"),
    ("x.mtx", MM + "1 1 1\n1 0 3\n2 1 1\n", None, "x.mtx, line 4: the word is not in 1..3"),
    ("x.mtx", MM + "1 1 1\n1 2 3\n2 1 1\n", "a\nb\n", "vocab has 2 lines, and the header of"),
    ("x.npz", saved([[1, 0], [0, 2.5]]), None, "x.npz, row 1, column 1 (from 0): 2.5 is not a whole number"),
    ("x.npz", saved([[1, 0], [0, 2.5]], "csc"), None, "x.npz, row 1, column 1 (from 0): 2.5 is not a whole number"),
    ("x.npz", saved([[1, -1], [0, 2]], "coo"), None, "x.npz, row 0, column 1 (from 0): -1 is not in 1..2,147,483,647"),
    ("x.npz", saved([[1, np.nan], [0, 2]]), None, "row 0, column 1 (from 0): nan is not in 1.."),
    ("x.npz", saved([[1, np.inf], [0, 2]]), None, "row 0, column 1 (from 0): inf is not in 1.."),
    ("x.npz", csr(data=[1, 0, 2]), None, "row 1, column 1 (from 0): 0 is not in 1.."),
    ("x.npz", csr(data=[1, 2**31, 2]), None, "row 1, column 1 (from 0): 2.14748e+09 is not in 1.."),
    ("x.npz", csr(indices=[0, 3, 1]), None, "x.npz, row 1, column 3 (from 0): the column is not in 0..2"),
    ("x.npz", csr(indices=[0, -1, 1]), None, "x.npz, row 1, column -1 (from 0): the column is not in 0..2"),
    ("x.npz", csr(indptr=[0, 3]), None, "x.npz: the arrays indptr, indices, data do not fit a matrix of 2 by 3"),
    ("x.npz", csr(indptr=[0, 5, 3]), None, "x.npz: the arrays indptr, indices, data do not fit a matrix of 2 by 3"),
    ("x.npz", csr(kind=b"csc", indptr=[0, 1, 2, 3]), None, "x.npz: the arrays indptr, indices, data do not fit a matrix of 2 by 3"),
    ("x.npz", csr(indices=[0.0, 1.0, 2.0]), None, "are not those of a matrix of counts"),
    ("x.npz", csr(data=[1j, 1, 1]), None, "are not those of a matrix of counts"),
    ("x.npz", csr(data=[1, 2]), None, "are not those of a matrix of counts"),
    ("x.npz", csr(shape=[2, 3, 4]), None, "holds a matrix of kind csr and shape (2, 3, 4)"),
    ("x.npz", csr(shape=[0, 3]), None, "x.npz holds a matrix of 0 documents by 3 words"),
    ("x.npz", csr(kind=b"dia"), None, "holds a matrix of kind dia and shape (2, 3): csr, csc or coo is expected"),
    ("x.npz", npz(x=np.ones((2, 2))), None, "x.npz holds the arrays x, and a sparse matrix has `format` and `shape`"),
    ("x.npz", npz(format=b"csr", shape=np.array([2, 2])), None, "x.npz is not a whole npz file"),
    ("x.npz", npz(format=np.array(["csr"], object), shape=np.array([2, 2])), None, "x.npz is not a whole npz file"),
    ("x.npz", saved(np.ones((9, 9)))[:-40], None, "x.npz is not a whole npz file"),
    ("x.npz", b"no zip", None, "x.npz is no npz file"),
    ("x.npz", saved([[1, 1], [0, 2]]), "a\nb\nc\n", "vocab has 3 lines, and the header of"),
    ("x.vw", "1 |a b:1\nno bar\n", None, 'x.vw, line 2: `label |space word word:count ...` is expected, and there is "no bar"'),
    ("x.vw", "1 |a b:1\n1 |a b:2.5\n", None, 'x.vw, line 2: the count in "b:2.5" is not a whole number'),
    ("x.vw", "1 |a b:1\n1 |a b:0\n", None, 'x.vw, line 2: the count in "b:0" is not in 1..'),
    ("x.vw", "1 |a b:1\n1 |a b:x\n", None, 'x.vw, line 2: `label |space word word:count ...` is expected, and there is "b:x"'),
    ("x.vw", "1 |a b:1\n1 |a :2\n", None, 'x.vw, line 2: `label |space word word:count ...` is expected, and there is ":2"'),
    ("x.vw", "1 |a b:1\n1 |a:2 b\n", None, 'x.vw, line 2: `label |space word word:count ...` is expected, and there is "|a:2"'),
    ("x.vw", b"1 |a b:1\n1 |a \xff\n", None, "x.vw, line 2: byte 6 of the line is 0xff, which is not UTF-8"),
]


NAMES = [f"{name}-{says[:50]}-{i}" for i, (name, _, _, says) in enumerate(BAD)]


@pytest.mark.parametrize("part_bytes", [1, 1 << 16])
@pytest.mark.parametrize(("name", "content", "vocabulary", "says"), BAD, ids=NAMES)
def test_a_broken_bag_is_named(tmp_path: Path, name: str, content: str | bytes, vocabulary: str | None, says: str, part_bytes: int) -> None:
    options = TextOptions(vocabulary=write(tmp_path, "vocab", vocabulary) if vocabulary else None)
    with pytest.raises(DataError) as caught:
        tokens_of([write(tmp_path, name, content)], options, part_bytes)
    assert says in caught.value.message
    assert caught.value.advice


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("2\n0\ta\t1\n1\tb\n", 'vocab, line 3: `number<TAB>word<TAB>documents` is expected, and the line is "1\tb"'),
        ("2\n0\ta\t1\n1\ta\t2\n", 'vocab, line 3: "a" is there twice'),
        ("2\n0\ta\t1\n0\tb\t2\n", 'vocab, line 3: "a" is there twice, or shares its number'),
        ("2\n0\ta\t1\n3000000000\tb\t2\n", "vocab, line 3: the number 3,000,000,000 is above"),
        ("2\n0\ta\t1\n1\tb\t1\n", "vocab has 2 lines, and the header of"),
        (b"\x80\x04\x95", "vocab is a pickle, not a text"),
    ],
)
def test_a_broken_dictionary_is_named(tmp_path: Path, content: str | bytes, says: str) -> None:
    path = write(tmp_path, "x.mtx", MM + "1 1 1\n1 2 3\n2 1 1\n")
    with pytest.raises(DataError) as caught:
        tokens_of([path], TextOptions(vocabulary=write(tmp_path, "vocab", content)))
    assert says in caught.value.message
    assert caught.value.advice


def test_matrices_with_different_columns_do_not_mix(tmp_path: Path) -> None:
    paths = [write(tmp_path, f"{name}.npz", saved(np.ones((2, size)))) for name, size in (("a", 2), ("b", 3))]
    with pytest.raises(DataError, match=r"b.npz has 3 columns, but .*a.npz has 2"):
        tokens_of(paths)


@pytest.mark.parametrize(
    ("content", "format"),
    [
        ("Lunch at 12:30\nand 13:45\n", "txt"),
        ("12:30 13:45\n", "txt"),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n", "txt"),
        ("a b|c d|e\nf g|h i|j\n", "txt"),
        ("1|2|3\n4|5|6\n", "txt"),
        ("see http://x.org | more\n", "txt"),
        ("3 4\n", "txt"),
        ("1 1:2\n", "ldac"),
        (f"9000 {LONG}", "ldac"),
        (f"1 {LONG}", "svmlight"),
        (f"9000 {LONG}\n0\n", "ldac"),
        ("2 1:2\n", "svmlight"),
        ("-1 1:2\n", "svmlight"),
        ("1,3 1:2 # a | b\n# only a comment\n", "svmlight"),
        ("+1 1:nan\n", "svmlight"),
        ("| 1:2 3:1\n| 4:1\n", "vw"),
        ("doc |@default a:2\n", "vw"),
        ("1 'doc/3 |text a b\n1 0.5 'd |text b\n", "vw"),
    ],
    ids=lambda value: value[:20],
)
def test_a_bag_is_told_from_text(tmp_path: Path, content: str, format: str) -> None:
    assert describe([write(tmp_path, "x.txt", content)]).format == format
