"""`/metrics` for Prometheus, with a key of scope `metrics`."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response

from ..access import ServiceOf, with_scope
from ..auth import Caller

router = APIRouter()
# Never by address: a proxy, a forwarded header or a neighbor's container may have any.
Of = Literal["all", "self"]
MetricsCaller = Annotated[Caller, Depends(with_scope("metrics"))]


@router.get("/metrics")
async def metrics(service: ServiceOf, _: MetricsCaller, of: Of = "all") -> Response:
    """The metrics of all processes of the service, or of this one, in the text exposition format.

    Where there are several, each sample has a label `replica`.
    """
    if of == "all" and service.metrics_of_all is not None:
        text = await service.metrics_of_all()
    else:
        text = service.metrics.text()
    return Response(text, media_type="text/plain; version=0.0.4")
