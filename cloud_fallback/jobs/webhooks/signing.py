"""Signatures of Standard Webhooks (https://www.standardwebhooks.com), made and checked."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence

PREFIX = "whsec_"
SECRET_BYTES = 24
TOLERANCE_S = 300
MAX_SIGNATURES = 10


class SignatureError(Exception):
    """A message that is not signed with the secret, or not now."""


def new_secret() -> str:
    """A new secret, as both sides write it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signed_headers(
    message: str, timestamp: int, body: bytes, keys: Sequence[str]
) -> dict[str, str]:
    """The headers of a message, signed with each of the secrets."""
    signatures = [_signature(message, str(timestamp), body, key) for key in keys]
    return {
        "webhook-id": message,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


def check_signature(headers: Mapping[str, str], body: bytes, secret: str, now_s: float) -> str:
    """The identifier of a message that is signed with the secret.

    Raises:
        SignatureError: it is not, or its time is not now.
    """
    message = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not 0 < len(message) <= 200:
        raise SignatureError("webhook-id is missing")
    check_time(timestamp, now_s)
    expected = _signature(message, timestamp, body, secret)
    given = headers.get("webhook-signature", "").split()[:MAX_SIGNATURES]
    if not any(hmac.compare_digest(expected.encode(), one.encode()) for one in given):
        raise SignatureError("the signature is wrong")
    return message


def check_time(timestamp: str, now_s: float) -> None:
    """Raise SignatureError unless a time in seconds since 1970 is now, give or take TOLERANCE_S."""
    whole = timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12
    if not whole or abs(now_s - int(timestamp)) > TOLERANCE_S:
        raise SignatureError("the time of the message is not now")


def _signature(message: str, timestamp: str, body: bytes, secret: str) -> str:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SignatureError("the secret is not base64") from error
    content = f"{message}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
