"""`Idempotency-Key` on POST: the same key within a day gives the first answer again.

See draft-ietf-httpapi-idempotency-key-header.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Coroutine
from typing import Any

import sqlalchemy as sa
from fastapi import Request, Response
from fastapi.routing import APIRoute
from sqlalchemy import Connection, Row

from .callers.dependencies import account_of, videos_of
from .clock import now_us
from .database import insert_if_absent
from .problems import ProblemError
from .tables import idempotency

MAX_KEY = 200
MAX_BODY = 1 << 20
# Headers of an upload decide what it is; those of the connection do not.
PART_OF_REQUEST = ("content-type", "upload-length", "upload-metadata")
KEPT = ("location", "content-type", "upload-expires", "tus-resumable")
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class IdempotentRoute(APIRoute):
    """A route whose POST requests may carry an `Idempotency-Key`."""

    def get_route_handler(self) -> Handler:
        """The handler, with the key looked at first."""
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            key = request.headers.get("idempotency-key")
            if request.method != "POST" or key is None:
                return await handle(request)
            return await _once(request, key, handle)

        return handler


async def _once(request: Request, key: str, handle: Handler) -> Response:
    if not 0 < len(key) <= MAX_KEY:
        raise ProblemError(
            400, f"Idempotency-Key has not 1 to {MAX_KEY} characters", "Use a random text"
        )
    account, database = await account_of(request), videos_of(request).database
    digest = await _digest(request)
    before = await database.call(_begin, account.id, key, digest)
    if before is not None:
        return _again(before, digest)
    try:
        response = await handle(request)
    except ProblemError as problem:
        response = problem.response()
    except BaseException:
        await database.call(_forget, account.id, key)
        raise
    if response.status_code >= 500 or response.status_code == 429:
        await database.call(_forget, account.id, key)
    else:
        await database.call(_end, account.id, key, response)
    return response


def is_first(connection: Connection, account: str, key: str) -> bool:
    """Whether nothing of an account had this key within a day; notes that this has it."""
    row = {"account": account, "key": key, "request_sha256": "", "created": now_us()}
    return insert_if_absent(connection, idempotency, row)


async def _digest(request: Request) -> str:
    """SHA-256 of all that makes the request what it is."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            raise ProblemError(413, f"the body has more than {MAX_BODY} bytes", "Send less")
    # The handler reads it too.
    request._body = body
    headers = [request.headers.get(name, "") for name in PART_OF_REQUEST]
    text = json.dumps([request.method, request.url.path, request.url.query, headers])
    return hashlib.sha256(text.encode() + b"\0" + body).hexdigest()


def _begin(connection: Connection, account: str, key: str, digest: str) -> Row[Any] | None:
    """Note that a request has begun; the row of the one before with this key, if there was one."""
    row = {"account": account, "key": key, "request_sha256": digest, "created": now_us()}
    if insert_if_absent(connection, idempotency, row):
        return None
    return connection.execute(sa.select(idempotency).where(*_is(account, key))).one()


def _again(row: Row[Any], digest: str) -> Response:
    if row.request_sha256 != digest:
        raise ProblemError(422, "the Idempotency-Key was used for another request", "Use a new key")
    if row.status is None:
        raise ProblemError(
            409, "the request with this Idempotency-Key is not done", "Try again", retry_s=1
        )
    return Response(row.body.encode(), row.status, json.loads(row.headers))


def _end(connection: Connection, account: str, key: str, response: Response) -> None:
    headers = {name: response.headers[name] for name in KEPT if name in response.headers}
    connection.execute(
        sa.update(idempotency)
        .where(*_is(account, key))
        .values(
            status=response.status_code,
            headers=json.dumps(headers),
            body=bytes(response.body).decode(),
        )
    )


def _forget(connection: Connection, account: str, key: str) -> None:
    connection.execute(sa.delete(idempotency).where(*_is(account, key)))


def _is(account: str, key: str) -> tuple[sa.ColumnElement[bool], ...]:
    return idempotency.c.account == account, idempotency.c.key == key
