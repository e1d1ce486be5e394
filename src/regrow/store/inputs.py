"""Input files that lie in storage, copied to this machine: what a run is made of is kept until its data are prepared."""

from __future__ import annotations

from pathlib import Path

from regrow.errors import DataError
from regrow.store.bucket import open_storage, refused

__all__ = ["copied_here"]


def copied_here(url: str, folder: Path) -> list[str]:
    """Copy what a URL names (a thing, or a pattern such as s3://bucket/docs/*.jsonl.gz) into a folder; the names of the copies, sorted.

    Raises DataError if there is nothing, UsageError if storage refuses.
    """
    files, pattern = open_storage(url)
    try:
        found = sorted(str(path) for path in files.glob(pattern) if files.isfile(path))
        if not found:
            raise DataError(f"{url}: there is nothing of that name", "check the name, and the bucket")
        alone = len({path.rpartition("/")[2] for path in found}) == len(found)
        names = []
        for path in found:
            target = folder / (path.rpartition("/")[2] if alone else path.strip("/").replace("/", "_"))
            if target.exists():
                raise DataError(f"{url}: {target.name} is named twice", "name each file once")
            files.get_file(path, str(target))
            names.append(str(target))
        return names
    except DataError:
        raise
    except Exception as error:
        raise refused(url, error) from None
