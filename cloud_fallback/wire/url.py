"""Where a server is, and whether pictures may go there."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from ...edge_runtime.errors import UsageError
from .frames import PATH


def stream_url(address: str) -> str:
    """`wss://host:port` to the address of the stream.

    Raises:
        UsageError: no such address, a secret in it, or a plain ws:// to another machine.
    """
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise UsageError("--cloud is no websocket address", "Give one like wss://host:8443")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(
            "--cloud holds more than an address",
            "Put the key into TALLYLENS_API_KEY, not into the URL",
        )
    if parts.scheme == "ws" and not is_loopback(parts.hostname):
        raise UsageError(
            f"ws://{parts.hostname} would send pictures in the clear", "Use wss:// and --ca"
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
