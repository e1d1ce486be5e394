"""A place in some storage, by its URL: a bucket (s3://, gs://), a distributed file system (hdfs://), or a folder (file://).

Any file system of fsspec. Nothing is renamed: most storage cannot do that at once. What must not be overwritten is created under a
condition (S3: If-None-Match; folders: a hard link), so of two who try one fails. Where fsspec knows no condition (HDFS, SFTP), who has
written waits, and reads again whose content it is.

Storage that is away for a while is waited for. Storage that refuses (no such bucket, no credentials) is told at once.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import time
import uuid
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from regrow.errors import Paused, UsageError
from regrow.story import Story

__all__ = ["Bucket", "is_url", "open_storage", "refused"]

T = TypeVar("T")

AGAIN_SECONDS = 2.0
NEVER = (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError)
"""What trying again does not mend."""
OPTIONS: dict[str, dict[str, Any]] = {
    "s3": {"use_listings_cache": False, "config_kwargs": {"connect_timeout": 5, "read_timeout": 30, "retries": {"max_attempts": 2}}},
    "gs": {"use_listings_cache": False},
}
CONDITIONAL = {"s3", "s3a", "gs", "gcs", "memory"}
"""Protocols whose file systems create under a condition; others look first, and then write."""
AGAIN = ("", "SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "408", "429", "500", "502", "503", "504")
"""Answers of storage that is there, and may answer otherwise later; "": it has not answered."""
SETTLE_SECONDS = 2.0
EXTRAS = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "az": "adlfs", "hdfs": "pyarrow"}


def is_url(name: str) -> bool:
    """Whether a name is that of something in storage, as s3://bucket/docs is."""
    protocol, colon, _ = name.partition("://")
    return bool(colon) and protocol.isalnum()


