"""The secured websocket of a client."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ...edge_runtime.errors import InputError
from ..wire.constants import MAX_SERVER_TEXT, SUBPROTOCOL
from ..wire.url import is_loopback
from .credentials import Secret

if TYPE_CHECKING:
    from websockets.asyncio.client import connect


def open_websocket(url: str, key: Secret, tls: ssl.SSLContext | None) -> connect:
    """A connection to `url`, to be used with `async with`."""
    from websockets.asyncio.client import connect

    return connect(
        url,
        ssl=tls,
        additional_headers={"Authorization": f"Bearer {key.reveal()}"},
        subprotocols=[SUBPROTOCOL],  # type: ignore[list-item]
        compression=None,
        max_size=MAX_SERVER_TEXT,
        ping_interval=None,  # `keepalive` knows what else is on its way
        close_timeout=1,
        proxy=None if tls is None or is_loopback(urlsplit(url).hostname or "") else True,
        logger=_quiet_logger(),
    )


def tls_context(url: str, ca: Path | None) -> ssl.SSLContext | None:
    """Verified TLS with the CA certificates of `ca` or the system; None for ws:// on loopback.

    Raises:
        InputError: `ca` is not a file of certificates.
    """
    if not url.startswith("wss:"):
        return None
    try:
        context = ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise InputError(
            ca or "certificates", "no certificates in PEM form", "Give the CA's certificate"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _quiet_logger() -> logging.Logger:
    """At DEBUG the library writes headers and the start of every message."""
    logger = logging.getLogger("tallylens.cloud.socket")
    logger.setLevel(logging.WARNING)
    return logger
