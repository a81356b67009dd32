"""`/v1/account`: the account of the caller."""

from __future__ import annotations

import asyncio
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import Connection, Row

from .. import audit
from ..account_data import delete_account, export
from ..callers.dependencies import AccountOf, AddressOf, ManagerOf, VideosOf
from ..clock import rfc3339
from ..sign_in.sessions import ended_cookie
from ..tables import accounts
from .plans import plan_document

router = APIRouter(prefix="/v1/account", tags=["account"])


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


@router.delete("", status_code=204)
async def delete(service: VideosOf, account: ManagerOf, address: AddressOf) -> Response:
    """Delete the account with all that belongs to it, at once."""
    await delete_with_files(service, account.id, address)
    return Response(status_code=204, headers={"set-cookie": ended_cookie()})


async def delete_with_files(service: VideosOf, account: str, address: str) -> None:
    """Delete an account, then the files that its rows named."""
    files = await service.database.call(delete_account, account, address)
    for identifier in files:
        await asyncio.to_thread(service.storage.delete, identifier)
        await asyncio.to_thread(service.folder.delete, identifier)


@router.get("/export.zip", response_class=StreamingResponse)
async def export_all(
    service: VideosOf, account: ManagerOf, address: AddressOf
) -> StreamingResponse:
    """All that is stored of the account, as an archive."""
    await service.database.call(
        lambda one: audit.note(one, "account.exported", account.id, address=address)
    )
    return StreamingResponse(
        export(service.database, service.storage, account.id),
        media_type="application/zip",
        headers={
            "cache-control": "no-store",
            "content-disposition": 'attachment; filename="tallylens-account.zip"',
        },
    )


def account_row(connection: Connection, account: str) -> Row[Any]:
    """The row of an account."""
    return connection.execute(sa.select(accounts).where(accounts.c.id == account)).one()
