"""`/metrics` for Prometheus: from this machine, or with a key of scope `metrics`."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from ..access import CallerOf, RefusedError, ServiceOf

LOOPBACK = ("127.0.0.1", "::1")
router = APIRouter()


@router.get("/metrics")
async def metrics(request: Request, service: ServiceOf, caller: CallerOf) -> Response:
    """All metrics in the text exposition format."""
    local = request.client is not None and request.client.host in LOOPBACK
    if not local and not (caller and caller.may("metrics")):
        raise RefusedError(401)
    return Response(service.metrics.text(), media_type="text/plain; version=0.0.4")
