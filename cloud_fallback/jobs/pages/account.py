"""The page of an account: plan, payment and usage, keys, webhooks, and its data."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection, Row

from .. import account_rows, audit, paging
from ..accounts import Account
from ..callers.dependencies import AccountOf, AddressOf, ManagerOf, VideosOf
from ..callers.key_cookie import key_cookie
from ..problems import ProblemError, not_found
from ..quota import used
from ..routes.account import account_row, delete_with_files
from ..routes.keys import KeyId, key_document
from ..routes.plans import usage_document
from ..routes.webhooks import webhook_document
from ..sign_in.api_keys import MANAGE, delete_key, insert_key
from ..sign_in.sessions import ended_cookie
from ..tables import api_keys, payment_events, webhooks
from ..webhooks.events import EVENTS
from .forms import PageRoute, check_once, form_of, once, shown
from .render import page

router = APIRouter(prefix="/account", include_in_schema=False, route_class=PageRoute)
HERE = "/account"
MAX_NAME = 100
MAX_DAYS = 3650


@router.get("")
async def account_page(service: VideosOf, account: AccountOf) -> Response:
    """The whole account."""
    return await _page(service, account, "")


async def _page(service: VideosOf, account: Account, new_key: str) -> Response:
    content = await service.database.call(_content, account)
    context = {**content, "new_key": new_key, "events": EVENTS, "once": once()}
    return page("account.html", shown(HERE, account, **context))


def _content(connection: Connection, account: Account) -> dict[str, Any]:
    """All that the page shows, read in one transaction."""
    row = account_row(connection, account.id)
    keys: list[Row[Any]] = []
    if account.manages:
        keys, _ = account_rows.page(connection, api_keys, account.id, paging.MOST, None)
    hooks, _ = account_rows.page(connection, webhooks, account.id, paging.MOST, None)
    last = connection.execute(
        sa.select(payment_events)
        .where(payment_events.c.account == account.id)
        .order_by(payment_events.c.happened.desc())
        .limit(1)
    ).one_or_none()
    return {
        "row": row,
        "payment": last,
        "usage": usage_document(account.plan, used(connection, account)),
        "keys": [key_document(one) for one in keys],
        "webhooks": [webhook_document(one) for one in hooks],
    }


@router.post("/keys")
async def make_key(
    request: Request, service: VideosOf, account: ManagerOf, address: AddressOf
) -> Response:
    """Make a key, and show it once."""
    fields = await form_of(request)
    name, days = fields.get("name", "").strip(), _days(fields.get("days", ""))
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise ProblemError(422, f"the name has not 1 to {MAX_NAME} characters", "Change it")
    scopes = ["videos", *([MANAGE] if fields.get("manages") else [])]

    def work(connection: Connection) -> str:
        check_once(connection, account.id, fields)
        row, key = insert_key(connection, account.id, name, scopes, days)
        audit.note(connection, "key.created", account.id, detail=row.id, address=address)
        return key

    return await _page(service, account, await service.database.call(work))


def _days(text: str) -> int | None:
    """The days of a key; None for one that does not expire."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) <= MAX_DAYS):
        raise ProblemError(422, f"the days are not a number from 1 to {MAX_DAYS}", "Change them")
    return int(text)


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
    return RedirectResponse(HERE, 303)


@router.get("/delete")
async def deletion_page(service: VideosOf, account: ManagerOf) -> Response:
    """A warning, and the form that asks for the password."""
    return await _deletion(service, account, None)


async def _deletion(service: VideosOf, account: Account, problem: ProblemError | None) -> Response:
    row = await service.database.call(account_row, account.id)
    told = None if problem is None else problem.document()
    answer = page(
        "account_delete.html",
        shown(HERE, account, email=row.email, problem=told),
        200 if problem is None else problem.status,
    )
    answer.headers.update({} if problem is None else problem.headers)
    return answer


@router.post("/delete")
async def delete(
    request: Request, service: VideosOf, account: ManagerOf, address: AddressOf
) -> Response:
    """Delete the account with all that belongs to it, if the password is right."""
    fields = await form_of(request)
    try:
        if not fields.get("sure"):
            raise ProblemError(422, "the box is not checked", "Check it")
        await service.registration.confirm(account.id, fields.get("password", ""), address)
    except ProblemError as problem:
        return await _deletion(service, account, problem)
    await delete_with_files(service, account.id, address)
    context = shown("", None, heading="The account is deleted", text="Nothing of it is left here.")
    answer = page("told.html", context)
    answer.headers.append("set-cookie", ended_cookie())
    answer.headers.append("set-cookie", key_cookie(""))
    return answer
