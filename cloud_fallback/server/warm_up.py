"""Warms up the process of a server, so that no client waits for what is done once."""

from __future__ import annotations

import gc
from typing import Any

from anyio import to_thread

# Answered by the last route and by none: all routes are tried, and a page of an error is rendered.
PATHS = ("/healthz", "/no-such-page")


async def warm_up(app: Any) -> None:
    """Answer requests of this process, then leave all that exists out of garbage collections.

    FastAPI makes its routes at the first request, libraries are imported and templates compiled
    where they are used first, and a full collection visits every object while nothing else runs:
    100 ms and more for the routes and tables of a whole application, which live as long as the
    process. For a process that does nothing else: what it drops later of these stays in memory.
    """
    for path in PATHS:
        await _get(app, path)
    await to_thread.run_sync(int)
    gc.collect()
    gc.freeze()


async def _get(app: Any, path: str) -> None:
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"accept", b"text/html")],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 0),
        "state": {},
        "extensions": {},
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_: dict[str, Any]) -> None:
        pass

    await app(scope, receive, send)
