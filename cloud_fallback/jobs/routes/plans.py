"""`/v1/plans` and `/v1/usage`: the plans, and what an account has used of its own."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter

from ..callers.dependencies import AccountOf, VideosOf
from ..clock import rfc3339
from ..plans import Plan
from ..quota import Used, used

router = APIRouter(tags=["plans"])


def plan_document(plan: Plan) -> dict[str, Any]:
    """A plan and its limits."""
    return asdict(plan)


@router.get("/v1/plans")
async def all_plans(service: VideosOf) -> dict[str, Any]:
    """The plans, and the name of the one that an account begins with."""
    plans = service.settings.plans
    return {
        "plans": [plan_document(plan) for plan in plans.by_name.values()],
        "default": plans.default,
    }


@router.get("/v1/usage")
async def usage_of(service: VideosOf, account: AccountOf) -> dict[str, Any]:
    """Videos, frames and seconds that the account has used in the period of its plan."""
    return usage_document(account.plan, await service.database.call(used, account))


def usage_document(plan: Plan, now: Used) -> dict[str, Any]:
    """The use of an account, and the rest of its plan."""
    most = plan.videos
    return {
        "plan": plan.name,
        "since": rfc3339(now.since) if now.since else None,
        "videos": {
            "used": now.settled,
            "reserved": now.reserved,
            "limit": most,
            "left": None if most is None else max(0, most - now.videos - now.opened),
        },
        "open_uploads": now.opened,
        "frames": now.frames,
        "seconds": now.seconds,
    }
