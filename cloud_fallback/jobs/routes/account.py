"""`/v1/account`: the account of the caller."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter
from sqlalchemy import Connection, Row

from ..accounts import AccountOf, VideosOf
from ..clock import rfc3339
from ..plans import Plan
from ..tables import accounts

router = APIRouter(prefix="/v1/account", tags=["account"])


def plan_document(plan: Plan) -> dict[str, Any]:
    """A plan and its limits."""
    return asdict(plan)


@router.get("")
async def one(service: VideosOf, account: AccountOf) -> dict[str, Any]:
    """The account, its plan, and the token of the session where there is one."""
    row = await service.database.call(account_row, account.id)
    document = {
        "id": row.id,
        "email": row.email,
        "name": row.name,
        "created": rfc3339(row.created),
        "plan": plan_document(account.plan),
        "plan_until": rfc3339(row.plan_until),
    }
    return {**document, "csrf": account.csrf} if account.by_session else document


def account_row(connection: Connection, account: str) -> Row[Any]:
    """The row of an account."""
    return connection.execute(sa.select(accounts).where(accounts.c.id == account)).one()
