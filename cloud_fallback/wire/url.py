"""The address of a server, and whether images may be sent there."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from ...edge_runtime.errors import UsageError
from .constants import PATH


def stream_url(address: str) -> str:
    """The address of the stream on the server at `wss://host:port`.

    Raises:
        UsageError: invalid, with a secret in it, or a plain ws:// to another machine.
    """
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise UsageError("--cloud is not a websocket address", "Use one like wss://host:8443")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(
            "--cloud holds more than an address",
            "Put the key into TALLYLENS_API_KEY, not into the URL",
        )
    if parts.scheme == "ws" and not is_loopback(parts.hostname):
        raise UsageError(
            f"ws://{parts.hostname} would send images unencrypted",
            "Use wss://, with --ca if needed",
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    where = f"{host}:{port}" if port else host
    path = parts.path.rstrip("/")
    return f"{parts.scheme}://{where}{path if path.endswith(PATH) else path + PATH}"


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
