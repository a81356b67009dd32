"""`/v1/keys`: the API keys of an account."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Path, Request, Response
from pydantic import Field
from sqlalchemy import Connection, Row

from .. import audit
from ..callers.dependencies import AddressOf, ManagerOf, VideosOf
from ..clock import rfc3339
from ..paging import ListingOf
from ..problems import ProblemError, not_found
from ..sign_in.api_keys import delete_key, insert_key
from ..tables import api_keys
from .accounts import Body

router = APIRouter(prefix="/v1/keys", tags=["keys"])
Scope = Literal["videos", "account"]
KeyId = Annotated[str, Path(alias="key", max_length=64)]


class NewKey(Body):
    """A key to make."""

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1, max_length=2, strict=False)] = (
        "videos",
    )
    days: Annotated[int | None, Field(ge=1, le=3650, description="until it expires")] = None


def key_document(row: Row[Any]) -> dict[str, Any]:
    """A key, without the key itself."""
    return {
        "id": row.id,
        "name": row.name,
        "scopes": row.scopes.split(","),
        "created": rfc3339(row.created),
        "expires": rfc3339(row.expires),
        "used": rfc3339(row.used),
    }


@router.get("")
async def all_keys(_manager: ManagerOf, listing: ListingOf) -> dict[str, Any]:
    """The keys, newest first."""
    rows = await listing.rows(api_keys)
    return {"keys": [key_document(row) for row in rows]}


@router.post("", status_code=201)
async def create(
    service: VideosOf,
    account: ManagerOf,
    address: AddressOf,
    request: Request,
    response: Response,
    body: NewKey,
) -> dict[str, Any]:
    """Make a key, which only this answer shows."""
    if "idempotency-key" in request.headers:
        # Its answer would have to be stored, and a key is stored nowhere.
        raise ProblemError(400, "a key is shown only once", "Omit Idempotency-Key")

    def work(connection: Connection) -> tuple[Row[Any], str]:
        row, key = insert_key(connection, account.id, body.name, list(body.scopes), body.days)
        audit.note(connection, "key.created", account.id, detail=row.id, address=address)
        return row, key

    row, key = await service.database.call(work)
    response.headers["location"] = f"/v1/keys/{row.id}"
    response.headers["cache-control"] = "no-store"
    return {**key_document(row), "key": key}


@router.get("/{key}")
async def one(service: VideosOf, account: ManagerOf, key: KeyId) -> dict[str, Any]:
    """One key, without the key itself."""
    query = sa.select(api_keys).where(api_keys.c.id == key, api_keys.c.account == account.id)
    row = await service.database.call(lambda one: one.execute(query).one_or_none())
    if row is None:
        raise not_found("key")
    return key_document(row)


@router.delete("/{key}", status_code=204)
async def delete(service: VideosOf, account: ManagerOf, address: AddressOf, key: KeyId) -> Response:
    """Delete a key: it is not valid from then on."""

    def work(connection: Connection) -> bool:
        audit.note(connection, "key.deleted", account.id, detail=key, address=address)
        if not delete_key(connection, account.id, key):
            raise not_found("key")
        return True

    await service.database.call(work)
    return Response(status_code=204)
