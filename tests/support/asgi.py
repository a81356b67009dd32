"""Requests to an ASGI application in this process, from any address."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp

ELSEWHERE = "203.0.113.7"


@dataclass(frozen=True)
class HttpAnswer:
    """Status, headers and body of a response."""

    status: int
    headers: dict[str, str]
    body: str


def request(
    app: ASGIApp, method: str, path: str, *, key: str | None = None, host: str = ELSEWHERE
) -> HttpAnswer:
    """The answer to a request of a client at `host`, with an API key."""
    path, _, query = path.partition("?")
    headers = [(b"authorization", f"Bearer {key}".encode())] if key else []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": headers,
        "client": (host, 50000),
        "server": ("localhost", 8443),
    }
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    async def answer() -> None:
        await app(scope, receive, send)

    asyncio.run(answer())
    start, *parts = sent
    fields = {name.decode(): value.decode() for name, value in start["headers"]}
    body = b"".join(part.get("body", b"") for part in parts)
    return HttpAnswer(start["status"], fields, body.decode())
