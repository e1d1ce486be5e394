"""An S3 server on this machine that can be stopped and started again, keeping what it has."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import socket
from typing import Any

KEYS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def _quiet_port() -> int:
    """A free port that the system gives to nobody who asks for any: the server comes back to it."""
    while True:
        with socket.socket() as free, contextlib.suppress(OSError):
            free.bind(("127.0.0.1", random.randrange(20_000, 30_000)))
            return int(free.getsockname()[1])


class S3:
    """moto, which honours conditional writes."""

    def __init__(self) -> None:
        from s3fs import S3FileSystem

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        S3FileSystem.clear_instance_cache()  # they would ask the server of earlier tests, which is gone
        self._port = _quiet_port()
        self._server: Any = None
        self.url = f"http://127.0.0.1:{self._port}"
        self.environment = KEYS | {"AWS_ENDPOINT_URL": self.url}
        self.start()

    def start(self) -> None:
        """Answer."""
        from moto.server import ThreadedMotoServer

        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=self._port, verbose=False)
        self._server.start()

    def stop(self) -> None:
        """Be away."""
        self._server.stop()
        self._server = None

    def make(self, bucket: str) -> Any:
        """A bucket; returns the file system in which it is."""
        files = self.files()
        files.mkdir(bucket)
        return files

    def files(self) -> Any:
        """The file system."""
        import fsspec

        os.environ.update(self.environment)
        return fsspec.filesystem("s3", use_listings_cache=False)

    def close(self) -> None:
        """End it."""
        if self._server is not None:
            self.stop()
