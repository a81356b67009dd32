"""Webhooks: each event as a POST request, signed by Standard Webhooks.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import http.client
import json
import os
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from tallylens.edge_runtime.errors import UsageError
from tallylens.edge_runtime.version import __version__
from tallylens.sinks.transport import DeliveryError, Message, RefusedError, key_of

SECRET = "TALLYLENS_WEBHOOK_SECRET"
TIMEOUT_S = 10.0
MAX_WAIT_S = 60.0
REFUSED = frozenset({400, 413, 415, 422})
"""Statuses that are about the message rather than about the state of the receiver."""


class WebhookTransport:
    """Sends one request per message over a connection that stays open; see `Transport`.

    Args:
        url: of the receiver; its path and query may be secret and appear in no message.
        secret: `whsec_` and base64, or any text; None does not sign.

    Raises:
        UsageError: not a URL of a host, or a damaged secret.
    """

    batch = 1

    def __init__(self, url: str, secret: str | None = None) -> None:
        parts = urlsplit(url)
        try:
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if not host or not (url.isascii() and url.isprintable()):
            raise UsageError("the URL of a webhook is not valid", "Use https://HOST/PATH")
        self.name = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self.key = key_of(parts.scheme, host, url)
        self._host, self._port, self._secure = host, port, parts.scheme == "https"
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._headers = {
            "Content-Type": "application/json",
            "User-Agent": f"tallylens/{__version__}",
        }
        if parts.username is not None:
            login = f"{parts.username}:{parts.password or ''}".encode()
            self._headers["Authorization"] = f"Basic {base64.b64encode(login).decode()}"
        self._secret = None if not secret else _secret_bytes(secret)
        self._connection: http.client.HTTPConnection | None = None

    def start(self, count: str, sequence: int) -> None:
        """Nothing: a receiver recognizes repeated messages by `webhook-id`."""

    def send(self, messages: Sequence[Message]) -> None:
        """Post each message."""
        for message in messages:
            self._post(message)

    def show(self, totals: Mapping[str, Any]) -> None:
        """Nothing: a webhook receives events."""

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _post(self, message: Message) -> None:
        body = payload(message)
        headers = {**self._headers, **signature(message.id, body, self._secret, time.time())}
        try:
            connection = self._open()
            connection.request("POST", self._target, body, headers)
            answer = connection.getresponse()
            answer.read(1 << 16)
            if not answer.isclosed():
                self.close()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise DeliveryError(_reason(error)) from error
        self._check(answer)

    def _check(self, answer: http.client.HTTPResponse) -> None:
        if 200 <= answer.status < 300:
            return
        problem = f"it answers with status {answer.status}"
        if 300 <= answer.status < 400:
            problem += ": redirects are not followed"
        if answer.status in REFUSED:
            raise RefusedError(problem)
        raise DeliveryError(problem, _wait_s(answer.getheader("Retry-After")))

    def _open(self) -> http.client.HTTPConnection:
        if self._connection is None:
            if self._secure:
                context = ssl.create_default_context()
                self._connection = http.client.HTTPSConnection(
                    self._host, self._port, timeout=TIMEOUT_S, context=context
                )
            else:
                self._connection = http.client.HTTPConnection(
                    self._host, self._port, timeout=TIMEOUT_S
                )
        return self._connection


def payload(message: Message) -> bytes:
    """The body of a request: `{"type", "timestamp", "data"}`, always the same for a message."""
    body = message.body
    moment = body.get("time") or body.get("end")
    document = {"type": f"count.{body['event']}", "timestamp": moment, "data": dict(body)}
    return json.dumps(document, separators=(",", ":")).encode()


def signature(message_id: str, body: bytes, secret: bytes | None, now_s: float) -> dict[str, str]:
    """The headers of Standard Webhooks; `webhook-signature` only with a secret."""
    headers = {"webhook-id": message_id, "webhook-timestamp": str(int(now_s))}
    if secret is not None:
        signed = f"{message_id}.{int(now_s)}.".encode() + body
        digest = hmac.new(secret, signed, hashlib.sha256).digest()
        headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return headers


def secret_from_environment() -> str | None:
    """The secret of `TALLYLENS_WEBHOOK_SECRET`, None without."""
    return os.environ.get(SECRET) or None


def _secret_bytes(secret: str) -> bytes:
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise UsageError(
            f"the secret in {SECRET} is damaged", "Copy it whole: whsec_ and base64"
        ) from error


def _reason(error: Exception) -> str:
    """Why a request failed; texts of other libraries may hold the address."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid ({error.verify_message})"
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    if isinstance(error, socket.gaierror):
        return "its host name is not known"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "the connection was closed"


def _wait_s(header: str | None) -> float:
    try:
        return min(max(float(header or 0), 0.0), MAX_WAIT_S)
    except ValueError:
        return 0.0
