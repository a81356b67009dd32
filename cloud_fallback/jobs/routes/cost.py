"""`/v1/cost`: what the service costs, as `tallylens cost --json` shows it."""

from __future__ import annotations

import dataclasses
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.datastructures import QueryParams

from ....edge_runtime.errors import UsageError
from ...cost.estimate import Cost, cost
from ...cost.scenario import Scenario
from ..callers.dependencies import account_of
from ..problems import ProblemError

router = APIRouter(tags=["cost"])
FIELDS = {field.name: field.default for field in dataclasses.fields(Scenario)}
WAY = "way"
DEFAULT_WAY = "gpu"


def _parameters() -> list[dict[str, Any]]:
    """The query's parameters for the OpenAPI document."""
    number = {"type": "number", "minimum": 0}
    found = [
        {"name": name, "in": "query", "schema": {**number, "default": default}}
        for name, default in FIELDS.items()
    ]
    way = {"type": "string", "default": DEFAULT_WAY, "enum": list(_ways())}
    return [*found, {"name": WAY, "in": "query", "schema": way}]


def _ways() -> tuple[str, ...]:
    from ...cost.ways import NAMES

    return tuple(NAMES)


@router.get(
    "/v1/cost",
    openapi_extra={"parameters": _parameters()},
    dependencies=[Depends(account_of)],
)
async def estimate(request: Request) -> dict[str, Any]:
    """Estimate the cost of a load; without parameters it is the reference case."""
    return estimate_of(request.query_params).to_json()


def estimate_of(query: QueryParams) -> Cost:
    """The estimate of a query; raises ProblemError (422) for values that cannot be used."""
    values: dict[str, float] = {}
    for name, text in query.items():
        if name == WAY:
            continue
        if name not in FIELDS:
            raise _invalid(name, "is unknown", f"Use {', '.join(FIELDS)}")
        try:
            values[name] = float(text[:40])
        except ValueError:
            raise _invalid(name, "is not a number", "Send a number") from None
    try:
        return cost(Scenario(**values), way=query.get(WAY, DEFAULT_WAY))
    except UsageError as error:
        raise ProblemError(422, error.problem, error.remedy, kind="scenario") from error


def _invalid(name: str, detail: str, remedy: str) -> ProblemError:
    errors = [{"field": name[:40], "detail": detail}]
    return ProblemError(422, f"{name[:40]} {detail}", remedy, errors=errors)
