"""`/v1/events`: the progress of an account's jobs as one stream (server-sent events)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from fastapi.responses import StreamingResponse

from ...server.http_protocols import SOCKET
from ..callers.dependencies import AccountOf, VideosOf
from ..problems import ProblemError
from ..rate_limit import RateLimit

router = APIRouter(tags=["events"])
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
MAX_STREAMS = 20


@router.get("/v1/events", response_class=StreamingResponse)
async def events(
    request: Request,
    service: VideosOf,
    account: AccountOf,
    last: Annotated[str | None, Header(alias="Last-Event-ID", max_length=20)] = None,
) -> StreamingResponse:
    """An event `job` for each change; its id is the job's version."""
    after = int(last) if last and last.isascii() and last.isdigit() else None
    if service.progress.streams_of(account.id) >= MAX_STREAMS:
        raise ProblemError(
            429,
            f"{MAX_STREAMS} streams of this account are open",
            "Close one",
            retry_s=15,
            limit=RateLimit("streams", MAX_STREAMS),
        )
    entry: Any = request.scope.get("extensions", {}).get(SOCKET)
    if entry is not None:
        # Authenticated, and bounded by the account: no longer one of the sockets that wait.
        entry.admitted()
    stream = service.progress.stream(account.id, after)
    return StreamingResponse(stream, media_type="text/event-stream", headers=HEADERS)
