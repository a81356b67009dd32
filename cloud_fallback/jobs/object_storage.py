"""The files of videos in an object store (S3, Google Cloud Storage, Azure), through obstore.

The address is a URL such as `s3://bucket/folder`; credentials and the endpoint are those of the
environment (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, ...), never of the URL.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...edge_runtime.errors import UsageError
from .identifiers import LENGTH
from .storage import StorageGoneError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

KINDS = ("s3", "s3a", "gs", "az", "abfs", "abfss", "file")
TIMEOUT = "30s"
BLOCK_BYTES = 4 << 20


class ObjectStorage:
    """Keeps complete files in a bucket; a worker has its own copy while it counts. See `Storage`.

    Args:
        url: of the bucket and a folder in it.
        folder: for the copies of this machine.

    Raises:
        UsageError: a URL of another kind.
    """

    def __init__(self, url: str, folder: Path) -> None:
        if url.partition("://")[0] not in KINDS:
            raise UsageError("the store is not a URL of an object store", "Use s3://BUCKET/FOLDER")
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._store = _open(url)

    def put(self, video: str, path: Path) -> None:
        """Copy the file at `path` to the store, from the disk: never whole in memory."""
        import obstore

        with _failures():
            obstore.put(self._store, _key(video), path)

    @contextmanager
    def local(self, video: str) -> Iterator[Path]:
        """A copy of the file, deleted after the block."""
        with tempfile.NamedTemporaryFile(dir=self._folder, prefix="copy-") as copy:
            self._fetch(video, copy)
            yield Path(copy.name)

    def _fetch(self, video: str, copy: Any) -> None:
        import obstore

        with _failures():
            for block in obstore.get(self._store, _key(video)).stream(min_chunk_size=BLOCK_BYTES):
                copy.write(block)
        copy.flush()

    def delete(self, video: str) -> None:
        """Delete the file, if it is there."""
        import obstore

        with _failures():
            try:
                obstore.delete(self._store, _key(video))
            except FileNotFoundError:
                return


def _key(video: str) -> str:
    return f"videos/{video[-LENGTH:]}"


def _open(url: str) -> Any:
    from obstore.store import from_url

    if url.startswith("file://"):
        return from_url(url, mkdir=True)
    client: ClientConfig = {"timeout": TIMEOUT, "connect_timeout": "5s"}
    # Without TLS only where the operator has named such an endpoint, on this machine or network.
    client["allow_http"] = url.startswith("s3") and _is_plain_http()
    retry: RetryConfig = {"max_retries": 2, "retry_timeout": timedelta(seconds=20)}
    return from_url(url, client_options=client, retry_config=retry)


def _is_plain_http() -> bool:
    """Whether the endpoint in the environment is one without TLS, such as of this machine."""
    import os

    endpoint = os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT") or ""
    return endpoint.startswith("http://")


@contextmanager
def _failures() -> Iterator[None]:
    """Errors of the store as `StorageGoneError`, but for a file that is not there."""
    from obstore.exceptions import BaseError

    try:
        yield
    except FileNotFoundError:
        raise
    except (BaseError, OSError) as error:
        # Its first line: the rest may hold an address with a signature.
        problem = str(error).strip().partition("\n")[0][:200]
        raise StorageGoneError(f"the object store fails: {problem}") from error
