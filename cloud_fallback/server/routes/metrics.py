"""`/metrics` for Prometheus, with a key of scope `metrics`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from ..access import ServiceOf, with_scope
from ..auth import Caller

router = APIRouter()
# Never by address: a proxy, a forwarded header or a neighbor's container may have any.
MetricsCaller = Annotated[Caller, Depends(with_scope("metrics"))]


@router.get("/metrics")
async def metrics(service: ServiceOf, _: MetricsCaller) -> Response:
    """All metrics in the text exposition format."""
    return Response(service.metrics.text(), media_type="text/plain; version=0.0.4")