class Bucket:
    """The things below a URL, by keys with slashes.

    story   is told when storage is away, and when it is back
    """

    def __init__(self, url: str, story: Story | None = None) -> None:
        self.url = url.rstrip("/")
        self._story = story
        self._files, root = open_storage(self.url)
        self._root = root.rstrip("/")
        self.patience_seconds = 600.0
        """So long storage may be away before that is an error."""
        protocol = self._files.protocol
        protocols = {protocol} if isinstance(protocol, str) else set(protocol)
        self._local, self._conditional = "file" in protocols, bool(protocols & CONDITIONAL)

    def create(self, key: str, content: bytes) -> bool:
        """Write a small thing if there is none of that name; False if there is one."""
        return self._patiently(lambda: self._create(self._at(key), content))

    def _create(self, path: str, content: bytes) -> bool:
        if self._local:
            return _link_new(Path(path), content)
        if not self._conditional:
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
        try:
            self._files.pipe_file(path, content, mode="create")
        except FileExistsError:
            return bool(self._files.cat_file(path) == content)  # then it is ours, of a try whose answer was lost
        if self._conditional:
            return True
        time.sleep(SETTLE_SECONDS)  # another may have looked before this one wrote
        return bool(self._files.cat_file(path) == content)

    def try_to_write(self, key: str) -> None:
        """Write something and remove it again. Raises UsageError or OSError where storage refuses."""
        path = f"{self._at(key)}.{uuid.uuid4().hex[:8]}.new"

        def write() -> None:
            if self._local or not self._conditional:
                self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._files.pipe_file(path, b"may this machine write here?\n")
            self._files.rm_file(path)

        self._patiently(write)

    def put(self, key: str, path: Path) -> None:
        """Copy a file there. Its key is used for this content only."""
        self._patiently(lambda: self._put(self._at(key), path))

    def _put(self, place: str, path: Path) -> None:
        if self._local:
            os.makedirs(os.path.dirname(place), exist_ok=True)
            aside = f"{place}.{uuid.uuid4().hex[:8]}.new"
            self._files.put_file(str(path), aside)
            with open(aside, "rb") as file:
                os.fsync(file.fileno())
            os.replace(aside, place)
        else:
            if not self._conditional:
                self._files.makedirs(place.rpartition("/")[0], exist_ok=True)
            self._files.put_file(str(path), place)

    def get(self, key: str, path: Path) -> None:
        """Copy a thing from there to a file. Raises FileNotFoundError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._patiently(lambda: self._files.get_file(self._at(key), str(path)))

    def read(self, key: str) -> bytes:
        """A small thing. Raises FileNotFoundError."""
        return bytes(self._patiently(lambda: self._files.cat_file(self._at(key))))

    def names(self, folder: str) -> list[str]:
        """The keys in a folder, without its name, sorted."""

        def look() -> list[str]:
            try:
                found = self._files.ls(self._at(folder), detail=False, refresh=True)
            except FileNotFoundError:
                return []
            return sorted(str(name).rpartition("/")[2] for name in found)

        return [name for name in self._patiently(look) if name and not name.endswith(".new")]

    def delete(self, keys: Iterable[str]) -> None:
        """Remove things; those that are gone already are no matter."""
        for key in keys:
            with contextlib.suppress(FileNotFoundError):
                self._patiently(partial(self._files.rm_file, self._at(key)))

    def _at(self, key: str) -> str:
        return f"{self._root}/{key}"

    def _patiently(self, what: Callable[[], T]) -> T:
        """Try until storage answers, and say that it is away. Raises UsageError where it refuses, Paused where it stays away."""
        began = told = 0.0
        while True:
            try:
                found = what()
            except NEVER as error:
                if isinstance(error, PermissionError):
                    raise refused(self.url, error) from None
                raise
            except Exception as error:
                if not _is_away(error):
                    raise refused(self.url, error) from None
                now = time.monotonic()
                began = began or now
                if now - began > self.patience_seconds:
                    raise Paused(f"{self.url} is away for {now - began:.0f} s: {_short(error)}", "see to it, then go on") from None
                if not told and self._story is not None:
                    self._story.tell("storage away", place=self.url, cause=_short(error))
                told = told or now
                time.sleep(AGAIN_SECONDS)
                continue
            if told and self._story is not None:
                self._story.tell("storage back", place=self.url, seconds=round(time.monotonic() - began, 1))
            return found


def open_storage(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it. Raises UsageError."""
    protocol = url.partition("://")[0]
    try:
        import fsspec
        from fsspec.core import url_to_fs

        if protocol not in {*fsspec.available_protocols(), *fsspec.registry}:
            raise UsageError(
                f"{url}: there is no storage called {protocol}", "e.g. s3://bucket/folder, gs://..., hdfs://..., file:///folder"
            )
        files, root = url_to_fs(url, **OPTIONS.get(protocol, {}))
        logging.getLogger("gcsfs").setLevel(logging.CRITICAL)  # it prints what it raises
    except ImportError as error:
        package = EXTRAS.get(protocol, "the package that fsspec names")
        raise UsageError(f"{url} needs a package that is not there ({error})", f"pip install 'regrow[ray]' {package}") from None
    except (ValueError, TypeError) as error:
        raise UsageError(f"{url}: {error}", "e.g. s3://bucket/folder") from None
    return files, str(root)


def refused(url: str, error: BaseException) -> UsageError:
    """What storage that refuses is told as."""
    advice = "see that the bucket exists, and that this machine may read and write it (credentials; for S3 elsewhere, AWS_ENDPOINT_URL)"
    return UsageError(f"{url} refuses: {_short(error)}", advice)


def _is_away(error: BaseException) -> bool:
    """Whether somebody who tries again later may be answered."""
    if isinstance(error, OSError) and error.errno in (errno.EINVAL, errno.ENAMETOOLONG, errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        return False
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & {"NoCredentialsError", "PartialCredentialsError", "ParamValidationError", "DefaultCredentialsError"}:
        return False
    if names & {"HTTPClientError", "ClientError", "ServerTimeoutError", "HttpError", "BotoCoreError"}:
        return _code(error) in AGAIN
    if str(error).startswith("Forbidden"):  # how gcsfs tells 403, as an OSError
        return False
    return isinstance(error, (OSError, TimeoutError, ConnectionError, EOFError))


def _code(error: BaseException) -> str:
    """What storage has answered: the name that S3 gives an error, the number that Google does; "" if it has not."""
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code", "") if isinstance(response, dict) else getattr(error, "code", None)
    return "" if code is None else str(code)


def _short(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:300]


def _link_new(path: Path, content: bytes) -> bool:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.new")
    with open(aside, "xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(aside, path)
    except FileExistsError:
        return False
    finally:
        aside.unlink()
    return True
