"""Verified download of one file: complete and with the expected SHA-256, or nothing."""

from __future__ import annotations

import errno
import hashlib
import http.client
import secrets
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from tallylens.edge_runtime.errors import InputError, NetworkError, UnavailableError

CHUNK_BYTES = 1 << 16
TIMEOUT_S = 30.0

Progress = Callable[[int, int | None], None]
"""Called with the bytes so far and the total bytes, None if the server does not announce them."""


def download(
    url: str,
    target: Path,
    *,
    sha256: str,
    max_bytes: int,
    progress: Progress | None = None,
    timeout_s: float = TIMEOUT_S,
) -> None:
    """Download `url` to `target`, which is replaced only by the complete, verified file.

    On any failure, Ctrl-C included, no partial file is left behind.

    Args:
        url: an http or https address; redirects are followed.
        target: path of the file; its folder is created.
        sha256: SHA-256 of the expected content, hexadecimal.
        max_bytes: maximum size; a larger download is canceled.
        progress: see `Progress`.
        timeout_s: maximum time without data from the server.

    Raises:
        NetworkError: no connection, an HTTP error, or an incomplete download.
        InputError: the content is not the expected one.
        UnavailableError: the folder is not writable, or the disk is full.
    """
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            digest = _fetch(url, file, target, max_bytes, progress, timeout_s)
        if digest != sha256:
            raise InputError(
                url,
                f"the download is not the expected file (sha256 {digest}, expected {sha256})",
                "Nothing was kept; try again, or check whether a proxy rewrites downloads",
            )
        temporary.replace(target)
    except OSError as error:
        raise _unwritable(target, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _fetch(
    url: str,
    file: IO[bytes],
    target: Path,
    max_bytes: int,
    progress: Progress | None,
    timeout_s: float,
) -> str:
    """Write the body to `file`; returns its SHA-256, hexadecimal."""
    digest = hashlib.sha256()
    done = 0
    with _connect(url, target, timeout_s) as response:
        total = _announced_size(response)
        while chunk := _read(response, url, target):
            done += len(chunk)
            if done > max_bytes:
                raise InputError(
                    url,
                    f"the download is larger than the expected {max_bytes} bytes",
                    "Nothing was kept; try again, or check whether a proxy rewrites downloads",
                )
            digest.update(chunk)
            file.write(chunk)
            if progress is not None:
                progress(done, total)
    if total is not None and done < total:
        raise _failed(url, target, f"the download ended after {done} of {total} bytes")
    return digest.hexdigest()


def _connect(url: str, target: Path, timeout_s: float) -> http.client.HTTPResponse:
    request = urllib.request.Request(url, headers={"User-Agent": "tallylens"})
    try:
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=timeout_s)
    except urllib.error.HTTPError as error:
        error.close()
        raise _failed(url, target, f"the server answered with HTTP status {error.code}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _failed(url, target, f"cannot be reached ({_reason(error)})") from error
    return response


def _read(response: http.client.HTTPResponse, url: str, target: Path) -> bytes:
    try:
        return response.read(CHUNK_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise _failed(url, target, f"the download failed ({_reason(error)})") from error


def _announced_size(response: http.client.HTTPResponse) -> int | None:
    size = response.headers.get("Content-Length", "")
    return int(size) if size.isascii() and size.isdigit() and len(size) < 16 else None


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return str(getattr(reason, "strerror", None) or reason or type(error).__name__)[:200]


def _failed(url: str, target: Path, problem: str) -> NetworkError:
    return NetworkError(
        url, problem, f"Try again, or download it elsewhere and save it as {target}"
    )


def _unwritable(target: Path, error: OSError) -> UnavailableError:
    reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror
    return UnavailableError(
        f"{target} cannot be written ({reason})",
        "Free some space, or set TALLYLENS_HOME to a writable folder",
    )
