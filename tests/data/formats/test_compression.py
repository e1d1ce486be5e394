"""Compressed files are known by their first bytes, read whole however they were put together, and damage has a place."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from data.preparing import parts_of, read_back, write
from regrow.data import content_digest, describe
from regrow.errors import DataError

TEXT = b"".join(b"document %d says %d\n" % (i, random.Random(i).randrange(10**9)) for i in range(40_000))


def zstd(data: bytes) -> bytes:
    found: bytes = pa.Codec("zstd").compress(data, asbytes=True)
    return found


PACK: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "xz": lzma.compress, "bz2": bz2.compress, "zst": zstd}
KIND = {"gz": "gzip", "xz": "xz", "bz2": "bzip2", "zst": "zstd"}
PACKED = {suffix: pack(TEXT) for suffix, pack in PACK.items()}


@pytest.mark.parametrize("suffix", PACK)
@pytest.mark.parametrize("named", [True, False])
def test_compressed_text_is_the_text_whatever_its_file_is_called(tmp_path: Path, suffix: str, named: bool) -> None:
    path = write(tmp_path, f"docs.txt.{suffix}" if named else "docs", PACKED[suffix])
    assert describe([path]).files[0].compressed
    layouts, facts = parts_of([path])
    assert b"".join(part["text"].tobytes() for part in layouts["text"]) == TEXT
    assert facts.digest == content_digest([path])
    assert facts.bytes_read == len(PACKED[suffix])


@pytest.mark.parametrize("suffix", PACK)
def test_streams_one_after_the_other_are_one_text(tmp_path: Path, suffix: str) -> None:
    pack = PACK[suffix]
    path = write(tmp_path, "docs.txt", pack(b"\xef\xbb\xbfone\ntw") + pack(b"") + pack(b"o\nthree\n" * 3))
    assert read_back([path])[0] == ["one", "two", "three"] + ["o", "three"] * 2


@pytest.mark.parametrize("suffix", PACK)
@pytest.mark.parametrize("cut", [12, 1000, -3])
def test_a_file_that_was_cut_off_is_named_with_how_far_it_goes(tmp_path: Path, suffix: str, cut: int) -> None:
    data = PACKED[suffix][:cut]
    path = write(tmp_path, "docs.txt", data)
    with pytest.raises(
        DataError, match=f"docs.txt: the {KIND[suffix]} stream ends early: {len(data):,} bytes read, .* bytes of text"
    ) as caught:
        parts_of([path])
    assert "fetch or compress it again" in caught.value.advice


@pytest.mark.parametrize("suffix", PACK)
def test_a_broken_stream_is_named(tmp_path: Path, suffix: str) -> None:
    data = PACKED[suffix]
    middle = len(data) // 2
    for broken in (data[:middle] + bytes(64) + data[middle + 64 :], data + b"rubbish after the end of it all"):
        path = write(tmp_path, "docs.txt", broken)
        with pytest.raises(DataError, match=f"docs.txt: the {KIND[suffix]} stream is broken after"):
            parts_of([path])


@pytest.mark.parametrize("suffix", PACK)
def test_a_name_that_promises_compression_must_keep_it(tmp_path: Path, suffix: str) -> None:
    other = PACKED["gz" if suffix != "gz" else "xz"]
    for content in (b"plain text\n", other):
        path = write(tmp_path, f"docs.txt.{suffix}", content)
        with pytest.raises(DataError, match=f"is not a {KIND[suffix]} file: it does not begin with the bytes"):
            describe([path])


def test_text_that_begins_like_bzip2_is_text(tmp_path: Path) -> None:
    assert read_back([write(tmp_path, "docs.txt", "BZh is how some lines begin\n")])[0] == ["BZh is how some lines begin"]


def test_zstd_frames_without_text_are_passed_over(tmp_path: Path) -> None:
    skipped = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"about"
    path = write(tmp_path, "docs.txt.zst", skipped + zstd(b"one\n") + skipped + zstd(b"two\n"))
    assert read_back([path])[0] == ["one", "two"]


def test_an_empty_stream_holds_no_text(tmp_path: Path) -> None:
    for suffix, pack in PACK.items():
        with pytest.raises(DataError, match="holds no text"):
            describe([write(tmp_path, f"docs.txt.{suffix}", pack(b""))])
