"""The export `npz`: sparse counts as scipy reads them. Written without scipy."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from regrow.models.lda.exports.documents import TokenTopics
from regrow.models.lda.model import TopicModel

__all__ = ["write_npz"]

PIECE_BYTES = 1 << 24


def write_npz(model: TopicModel, tokens: TokenTopics | None, folder: Path) -> None:
    """counts.npz, words by topics (CSR), and vocab.txt, a word for each row; with tokens also documents.npz, documents by topics."""
    model.export_npz(folder)
    if tokens is not None:
        _write_documents(tokens, folder)


def _write_documents(tokens: TokenTopics, folder: Path) -> None:
    """Spool the rows, whose number of cells is not known before, and join them to an archive; no array is held whole but `indptr`."""
    indptr = np.zeros(tokens.documents + 1, np.int64)
    aside = {name: folder / f"{name}.part" for name in ("indices", "data")}
    with open(aside["indices"], "wb") as indices, open(aside["data"], "wb") as data:
        for block in tokens.blocks():
            ptr, topics, counts = block.counts(tokens.topics)
            indptr[block.first + 1 : block.first + len(ptr)] = indptr[block.first] + ptr[1:]
            indices.write(topics.data)
            data.write(counts.data)
    index = np.dtype(np.int32 if indptr[-1] < 2**31 else np.int64)
    shape = np.array([tokens.documents, tokens.topics])
    with zipfile.ZipFile(folder / "documents.npz", "w") as archive:
        for name, array in (("indptr", indptr.astype(index)), ("format", np.array(b"csr")), ("shape", shape)):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array)
        for name, dtype in (("indices", index), ("data", np.dtype(np.int32))):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file, open(aside[name], "rb") as spooled:
                _copy(spooled, file, int(indptr[-1]), dtype)
    for path in aside.values():
        path.unlink()


def _copy(spooled: IO[bytes], file: IO[bytes], size: int, dtype: np.dtype[Any]) -> None:
    """An array of int32 that lies in a file, as a member of an archive, in the type that is wanted there."""
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (size,)}
    np.lib.format.write_array_header_1_0(file, header)
    while piece := spooled.read(PIECE_BYTES):
        numbers: npt.NDArray[Any] = np.frombuffer(piece, np.int32)
        file.write(numbers.astype(dtype).data)
