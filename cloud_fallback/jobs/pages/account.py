"""The page of an account: its plan and its keys."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection

from .. import audit, paging
from ..accounts import Account, AccountOf, AddressOf, ManagerOf, VideosOf
from ..problems import ProblemError, not_found
from ..routes.account import account_row
from ..routes.keys import KeyId, key_document
from ..sign_in.api_keys import delete_key, insert_key
from ..tables import api_keys
from .forms import PageRoute, form_of, shown
from .render import page

router = APIRouter(prefix="/account", include_in_schema=False, route_class=PageRoute)
MAX_NAME = 100


@router.get("")
async def account_page(service: VideosOf, account: AccountOf) -> Response:
    """The plan and the keys."""
    return await _page(service, account, "")


async def _page(service: VideosOf, account: Account, new_key: str) -> Response:
    row = await service.database.call(account_row, account.id)
    keys: list[dict[str, Any]] = []
    if account.manages:
        found, _ = await service.database.call(paging.page, api_keys, account.id, paging.MOST, None)
        keys = [key_document(one) for one in found]
    named = row.email or row.name
    return page("account.html", shown("/account", account, name=named, keys=keys, new_key=new_key))


@router.post("/keys")
async def make_key(
    request: Request, service: VideosOf, account: ManagerOf, address: AddressOf
) -> Response:
    """Make a key, and show it once."""
    name = (await form_of(request)).get("name", "").strip()
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise ProblemError(422, f"the name has not 1 to {MAX_NAME} characters", "Change it")

    def work(connection: Connection) -> str:
        row, key = insert_key(connection, account.id, name, ["videos"], None)
        audit.note(connection, "key.created", account.id, detail=row.id, address=address)
        return key

    return await _page(service, account, await service.database.call(work))


@router.post("/keys/{key}/delete")
async def end_key(
    request: Request, service: VideosOf, account: ManagerOf, address: AddressOf, key: KeyId
) -> Response:
    """Delete a key."""
    await form_of(request)

    def work(connection: Connection) -> None:
        if not delete_key(connection, account.id, key):
            raise not_found("key")
        audit.note(connection, "key.deleted", account.id, detail=key, address=address)

    await service.database.call(work)
    return RedirectResponse("/account", 303)
