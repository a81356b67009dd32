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
    """200 while new connections are taken, else 503."""
    ready = service.ready
    return PlainTextResponse("ready" if ready else "not ready", 200 if ready else 503)
