"""Probes of an orchestrator: `/healthz` (the process lives), `/readyz` (it takes connections)."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from ..access import ServiceOf

router = APIRouter()


@router.get("/healthz")
async def healthz() -> Response:
    """200 while the process lives."""
    return PlainTextResponse("ok")


@router.get("/readyz")
async def readyz(service: ServiceOf) -> Response:
    """200 while new connections are taken, else 503; says where the keys are old ones."""
    if service.leaving or not service.ready:
        return PlainTextResponse("not ready", 503)
    if service.missing:
        return PlainTextResponse(f"not ready: no {', '.join(sorted(service.missing))}", 503)
    # Not a reason to send clients elsewhere: every other server reads the same file.
    stale = service.auth.keys.problem is not None
    return PlainTextResponse("ready, with old keys: the key file is invalid" if stale else "ready")
